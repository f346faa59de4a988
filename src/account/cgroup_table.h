/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cgroups that cgroups.c knows, by id, by path and by watch, and the order in which they went.
 * It asks the system nothing.
 */
#ifndef ACCOUNT_CGROUP_TABLE_H
#define ACCOUNT_CGROUP_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum cgroup_key { CGROUP_BY_ID, CGROUP_BY_PATH, CGROUP_BY_WATCH, CGROUP_KEYS };

/* One for each id. Found by its path while it lives, and by its watch while it has one. The fields
 * down to `watched` are the table's to write. */
struct cgroup {
	uint64_t key[CGROUP_KEYS]; /* id, hash of the path, watch descriptor */
	struct cgroup *chain[CGROUP_KEYS];
	TAILQ_ENTRY(cgroup) gone;
	char *path;
	bool live;
	bool watched;

	SLIST_ENTRY(cgroup) to_scan;
	bool is_to_scan;
	uint64_t walk; /* the last one that saw it */
};

/* Chained hashing; the number of buckets is a power of two. */
struct cgroup_index {
	struct cgroup **buckets;
	size_t n_buckets;
	size_t n;
};

struct cgroup_table {
	struct cgroup_index index[CGROUP_KEYS];
	TAILQ_HEAD(, cgroup) gone; /* the one that went first is the first */
	size_t n_gone;
	size_t gone_bytes;
};

/* 0 or -ENOMEM. cgroup_table_free() is for both, and for a table of zeroes. */
int cgroup_table_init(struct cgroup_table *table);
void cgroup_table_free(struct cgroup_table *table);

/* NULL: none. Good until it is forgotten. */
struct cgroup *cgroup_table_find_id(const struct cgroup_table *table, uint64_t id);
struct cgroup *cgroup_table_find_path(const struct cgroup_table *table, const char *path);
struct cgroup *cgroup_table_find_watch(const struct cgroup_table *table, int watch);

/* A new live one, or one that was gone is alive again and has that path. No live one may have the
 * id or the path. NULL: no memory, and nothing changed. */
struct cgroup *cgroup_table_add(struct cgroup_table *table, uint64_t id, const char *path);

void cgroup_table_set_watch(struct cgroup_table *table, struct cgroup *cgroup, int watch);

/* The watch descriptor it had. */
int cgroup_table_clear_watch(struct cgroup_table *table, struct cgroup *cgroup);

/* It has no watch any more. */
void cgroup_table_set_gone(struct cgroup_table *table, struct cgroup *cgroup);

/* Free those that went first until so many, of so many bytes of paths, are left. */
void cgroup_table_forget(struct cgroup_table *table, size_t max, size_t max_bytes);

#endif
