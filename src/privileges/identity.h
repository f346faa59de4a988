/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose process it is: the user and the group that it becomes. */
#ifndef PRIVILEGES_IDENTITY_H
#define PRIVILEGES_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct identity {
	const char *user; /* NULL: it stays whose it is */
	uid_t uid;
	gid_t gid;
	bool has_group; /* to become; else it stays in the groups that it is in */
};

/* Look both up; either may be NULL. The group of a user without one given is the user's own.
 * 0 or an error, logged. The names have to outlive *ret. */
int identity_find(struct identity *ret, const char *user, const char *group);

/* First the groups, with which files are made from now on; then, when all is made that takes root's
 * rights, the user, who keeps of the capabilities `permitted`, and `effective` in force (without a
 * user they are cut down likewise). 0 or an error, logged. */
int identity_take_groups(const struct identity *identity);
int identity_take_user(const struct identity *identity, uint64_t effective, uint64_t permitted);

#endif
