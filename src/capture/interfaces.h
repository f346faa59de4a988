/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which interfaces are metered: names, and the table of their indexes in the kernel, kept in step
 * as interfaces come, go and are renamed.
 */
#ifndef CAPTURE_INTERFACES_H
#define CAPTURE_INTERFACES_H

#include <traffic_meter/option.h>

#include <stdbool.h>
#include <stdint.h>

#include "capture/frames.h"

struct metered_interfaces {
	struct traffic_strings names; /* the caller's */
	int map_fd;		      /* the caller's */
	int netlink_fd;		      /* for epoll: readable when a link changed */
	bool changed;		      /* not looked at yet */
	uint64_t listed_ns, took_ns;  /* when the list was last read, and how long that took */
};

/* Load the indexes and watch for changes. A name that there is no interface of is told, and loaded
 * when one comes. 0 or an error, logged. */
int interfaces_open(struct metered_interfaces *interfaces, const struct traffic_strings *names,
		    int map_fd);
void interfaces_close(struct metered_interfaces *interfaces);

/* Attach to the frames of the interfaces there are. */
void interfaces_attach(struct metered_interfaces *interfaces, struct frames *frames);

/* netlink_fd was readable: look at the interfaces again, at once or, when thousands come in a row, at the next
 * interfaces_go_on(). */
void interfaces_changed(struct metered_interfaces *interfaces, struct frames *frames);

/* To be called some times a second: what is still to be done. */
void interfaces_go_on(struct metered_interfaces *interfaces, struct frames *frames);

#endif
