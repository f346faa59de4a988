// SPDX-License-Identifier: GPL-2.0-or-later
#include "output/csv_totals.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output/append_tail.h"
#include "output/format.h"
#include "util/cleanup.h"

/* Whose the file of that name is, or was before it was rotated: the inverse of csv_folder_file_name(). */
static bool read_name(const struct csv_folder *folder, const char *name, uint32_t *ret_uid)
{
	char expected[NAME_MAX + 1];
	uint64_t number = TRAFFIC_NO_UID;
	const char *uid;
	size_t length;
	int prefix;

	prefix = snprintf(expected, sizeof(expected), "traffic_user_%s_", folder->nic_id);
	if (strncmp(name, expected, (size_t)prefix) != 0)
		return false;
	uid = name + prefix;
	if (strncmp(uid, "none.", 5) != 0 &&
	    (!format_read_number(uid, &number) || number >= TRAFFIC_NO_UID))
		return false;
	csv_folder_file_name(folder, (uint32_t)number, expected);
	length = strlen(expected);
	*ret_uid = (uint32_t)number;
	return strncmp(name, expected, length) == 0 &&
	       (!name[length] || strchr(".-", name[length]));
}

static int tell_file(const struct csv_folder *folder, const char *name, uint32_t uid,
		     traffic_total_tell *tell, void *userdata)
{
	_cleanup_free_ char *row = NULL;
	struct traffic_total total = { .uid = uid };
	int r;

	/* Only files of the meter's: with owner=user a user can write to their own, and would raise
	 * their total by it. */
	r = append_tail_read(folder->fd, name, &folder->policy, CSV_ROW_MAX, &row);
	if (r < 0)
		return r;
	return row && csv_row_read_totals(row, &total.in, &total.out) ? tell(userdata, &total) : 0;
}

static void close_entries(DIR **entries)
{
	if (*entries)
		closedir(*entries);
}

int csv_totals_tell(const struct csv_folder *folder, traffic_total_tell *tell, void *userdata)
{
	_cleanup_(close_entries) DIR *entries = NULL;
	_cleanup_close_ int fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *entry;

	if (fd < 0 || !(entries = fdopendir(fd)))
		return -errno;
	steal_fd(&fd);
	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): it was opened */
	while (errno = 0, (entry = readdir(entries))) {
		uint32_t uid;
		int r = read_name(folder, entry->d_name, &uid)
				? tell_file(folder, entry->d_name, uid, tell, userdata)
				: 0;

		if (r < 0)
			return r;
	}
	return -errno;
}
