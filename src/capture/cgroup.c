// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/cgroup.h"

#include <errno.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "util/cleanup.h"
#include "util/log.h"

static void close_mounts(FILE **file)
{
	if (*file)
		endmntent(*file);
}

int cgroup_find_root(char **ret_path)
{
	/* The same table as mountinfo, in the form that the C library reads, escapes undone. */
	_cleanup_(close_mounts) FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *mount;

	if (!mounts)
		return -errno;
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else reads a table of mounts. */
	while ((mount = getmntent(mounts))) {
		if (strcmp(mount->mnt_type, "cgroup2") != 0)
			continue;
		*ret_path = strdup(mount->mnt_dir);
		return *ret_path ? 0 : -ENOMEM;
	}
	return -ENOENT;
}

int cgroup_verify(const char *path)
{
	struct statfs filesystem;
	struct stat status;

	if (stat(path, &status) || statfs(path, &filesystem))
		return log_error_errno(errno, "cgroup %s", path);
	if (!S_ISDIR(status.st_mode) || filesystem.f_type != CGROUP2_SUPER_MAGIC) {
		log_error("%s is not a cgroup v2 directory; name one below the mount that "
			  "'findmnt -t cgroup2' shows, or leave --cgroup out for the whole machine",
			  path);
		return -EINVAL;
	}
	return 0;
}

int cgroup_choose(const char *wanted, char **ret_path)
{
	_cleanup_free_ char *path = NULL;
	int r;

	if (wanted && *wanted)
		r = (path = strdup(wanted)) ? 0 : -ENOMEM;
	else
		r = cgroup_find_root(&path);
	if (r == -ENOENT) {
		log_error("no cgroup v2 hierarchy is mounted; mount one with "
			  "'mount -t cgroup2 none /mnt', or boot with "
			  "systemd.unified_cgroup_hierarchy=1");
		return r;
	}
	if (!path)
		return log_error_errno(r, "look for the cgroup v2 mount");
	r = cgroup_verify(path);
	if (r < 0)
		return r;
	*ret_path = steal_pointer(path);
	return 0;
}
