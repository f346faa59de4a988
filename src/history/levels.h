/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The history's levels: 5 minutes, hours, days, months. A bucket is the time that one row of a level
 * stands for, and is named by its start, in seconds since 1970-01-01 UTC. Hours, days and months
 * begin as the local time has it, so that a day is the day of the people who look at it.
 *
 * A level is closed up to a time: all buckets before it are complete, and rows for later times stand
 * in finer levels only. So rows of a level before its closed_until, together with rows of the next
 * finer level from there on, count each byte once.
 */
#ifndef HISTORY_LEVELS_H
#define HISTORY_LEVELS_H

#include <stddef.h>
#include <stdint.h>

enum history_level {
	HISTORY_5MIN,
	HISTORY_HOUR,
	HISTORY_DAY,
	HISTORY_MONTH,
	HISTORY_LEVELS,
};

/* As in the names of the tables: user_5min, detail_hour, usage_day ... */
extern const char *const history_level_names[HISTORY_LEVELS];

/* The start of the bucket that holds the time, and the start of the bucket behind it. */
int64_t history_bucket_start(enum history_level level, int64_t time_s);
int64_t history_bucket_end(enum history_level level, int64_t start_s);

/* A row of the table `level`. */
struct history_level_state {
	int64_t closed_until;  /* see above */
	int64_t expired_until; /* rows before it were removed */
	int64_t closed_user;   /* the next bucket is closed for users up to this one */
	int64_t keep_s;	       /* for how long rows are kept; 0: for ever */
	int64_t rows;	       /* how many detail rows of a user and bucket stay apart */
};

/* A part of a period, and the level whose rows cover it: `time >= from AND time < to`. */
struct history_segment {
	enum history_level level;
	int64_t from, to;
};

#define HISTORY_SEGMENTS_MAX 16

/* Cover the period [since, until) with rows, each byte once and the fewest rows that do so. No bucket
 * longer than `coarsest` is taken as long as finer rows are there. Where finer rows have expired the
 * first bucket may begin before `since`, and the last one end after `until`: segments[0].from and
 * the last one's `to` tell. Returns the number of segments, 0 for an empty period, or -E2BIG. */
int history_plan(const struct history_level_state states[HISTORY_LEVELS], int64_t since,
		 int64_t until, enum history_level coarsest,
		 struct history_segment segments[HISTORY_SEGMENTS_MAX]);

#endif
