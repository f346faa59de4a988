// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/store.h"

#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_FIRST 1024

/* Ended connections are kept shorter when more than this part of the room is used. */
#define CROWDED ((size_t)STORE_MAX / 4 * 3)

void store_free(struct store *store)
{
	free(store->connections);
	free(store->slots);
	*store = (struct store){ 0 };
}

static uint32_t hash_key(const struct connection_key *key)
{
	uint64_t word[6], hash = 0;

	memcpy(word, key, sizeof(word));
	for (int i = 0; i < 6; i++) {
		hash = (hash ^ word[i]) * 0x9e3779b97f4a7c15ull;
		hash ^= hash >> 29;
	}
	return (uint32_t)(hash >> 16);
}

static uint32_t *find_slot(const struct store *store, const struct connection_key *key)
{
	size_t slot = hash_key(key) & (store->n_slots - 1);

	while (store->slots[slot] &&
	       memcmp(&store->connections[store->slots[slot] - 1].key, key, sizeof(*key)) != 0)
		slot = (slot + 1) & (store->n_slots - 1);
	return &store->slots[slot];
}

static void fill_slots(struct store *store)
{
	memset(store->slots, 0, store->n_slots * sizeof(*store->slots));
	for (size_t i = 0; i < store->n; i++) {
		size_t slot = hash_key(&store->connections[i].key) & (store->n_slots - 1);

		while (store->slots[slot])
			slot = (slot + 1) & (store->n_slots - 1);
		store->slots[slot] = (uint32_t)i + 1;
	}
}

static bool grow(struct store *store)
{
	size_t n = store->n_allocated ? store->n_allocated * 2 : CONNECTIONS_FIRST;
	struct connection *connections;
	uint32_t *slots;

	if (n > STORE_MAX)
		return false;
	connections = reallocarray(store->connections, n, sizeof(*connections));
	if (!connections)
		return false;
	store->connections = connections;
	slots = calloc(n * 2, sizeof(*slots));
	if (!slots)
		return false;
	free(store->slots);
	store->slots = slots;
	store->n_allocated = n;
	store->n_slots = n * 2;
	fill_slots(store);
	return true;
}

static void make_key(const struct traffic_record *record, uint32_t uid, struct connection_key *ret)
{
	bool out = record->direction == TRAFFIC_OUT;

	*ret = (struct connection_key){
		.uid = uid,
		.ifindex = record->ifindex,
		.local_port = out ? record->source_port : record->destination_port,
		.remote_port = out ? record->destination_port : record->source_port,
		.family = record->family,
		.protocol = record->protocol,
	};
	memcpy(ret->local, out ? record->source : record->destination, sizeof(ret->local));
	memcpy(ret->remote, out ? record->destination : record->source, sizeof(ret->remote));
}

static struct connection *get(struct store *store, const struct traffic_record *record,
			      uint32_t uid)
{
	struct connection_key key;
	struct connection *connection;
	uint32_t *slot;

	make_key(record, uid, &key);
	slot = store->n ? find_slot(store, &key) : NULL;
	if (!slot || !*slot) {
		if (store->n == store->n_allocated && !grow(store)) {
			store->refused++;
			return NULL;
		}
		slot = find_slot(store, &key);
		connection = &store->connections[store->n];
		*slot = (uint32_t)++store->n;
		*connection = (struct connection){
			.key = key,
			.login_uid = TRAFFIC_NO_UID,
		};
	}
	connection = &store->connections[*slot - 1];
	/* A server's connection begins before a process is seen using it. */
	if (record->cgroup_id && (!connection->program[0] || record->program[0])) {
		connection->cgroup_id = record->cgroup_id;
		connection->login_uid = record->login_uid;
		memcpy(connection->program, record->program, sizeof(connection->program));
	}
	return connection;
}

void store_begin_look(struct store *store)
{
	store->look++;
}

void store_find(struct store *store, const struct traffic_record *record, uint32_t uid)
{
	struct connection *connection = get(store, record, uid);

	if (!connection)
		return;
	if (connection->look != store->look) {
		connection->look = store->look;
		connection->found = (struct amounts){ 0 };
	}
	amounts_add_record(&connection->found, record);
}

void store_drain(struct store *store, const struct traffic_record *record)
{
	struct connection *connection = get(store, record, record->uid);

	if (connection)
		amounts_add_record(&connection->drained, record);
	store->moved = true;
}

/* A packet on its way from a CPU's recent flows to the table may be missed by one look, so a sum stays what
 * it was until it is larger; unless tables were drained, which may charge packets to others. */
static void end_connection(const struct store *store, struct connection *connection,
			   uint64_t now_ns, float seconds)
{
	struct amounts now = connection->drained, before = connection->shown;

	if (connection->look == store->look)
		amounts_add(&now, &connection->found);
	connection->shown = now;
	amounts_raise(&now, &before);
	if (!store->moved)
		connection->shown = now;
	connection->rates =
		seconds > 0 ? rates_between(&before, &now, seconds) : (struct rates){ 0 };
	if (!connection->active_ns || now.way[0].packets > before.way[0].packets ||
	    now.way[1].packets > before.way[1].packets)
		connection->active_ns = now_ns;
}

static void forget_ended(struct store *store, uint64_t now_ns)
{
	size_t n = 0;

	for (size_t i = 0; i < store->n; i++) {
		const struct connection *connection = &store->connections[i];

		/* What is in a table stays, as it is found again and would count as new. */
		if (connection->look != store->look &&
		    now_ns - connection->active_ns > store->kept_ns)
			continue;
		if (n != i)
			store->connections[n] = *connection;
		n++;
	}
	if (n == store->n)
		return;
	store->n = n;
	fill_slots(store);
}

void store_end_look(struct store *store, uint64_t now_ns)
{
	float seconds = store->look_ns ? (float)(now_ns - store->look_ns) / 1e9f : 0;

	for (size_t i = 0; i < store->n; i++)
		end_connection(store, &store->connections[i], now_ns, seconds);
	if (store->n > CROWDED)
		store->kept_ns /= 2;
	else if (store->n < CROWDED / 2 || !store->kept_ns)
		store->kept_ns = STORE_KEPT_NS;
	forget_ended(store, now_ns);
	if (!store->look_ns)
		store->first_ns = now_ns;
	store->look_ns = now_ns;
	store->moved = false;
}
