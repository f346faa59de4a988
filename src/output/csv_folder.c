// SPDX-License-Identifier: GPL-2.0-or-later
/* The directory that csv writes in: opened once, found again by its path. Opens no file in it. */
#include "output/csv_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <traffic_meter/output.h>

#include "util/cleanup.h"

/* The longest name is that of a ten-digit uid. */
#define NIC_ID_MAX (NAME_MAX - (sizeof("traffic_user__4294967294.log") - 1))

/* Where users could put something in the place of what is theirs, a file that is a user's would prove
 * nothing. (An ACL's entries are within the group's bits.) */
static bool is_ours_alone(const struct stat *status)
{
	return status->st_uid == geteuid() && !(status->st_mode & (S_IWGRP | S_IWOTH));
}

static int open_directory(struct csv_folder *folder)
{
	_cleanup_close_ int fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (folder->owner == CSV_OWNER_USER && !is_ours_alone(&status))
		return -EPERM;
	csv_folder_close(folder);
	folder->fd = steal_fd(&fd);
	folder->device = status.st_dev;
	folder->inode = status.st_ino;
	return 0;
}

static int check_nic_id(const char *nic_id, struct traffic_output *output)
{
	if (strchr(nic_id, '/'))
		return traffic_output_refuse(
			output, -EINVAL, "'%s' can't be part of a file's name: no slash", nic_id);
	if (strlen(nic_id) > NIC_ID_MAX)
		return traffic_output_refuse(output, -EINVAL,
					     "the interface's label is too long for a file's name: "
					     "at most %zu bytes",
					     NIC_ID_MAX);
	return 0;
}

int csv_folder_open(struct csv_folder *folder, struct traffic_output *output)
{
	int r = check_nic_id(folder->nic_id, output);

	if (r < 0)
		return r;
	if (!*folder->path)
		return traffic_output_refuse(output, -EINVAL, "which directory? csv:DIRECTORY");
	r = open_directory(folder);
	if (r == -ENOENT)
		return traffic_output_refuse(
			output, r, "no such directory; make it: mkdir -m 0750 %s", folder->path);
	if (r == -ENOTDIR)
		return traffic_output_refuse(output, r, "not a directory");
	if (r == -EPERM)
		return traffic_output_refuse(
			output, r,
			"with owner=user the directory has to be the meter's, "
			"and writable for nobody else: chown %u %s; chmod go-w "
			"%s",
			geteuid(), folder->path, folder->path);
	if (r < 0)
		return traffic_output_fail(output, r, "open the directory");
	if (faccessat(folder->fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return traffic_output_fail(output, -errno,
					   "directory not writable for the meter's user");
	return 0;
}

int csv_folder_refresh(struct csv_folder *folder, bool *ret_changed)
{
	struct stat status;
	int r;

	*ret_changed = false;
	if (stat(folder->path, &status) < 0)
		return -errno;
	if (status.st_dev == folder->device && status.st_ino == folder->inode)
		return 0;
	r = open_directory(folder);
	*ret_changed = r == 0;
	return r;
}

void csv_folder_close(struct csv_folder *folder)
{
	if (folder->fd >= 0)
		close(steal_fd(&folder->fd));
}

void csv_folder_policy(const struct csv_folder *folder, uint32_t uid, struct append_policy *ret)
{
	*ret = folder->policy;
	if (folder->owner == CSV_OWNER_USER && uid != TRAFFIC_NO_UID)
		ret->owner = uid;
}

void csv_folder_file_name(const struct csv_folder *folder, uint32_t uid, char name[NAME_MAX + 1])
{
	if (uid == TRAFFIC_NO_UID)
		snprintf(name, NAME_MAX + 1, "traffic_user_%s_none.log", folder->nic_id);
	else
		snprintf(name, NAME_MAX + 1, "traffic_user_%s_%u.log", folder->nic_id, uid);
}
