// SPDX-License-Identifier: GPL-2.0-or-later
/* A bounded cache in front of getpwuid_r(). Absence is remembered as a name is. */
#include "util/names.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

/* Sets of a few entries each: bounded, nothing to sweep, and two busy users whose uids fall into
 * one set don't push each other out. */
#define SETS 256
#define WAYS 4

/* After a failed look-up the name known before is used on for so long. */
#define RETRY_S 30

struct entry {
	uint64_t expires_s; /* 0: empty */
	uint32_t uid;
	char *name; /* NULL: the uid has none */
};

struct names {
	struct entry entries[SETS][WAYS];
};

struct names *names_new(void)
{
	return calloc(1, sizeof(struct names));
}

void names_free(struct names *names)
{
	if (!names)
		return;
	for (int i = 0; i < SETS; i++) {
		for (int j = 0; j < WAYS; j++)
			free(names->entries[i][j].name);
	}
	free(names);
}

/* *ret: allocated, or NULL when the uid has no name. */
static int look_up(uint32_t uid, char **ret)
{
	size_t size = 1024;

	for (;;) {
		_cleanup_free_ char *buffer = malloc(size);
		struct passwd entry, *found;
		int r;

		if (!buffer)
			return -ENOMEM;
		r = getpwuid_r(uid, &entry, buffer, size, &found);
		if (r == ERANGE && size < (1 << 20)) {
			size *= 4;
			continue;
		}
		/* ENOENT and the like are what some services say for "no such user". */
		if (r && r != ENOENT && r != ESRCH)
			return -r;
		*ret = !r && found ? strdup(found->pw_name) : NULL;
		return !r && found && !*ret ? -ENOMEM : 0;
	}
}

/* The uid's entry, or the one of its set to give up: empty, or the first to expire. */
static struct entry *find_entry(struct names *names, uint32_t uid)
{
	struct entry *set = names->entries[uid % SETS], *oldest = set;

	for (int i = 0; i < WAYS; i++) {
		if (set[i].expires_s && set[i].uid == uid)
			return &set[i];
		if (set[i].expires_s < oldest->expires_s)
			oldest = &set[i];
	}
	return oldest;
}

const char *names_user(struct names *names, uint32_t uid, uint64_t now_s)
{
	struct entry *entry = find_entry(names, uid);
	bool known = entry->expires_s && entry->uid == uid;
	char *name = NULL;

	if (known && now_s < entry->expires_s)
		return entry->name;
	if (look_up(uid, &name) < 0) {
		if (!known) {
			free(entry->name);
			entry->name = NULL;
			entry->uid = uid;
		}
		entry->expires_s = now_s + RETRY_S;
		return entry->name;
	}
	free(entry->name);
	*entry = (struct entry){ .uid = uid, .name = name, .expires_s = now_s + NAMES_LIFETIME_S };
	return name;
}
