// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files to append to: how they are opened safely, and written. Knows nothing of rows or buffers.
 *
 * The directory may be /tmp, so a path is looked at before it is opened (opening a FIFO or a device
 * can do things by itself), opened without following links, and looked at again through the open
 * file, which is the look that counts.
 */
#include "output/append_file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <traffic_meter/output.h>

#include "util/cleanup.h"

#define OPEN_FLAGS (O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)

/* Not more often, as the pages at the ends of the files are written each time. */
#define WRITE_BACK_S 5

static bool is_in_group(gid_t group)
{
	_cleanup_free_ gid_t *groups = NULL;
	int n;

	if (getegid() == group)
		return true;
	n = getgroups(0, NULL);
	if (n <= 0)
		return false;
	groups = calloc((size_t)n, sizeof(*groups));
	if (!groups)
		return false;
	n = getgroups(n, groups);
	for (int i = 0; i < n; i++) {
		if (groups[i] == group)
			return true;
	}
	return false;
}

static int find_group(const char *name, gid_t *ret_group)
{
	size_t size = 1024;

	for (;;) {
		_cleanup_free_ char *buffer = malloc(size);
		struct group entry, *found;
		int r;

		if (!buffer)
			return -ENOMEM;
		r = getgrnam_r(name, &entry, buffer, size, &found);
		if (r == ERANGE && size < (1 << 20)) {
			size *= 4;
			continue;
		}
		if (r)
			return -r;
		if (!found)
			return -ENOENT;
		*ret_group = found->gr_gid;
		return 0;
	}
}

int append_policy_init(struct append_policy *policy, struct traffic_output *output, mode_t mode,
		       const char *group)
{
	int r;

	*policy = (struct append_policy){
		.mode = mode,
		.group = (gid_t)-1,
		.owner = (uid_t)-1,
	};
	if (!group)
		return 0;
	r = find_group(group, &policy->group);
	if (r == -ENOENT)
		return traffic_output_refuse(output, -EINVAL,
					     "there is no group '%s'; make it: groupadd %s", group,
					     group);
	if (r < 0)
		return traffic_output_fail(output, r, "look up group '%s'", group);
	if (is_in_group(policy->group))
		return 0;
	/* root may give a file to any group; others only to one of their own. */
	output->needs |= TRAFFIC_NEED_GIVE;
	if (geteuid() != 0)
		return traffic_output_refuse(output, -EINVAL,
					     "this user is not in group '%s' and can't give files "
					     "to it",
					     group);
	return 0;
}

bool append_policy_may_give(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { 0 };
	const uint32_t needed = 1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE;

	return syscall(SYS_capget, &header, sets) == 0 && (sets[0].permitted & needed) == needed;
}

static const char *type_words(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFLNK:
		return "is a symbolic link; not followed: remove it";
	case S_IFDIR:
		return "is a directory; not a file to append to: remove it";
	case S_IFIFO:
		return "is a FIFO; not opened: remove it";
	case S_IFSOCK:
		return "is a socket; not opened: remove it";
	default:
		return "is a device; not opened: remove it";
	}
}

static bool is_owner_good(uid_t owner, const struct append_policy *policy)
{
	return owner == geteuid() || (policy->owner != (uid_t)-1 && owner == policy->owner);
}

int append_file_judge(const struct stat *status, const struct append_policy *policy, char *words,
		      size_t size)
{
	if (!S_ISREG(status->st_mode))
		snprintf(words, size, "%s", type_words(status->st_mode));
	else if (!is_owner_good(status->st_uid, policy))
		snprintf(words, size, "belongs to uid %u, not to the meter's uid %u: remove it",
			 status->st_uid, geteuid());
	else if (status->st_nlink > 1)
		snprintf(words, size, "has %ju names (hard links), not one: remove it",
			 (uintmax_t)status->st_nlink);
	else
		return 0;
	return -EPERM;
}

#define MODE_AT_FIRST 0200

/* A file is made closed to others, and opened to them when it has its group; it is given away last, as only
 * its owner may change the mode. A file that can't get what it should have is removed again, as the next
 * try would take it for one that was there before. */
static int make_file(int directory_fd, const char *name, const struct append_policy *policy)
{
	_cleanup_close_ int fd =
		openat(directory_fd, name, OPEN_FLAGS | O_CREAT | O_EXCL, MODE_AT_FIRST);

	if (fd < 0)
		return -errno;
	if ((policy->group == (gid_t)-1 || fchown(fd, (uid_t)-1, policy->group) == 0) &&
	    fchmod(fd, policy->mode) == 0 &&
	    (policy->owner == (uid_t)-1 || fchown(fd, policy->owner, (gid_t)-1) == 0))
		return steal_fd(&fd);

	int r = -errno;

	unlinkat(directory_fd, name, 0);
	return r;
}

/* A meter was killed in make_file(). Without a read permission nobody but root with all rights opens it. */
static bool is_half_made(const struct stat *status, const struct append_policy *policy)
{
	return status->st_size == 0 && status->st_uid == geteuid() &&
	       (status->st_mode & 07777) == MODE_AT_FIRST && policy->mode != MODE_AT_FIRST;
}

/* The file descriptor of what stands at the name, or of what we make there. -EAGAIN: it changed
 * between two looks. */
static int open_or_make(int directory_fd, const char *name, const struct append_policy *policy,
			char *words, size_t size)
{
	char error[128];
	struct stat status;
	int r, fd;

	if (fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return -errno;
		fd = make_file(directory_fd, name, policy);
		if (fd == -EEXIST)
			return -EAGAIN;
		/* EPERM is for what is there; this is a directory that lets us make nothing. */
		return fd == -EPERM ? -EACCES : fd;
	}
	r = append_file_judge(&status, policy, words, size);
	if (r < 0)
		return r;
	if (is_half_made(&status, policy))
		return unlinkat(directory_fd, name, 0) == 0 || errno == ENOENT ? -EAGAIN : -errno;

	fd = openat(directory_fd, name, OPEN_FLAGS);
	if (fd >= 0)
		return fd;
	r = -errno;
	if (r == -ENOENT || r == -ELOOP || r == -ENXIO || r == -EISDIR)
		return -EAGAIN;
	if (r != -EPERM && r != -EACCES && r != -ETXTBSY)
		return r;
	snprintf(words, size, "can't be opened to write and read (%s): look at lsattr and its mode",
		 strerror_r(-r, error, sizeof(error)));
	return -EPERM;
}

int append_file_open(struct append_file *file, int directory_fd, const char *name,
		     const struct append_policy *policy, char *words, size_t words_size)
{
	/* Somebody may change what stands there as often as they like, but not delay us by it. */
	for (int tries = 0; tries < 16; tries++) {
		_cleanup_close_ int fd =
			open_or_make(directory_fd, name, policy, words, words_size);
		struct stat status;
		int r;

		if (fd == -EAGAIN)
			continue;
		if (fd < 0)
			return fd;
		if (fstat(fd, &status) < 0)
			return -errno;
		if (status.st_nlink == 0)
			continue;
		r = append_file_judge(&status, policy, words, words_size);
		if (r < 0)
			return r;
		/* Made by logrotate, or by a meter that was killed before it could give it. */
		if (status.st_size == 0 && policy->owner != (uid_t)-1 &&
		    status.st_uid != policy->owner && fchown(fd, policy->owner, (gid_t)-1) < 0)
			return errno == EPERM ? -EACCES : -errno;
		*file = (struct append_file){
			.fd = steal_fd(&fd),
			.device = status.st_dev,
			.inode = status.st_ino,
			.is_empty = status.st_size == 0,
		};
		return 0;
	}
	snprintf(words, words_size, "changes while it is looked at: somebody plays with it");
	return -EPERM;
}

/* Take back the last n bytes written: only when they are the file's last, nobody else's. */
static bool take_back(int fd, size_t n)
{
	off_t end = lseek(fd, 0, SEEK_CUR);
	struct stat status;

	return end >= (off_t)n && fstat(fd, &status) == 0 && status.st_size == end &&
	       ftruncate(fd, end - (off_t)n) == 0;
}

int append_file_write(struct append_file *file, const char *data, size_t n, size_t *ret_written)
{
	size_t done = 0;

	*ret_written = 0;
	file->is_dirty = true;
	while (done < n) {
		ssize_t written = write(file->fd, data + done, n - done);
		int r = written < 0 ? -errno : -EIO;

		if (written > 0) {
			done += (size_t)written;
			continue;
		}
		if (r == -EINTR)
			continue;
		if (done && !take_back(file->fd, done))
			*ret_written = done;
		return r;
	}
	return 0;
}

static void begin_write_back(struct append_file *file)
{
	/* Of the whole file: what is on the disk already costs nothing. */
	(void)sync_file_range(file->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	file->is_dirty = false;
}

void append_file_write_back(struct append_file *file)
{
	struct timespec now = { 0 };

	if (!file->is_dirty)
		return;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (now.tv_sec - file->write_back_s < WRITE_BACK_S)
		return;
	file->write_back_s = now.tv_sec;
	begin_write_back(file);
}

bool append_file_is_named(const struct append_file *file, int directory_fd, const char *name)
{
	struct stat status;

	return fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	       status.st_dev == file->device && status.st_ino == file->inode;
}

bool append_file_is_deleted(struct append_file *file)
{
	struct stat status;

	if (fstat(file->fd, &status) < 0)
		return false;
	file->is_empty = status.st_size == 0;
	return status.st_nlink == 0;
}

int append_file_close(struct append_file *file)
{
	int fd;

	if (file->is_dirty)
		begin_write_back(file);
	fd = steal_fd(&file->fd);
	/* EINTR: closed all the same on Linux. */
	return fd >= 0 && close(fd) < 0 && errno != EINTR ? -errno : 0;
}
