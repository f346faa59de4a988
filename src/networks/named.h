/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Networks with names, the file of `run --networks`: its grammar, and whose an address is.
 *
 * A line is NAME NETWORK..., each network in the grammar of the untracked list. A name has 1 to 31 letters,
 * digits, `.`, `_` and `-`, and begins with a letter; it may have several lines. Of the networks that an
 * address is in, the one with most bits that are not wild wins (as of the prefixes the longest); of two with
 * as many, a prefix, then the one whose first bits are not wild. An address in none is `internet`'s, which
 * may have lines, too (a part of a larger network).
 */
#ifndef NETWORKS_NAMED_H
#define NETWORKS_NAMED_H

#include "networks/networks.h"

#define NETWORK_NAMES_MAX 32 /* beside `internet` */
#define NETWORK_NAME_SIZE 32 /* with the NUL */
#define NETWORK_INTERNET  0  /* index of its name */

/* As the file has it. */
struct named_list {
	struct network_list list; /* network.name: an index into the names */
	char names[NETWORK_NAMES_MAX + 1][NETWORK_NAME_SIZE];
	size_t n_names; /* `internet` included */
};

/* Whether a text is such a file and no untracked list: its first line that holds something begins with a
 * name, and has a second word. */
bool named_list_is(const char *data, size_t size);

/* As network_list_parse() and network_list_read(). One network with two names is an error, too. */
int named_list_parse(const char *data, size_t size, const char *path, network_error_fn on_error,
		     void *userdata, struct named_list *ret);
int named_list_read(const char *path, network_error_fn on_error, void *userdata,
		    struct named_list *ret);
void named_list_free(struct named_list *list);

/* A list made for look-ups. It does not change, and is counted: any thread may look, and each reference
 * keeps it and its names. */
struct network_names;

/* Returns 0 and one reference, or -ENOMEM. The list may be freed. */
int network_names_new(struct network_names **ret, const struct named_list *list);
struct network_names *network_names_ref(struct network_names *names);
void network_names_unref(struct network_names *names);

/* The index of the name of an address. family: 4 or 6; address: network byte order, IPv4 in the first 4
 * bytes. */
unsigned int network_names_find(const struct network_names *names, uint8_t family,
				const uint8_t address[16]);

/* The name of an index, which lives as long as the names. */
const char *network_names_name(const struct network_names *names, unsigned int index);

#endif
