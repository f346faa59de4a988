/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The links of the cgroup's two hooks: made, or taken over from a meter that is gone. */
#ifndef CAPTURE_HOOKS_H
#define CAPTURE_HOOKS_H

#include "bpf/shared.h"
#include "capture/pins.h"

struct hooks {
	int fds[METER_DIRECTIONS]; /* of the links; -1: not attached */
};

#define HOOKS_NONE ((struct hooks){ .fds = { -1, -1 } })

/* Attach the program to a cgroup2 directory, both ways. A link that is pinned has its program replaced,
 * so that no packet is missed or seen twice; one of another cgroup goes. An error is logged. */
int hooks_attach(struct hooks *hooks, const struct pins *pins, const char *cgroup_path,
		 int cgroup_fd, int program_fd);

/* Take the program off the cgroup, pinned or not: no packet's run of it begins after that. */
void hooks_detach(struct hooks *hooks, const struct pins *pins);

/* Let go of the links: what is pinned stays attached. */
void hooks_close(struct hooks *hooks);

#endif
