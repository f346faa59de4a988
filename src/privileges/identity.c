// SPDX-License-Identifier: GPL-2.0-or-later
#include "privileges/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "privileges/capabilities.h"
#include "util/log.h"

/* At the start, with one thread: so the plain calls will do. */
static int find_user(struct identity *identity, const char *name)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): see above */
	const struct passwd *entry = (errno = 0, getpwnam(name));

	if (!entry && errno && errno != ENOENT && errno != ESRCH)
		return log_error_errno(errno, "look up the user '%s'", name);
	if (!entry) {
		log_error("there is no user '%s'; make it: useradd --system %s", name, name);
		return -ENOENT;
	}
	if (entry->pw_uid != geteuid() && geteuid() != 0) {
		log_error("--user %s: only root can become another user", name);
		return -EPERM;
	}
	if (geteuid() == 0 && entry->pw_uid != 0 && !capabilities_built()) {
		log_error("--user %s: this build can't keep capabilities (see 'traffic-meter "
			  "--version'); build it with libcap-ng, or run as root",
			  name);
		return -EOPNOTSUPP;
	}
	identity->user = name;
	identity->uid = entry->pw_uid;
	identity->gid = entry->pw_gid;
	identity->has_group = geteuid() == 0;
	return 0;
}

static int find_group(struct identity *identity, const char *name)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): likewise */
	const struct group *entry = (errno = 0, getgrnam(name));

	if (!entry && errno && errno != ENOENT && errno != ESRCH)
		return log_error_errno(errno, "look up the group '%s'", name);
	if (!entry) {
		log_error("there is no group '%s'; make it: groupadd --system %s", name, name);
		return -ENOENT;
	}
	identity->gid = entry->gr_gid;
	identity->has_group = true;
	return 0;
}

int identity_find(struct identity *ret, const char *user, const char *group)
{
	int r = 0;

	*ret = (struct identity){ .uid = geteuid(), .gid = getegid() };
	if (user)
		r = find_user(ret, user);
	if (r == 0 && group)
		r = find_group(ret, group);
	return r;
}

int identity_take_groups(const struct identity *identity)
{
	int r = 0;

	if (!identity->has_group)
		return 0;
	/* A user's other groups may be what lets it into a directory; root needs none. */
	if (geteuid() == 0)
		r = identity->user ? initgroups(identity->user, identity->gid) : setgroups(0, NULL);
	if (r || setresgid(identity->gid, identity->gid, identity->gid))
		return log_error_errno(errno, "take the group %u", identity->gid);
	return 0;
}

int identity_take_user(const struct identity *identity, uint64_t effective, uint64_t permitted)
{
	int r;

	if (identity->user && identity->uid != geteuid() &&
	    (prctl(PR_SET_KEEPCAPS, 1) || setresuid(identity->uid, identity->uid, identity->uid) ||
	     prctl(PR_SET_KEEPCAPS, 0)))
		return log_error_errno(errno, "become the user '%s'", identity->user);
	r = capabilities_keep(effective, permitted);
	return r < 0 ? log_error_errno(r, "give up capabilities") : 0;
}
