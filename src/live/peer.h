/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client of the control socket: its requests as they come in, its answer as it gets out. Nothing here blocks. */
#ifndef LIVE_PEER_H
#define LIVE_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "live/request.h"

#define SECOND_NS 1000000000ull

enum peer_state {
	PEER_SILENT, /* no request yet */
	PEER_WAITS,  /* for the answer that is due at due_ns */
	PEER_ENDS,   /* when its answer is sent */
};

struct peer {
	int fd;
	enum peer_state state;
	struct request request;
	uint64_t due_ns;
	uint64_t
		since_ns; /* silent since, or when the status was asked for, or the answer last got on */
	char line[REQUEST_MAX + 2];
	size_t line_size;
	char *text; /* what is left to be sent of it; NULL: nothing */
	size_t size, sent;
	bool ended; /* it sends nothing any more */
};

/* Takes a text as the answer to be sent. */
void peer_give(struct peer *peer, char *text, size_t size);

/* Sends an error, and then it is over. `error` as for answer_write_error(). */
void peer_give_error(struct peer *peer, const char *error);

/* The answer to its request, at this time: says when the next one is due, or that it is over. */
void peer_answer(struct peer *peer, char *text, size_t size, uint64_t now_ns);

/* Both return false when it is gone, or done. */
bool peer_read(struct peer *peer);
bool peer_send(struct peer *peer);

/* It waits for an answer that is due. A slow reader, whose answer before is not sent, misses a turn. */
static inline bool peer_is_due(const struct peer *peer, uint64_t now_ns)
{
	return peer->state == PEER_WAITS && !peer->text && peer->due_ns <= now_ns;
}

#endif
