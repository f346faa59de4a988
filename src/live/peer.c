// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "live/answer.h"
#include "live/thread.h"

void peer_give(struct peer *peer, char *text, size_t size)
{
	peer->text = text;
	peer->size = size;
	peer->sent = 0;
	peer->since_ns = live_now_ns();
}

void peer_give_error(struct peer *peer, const char *error)
{
	char *text;
	size_t size;

	peer->state = PEER_ENDS;
	if (answer_write_error(error, &text, &size) == 0)
		peer_give(peer, text, size);
}

static void take_request(struct peer *peer, const char *line, size_t size)
{
	const char *error;

	/* The answer before it may be half sent, which is not cut off. */
	if (request_parse(line, size, &peer->request, &error) < 0) {
		if (!peer->text)
			peer_give_error(peer, error);
		peer->state = PEER_ENDS;
		return;
	}
	peer->state = PEER_WAITS;
	peer->due_ns = live_now_ns();
	peer->since_ns = peer->due_ns;
}

/* false: it is gone. */
bool peer_read(struct peer *peer)
{
	ssize_t n = recv(peer->fd, peer->line + peer->line_size,
			 sizeof(peer->line) - peer->line_size, MSG_DONTWAIT);
	char *end;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0) {
		peer->ended = true;
		return peer->state != PEER_SILENT;
	}
	peer->line_size += (size_t)n;
	while ((end = memchr(peer->line, '\n', peer->line_size))) {
		size_t size = (size_t)(end - peer->line);

		if (peer->state != PEER_ENDS)
			take_request(peer, peer->line, size);
		peer->line_size -= size + 1;
		memmove(peer->line, end + 1, peer->line_size);
	}
	if (peer->line_size == sizeof(peer->line)) {
		if (peer->state != PEER_ENDS)
			take_request(peer, peer->line, peer->line_size);
		peer->line_size = 0;
	}
	return true;
}

/* false: it is gone, or done. */
bool peer_send(struct peer *peer)
{
	while (peer->text && peer->sent < peer->size) {
		ssize_t n = send(peer->fd, peer->text + peer->sent, peer->size - peer->sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		peer->sent += (size_t)n;
		peer->since_ns = live_now_ns();
	}
	free(peer->text);
	peer->text = NULL;
	return peer->state != PEER_ENDS;
}

/* The answer is there: when is the next one due? */
void peer_answer(struct peer *peer, char *text, size_t size, uint64_t now_ns)
{
	uint64_t every_ns = peer->request.every_s * SECOND_NS;

	peer_give(peer, text, size);
	if (!every_ns) {
		peer->state = PEER_ENDS;
		return;
	}
	peer->due_ns += every_ns;
	if (peer->due_ns < now_ns)
		peer->due_ns = now_ns + every_ns;
}
