/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A question under way at a history: history_source.c plans it, history_rows.c reads its rows. */
#ifndef QUERY_HISTORY_ASKING_H
#define QUERY_HISTORY_ASKING_H

#ifdef HAVE_SQLITE3

#include "history/history.h"
#include "query/collector.h"
#include "query/history_filter.h"
#include "query/history_texts.h"

struct asking {
	const struct question *question;
	sqlite3 *database;
	struct history_filter filter;
	struct history_texts texts;
	struct collector collector;
	struct history_level_state levels[HISTORY_LEVELS];
	struct history_segment segments[HISTORY_SEGMENTS_MAX];
	int n_segments;
	bool detail;	   /* the details' tables are read */
	bool needs_origin; /* for a key or a filter */
	enum history_level coarsest;
	size_t time_key; /* index of the time among the keys; n_by: none */
	/* The bucket that was read last, and what the time key makes of it. */
	int64_t bucket_s, bucket_id;
	uint64_t rows;
};

/* Read the rows of all segments into the collector. 0, what progress() returned, or an error of the
 * database's, not logged. */
int history_read_rows(struct asking *asking);

/* sqlite3_prepare_v2() of a formatted query. 0 or a negative errno. */
int history_prepare(sqlite3 *database, sqlite3_stmt **ret, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static inline void history_finalize(sqlite3_stmt **statement)
{
	sqlite3_finalize(*statement);
}

#define _cleanup_statement_ _cleanup_(history_finalize)

#endif
#endif
