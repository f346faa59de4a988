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

/* The same table as mountinfo, in the form that the C library reads, escapes undone. */
static int find_mount(const char *table, char **ret_path)
{
	_cleanup_(close_mounts) FILE *mounts = setmntent(table, "re");
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

int cgroup_find_root(char **ret_path)
{
	return find_mount("/proc/self/mounts", ret_path);
}

/* `ip netns exec` mounts another sysfs over /sys, in a mount namespace of the command's own. */
const char *cgroup_explain_lack(void)
{
	_cleanup_free_ char *root = NULL;

	if (find_mount("/proc/1/mounts", &root) == 0)
		return "it is mounted for the machine, but not in this mount namespace, as inside "
		       "'ip netns exec', which mounts another /sys; instead of that, use "
		       "'nsenter --net=/run/netns/NAME traffic-meter ...', or mount it here: "
		       "'mount -t cgroup2 none /mnt'";
	return "traffic is seen at a cgroup: 'mount -t cgroup2 none /mnt', or boot with "
	       "systemd.unified_cgroup_hierarchy=1";
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
		log_error("no cgroup v2 hierarchy is mounted here; %s", cgroup_explain_lack());
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
