/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of networks: their grammar and what they mean. Shared by the meter, `traffic-meter networks`
 * and ipmask_tool. They are text here; nothing knows of the kernel's maps.
 *
 * The untracked list has one network a line; networks with names are in named.h. `#` starts a comment; white
 * space around is ignored. A network is
 *	10.0.0.0/8  2001:db8::/32	CIDR; address bits behind the prefix are taken as 0
 *	192.0.2.7  2001:db8::7		one address: /32, /128
 *	10.0.*.*  192.168.1.*		IPv4 wildcards: a star is one whole octet
 *	10.*.5.*			likewise; the mask is no prefix
 *	2001:db8::*			IPv6 wildcard: the star is last and stands for all the
 *					rest, so this is 2001:db8::/32
 *	2001:db8:abcd:1234:5678:9abc:def0:*	and this a /112
 */
#ifndef NETWORKS_NETWORKS_H
#define NETWORKS_NETWORKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETWORK_NO_PREFIX (-1)

struct network {
	uint8_t address[16];   /* network byte order, masked; IPv4 in the first 4 bytes */
	uint8_t mask[16];      /* likewise */
	uint8_t family;	       /* 4 or 6 */
	uint8_t name;	       /* an index into the names of a named list; else 0 */
	bool bits_dropped;     /* written with address bits behind the prefix, as 10.0.0.1/8 */
	int16_t prefix_length; /* NETWORK_NO_PREFIX: IPv4, and the mask is no prefix */
	uint32_t line;	       /* where it stood, from 1; 0: not read from a file */
};

/* In the order of the file. Networks may be there twice, and may hold one another. */
struct network_list {
	struct network *networks;
	size_t n;
	size_t n_allocated;
};

/* Enough for an IPv6 network or an IPv4 address with its mask, and the NUL. */
#define NETWORK_TEXT_MAX 64

/* Enough for what is wrong with a line, and the NUL. */
#define NETWORK_WHY_MAX 192

/* Parse one network: `length` bytes of text without comment or white space around.
 * 0; or -EINVAL, and `why` says what is wrong and how to write it, in printable ASCII. */
int network_parse(const char *text, size_t length, struct network *ret, char why[NETWORK_WHY_MAX]);

/* Set the prefix length and the mask of a network whose address is set, and mask the address.
 * bits: at most 32 or 128. */
void network_set_prefix(struct network *network, unsigned int bits);

/* What a network means, as "10.0.0.0/16" or "10.0.5.0 mask 255.0.255.0". */
void network_format(const struct network *network, char text[NETWORK_TEXT_MAX]);

/* Called for each line that can't be understood. line: from 1; text: the network as written, at
 * most 64 bytes of it with unprintable bytes as '?'; why: as from network_parse(). */
typedef void (*network_error_fn)(void *userdata, const char *path, unsigned int line,
				 const char *text, const char *why);

/* Read a whole list from `size` bytes of text; `path` only names it in errors. Every line is
 * looked at, each error is told. 0, and *ret_list is the caller's to free; or -EINVAL after the
 * errors, or -ENOMEM, and *ret_list is untouched. */
int network_list_parse(const char *data, size_t size, const char *path, network_error_fn on_error,
		       void *userdata, struct network_list *ret_list);

/* The same from a file; "-" is standard input. Other errors: of open and read. */
int network_list_read(const char *path, network_error_fn on_error, void *userdata,
		      struct network_list *ret_list);

/* The bytes of a file, allocated, the caller's; "-" is standard input. Returns 0 or a negative errno,
 * which is never -EINVAL. */
int network_text_read(const char *path, char **ret, size_t *ret_size);

/* What errors call it. */
const char *network_text_name(const char *path);

/* Append a copy. 0 or -ENOMEM. */
int network_list_add(struct network_list *list, const struct network *network);

void network_list_free(struct network_list *list);

/* Tells errors as "error: FILE:LINE: `TEXT`: WHY" on the log: a network_error_fn for everybody. */
void network_log_error(void *userdata, const char *path, unsigned int line, const char *text,
		       const char *why);

#endif
