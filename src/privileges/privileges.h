/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the process may do, as the kernel sees it now. */
#ifndef PRIVILEGES_PRIVILEGES_H
#define PRIVILEGES_PRIVILEGES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Of all its threads together: the capabilities that one of them has or may take; what not all of
 * them are bound by is none. */
struct privileges_held {
	uid_t uid;
	gid_t gid;
	uint64_t capabilities;
	bool no_new_privs;
	bool seccomp;
	bool landlock; /* of the thread that asks: /proc does not tell, so it is tried */
};

/* 0 or -errno. */
int privileges_read(struct privileges_held *ret);

#endif
