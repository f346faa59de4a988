/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The directory of the csv output, and what its files have in common. */
#ifndef OUTPUT_CSV_FOLDER_H
#define OUTPUT_CSV_FOLDER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "output/append_file.h"
#include "output/csv_row.h"

struct traffic_output;

enum csv_owner {
	CSV_OWNER_METER,
	CSV_OWNER_USER, /* a file belongs to the user whose rows it has */
};

struct csv_folder {
	int fd; /* -1: not open */
	dev_t device;
	ino_t inode;
	const char *path;   /* of the SPEC */
	const char *nic_id; /* in the files' names */
	struct append_policy policy;
	enum csv_owner owner;
	enum csv_columns columns;
	bool header;
};

/* Open .path. An error is told to `output`: no such directory, not a directory, not writable, or
 * writable for others where the files are the users', or no file in it could have a name with such
 * a .nic_id. */
int csv_folder_open(struct csv_folder *folder, struct traffic_output *output);

/* When the path means another directory by now (removed and made again, or mounted over), take
 * that one. *ret_changed: it did. On an error the one before stays; -EPERM: that one is writable for
 * others, and the files are the users'. */
int csv_folder_refresh(struct csv_folder *folder, bool *ret_changed);

void csv_folder_close(struct csv_folder *folder);

/* What the file of a user may be. */
void csv_folder_policy(const struct csv_folder *folder, uint32_t uid, struct append_policy *ret);

/* traffic_user_<nic_id>_<uid>.log */
void csv_folder_file_name(const struct csv_folder *folder, uint32_t uid, char name[NAME_MAX + 1]);

#endif
