/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program at the egress of one interface: by a TCX link that is pinned, by one that a descriptor holds,
 * or by a filter of the clsact qdisc.
 */
#ifndef CAPTURE_FRAMES_HOOK_H
#define CAPTURE_FRAMES_HOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/pins.h"

#define FRAMES_PIN_PREFIX "frames-"

/* What all hooks have in common. */
struct frames_program {
	int fd;			 /* the caller's */
	const struct pins *pins; /* likewise */
	uint32_t handle;  /* of filters: the same for each meter of an instance; 0: no filters */
	bool has_filters; /* to remove them takes CAP_NET_ADMIN */
	size_t descriptors_left; /* that hooks may still take: the rest is for outputs */
};

struct frames_hook {
	uint32_t ifindex;
	enum frames_hold {
		FRAMES_HOLD_PIN,
		FRAMES_HOLD_DESCRIPTOR,
		FRAMES_HOLD_FILTER,
	} hold;
	int fd; /* of the link, with FRAMES_HOLD_DESCRIPTOR; else -1 */
};

/* Attaches to an interface. Waits for the kernel's grace period where there is TCX. Returns 0 or a negative
 * errno: -ENODEV when the interface is gone, -EMFILE when nothing can hold the hook. */
int frames_hook_attach(struct frames_program *program, uint32_t ifindex, struct frames_hook *ret);

/* Puts the program in the place of the one that a meter before has pinned there. -ENOENT: there is none, or
 * its interface is gone. */
int frames_hook_take_over(const struct frames_program *program, uint32_t ifindex,
			  struct frames_hook *ret);

/* The program goes. wait: at once, whoever else holds its link; else after some time: it has to let frames pass
 * by then. */
void frames_hook_detach(struct frames_program *program, struct frames_hook *hook, bool wait);

/* Removes the filters of that handle from an interface. */
void frames_hook_remove_filters(uint32_t ifindex, uint32_t handle);

#endif
