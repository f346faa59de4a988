/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where what outlives the process is: bpffs, in a directory of each instance,
 *
 *	/sys/fs/bpf/traffic-meter/<instance>/
 *		journal, totals		see journal.h, account/totals.h
 *		sockets			what is remembered of sockets
 *		set-<n>/...		the maps of a set of programs: see set.h
 *		ingress, egress		the links of the cgroup's hooks
 *		frames-<ifindex>	those of the interfaces', from Linux 6.6 on
 *
 * A name here is a path below that directory.
 */
#ifndef CAPTURE_PINS_H
#define CAPTURE_PINS_H

#include <stdbool.h>
#include <sys/types.h>

struct pins {
	char *directory; /* NULL: nothing is pinned */
	int fd;		 /* of it */
};

/* Make the directory, and mount bpffs where nobody has. instance: NULL: nothing is to be pinned. owner:
 * whose it will be. Where that can't be done it is said, with what it costs, and nothing is pinned. 0 or -ENOMEM. */
int pins_open(struct pins *pins, const char *instance, uid_t owner);

/* What is pinned stays. */
void pins_close(struct pins *pins);

/* A descriptor of what is pinned by that name, the caller's. -ENOENT: nothing is. */
int pins_get(const struct pins *pins, const char *name);

/* Pin, in the place of what may be there. 0 too when nothing is to be pinned. */
int pins_put(const struct pins *pins, int fd, const char *name);

int pins_make_directory(const struct pins *pins, const char *name);

/* The directory, and all in it, belong to that user. */
int pins_give(const struct pins *pins, uid_t uid, gid_t gid);

/* Remove a link's pin after its program was detached: when this returns, no program begins to run by it any
 * more, whoever else holds the link. It may be gone already. */
void pins_detach(const struct pins *pins, const char *name);

/* Remove a pin, or a directory with what is in it. It may be gone already. */
void pins_remove(const struct pins *pins, const char *name);

/* Remove all, and the instance's directory. */
void pins_remove_all(struct pins *pins);

/* Call `see` for each name of the directory that begins with the prefix, in no order. It may remove what
 * it is told. */
void pins_each(const struct pins *pins, const char *prefix,
	       void (*see)(void *userdata, const char *name), void *userdata);

#endif
