// SPDX-License-Identifier: GPL-2.0-or-later
#include "account/cgroup_table.h"

#include <string.h>

#include "util/cleanup.h"

#define BUCKETS_FIRST 1024

static size_t bucket_of(const struct cgroup_index *index, uint64_t key)
{
	/* Fibonacci hashing: ids and watch descriptors come in rows, which this spreads. */
	return (size_t)(key * 0x9e3779b97f4a7c15ull >> 32) & (index->n_buckets - 1);
}

static void index_grow(struct cgroup_index *index, enum cgroup_key by)
{
	struct cgroup_index grown = { .n_buckets = index->n_buckets * 2, .n = index->n };
	struct cgroup *cgroup, *next;

	/* NOLINTNEXTLINE(bugprone-sizeof-expression): the buckets are pointers. */
	grown.buckets = calloc(grown.n_buckets, sizeof(*grown.buckets));
	if (!grown.buckets)
		return; /* the chains get longer, that is all */
	for (size_t i = 0; i < index->n_buckets; i++)
		for (cgroup = index->buckets[i]; cgroup; cgroup = next) {
			struct cgroup **bucket = &grown.buckets[bucket_of(&grown, cgroup->key[by])];

			next = cgroup->chain[by];
			cgroup->chain[by] = *bucket;
			*bucket = cgroup;
		}
	free(index->buckets);
	*index = grown;
}

static void index_add(struct cgroup_table *table, enum cgroup_key by, struct cgroup *cgroup,
		      uint64_t key)
{
	struct cgroup_index *index = &table->index[by];
	struct cgroup **bucket;

	if (index->n >= index->n_buckets)
		index_grow(index, by);
	bucket = &index->buckets[bucket_of(index, key)];
	cgroup->key[by] = key;
	cgroup->chain[by] = *bucket;
	*bucket = cgroup;
	index->n++;
}

static void index_remove(struct cgroup_table *table, enum cgroup_key by,
			 const struct cgroup *cgroup)
{
	struct cgroup_index *index = &table->index[by];
	struct cgroup **link = &index->buckets[bucket_of(index, cgroup->key[by])];

	while (*link != cgroup)
		link = &(*link)->chain[by];
	*link = cgroup->chain[by];
	index->n--;
}

/* path: NULL, or it must be the same, too. */
static struct cgroup *find(const struct cgroup_table *table, enum cgroup_key by, uint64_t key,
			   const char *path)
{
	const struct cgroup_index *index = &table->index[by];
	struct cgroup *cgroup = index->buckets[bucket_of(index, key)];

	while (cgroup && (cgroup->key[by] != key || (path && strcmp(cgroup->path, path) != 0)))
		cgroup = cgroup->chain[by];
	return cgroup;
}

static uint64_t hash_of(const char *path)
{
	uint64_t hash = 0xcbf29ce484222325ull; /* FNV-1a */

	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 0x100000001b3ull;
	return hash;
}

struct cgroup *cgroup_table_find_id(const struct cgroup_table *table, uint64_t id)
{
	return find(table, CGROUP_BY_ID, id, NULL);
}

struct cgroup *cgroup_table_find_path(const struct cgroup_table *table, const char *path)
{
	return find(table, CGROUP_BY_PATH, hash_of(path), path);
}

struct cgroup *cgroup_table_find_watch(const struct cgroup_table *table, int watch)
{
	return find(table, CGROUP_BY_WATCH, (uint64_t)watch, NULL);
}

static void take_from_gone(struct cgroup_table *table, struct cgroup *cgroup)
{
	TAILQ_REMOVE(&table->gone, cgroup, gone);
	table->n_gone--;
	table->gone_bytes -= strlen(cgroup->path) + 1;
}

struct cgroup *cgroup_table_add(struct cgroup_table *table, uint64_t id, const char *path)
{
	struct cgroup *cgroup = cgroup_table_find_id(table, id);
	_cleanup_free_ char *copy = strdup(path);

	if (!copy)
		return NULL;
	if (cgroup) {
		take_from_gone(table, cgroup);
		free(cgroup->path);
	} else {
		cgroup = calloc(1, sizeof(*cgroup));
		if (!cgroup)
			return NULL;
		index_add(table, CGROUP_BY_ID, cgroup, id);
	}
	cgroup->path = steal_pointer(copy);
	cgroup->live = true;
	index_add(table, CGROUP_BY_PATH, cgroup, hash_of(path));
	return cgroup;
}

void cgroup_table_set_watch(struct cgroup_table *table, struct cgroup *cgroup, int watch)
{
	cgroup->watched = true;
	index_add(table, CGROUP_BY_WATCH, cgroup, (uint64_t)watch);
}

int cgroup_table_clear_watch(struct cgroup_table *table, struct cgroup *cgroup)
{
	cgroup->watched = false;
	index_remove(table, CGROUP_BY_WATCH, cgroup);
	return (int)cgroup->key[CGROUP_BY_WATCH];
}

void cgroup_table_set_gone(struct cgroup_table *table, struct cgroup *cgroup)
{
	index_remove(table, CGROUP_BY_PATH, cgroup);
	cgroup->live = false;
	TAILQ_INSERT_TAIL(&table->gone, cgroup, gone);
	table->n_gone++;
	table->gone_bytes += strlen(cgroup->path) + 1;
}

static void free_cgroup(struct cgroup *cgroup)
{
	free(cgroup->path);
	free(cgroup);
}

void cgroup_table_forget(struct cgroup_table *table, size_t max, size_t max_bytes)
{
	while (table->n_gone > max || table->gone_bytes > max_bytes) {
		struct cgroup *oldest = TAILQ_FIRST(&table->gone);

		take_from_gone(table, oldest);
		index_remove(table, CGROUP_BY_ID, oldest);
		free_cgroup(oldest);
	}
}

int cgroup_table_init(struct cgroup_table *table)
{
	*table = (struct cgroup_table){ 0 };
	TAILQ_INIT(&table->gone);
	for (enum cgroup_key by = 0; by < CGROUP_KEYS; by++) {
		table->index[by].buckets = calloc(BUCKETS_FIRST, sizeof(struct cgroup *));
		if (!table->index[by].buckets)
			return -ENOMEM;
		table->index[by].n_buckets = BUCKETS_FIRST;
	}
	return 0;
}

void cgroup_table_free(struct cgroup_table *table)
{
	const struct cgroup_index *index = &table->index[CGROUP_BY_ID];
	struct cgroup *cgroup, *next;

	for (size_t i = 0; i < index->n_buckets; i++)
		for (cgroup = index->buckets[i]; cgroup; cgroup = next) {
			next = cgroup->chain[CGROUP_BY_ID];
			free_cgroup(cgroup);
		}
	for (enum cgroup_key by = 0; by < CGROUP_KEYS; by++)
		free(table->index[by].buckets);
}
