/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connections: who is at the other end, how many each has, and since when it has sent nothing whole. So
 * one user takes no other's place, and a client that sends a byte now and then is not waited for.
 */
#ifndef SERVE_PEERS_H
#define SERVE_PEERS_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "serve/access.h"

struct peer {
	struct peer *next;
	struct asker asker;
	int fd;
	bool busy;	 /* a request of it is being answered */
	int64_t since_s; /* not busy since, or busy since */
};

struct peers;

/* The rules have to stay. Returns 0 or -ENOMEM. */
int peers_new(struct peers **ret, const struct access_rules *rules);
void peers_free(struct peers *peers);

/* A new connection. NULL: it has one too many, and is to be refused. */
struct peer *peers_add(struct peers *peers, struct MHD_Connection *connection);
void peers_remove(struct peers *peers, struct peer *peer); /* NULL is fine */
void peers_set_busy(struct peers *peers, struct MHD_Connection *connection, bool busy);

/* Cuts the late ones off. */
void peers_tick(struct peers *peers);

#endif
