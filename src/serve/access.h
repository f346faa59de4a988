/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may see what, decided here alone. On the unix socket it is the peer's credentials at connect(2): root
 * and the members of the group see everything, anybody else what is charged to their own uid. On TCP it is
 * the token: who has it sees everything, who has not sees nothing.
 */
#ifndef SERVE_ACCESS_H
#define SERVE_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ACCESS_TOKEN_MIN 16
#define ACCESS_TOKEN_MAX 256

struct access_rules {
	bool has_group;
	gid_t group;
	char token[ACCESS_TOKEN_MAX + 1]; /* "": there is none */
	size_t token_length;
	const char **hosts; /* that a request may name in Host:, beside addresses and localhost */
	size_t n_hosts;
};

/* Who asks. */
struct asker {
	bool known; /* false: on TCP, until the token has come */
	bool everything;
	uint32_t uid;
};

/* Reads the token. Returns 0 or an error, logged. */
int access_read_token(struct access_rules *rules, const char *path);

/* Who is at the other end of a unix socket's connection. Returns 0 or a negative errno. */
int access_find_peer(const struct access_rules *rules, int fd, struct asker *ret);

/* Is the value of an Authorization header ("Bearer TOKEN", "Basic BASE64") the token? Takes the same time
 * wherever the two differ. */
bool access_token_is_good(const struct access_rules *rules, const char *authorization);

/* May a request have this value in Host? A page of somewhere else, whose name is made to point here (DNS
 * rebinding), has its own name there. */
bool access_host_is_good(const struct access_rules *rules, const char *host);

#endif
