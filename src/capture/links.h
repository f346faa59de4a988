/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network interfaces of our own network namespace, as rtnetlink lists them. */
#ifndef CAPTURE_LINKS_H
#define CAPTURE_LINKS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link {
	uint32_t ifindex;
	uint16_t type;	 /* ARPHRD_* */
	uint32_t master; /* index of the bridge, bond ... that it is a port of; 0: none */
	bool upper;	 /* what it sends leaves by another one of these: a vlan, a bond ... */
	char name[IF_NAMESIZE];
};

/* *ret: n links, freed by the caller. 0 or a negative errno. */
int links_read(struct link **ret, size_t *ret_n);

#endif
