/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of network interfaces by index, of the network namespace that the meter runs in. An index
 * of another namespace may be the same number: its record then bears our interface's name.
 */
#ifndef ACCOUNT_INTERFACES_H
#define ACCOUNT_INTERFACES_H

#include <net/if.h>
#include <stdint.h>

#define INTERFACES_SLOTS 64

/* Direct-mapped: a machine has few interfaces, and a miss costs one system call. */
struct interfaces {
	struct {
		uint32_t ifindex;	/* 0: empty */
		char name[IF_NAMESIZE]; /* empty: there is none of that index */
	} slots[INTERFACES_SLOTS];
};

const char *interfaces_name(struct interfaces *interfaces, uint32_t ifindex);

/* Forget the names, which may have changed: once an interval. */
void interfaces_forget(struct interfaces *interfaces);

#endif
