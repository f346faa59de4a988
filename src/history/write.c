// SPDX-License-Identifier: GPL-2.0-or-later
/* Pending rows into the tables: texts and origins by their ids, users' names, rows of closed levels. */
#ifdef HAVE_SQLITE3

#include <stdlib.h>
#include <string.h>

#include "history/store_inside.h"
#include "util/cleanup.h"

#define DAY_S 86400

/* A user's rows of the running 5 minutes are folded when there may be so many times as many as stay at
 * the end, down to a quarter of that. */
#define CROWD_FACTOR 32
#define CROWD_KEEP   8

static void free_details(struct details *details)
{
	free(details->rows);
}

/* SQLite has no unsigned 64-bit integers; 2^63 bytes in 5 minutes are none of this world. */
static int64_t to_signed(uint64_t number)
{
	return number > INT64_MAX ? INT64_MAX : (int64_t)number;
}

static int64_t uid_of(uint32_t uid)
{
	return uid == UINT32_MAX ? HISTORY_NO_USER : (int64_t)uid;
}

static int find_text(struct store *store, uint32_t index, int64_t *ret)
{
	struct text_entry *entry = &store->texts.texts[index];
	sqlite3_stmt *statement;
	int r, none = 1;

	if (entry->id >= 0) {
		*ret = entry->id;
		return SQLITE_OK;
	}
	r = statements_other(&store->statements, FIND_TEXT, NULL, 0, &statement);
	if (r == SQLITE_OK)
		r = sqlite3_bind_text(statement, 1, entry->text, -1, SQLITE_STATIC);
	if (r == SQLITE_OK)
		r = statements_read(statement, &entry->id, &none);
	if (r == SQLITE_OK && none) {
		r = statements_other(&store->statements, ADD_TEXT, NULL, 0, &statement);
		if (r == SQLITE_OK)
			r = sqlite3_bind_text(statement, 1, entry->text, -1, SQLITE_STATIC);
		if (r == SQLITE_OK)
			r = statements_run(statement);
		if (r == SQLITE_OK)
			entry->id = sqlite3_last_insert_rowid(store->database);
	}
	*ret = entry->id;
	return r;
}

int history_store_find_origin(struct store *store, const int64_t origin[5], int64_t *ret)
{
	sqlite3_stmt *statement;
	int none = 1;
	int r = statements_other(&store->statements, FIND_ORIGIN, origin, 5, &statement);

	if (r == SQLITE_OK)
		r = statements_read(statement, ret, &none);
	if (r != SQLITE_OK || !none)
		return r;
	r = statements_run_other(&store->statements, ADD_ORIGIN, origin, 5);
	if (r == SQLITE_OK)
		*ret = sqlite3_last_insert_rowid(store->database);
	return r;
}

static int find_origin(struct store *store, uint32_t index, int64_t *ret)
{
	struct origin_entry *entry = &store->texts.origins[index];
	const struct origin *origin = &entry->origin;
	int64_t ids[5] = { uid_of(origin->login) };
	int r = SQLITE_OK;

	if (entry->id < 0) {
		if ((r = find_text(store, origin->network, &ids[1])) != SQLITE_OK ||
		    (r = find_text(store, origin->interface, &ids[2])) != SQLITE_OK ||
		    (r = find_text(store, origin->program, &ids[3])) != SQLITE_OK ||
		    (r = find_text(store, origin->workload, &ids[4])) != SQLITE_OK)
			return r;
		r = history_store_find_origin(store, ids, &entry->id);
	}
	*ret = entry->id;
	return r;
}

bool history_store_is_closed(const struct store *store, enum history_level level, int64_t time,
			     int64_t user)
{
	const struct history_level_state *state = &store->levels[level];

	if (time < state->closed_until)
		return true;
	/* The bucket that is being closed, a user after the other. */
	return state->closed_user >= HISTORY_NO_USER && user <= state->closed_user &&
	       time < history_bucket_end(level, history_bucket_start(level, state->closed_until));
}

/* To the level, and to each coarser one that is closed already: who comes late has no remote and service
 * there, as nobody folds those buckets any more. */
static int add_detail(struct store *store, const struct pending_row *row)
{
	const struct amounts *amounts = &row->amounts;
	int64_t values[9] = { row->key.time, uid_of(row->key.user), 0, row->key.service };
	bool late = false;
	int r;

	if ((r = find_text(store, row->key.remote, &values[2])) != SQLITE_OK ||
	    (r = find_origin(store, row->key.origin, &values[4])) != SQLITE_OK)
		return r;
	for (int i = 0; i < 2; i++) {
		values[5 + i] = to_signed(amounts->bytes[i]);
		values[7 + i] = to_signed(amounts->wire_bytes[i]) - to_signed(amounts->bytes[i]);
	}
	for (int level = HISTORY_5MIN; level < HISTORY_LEVELS && r == SQLITE_OK; level++) {
		bool closed = history_store_is_closed(store, (enum history_level)level,
						      row->key.time, values[1]);

		if (level != HISTORY_5MIN && !closed)
			break;
		late = late || closed;
		if (late) {
			values[2] = HISTORY_TEXT_OTHER;
			values[3] = HISTORY_SERVICE_OTHER;
		}
		values[0] = history_bucket_start((enum history_level)level, row->key.time);
		r = statements_run_level(&store->statements, (enum history_level)level, ADD_DETAIL,
					 values, 9);
	}
	return r;
}

static int add_user(struct store *store, int64_t time, uint32_t user, const struct amounts *amounts)
{
	int64_t values[10] = { time, uid_of(user) };
	int r = SQLITE_OK;

	for (int i = 0; i < 2; i++) {
		values[2 + i] = to_signed(amounts->bytes[i]);
		values[4 + i] = to_signed(amounts->wire_bytes[i]);
		values[6 + i] = to_signed(amounts->packets[i]);
		values[8 + i] = to_signed(amounts->wire_packets[i]);
	}
	for (int level = HISTORY_5MIN; level < HISTORY_LEVELS && r == SQLITE_OK; level++) {
		if (level != HISTORY_5MIN &&
		    !history_store_is_closed(store, (enum history_level)level, time, values[1]))
			break;
		values[0] = history_bucket_start((enum history_level)level, time);
		r = statements_run_level(&store->statements, (enum history_level)level, ADD_USER,
					 values, 10);
	}
	return r;
}

static struct crowd *find_crowd(const struct store *store, uint32_t user)
{
	size_t slot = user * UINT32_C(2654435769) & (store->n_crowd_slots - 1);

	while (store->crowds[slot].rows && store->crowds[slot].user != user)
		slot = (slot + 1) & (store->n_crowd_slots - 1);
	return &store->crowds[slot];
}

/* NULL: no memory. Its rows are never 0 from then on, as that means a free slot. */
static struct crowd *get_crowd(struct store *store, uint32_t user)
{
	struct crowd *crowd;

	if (2 * (store->n_crowds + 1) > store->n_crowd_slots) {
		size_t n_old = store->n_crowd_slots;
		struct crowd *old = store->crowds;

		store->n_crowd_slots = n_old ? n_old * 2 : 256;
		store->crowds = calloc(store->n_crowd_slots, sizeof(*store->crowds));
		if (!store->crowds) {
			store->crowds = old;
			store->n_crowd_slots = n_old;
			return NULL;
		}
		for (size_t i = 0; i < n_old; i++)
			if (old[i].rows)
				*find_crowd(store, old[i].user) = old[i];
		free(old);
	}
	crowd = find_crowd(store, user);
	if (!crowd->rows) {
		*crowd = (struct crowd){ .user = user, .rows = 1, .named_day = -1 };
		store->n_crowds++;
	}
	return crowd;
}

static int write_name(struct store *store, struct crowd *crowd, int64_t now_s)
{
	const char *name;
	sqlite3_stmt *statement;
	int r;

	if (crowd->user == UINT32_MAX || crowd->named_day == now_s / DAY_S ||
	    !store->settings.name_of)
		return SQLITE_OK;
	name = store->settings.name_of(store->settings.userdata, crowd->user);
	if (!name)
		return SQLITE_OK;
	r = statements_other(&store->statements, ADD_NAME, (int64_t[]){ crowd->user }, 1,
			     &statement);
	if (r == SQLITE_OK)
		r = sqlite3_bind_text(statement, 2, name, -1, SQLITE_TRANSIENT);
	if (r == SQLITE_OK)
		r = statements_run(statement);
	if (r == SQLITE_OK)
		crowd->named_day = now_s / DAY_S;
	return r;
}

/* A user with more remotes than anybody needs must not fill the disk in 5 minutes. */
static int thin_out(struct store *store, struct crowd *crowd, int64_t time, size_t n)
{
	_cleanup_(free_details) struct details details = { 0 };
	size_t most = (size_t)store->settings.rows[HISTORY_5MIN];
	int64_t user = uid_of(crowd->user);
	int r;

	if (crowd->time != time)
		crowd->rows = 1;
	crowd->time = time;
	crowd->rows += (uint32_t)n;
	if (crowd->rows <= most * CROWD_FACTOR)
		return SQLITE_OK;
	r = history_store_read_details(store, HISTORY_5MIN, time, user, &details);
	if (r == SQLITE_OK && details.n > most * CROWD_FACTOR / 2) {
		r = history_store_fold(store, &details, most * CROWD_KEEP);
		if (r == SQLITE_OK)
			r = history_store_replace_details(store, HISTORY_5MIN, time, user,
							  &details);
	}
	crowd->rows = (uint32_t)details.n + 1;
	return r;
}

int history_store_write_rows(struct store *store, int64_t now_s)
{
	const struct pending *pending = &store->pending;
	int r = SQLITE_OK;

	pending_sort(&store->pending);
	for (size_t i = 0, end; i < pending->n && r == SQLITE_OK; i = end) {
		const struct pending_key *first = &pending->rows[i].key;
		struct crowd *crowd = get_crowd(store, first->user);
		struct amounts sum = { 0 };

		if (!crowd)
			return SQLITE_NOMEM;
		for (end = i; end < pending->n && pending->rows[end].key.time == first->time &&
			      pending->rows[end].key.user == first->user && r == SQLITE_OK;
		     end++) {
			amounts_add(&sum, &pending->rows[end].amounts);
			r = add_detail(store, &pending->rows[end]);
		}
		if (r == SQLITE_OK)
			r = add_user(store, first->time, first->user, &sum);
		if (r == SQLITE_OK)
			r = thin_out(store, crowd, first->time, end - i);
		if (r == SQLITE_OK)
			r = write_name(store, crowd, now_s);
	}
	return r;
}

#endif
