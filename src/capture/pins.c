// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/pins.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/log.h"
#include "util/test_features.h"

#define BPFFS "/sys/fs/bpf"
#define ROOT  BPFFS "/traffic-meter"

static bool is_bpffs(const char *path)
{
	struct statfs status;

	return statfs(path, &status) == 0 && status.f_type == BPF_FS_MAGIC;
}

static int mount_bpffs(void)
{
	if (feature_is_off("bpffs"))
		return -EOPNOTSUPP;
	/* A service may see no more of it than the meter's own directory. */
	if (is_bpffs(ROOT) || is_bpffs(BPFFS))
		return 0;
	if (mount("bpf", BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
		return -errno;
	log_notice("mounted the BPF file system at " BPFFS ", which nobody had");
	return 0;
}

static int make_directory(const char *path)
{
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

/* As that user, where the directory above is theirs already: a service need not have the right to give
 * things away. Else it is given to them later. */
static int make_directory_of(const char *path, uid_t owner)
{
	int r;

	if (owner == geteuid())
		return make_directory(path);
	setfsuid(owner);
	r = make_directory(path);
	setfsuid(geteuid());
	return r < 0 ? make_directory(path) : 0;
}

int pins_open(struct pins *pins, const char *instance, uid_t owner)
{
	_cleanup_free_ char *directory = NULL;
	int r;

	*pins = (struct pins){ .fd = -1 };
	if (!instance)
		return 0;
	if (asprintf(&directory, ROOT "/%s", instance) < 0) {
		directory = NULL;
		return -ENOMEM;
	}
	/* bpffs has no dots in names; an instance has no '+'. */
	for (char *c = directory; *c; c++)
		if (*c == '.')
			*c = '+';
	if ((r = mount_bpffs()) < 0 || (r = make_directory(ROOT)) < 0 ||
	    (r = make_directory_of(directory, owner)) < 0) {
		log_warning_errno(r,
				  "keep metering in " ROOT "; should this meter be killed, what it "
				  "has not written then is lost, and nothing is metered until "
				  "it is started again");
		return 0;
	}
	pins->fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (pins->fd < 0)
		return log_error_errno(errno, "open %s", directory);
	pins->directory = steal_pointer(directory);
	return 0;
}

void pins_close(struct pins *pins)
{
	if (pins->directory)
		close_fd(&pins->fd);
	free(pins->directory);
	*pins = (struct pins){ .fd = -1 };
}

/* By the descriptor: the directories above may be root's alone. */
static int path_of(const struct pins *pins, const char *name, const char *suffix, char **ret)
{
	if (asprintf(ret, "/proc/self/fd/%d/%s%s", pins->fd, name, suffix) >= 0)
		return 0;
	*ret = NULL;
	return -ENOMEM;
}

int pins_get(const struct pins *pins, const char *name)
{
	_cleanup_free_ char *path = NULL;
	int fd;

	if (!pins->directory)
		return -ENOENT;
	if (path_of(pins, name, "", &path) < 0)
		return -ENOMEM;
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

int pins_put(const struct pins *pins, int fd, const char *name)
{
	_cleanup_free_ char *path = NULL, *new_path = NULL;

	if (!pins->directory)
		return 0;
	if (path_of(pins, name, "", &path) < 0 || path_of(pins, name, "-new", &new_path) < 0)
		return -ENOMEM;
	unlink(new_path); /* of one that was killed here */
	if (bpf_obj_pin(fd, new_path) || rename(new_path, path))
		return -errno;
	return 0;
}

int pins_make_directory(const struct pins *pins, const char *name)
{
	_cleanup_free_ char *path = NULL;

	if (!pins->directory)
		return 0;
	return path_of(pins, name, "", &path) < 0 ? -ENOMEM : make_directory(path);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as what a meter has made. */
static int give_directory(const char *path, uid_t uid, gid_t gid)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	int r = 0;

	if (!directory)
		return -errno;
	if (lchown(path, uid, gid))
		r = -errno;
	while (r == 0 && (entry = readdir(directory))) {
		_cleanup_free_ char *file = NULL;

		if (entry->d_name[0] == '.')
			continue;
		if (asprintf(&file, "%s/%s", path, entry->d_name) < 0) {
			file = NULL;
			r = -ENOMEM;
		} else if (entry->d_type == DT_DIR) {
			r = give_directory(file, uid, gid);
		} else if (lchown(file, uid, gid)) {
			r = -errno;
		}
	}
	closedir(directory);
	return r;
}

/* In a directory that is the user's already, what is root's is opened before the user is, and can be
 * removed: a service need not have the right to give things away. */
int pins_give(const struct pins *pins, uid_t uid, gid_t gid)
{
	_cleanup_free_ char *path = NULL;
	struct stat status;

	if (!pins->directory || (fstat(pins->fd, &status) == 0 && status.st_uid == uid))
		return 0;
	return path_of(pins, ".", "", &path) < 0 ? -ENOMEM : give_directory(path, uid, gid);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as what a meter has made. */
static void remove_directory(const char *path)
{
	_cleanup_free_ char *file = NULL;
	DIR *directory = opendir(path);
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.' || asprintf(&file, "%s/%s", path, entry->d_name) < 0)
			continue;
		if (unlink(file) && errno == EISDIR)
			remove_directory(file);
		free(steal_pointer(file));
	}
	if (directory)
		closedir(directory);
	rmdir(path);
}

void pins_remove(const struct pins *pins, const char *name)
{
	_cleanup_free_ char *path = NULL;

	if (!pins->directory || path_of(pins, name, "", &path) < 0)
		return;
	if (unlink(path) && (errno == EISDIR || errno == EPERM))
		remove_directory(path);
}

/* Removing the pin alone would have the kernel detach it some time later (before 6.18), and not at all as
 * long as another has it open. */
void pins_detach(const struct pins *pins, const char *name)
{
	_cleanup_close_ int fd = pins_get(pins, name);

	if (fd >= 0)
		bpf_link_detach(fd);
	pins_remove(pins, name);
}

void pins_each(const struct pins *pins, const char *prefix,
	       void (*see)(void *userdata, const char *name), void *userdata)
{
	_cleanup_free_ char *path = NULL;
	struct dirent *entry;
	DIR *directory;

	if (!pins->directory || path_of(pins, "", "", &path) < 0)
		return;
	directory = opendir(path);
	while (directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.' && strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
			see(userdata, entry->d_name);
	if (directory)
		closedir(directory);
}

static void remove_one(void *userdata, const char *name)
{
	pins_remove(userdata, name);
}

void pins_remove_all(struct pins *pins)
{
	if (!pins->directory)
		return;
	pins_each(pins, "", remove_one, pins);
	rmdir(pins->directory); /* which stays where the one above is root's */
}
