// SPDX-License-Identifier: GPL-2.0-or-later
#include "serve/peers.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

/* Of one uid, or of all of TCP together, whose clients have no name. */
#define OF_USER_MAX 24
#define OF_TCP_MAX  128

/* A request has to be here, and its answer taken, in this time. */
#define REQUEST_S 15
#define ANSWER_S  60

struct peers {
	pthread_mutex_t lock;
	const struct access_rules *rules;
	struct peer *first;
};

static int64_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

int peers_new(struct peers **ret, const struct access_rules *rules)
{
	struct peers *peers = calloc(1, sizeof(*peers));

	if (!peers)
		return -ENOMEM;
	pthread_mutex_init(&peers->lock, NULL);
	peers->rules = rules;
	*ret = peers;
	return 0;
}

void peers_free(struct peers *peers)
{
	while (peers->first) {
		struct peer *next = peers->first->next;

		free(peers->first);
		peers->first = next;
	}
	pthread_mutex_destroy(&peers->lock);
	free(peers);
}

/* With the lock. */
static unsigned int count(const struct peers *peers, const struct asker *asker)
{
	unsigned int n = 0;

	for (const struct peer *peer = peers->first; peer; peer = peer->next)
		n += peer->asker.known == asker->known && peer->asker.uid == asker->uid;
	return n;
}

struct peer *peers_add(struct peers *peers, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct peer *peer = calloc(1, sizeof(*peer));
	socklen_t size = sizeof(int);
	int domain = 0;
	bool refused;

	if (!peer || !info)
		goto refuse;
	peer->fd = info->connect_fd;
	peer->since_s = now_s();
	if (getsockopt(peer->fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) ||
	    (domain == AF_UNIX && access_find_peer(peers->rules, peer->fd, &peer->asker) < 0))
		goto refuse;
	pthread_mutex_lock(&peers->lock);
	refused = count(peers, &peer->asker) >= (peer->asker.known ? OF_USER_MAX : OF_TCP_MAX);
	if (!refused) {
		peer->next = peers->first;
		peers->first = peer;
	}
	pthread_mutex_unlock(&peers->lock);
	if (!refused)
		return peer;
refuse:
	if (info)
		shutdown(info->connect_fd, SHUT_RDWR);
	free(peer);
	return NULL;
}

void peers_remove(struct peers *peers, struct peer *peer)
{
	if (!peer)
		return;
	pthread_mutex_lock(&peers->lock);
	for (struct peer **at = &peers->first; *at; at = &(*at)->next)
		if (*at == peer) {
			*at = peer->next;
			break;
		}
	pthread_mutex_unlock(&peers->lock);
	free(peer);
}

void peers_set_busy(struct peers *peers, struct MHD_Connection *connection, bool busy)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct peer *peer = info ? info->socket_context : NULL;

	if (!peer)
		return;
	pthread_mutex_lock(&peers->lock);
	peer->busy = busy;
	peer->since_s = now_s();
	pthread_mutex_unlock(&peers->lock);
}

/* A descriptor is its connection's until that is removed here. */
void peers_tick(struct peers *peers)
{
	int64_t now = now_s();

	pthread_mutex_lock(&peers->lock);
	for (struct peer *peer = peers->first; peer; peer = peer->next)
		if (now - peer->since_s > (peer->busy ? ANSWER_S : REQUEST_S))
			shutdown(peer->fd, SHUT_RDWR);
	pthread_mutex_unlock(&peers->lock);
}
