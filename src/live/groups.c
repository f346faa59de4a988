// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct index {
	uint32_t *slots; /* index + 1; 0: free */
	size_t n_slots;
	size_t n_allocated;
};

void groups_free(struct groups *groups)
{
	free(groups->groups);
	*groups = (struct groups){ 0 };
}

static struct group_key key_of(const struct connection *connection, enum request_by by)
{
	struct group_key key = { 0 };

	switch (by) {
	case REQUEST_BY_PROGRAM:
		memcpy(key.program, connection->program, sizeof(key.program));
		break;
	case REQUEST_BY_WORKLOAD:
	case REQUEST_BY_CGROUP:
		key.number = connection->cgroup_id;
		break;
	case REQUEST_BY_NETWORK: /* all are one as long as networks have no names */
		break;
	case REQUEST_BY_REMOTE:
		key.family = connection->key.family;
		memcpy(key.remote, connection->key.remote, sizeof(key.remote));
		break;
	}
	return key;
}

static size_t hash_key(const struct group_key *key)
{
	uint64_t word[3], hash = 0;

	memcpy(word, key, sizeof(word));
	for (int i = 0; i < 3; i++) {
		hash = (hash ^ word[i]) * 0x9e3779b97f4a7c15ull;
		hash ^= hash >> 29;
	}
	return (size_t)(hash >> 16);
}

static uint32_t *find(const struct groups *groups, const struct index *index,
		      const struct group_key *key)
{
	size_t slot = hash_key(key) & (index->n_slots - 1);

	/* NOLINTBEGIN(clang-analyzer-core.NullDereference,bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c):
	 * grow() has made the slots, and keys are zeroed first */
	while (index->slots[slot] &&
	       memcmp(&groups->groups[index->slots[slot] - 1].key, key, sizeof(*key)) != 0)
		slot = (slot + 1) & (index->n_slots - 1);
	/* NOLINTEND(clang-analyzer-core.NullDereference,bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c) */
	return &index->slots[slot];
}

static int grow(struct groups *groups, struct index *index)
{
	size_t n = index->n_allocated ? index->n_allocated * 2 : 256;
	struct group *grown = reallocarray(groups->groups, n, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	groups->groups = grown;
	free(index->slots);
	index->n_slots = n * 2;
	index->slots = calloc(index->n_slots, sizeof(*index->slots));
	if (!index->slots)
		return -ENOMEM;
	index->n_allocated = n;
	for (size_t i = 0; i < groups->n; i++)
		*find(groups, index, &groups->groups[i].key) = (uint32_t)i + 1;
	return 0;
}

static int add(struct groups *groups, struct index *index, const struct connection *connection,
	       enum request_by by)
{
	struct group_key key = key_of(connection, by);
	struct group *group;
	uint32_t *slot;

	if (groups->n == index->n_allocated && grow(groups, index) < 0)
		return -ENOMEM;
	slot = find(groups, index, &key);
	if (!*slot) {
		groups->groups[groups->n] =
			(struct group){ .key = key, .uid = connection->key.uid };
		*slot = (uint32_t)++groups->n;
	}
	group = &groups->groups[*slot - 1];
	amounts_add(&group->amounts, &connection->shown);
	rates_add(&group->rates, &connection->rates);
	group->connections++;
	group->has_users = group->has_users || group->uid != connection->key.uid;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	float more = rates_all(&y->rates) - rates_all(&x->rates);

	if (more > 0 || more < 0)
		return more > 0 ? 1 : -1;
	if (x->amounts.way[0].bytes + x->amounts.way[1].bytes !=
	    y->amounts.way[0].bytes + y->amounts.way[1].bytes)
		return x->amounts.way[0].bytes + x->amounts.way[1].bytes <
				       y->amounts.way[0].bytes + y->amounts.way[1].bytes
			       ? 1
			       : -1;
	/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c): zeroed first */
	return memcmp(&x->key, &y->key, sizeof(x->key));
}

int groups_make(struct groups *groups, const struct store *store, const struct request *request)
{
	struct index index = { 0 };
	int r = 0;

	*groups = (struct groups){ 0 };
	for (size_t i = 0; i < store->n && r == 0; i++) {
		const struct connection *connection = &store->connections[i];

		if (!request->has_user || connection->key.uid == request->uid)
			r = add(groups, &index, connection, request->by);
	}
	free(index.slots);
	if (r < 0)
		groups_free(groups);
	else if (groups->n)
		qsort(groups->groups, groups->n, sizeof(*groups->groups), compare);
	return r;
}
