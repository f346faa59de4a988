/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network interfaces of our own network namespace, as rtnetlink lists them. */
#ifndef CAPTURE_LINKS_H
#define CAPTURE_LINKS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <traffic_meter/option.h>

struct link {
	uint32_t ifindex;
	uint16_t type;	 /* ARPHRD_* */
	uint32_t master; /* index of the bridge, bond ... that it is a port of; 0: none */
	bool upper;	 /* what it sends leaves by another one of these: a vlan, a bond ... */
	bool up;
	bool named; /* by its name or one of its alternative names */
	char name[IF_NAMESIZE];
};

/* *ret: n links, freed by the caller; those that have one of the names are marked. ret_found: for each of the
 * names, whether there is a link of it; may be NULL. 0 or a negative errno. */
int links_read(const struct traffic_strings *names, bool *ret_found, struct link **ret,
	       size_t *ret_n);

#endif
