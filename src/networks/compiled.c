// SPDX-License-Identifier: GPL-2.0-or-later
/* Networks compiled into a program, turned into those of a list. */
#include "networks/compiled.h"

#include <errno.h>
#include <string.h>

#include "util/log.h"

/* Host byte order, ones from the top on. */
static uint32_t ipv4_prefix_mask(unsigned int prefix_length)
{
	return prefix_length ? UINT32_MAX << (32 - prefix_length) : 0;
}

static void put_bytes(uint8_t bytes[4], uint32_t value)
{
	for (unsigned int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

static struct network from_ipv4(const struct ipv4_mask *compiled)
{
	/* The header says bswap whatever the machine is, so this finds the number on each. */
	uint32_t address = __builtin_bswap32(compiled->network);
	uint32_t mask = __builtin_bswap32(compiled->mask);
	int prefix_length = __builtin_popcount(mask);
	struct network network = { .family = 4 };

	put_bytes(network.address, address & mask);
	put_bytes(network.mask, mask);
	network.bits_dropped = address & ~mask;
	network.prefix_length = (int16_t)(mask == ipv4_prefix_mask((unsigned int)prefix_length)
						  ? prefix_length
						  : NETWORK_NO_PREFIX);
	return network;
}

static struct network from_ipv6(const struct ipv6_mask *compiled)
{
	struct network network = { .family = 6 };

	memcpy(network.address, compiled->network, sizeof(network.address));
	network_set_prefix(&network, compiled->prefix_length);
	return network;
}

int network_list_add_compiled(struct network_list *list, const struct ipv4_mask *ipv4,
			      size_t n_ipv4, const struct ipv6_mask *ipv6, size_t n_ipv6)
{
	size_t n_before = list->n;
	int r = 0;

	for (size_t i = 0; i < n_ipv6; i++) {
		if (ipv6[i].prefix_length <= 128)
			continue;
		log_error("untracked_masks.h: untracked_ipv6[%zu]: prefix length %u is over 128; "
			  "make the header again with ipmask_tool",
			  i, ipv6[i].prefix_length);
		return -EINVAL;
	}
	for (size_t i = 0; i < n_ipv4 && r == 0; i++) {
		struct network network = from_ipv4(&ipv4[i]);

		r = network_list_add(list, &network);
	}
	for (size_t i = 0; i < n_ipv6 && r == 0; i++) {
		struct network network = from_ipv6(&ipv6[i]);

		r = network_list_add(list, &network);
	}
	if (r < 0)
		list->n = n_before;
	return r;
}
