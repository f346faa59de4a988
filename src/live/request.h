/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A request of the control protocol: one line, a word and options (docs/protocol.md). */
#ifndef LIVE_REQUEST_H
#define LIVE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTOCOL_VERSION 1

/* The longest line, without its end. */
#define REQUEST_MAX 255

#define REQUEST_TOP_DEFAULT 100
#define REQUEST_TOP_MAX	    5000
#define REQUEST_EVERY_MAX   3600

enum request_kind {
	REQUEST_STATUS,
	REQUEST_USERS,
	REQUEST_INTERFACES,
	REQUEST_FLOWS,
	REQUEST_GROUPS,
};

enum request_by {
	REQUEST_BY_REMOTE,
	REQUEST_BY_NETWORK,
	REQUEST_BY_WORKLOAD,
	REQUEST_BY_PROGRAM,
	REQUEST_BY_CGROUP,
};

struct request {
	enum request_kind kind;
	enum request_by by;
	bool has_user;
	uint32_t uid;	  /* TRAFFIC_NO_UID: nobody's */
	uint32_t top;	  /* entries at most */
	uint32_t every_s; /* 0: one answer */
	uint32_t id;	  /* the client's, told in the answer */
};

/* The word of an order of groups. */
extern const char *const request_by_names[];

/* Reads a line without its end. Returns 0, or -EINVAL and words for the client in ret_error, which quote
 * nothing of the line. */
int request_parse(const char *line, size_t size, struct request *ret, const char **ret_error);

#endif
