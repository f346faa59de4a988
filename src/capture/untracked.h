/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The untracked list in the kernel's maps: filling the set that is not active, then the switch. */
#ifndef CAPTURE_UNTRACKED_H
#define CAPTURE_UNTRACKED_H

#include "bpf/shared.h"
#include "networks/networks.h"

struct untracked {
	int ipv4_fd, ipv6_fd, masked_fd;  /* the ARRAY_OF_MAPS */
	struct networks_control *control; /* the programs' global, mapped */
};

int untracked_load(struct untracked *untracked, const struct network_list *list);

#endif
