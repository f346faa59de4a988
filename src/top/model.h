/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What top knows of the traffic: the rows of one view, made of the meter's answers, with a minute's history. */
#ifndef TOP_MODEL_H
#define TOP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/json_tree.h"

/* Seconds of history, and how long an ended row stays. */
#define MODEL_HISTORY 60

enum view {
	VIEW_USERS,
	VIEW_WORKLOADS,
	VIEW_NETWORKS,
	VIEW_REMOTES,
	VIEW_INTERFACES,

	/* Of the user that is open. */
	VIEW_USER_FLOWS,
	VIEW_USER_PROGRAMS,
	VIEW_USER_WORKLOADS,
	VIEW_USER_REMOTES,
	VIEWS,
};

#define VIEW_USER_FIRST VIEW_USER_FLOWS

/* `in` and `out` have indexes 0 and 1. */
struct measure {
	double rate[2];	 /* per second */
	uint64_t sum[2]; /* so far */
};

struct row {
	char key[160];	/* tells rows of the view apart */
	char name[160]; /* any printable UTF-8 */
	uint32_t uid;
	bool has_uid;
	struct measure ip, wire, packets;
	uint32_t connections;

	/* Of a connection. */
	char protocol[12], local[64], remote[64], interface[24], program[64];
	unsigned int local_port, remote_port;

	float history[2][MODEL_HISTORY]; /* of IP bytes, of wire bytes; the newest last */
	double seen_s;			 /* with traffic */
	bool fresh;			 /* in the last answer */
	bool ended;
};

struct model {
	enum view view;
	uint32_t uid; /* of the open user; UINT32_MAX: what is no user's */
	uint32_t id;  /* of the request */
	struct row *rows;
	size_t n, n_allocated;
	struct row all; /* the sum of all entries */
	double looked_s;
	char instance[80], version[32];
	unsigned int interval_s;
};

const char *model_view_name(enum view view);

/* The request of the model's view. */
void model_request(const struct model *model, unsigned int every_s, char *ret, size_t size);

/* Another view: no rows. */
void model_switch(struct model *model, enum view view, uint32_t uid);

/* Takes an answer into the rows. Returns 0, -ESTALE: it answers another request, -EPROTO: it is no answer to
 * requests for numbers (an old meter's), or -ENOMEM. */
int model_take(struct model *model, const struct json_tree *answer);

void model_free(struct model *model);

#endif
