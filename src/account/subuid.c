// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A name is looked up when the first record of its range comes, not when the file is read: files of
 * login nodes name thousands of users, most of whom never run a container, and each may be a
 * question to a directory server.
 *
 * Directory servers hand out uids that lie in ranges of the file, whose defaults begin at 100000. A uid
 * that has a name is a person's, whatever range holds it: containers' uids have none outside of them.
 * That costs a look-up for each uid of a range, remembered for some minutes. Where it fails the uid counts
 * as one without a name, as it does in all but a few machines.
 */
#include "account/subuid.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "account/libsubid.h"
#include "account/subuid_file.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/names.h"

struct subuid {
	char *path;
	struct names *names;	   /* of uids that lie in a range */
	struct libsubid *libsubid; /* NULL: the file is read */
	struct subuid_file file;
	int error; /* told of reading it */
};

/* What can't be read leaves what was known. Told once, not at each refresh. */
static int read_again(struct subuid *subuid)
{
	struct subuid_file file;
	int r = subuid_file_read(&file, subuid->path);

	if (r < 0) {
		if (r != subuid->error)
			(void)log_warning_errno(r, "read %s, for the owners of subordinate uids",
						subuid->path);
		subuid->error = r;
		return r;
	}
	subuid->error = 0;
	subuid_file_free(&subuid->file);
	subuid->file = file;
	return 0;
}

static void close_subuid(struct subuid **subuid)
{
	subuid_close(*subuid);
}

int subuid_open(struct subuid **ret, const char *path)
{
	_cleanup_(close_subuid) struct subuid *subuid = calloc(1, sizeof(*subuid));
	int r;

	if (!subuid)
		return -ENOMEM;
	subuid->path = strdup(path);
	subuid->names = names_new();
	if (!subuid->path || !subuid->names)
		return -ENOMEM;
	if (strcmp(path, SUBUID_FILE) == 0) {
		r = libsubid_open(&subuid->libsubid, LIBSUBID_NSSWITCH);
		if (r < 0)
			return r;
	}
	if (!subuid->libsubid && read_again(subuid) == -ENOMEM)
		return -ENOMEM;
	*ret = steal_pointer(subuid);
	return 0;
}

void subuid_close(struct subuid *subuid)
{
	if (!subuid)
		return;
	libsubid_close(subuid->libsubid);
	subuid_file_free(&subuid->file);
	names_free(subuid->names);
	free(subuid->path);
	free(subuid);
}

bool subuid_refresh(struct subuid *subuid)
{
	if (subuid->libsubid) {
		libsubid_expire(subuid->libsubid);
		return false;
	}
	for (size_t i = 0; i < subuid->file.n_lines; i++)
		subuid->file.lines[i].asked = false;
	return (subuid->error || subuid_file_has_changed(&subuid->file, subuid->path)) &&
	       read_again(subuid) == 0;
}

/* 1: found, 0: there is no such user, or an error. */
static int find_user(const char *name, uint32_t *ret)
{
	for (size_t size = 1024;; size *= 4) {
		_cleanup_free_ char *buffer = malloc(size);
		struct passwd entry, *found;
		int r;

		if (!buffer)
			return -ENOMEM;
		r = getpwnam_r(name, &entry, buffer, size, &found);
		if (r == ERANGE && size < (1 << 20))
			continue;
		/* What some services say for "no such user". */
		if (r && r != ENOENT && r != ESRCH)
			return -r;
		if (r || !found)
			return 0;
		*ret = found->pw_uid;
		return 1;
	}
}

static void look_up(struct subuid *subuid, struct subuid_line *line)
{
	int r = find_user(line->name, &line->uid);

	line->asked = true;
	line->known = r > 0;
	if (line->known || line->warned)
		return;
	line->warned = true;
	(void)log_warning_errno(r,
				"%s:%u: no user '%s' found; uids of the range stand for themselves",
				subuid->path, line->number, line->name);
}

static bool has_name(struct subuid *subuid, uint32_t uid)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return names_user(subuid->names, uid, (uint64_t)now.tv_sec);
}

uint32_t subuid_owner(struct subuid *subuid, uint32_t uid)
{
	const struct uid_range *range;
	struct subuid_line *line;

	if (uid < SUBUID_FIRST)
		return uid;
	if (subuid->libsubid)
		return libsubid_owner(subuid->libsubid, uid);
	range = uid_ranges_find(&subuid->file.ranges, uid);
	if (!range || has_name(subuid, uid))
		return uid;
	line = &subuid->file.lines[range->value];
	if (!line->known && !line->asked)
		look_up(subuid, line);
	return line->known ? line->uid : uid;
}
