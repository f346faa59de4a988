// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The live thread: serves the clients of the control socket (docs/protocol.md), and looks at the tables when
 * one of them asks for numbers. Clients are not trusted: their number, their requests and the time that they
 * may take are bounded, and all are served by poll(2), so none can keep the others waiting.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "live/answer.h"
#include "live/peer.h"
#include "live/thread.h"
#include "util/cleanup.h"
#include "util/log.h"

#define CLIENTS_MAX 64

/* A client that sends no request for so long is taken for one of before there were requests: it waits for
 * the status, and gets that. */
#define SILENT_NS SECOND_NS

/* A client whose answer does not get on for so long is dropped. */
#define STUCK_NS (10 * SECOND_NS)

/* The event loop has to answer for the status in this time. */
#define STATUS_NS (4 * SECOND_NS)

/* At least so long lies between two looks, less what poll(2) may be early. */
#define LOOK_NS (SECOND_NS - 5000000)

/* A look takes at most a part of the time: so many times its own time lies between two. */
#define LOOK_SHARE 5

struct server {
	struct live *live;
	struct peer clients[CLIENTS_MAX];
	size_t n;
	uint64_t next_look_ns;
	uint64_t last_ask_ns; /* for numbers */
	uint64_t next_status_ns;
	uint64_t status_since_ns; /* when the event loop was asked; 0: it was not */
};

static void drop(struct server *server, size_t i)
{
	struct peer *peer = &server->clients[i];

	close_fd(&peer->fd);
	free(peer->text);
	*peer = server->clients[--server->n];
}

/* One too many is told so, if its socket takes it at once. */
static void refuse(int fd)
{
	char *text;
	size_t size;

	if (answer_write_error("too many clients at once", &text, &size) == 0) {
		if (send(fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			log_debug("a client too many did not wait for its refusal");
		free(text);
	}
	close_fd(&fd);
}

static void accept_clients(struct server *server)
{
	int listen_fd = server->live->settings.listen_fd;

	/* Bounded: those that are here have their turn, too. */
	for (int i = 0; i < CLIENTS_MAX; i++) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			return;
		if (server->n == CLIENTS_MAX) {
			refuse(fd);
			continue;
		}
		server->clients[server->n++] = (struct peer){ .fd = fd, .since_ns = live_now_ns() };
	}
}

static bool is_status(const struct peer *peer)
{
	return peer->request.kind == REQUEST_STATUS;
}

static bool wants_detail(const struct peer *peer)
{
	return peer->request.kind == REQUEST_FLOWS || peer->request.kind == REQUEST_GROUPS;
}

/* Ask the event loop, not more often than it can bear. */
static void ask_for_status(struct server *server, uint64_t now_ns)
{
	struct live *live = server->live;

	if (server->status_since_ns || now_ns < server->next_status_ns)
		return;
	for (size_t i = 0; i < server->n; i++) {
		if (!peer_is_due(&server->clients[i], now_ns) || !is_status(&server->clients[i]))
			continue;
		server->status_since_ns = now_ns;
		pthread_mutex_lock(&live->lock);
		live->status_wanted = true;
		pthread_mutex_unlock(&live->lock);
		live_ask_loop(live);
		return;
	}
}

static void give_status(struct server *server, uint64_t now_ns)
{
	struct live *live = server->live;
	char *status, *text;
	size_t size;

	pthread_mutex_lock(&live->lock);
	status = live->status;
	live->status = NULL;
	pthread_mutex_unlock(&live->lock);
	if (!status)
		return;
	server->next_status_ns = now_ns + (now_ns - server->status_since_ns) * 2;
	if (answer_write_status(status, &text, &size) < 0)
		text = NULL;
	for (size_t i = 0; i < server->n; i++) {
		struct peer *peer = &server->clients[i];
		char *copy;

		/* Who asked after the event loop was asked wants what is true after that. */
		if (!peer_is_due(peer, server->status_since_ns) || !is_status(peer))
			continue;
		copy = text ? strndup(text, size) : NULL;
		if (copy)
			peer_answer(peer, copy, size, now_ns);
		else
			peer_give_error(peer, "out of memory");
	}
	free(text);
	server->status_since_ns = 0;
}

static void give_up_status(struct server *server, uint64_t now_ns)
{
	if (!server->status_since_ns || now_ns - server->status_since_ns < STATUS_NS)
		return;
	for (size_t i = 0; i < server->n; i++)
		if (peer_is_due(&server->clients[i], now_ns) && is_status(&server->clients[i]))
			peer_give_error(
				&server->clients[i],
				"the meter is busy or stuck: its event loop did not answer");
	server->status_since_ns = 0;
}

/* An answer that another client is given at this moment is the same for the same request. */
static char *find_same(const struct server *server, size_t n, const struct request *request,
		       size_t *ret_size)
{
	for (size_t i = 0; i < n; i++) {
		const struct peer *peer = &server->clients[i];
		const struct request *other = &peer->request;

		if (peer->text && peer->sent == 0 && other->kind == request->kind &&
		    other->by == request->by && other->has_user == request->has_user &&
		    other->uid == request->uid && other->id == request->id &&
		    other->top == request->top && peer->since_ns >= server->live->now.time_ns) {
			*ret_size = peer->size;
			return strndup(peer->text, peer->size);
		}
	}
	return NULL;
}

static void give_numbers(struct server *server, uint64_t now_ns)
{
	for (size_t i = 0; i < server->n; i++) {
		struct peer *peer = &server->clients[i];
		size_t size;
		char *text;

		if (!peer_is_due(peer, now_ns) || is_status(peer))
			continue;
		text = find_same(server, i, &peer->request, &size);
		if (text || answer_write(server->live, &peer->request, &text, &size) == 0)
			peer_answer(peer, text, size, now_ns);
		else
			peer_give_error(peer, "out of memory");
	}
}

static bool somebody_is_due(const struct server *server, uint64_t now_ns, bool *ret_detail)
{
	bool due = false;

	for (size_t i = 0; i < server->n; i++) {
		const struct peer *peer = &server->clients[i];

		if (!peer_is_due(peer, now_ns) || is_status(peer))
			continue;
		due = true;
		*ret_detail = *ret_detail || wants_detail(peer);
	}
	return due;
}

/* Cgroups that an answer lacked are asked for, so that the next one has them. */
static void ask_for_names(struct live *live)
{
	bool asked;

	pthread_mutex_lock(&live->lock);
	asked = live->names.n_asked > 0;
	pthread_mutex_unlock(&live->lock);
	if (asked)
		live_ask_loop(live);
}

static void look_if_due(struct server *server, uint64_t now_ns)
{
	struct live *live = server->live;
	bool detail = false;
	int r;

	if (now_ns < server->next_look_ns || !somebody_is_due(server, now_ns, &detail))
		return;
	server->last_ask_ns = now_ns;
	if (detail) {
		live->detail_ns = now_ns;
		atomic_store(&live->detail, true);
	}
	r = live_look(live);
	server->next_look_ns = now_ns + LOOK_NS;
	if ((live_now_ns() - now_ns) * LOOK_SHARE > LOOK_NS)
		server->next_look_ns = now_ns + (live_now_ns() - now_ns) * LOOK_SHARE;
	if (r == -EAGAIN) {
		server->next_look_ns = live_now_ns() + SECOND_NS / 10;
		return;
	}
	give_numbers(server, live_now_ns());
	ask_for_names(live);
}

/* Nobody has asked for a while: nothing is kept. */
static void forget(struct server *server, uint64_t now_ns)
{
	struct live *live = server->live;

	if (atomic_load(&live->detail) && now_ns - live->detail_ns > LIVE_FORGET_NS) {
		atomic_store(&live->detail, false);
		pthread_mutex_lock(&live->lock);
		for (size_t i = 0; i < live->n_batches; i++)
			batch_unref(live->batches[i]);
		live->n_batches = live->n_committed = 0;
		pthread_mutex_unlock(&live->lock);
		store_free(&live->store);
	}
	if (live->now.time_ns && now_ns - server->last_ask_ns > LIVE_FORGET_NS) {
		picture_free(&live->now);
		picture_free(&live->before);
		pthread_mutex_lock(&live->lock);
		live_names_clear(&live->names);
		pthread_mutex_unlock(&live->lock);
	}
}

static void drop_slow(struct server *server, uint64_t now_ns)
{
	for (size_t i = server->n; i-- > 0;) {
		struct peer *peer = &server->clients[i];

		if (peer->state == PEER_SILENT && now_ns - peer->since_ns > SILENT_NS) {
			peer->request = (struct request){ .kind = REQUEST_STATUS };
			peer->state = PEER_WAITS;
			peer->due_ns = now_ns;
		} else if (peer->text && now_ns - peer->since_ns > STUCK_NS) {
			drop(server, i);
		}
	}
}

static void earlier(uint64_t *time_ns, uint64_t other_ns)
{
	if (other_ns < *time_ns)
		*time_ns = other_ns;
}

/* Until when nothing has to be done; at most some seconds. */
static int timeout_ms(const struct server *server, uint64_t now_ns)
{
	uint64_t next_ns = now_ns + 5 * SECOND_NS;

	if (server->status_since_ns)
		earlier(&next_ns, server->status_since_ns + STATUS_NS);
	for (size_t i = 0; i < server->n; i++) {
		const struct peer *peer = &server->clients[i];
		uint64_t free_ns = is_status(peer) ? server->next_status_ns : server->next_look_ns;

		if (peer->state == PEER_SILENT)
			earlier(&next_ns, peer->since_ns + SILENT_NS);
		else if (peer->text)
			earlier(&next_ns, peer->since_ns + STUCK_NS);
		else if (peer->state == PEER_WAITS && !(is_status(peer) && server->status_since_ns))
			earlier(&next_ns, peer->due_ns > free_ns ? peer->due_ns : free_ns);
	}
	return next_ns <= now_ns ? 0 : (int)((next_ns - now_ns) / 1000000) + 1;
}

static void serve_clients(struct server *server, const struct pollfd *fds)
{
	for (size_t i = server->n; i-- > 0;) {
		struct peer *peer = &server->clients[i];
		bool stays = true;

		if (fds[i].revents & POLLIN && !peer->ended)
			stays = peer_read(peer);
		if (fds[i].revents & (POLLHUP | POLLERR) && peer->ended)
			stays = false;
		if (stays && (peer->text || peer->state == PEER_ENDS))
			stays = peer_send(peer);
		if (!stays)
			drop(server, i);
	}
}

static void send_answers(struct server *server)
{
	for (size_t i = server->n; i-- > 0;) {
		struct peer *peer = &server->clients[i];

		if (peer->text && !peer_send(peer))
			drop(server, i);
	}
}

static int wait_for_events(struct server *server, struct pollfd *fds)
{
	struct live *live = server->live;
	uint64_t count;

	for (size_t i = 0; i < server->n; i++)
		fds[i] = (struct pollfd){
			.fd = server->clients[i].fd,
			.events = (short)((server->clients[i].ended ? 0 : POLLIN) |
					  (server->clients[i].text ? POLLOUT : 0)),
		};
	fds[server->n] = (struct pollfd){ .fd = live->wake_fd, .events = POLLIN };
	fds[server->n + 1] = (struct pollfd){ .fd = live->settings.listen_fd, .events = POLLIN };
	if (poll(fds, server->n + 2, timeout_ms(server, live_now_ns())) < 0)
		return errno == EINTR ? 0 : -errno;
	if (fds[server->n].revents && read(live->wake_fd, &count, sizeof(count)) < 0 &&
	    errno != EAGAIN)
		return -errno;
	return 1;
}

void *live_thread(void *data)
{
	struct live *live = data;
	struct server *server = calloc(1, sizeof(*server));
	struct pollfd fds[CLIENTS_MAX + 2];
	int r = server ? 0 : -ENOMEM;

	while (r >= 0 && !atomic_load(&live->stopping)) {
		bool come;
		uint64_t now_ns;

		server->live = live;
		r = wait_for_events(server, fds);
		if (r <= 0)
			continue;
		come = fds[server->n + 1].revents;
		serve_clients(server, fds);
		if (come)
			accept_clients(server);
		now_ns = live_now_ns();
		drop_slow(server, now_ns);
		give_status(server, now_ns);
		give_up_status(server, now_ns);
		ask_for_status(server, now_ns);
		look_if_due(server, now_ns);
		send_answers(server);
		forget(server, now_ns);
	}
	if (r < 0)
		log_warning_errno(r, "serve the control socket; there is no status any more");
	while (server && server->n)
		drop(server, 0);
	free(server);
	return NULL;
}
