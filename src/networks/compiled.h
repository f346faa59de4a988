/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Networks compiled into a program: the structures that untracked_masks.h (ipmask_tool prints it)
 * is made of. Their form is the original program's, so that its headers still compile.
 */
#ifndef NETWORKS_COMPILED_H
#define NETWORKS_COMPILED_H

#include <stddef.h>
#include <stdint.h>

#include "networks/networks.h"

/* Both are __builtin_bswap32() of the number, as in __builtin_bswap32(0x0a000000) for 10.0.0.0;
 * on little-endian machines that is network byte order. */
struct ipv4_mask {
	uint32_t network, mask;
};

struct ipv6_mask {
	uint8_t network[16]; /* network byte order */
	uint32_t prefix_length;
};

/* Append what the arrays say. Address bits outside of a mask are taken as 0. 0; or, with the list
 * as it was, -ENOMEM, or -EINVAL after an error on the log. */
int network_list_add_compiled(struct network_list *list, const struct ipv4_mask *ipv4,
			      size_t n_ipv4, const struct ipv6_mask *ipv6, size_t n_ipv6);

#endif
