/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a file like /etc/subuid says, subuid(5): lines of name-or-uid:start:count. */
#ifndef ACCOUNT_SUBUID_FILE_H
#define ACCOUNT_SUBUID_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "account/uid_ranges.h"

/* The first field of a line. */
struct subuid_line {
	char *name; /* NULL: the file has a uid */
	uint32_t uid;
	unsigned int number;
	bool known;  /* uid is the owner's */
	bool asked;  /* looked up since the last refresh */
	bool warned; /* told that there is no such user */
};

struct subuid_file {
	struct uid_ranges ranges; /* value: index of the line; the first that has a uid wins */
	struct subuid_line *lines;
	size_t n_lines;
	size_t n_allocated;
	struct stat stat; /* of the very file that was read; all zeroes: there was none */
};

/* Comments, empty lines, and broken ones (each is logged) are left out; names are not looked up. No
 * such file: no lines. Negative errno, unlogged. */
int subuid_file_read(struct subuid_file *ret, const char *path);
bool subuid_file_has_changed(const struct subuid_file *file, const char *path);
void subuid_file_free(struct subuid_file *file);

#endif
