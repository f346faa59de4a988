// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/join.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SLOTS ((size_t)2 * JOIN_MAX)

/* A connection as its socket on this machine sees it, whichever way a packet goes. Not the interface:
 * packets may come by one and leave by another. */
struct connection {
	uint32_t here[4], there[4];
	uint16_t here_port, there_port;
	uint8_t family;
	uint8_t padding[3];
};

_Static_assert(sizeof(struct connection) == 40, "no padding that is not named");

struct join_flow {
	struct connection connection;
	struct flow_key key;
	struct flow_value value;
	struct owner owner; /* that was seen */
	uint32_t charged;   /* with it */
	bool is_found;
	uint64_t seen_ns;
};

static void connection_of(const struct flow_key *key, struct connection *ret)
{
	bool in = key->direction == METER_IN;

	memset(ret, 0, sizeof(*ret));
	memcpy(ret->here, in ? key->destination : key->source, sizeof(ret->here));
	memcpy(ret->there, in ? key->source : key->destination, sizeof(ret->there));
	ret->here_port = in ? key->destination_port : key->source_port;
	ret->there_port = in ? key->source_port : key->destination_port;
	ret->family = key->family;
}

/* Multilinear with secret factors: nobody can choose ends that collide. */
static size_t slot_of(const struct join *join, const struct connection *connection)
{
	uint32_t words[sizeof(*connection) / sizeof(uint32_t)];
	uint64_t hash = 0;

	memcpy(words, connection, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		hash += join->secret[i] * words[i];
	return (hash >> 32) & (SLOTS - 1);
}

void join_begin(struct join *join)
{
	join_end(join);
	*join = (struct join){ 0 };
}

void join_end(struct join *join)
{
	free(join->flows);
	free(join->slots);
	join->flows = NULL;
	join->slots = NULL;
	join->n = join->position = 0;
}

static int make_room(struct join *join)
{
	if (join->flows)
		return 0;
	/* Of memory that nobody has written yet there is none. */
	join->flows = calloc(JOIN_MAX, sizeof(*join->flows));
	join->slots = calloc(SLOTS, sizeof(*join->slots));
	if (!join->flows || !join->slots) {
		join_end(join);
		return -ENOMEM;
	}
	/* Without randomness the hash is one that can be foreseen. */
	if (getrandom(join->secret, sizeof(join->secret), GRND_NONBLOCK) != sizeof(join->secret))
		memset(join->secret, 0x5b, sizeof(join->secret));
	for (size_t i = 0; i < sizeof(join->secret) / sizeof(*join->secret); i++)
		join->secret[i] |= 1;
	return 0;
}

static bool is_seen(const struct flow_value *value)
{
	return value->owner.program[0];
}

int join_keep(struct join *join, const struct flow_key *key, const struct flow_value *value)
{
	struct join_flow *flow;
	size_t slot;

	if (key->protocol != IPPROTO_TCP || is_seen(value) || key->uid == METER_NO_UID ||
	    join->n == JOIN_MAX)
		return 0;
	if (make_room(join) < 0)
		return -ENOMEM;
	flow = &join->flows[join->n];
	flow->key = *key;
	flow->value = *value;
	connection_of(key, &flow->connection);
	for (slot = slot_of(join, &flow->connection); join->slots[slot];)
		slot = (slot + 1) & (SLOTS - 1);
	join->slots[slot] = (uint32_t)++join->n;
	return 1;
}

void join_see(struct join *join, const struct flow_key *key, const struct flow_value *value)
{
	struct connection connection;

	if (!join->n || key->protocol != IPPROTO_TCP || !is_seen(value))
		return;
	connection_of(key, &connection);
	for (size_t slot = slot_of(join, &connection); join->slots[slot];
	     slot = (slot + 1) & (SLOTS - 1)) {
		struct join_flow *flow = &join->flows[join->slots[slot] - 1];

		if (memcmp(&flow->connection, &connection, sizeof(connection)) != 0 ||
		    (flow->is_found && flow->seen_ns <= value->value.first_ns))
			continue;
		flow->is_found = true;
		flow->seen_ns = value->value.first_ns;
		flow->owner = value->owner;
		flow->charged = key->uid;
	}
}

bool join_next(struct join *join, const struct flow_key **ret_key,
	       const struct flow_value **ret_value)
{
	struct join_flow *flow;

	if (join->position == join->n)
		return false;
	flow = &join->flows[join->position++];
	if (flow->is_found) {
		flow->key.uid = flow->charged;
		flow->value.owner = flow->owner;
	}
	*ret_key = &flow->key;
	*ret_value = &flow->value;
	return true;
}
