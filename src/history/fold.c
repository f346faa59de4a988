// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Detail rows of a user and bucket, made fewer. The rows with most bytes stay; of the rest one field after
 * the other becomes `other`, and after each step the largest sums stay, too. So what a user did most is
 * known whole, and of the rest what it was is known for longer than with whom. The network and the login
 * user are never given up: there are few of them, and reports by them are exact.
 */
#ifdef HAVE_SQLITE3

#include <stdlib.h>
#include <string.h>

#include "history/store_inside.h"

enum fold_step { FOLD_REMOTE, FOLD_SERVICE, FOLD_PROGRAM, FOLD_WORKLOAD, FOLD_STEPS };

/* Of an origin's five ids. */
enum { NETWORK = 1, INTERFACE = 2, PROGRAM = 3, WORKLOAD = 4 };

static int compare_number(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static int by_key(const void *a, const void *b)
{
	const struct detail *x = a, *y = b;

	return compare_number(x->remote, y->remote)	  ?:
	       compare_number(x->service, y->service) ?:
		       compare_number(x->origin, y->origin);
}

static int by_bytes(const void *a, const void *b)
{
	const struct detail *x = a, *y = b;

	return compare_number(y->in + y->out, x->in + x->out) ?: by_key(a, b);
}

/* Returns how many rows are left of n. */
static size_t add_up(struct detail *rows, size_t n)
{
	size_t left = 0;

	qsort(rows, n, sizeof(*rows), by_key);
	for (size_t i = 0; i < n; i++) {
		if (left && by_key(&rows[left - 1], &rows[i]) == 0) {
			rows[left - 1].in += rows[i].in;
			rows[left - 1].out += rows[i].out;
			rows[left - 1].in_more += rows[i].in_more;
			rows[left - 1].out_more += rows[i].out_more;
		} else {
			rows[left++] = rows[i];
		}
	}
	return left;
}

static int fold_origin(struct store *store, enum fold_step step, int64_t *origin)
{
	int64_t fields[5];
	sqlite3_stmt *statement;
	int r = statements_other(&store->statements, READ_ORIGIN, origin, 1, &statement);

	if (r != SQLITE_OK)
		return r;
	r = sqlite3_step(statement);
	for (int i = 0; i < 5 && r == SQLITE_ROW; i++)
		fields[i] = sqlite3_column_int64(statement, i);
	sqlite3_reset(statement);
	if (r != SQLITE_ROW)
		return r == SQLITE_DONE ? SQLITE_CORRUPT : r;
	if (step == FOLD_SERVICE)
		fields[INTERFACE] = HISTORY_TEXT_OTHER;
	else
		fields[step == FOLD_PROGRAM ? PROGRAM : WORKLOAD] = HISTORY_TEXT_OTHER;
	return history_store_find_origin(store, fields, origin);
}

static int fold_row(struct store *store, enum fold_step step, struct detail *row)
{
	if (step == FOLD_REMOTE) {
		row->remote = HISTORY_TEXT_OTHER;
		return SQLITE_OK;
	}
	if (step == FOLD_SERVICE)
		row->service = HISTORY_SERVICE_OTHER;
	return fold_origin(store, step, &row->origin);
}

int history_store_fold(struct store *store, struct details *details, size_t keep)
{
	size_t stay = keep, room = keep / 3 + 1;
	struct detail *rows = details->rows;
	int r = SQLITE_OK;

	details->n = add_up(rows, details->n);
	if (details->n <= keep)
		return SQLITE_OK;
	qsort(rows, details->n, sizeof(*rows), by_bytes);
	for (int step = FOLD_REMOTE; step < FOLD_STEPS; step++) {
		for (size_t i = stay; i < details->n && r == SQLITE_OK; i++)
			r = fold_row(store, (enum fold_step)step, &rows[i]);
		if (r != SQLITE_OK)
			return r;
		details->n = stay + add_up(rows + stay, details->n - stay);
		if (details->n - stay <= room)
			break;
		qsort(rows + stay, details->n - stay, sizeof(*rows), by_bytes);
		stay += room;
	}
	details->n = add_up(rows, details->n);
	return SQLITE_OK;
}

int history_store_read_details(struct store *store, enum history_level level, int64_t time,
			       int64_t user, struct details *to)
{
	sqlite3_stmt *statement;
	int r = statements_level(&store->statements, level, READ_DETAIL, (int64_t[]){ time, user },
				 2, &statement);

	if (r != SQLITE_OK)
		return r;
	while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
		struct detail *row;

		if (to->n == to->allocated) {
			size_t more = to->allocated ? to->allocated * 2 : 256;
			struct detail *grown = reallocarray(to->rows, more, sizeof(*grown));

			if (!grown) {
				r = SQLITE_NOMEM;
				break;
			}
			to->rows = grown;
			to->allocated = more;
		}
		row = &to->rows[to->n++];
		*row = (struct detail){
			.remote = sqlite3_column_int64(statement, 0),
			.service = sqlite3_column_int64(statement, 1),
			.origin = sqlite3_column_int64(statement, 2),
			.in = sqlite3_column_int64(statement, 3),
			.out = sqlite3_column_int64(statement, 4),
			.in_more = sqlite3_column_int64(statement, 5),
			.out_more = sqlite3_column_int64(statement, 6),
		};
	}
	sqlite3_reset(statement);
	return r == SQLITE_DONE ? SQLITE_OK : r;
}

int history_store_replace_details(struct store *store, enum history_level level, int64_t time,
				  int64_t user, const struct details *details)
{
	int r = statements_run_level(&store->statements, level, REMOVE_DETAIL,
				     (int64_t[]){ time, user }, 2);

	for (size_t i = 0; i < details->n && r == SQLITE_OK; i++) {
		const struct detail *row = &details->rows[i];

		r = statements_run_level(&store->statements, level, ADD_DETAIL,
					 (int64_t[]){ time, user, row->remote, row->service,
						      row->origin, row->in, row->out, row->in_more,
						      row->out_more },
					 9);
	}
	return r;
}

#endif
