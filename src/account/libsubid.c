// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Asked are the ranges of users, not the owners of a uid, though libsubid has a call for that:
 * sssd, the source that there is, doesn't implement it ("Not yet implemented", and an error), while
 * the ranges are what container engines ask for and each source has.
 *
 * Whose ranges: those of everybody who has a process. A container's owner does, the one that
 * watches over it.
 */
#include "account/libsubid.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#ifdef HAVE_LIBSUBID
#include <dlfcn.h>
#include <shadow/subid.h>
#endif

#include "account/subuid.h"
#include "account/uid_ranges.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/names.h"

/* More answers than this are all forgotten: a bound, not a size that is met. */
#define ANSWERS_MAX 16384

struct libsubid {
	libsubid_ranges ranges_of;
	struct names *names;
	struct uid_ranges owners; /* uids to their owner; a uid that is nobody's to itself */
	struct uid_ranges asked;  /* users whose ranges are known */
	uint64_t since_s;
};

static uint64_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec;
}

#ifdef HAVE_LIBSUBID

#define STRING(macro)	  STRING_OF(macro)
#define STRING_OF(tokens) #tokens

/* Names of shadow 4.9, which has no macros for its version. */
#if !defined(SUBID_ABI_MAJOR) || SUBID_ABI_MAJOR < 4
#define LIBRARY	       "libsubid.so.3"
#define LIBRARY_INIT   libsubid_init
#define LIBRARY_RANGES get_subuid_ranges
#else
#define LIBRARY	       "libsubid.so." STRING(SUBID_ABI_MAJOR)
#define LIBRARY_INIT   subid_init
#define LIBRARY_RANGES subid_get_uid_ranges
#endif

/* Not linked: it brings PAM, SELinux and semanage along, which hardly a machine needs here. Never
 * unloaded: it keeps its source's module, and a handler for exit. */
static libsubid_ranges load(void)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	__typeof__(&LIBRARY_INIT) init;
	__typeof__(&LIBRARY_RANGES) ranges;

	if (!library)
		return NULL;
	init = (__typeof__(init))dlsym(library, STRING(LIBRARY_INIT));
	ranges = (__typeof__(ranges))dlsym(library, STRING(LIBRARY_RANGES));
	/* Its own messages, one for each user without a range, go nowhere. */
	return init && ranges && init("traffic-meter", NULL) ? ranges : NULL;
}

/* A source that fails looks like a user without ranges; either is asked again in some minutes. */
static int learn_ranges_of(struct libsubid *libsubid, uint32_t owner, const char *user)
{
	_cleanup_free_ struct subid_range *ranges = NULL;
	int n = libsubid->ranges_of(user, &ranges), r = 0;

	for (int i = 0; i < n && r == 0; i++) {
		unsigned long first = ranges[i].start, count = ranges[i].count;

		if (first > UINT32_MAX || !count)
			continue;
		if (count > UINT32_MAX - first)
			count = UINT32_MAX - first + 1;
		r = uid_ranges_add(&libsubid->owners, (uint32_t)first,
				   (uint32_t)(first + count - 1), owner);
	}
	return r;
}

#else

static libsubid_ranges load(void)
{
	return NULL;
}

static int learn_ranges_of(struct libsubid *libsubid, uint32_t owner, const char *user)
{
	(void)libsubid, (void)owner, (void)user;
	return 0;
}

#endif

/* Ask for the ranges of people with processes, until one of them has the uid. */
static int learn(struct libsubid *libsubid, uint32_t uid)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	int r = 0;

	while (proc && r == 0 && !uid_ranges_find(&libsubid->owners, uid) &&
	       (entry = readdir(proc))) {
		const char *user;
		struct stat st;

		if (!isdigit((unsigned char)*entry->d_name) ||
		    fstatat(dirfd(proc), entry->d_name, &st, 0) < 0 ||
		    uid_ranges_find(&libsubid->asked, st.st_uid))
			continue;
		r = uid_ranges_add(&libsubid->asked, st.st_uid, st.st_uid, 0);
		user = names_user(libsubid->names, st.st_uid, now_s());
		if (user && r == 0)
			r = learn_ranges_of(libsubid, st.st_uid, user);
	}
	if (proc)
		closedir(proc);
	return r;
}

uint32_t libsubid_owner(struct libsubid *libsubid, uint32_t uid)
{
	const struct uid_range *range;
	int r = 0;

	if (uid < SUBUID_FIRST)
		return uid;
	range = uid_ranges_find(&libsubid->owners, uid);
	if (range && range->value == uid)
		return uid;

	if (libsubid->owners.n >= ANSWERS_MAX && !range)
		libsubid_forget(libsubid);
	/* Most uids that come here are people's own: those cost one look-up, and are nobody else's though
	 * they lie in a range. */
	if (names_user(libsubid->names, uid, now_s())) {
		if (!range)
			(void)uid_ranges_add(&libsubid->owners, uid, uid, uid);
		return uid;
	}
	if (!range)
		r = learn(libsubid, uid);
	range = uid_ranges_find(&libsubid->owners, uid);
	if (range)
		return range->value;
	/* Without memory nothing is remembered, and the next record asks again. */
	if (r == 0)
		(void)uid_ranges_add(&libsubid->owners, uid, uid, uid);
	return uid;
}

/* The first word behind `subid:`; shadow too heeds only the first. NULL: there is none. */
static int read_source(const char *nsswitch, char **ret)
{
	_cleanup_fclose_ FILE *file = fopen(nsswitch, "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	*ret = NULL;
	while (file && !*ret && getline(&line, &size, file) >= 0) {
		const char *value = line + strlen("subid:");
		size_t length;

		if (strncasecmp(line, "subid:", strlen("subid:")) != 0)
			continue;
		value += strspn(value, " \t");
		length = strcspn(value, " \t\n#");
		if (!length)
			continue;
		*ret = strndup(value, length);
		if (!*ret)
			return -ENOMEM;
	}
	return 0;
}

int libsubid_open(struct libsubid **ret, const char *nsswitch)
{
	_cleanup_free_ char *source = NULL;
	libsubid_ranges ranges_of;
	int r = read_source(nsswitch, &source);

	if (r < 0)
		return r;
	*ret = NULL;
	if (!source || strcmp(source, "files") == 0)
		return 0;
	ranges_of = load();
	if (!ranges_of) {
		log_warning("%s names '%s' as the source of subordinate uids, but libsubid is not "
			    "there to ask it (see 'traffic-meter --version'); using " SUBUID_FILE,
			    nsswitch, source);
		return 0;
	}
	*ret = libsubid_new(ranges_of);
	return *ret ? 0 : -ENOMEM;
}

struct libsubid *libsubid_new(libsubid_ranges ranges)
{
	struct libsubid *libsubid = calloc(1, sizeof(*libsubid));

	if (!libsubid)
		return NULL;
	libsubid->ranges_of = ranges;
	libsubid->since_s = now_s();
	libsubid->names = names_new();
	if (!libsubid->names) {
		free(libsubid);
		return NULL;
	}
	return libsubid;
}

void libsubid_close(struct libsubid *libsubid)
{
	if (!libsubid)
		return;
	libsubid_forget(libsubid);
	names_free(libsubid->names);
	free(libsubid);
}

void libsubid_forget(struct libsubid *libsubid)
{
	uid_ranges_free(&libsubid->owners);
	uid_ranges_free(&libsubid->asked);
	libsubid->since_s = now_s();
}

void libsubid_expire(struct libsubid *libsubid)
{
	if (now_s() - libsubid->since_s >= LIBSUBID_LIFETIME_S)
		libsubid_forget(libsubid);
}
