// SPDX-License-Identifier: GPL-2.0-or-later
#include "history/levels.h"

#include <errno.h>
#include <stdbool.h>
#include <time.h>

#define BUCKET_5MIN_S 300
#define HOUR_S	      3600

const char *const history_level_names[HISTORY_LEVELS] = {
	[HISTORY_5MIN] = "5min",
	[HISTORY_HOUR] = "hour",
	[HISTORY_DAY] = "day",
	[HISTORY_MONTH] = "month",
};

static int64_t round_down(int64_t time_s, int64_t unit)
{
	int64_t rest = time_s % unit;

	return time_s - (rest < 0 ? rest + unit : rest);
}

/* Where the local time is half an hour off (India), its hours begin at half past. */
static int64_t hour_start(int64_t time_s)
{
	time_t time = (time_t)time_s;
	struct tm local;

	if (!localtime_r(&time, &local))
		return round_down(time_s, HOUR_S);
	return round_down(time_s + local.tm_gmtoff, HOUR_S) - local.tm_gmtoff;
}

/* mktime() of a midnight that a change to summer time skips is the moment after it. */
static int64_t midnight(struct tm *local)
{
	local->tm_hour = local->tm_min = local->tm_sec = 0;
	local->tm_isdst = -1;
	return (int64_t)mktime(local);
}

static int64_t date_start(int64_t time_s, bool of_month, int further)
{
	time_t time = (time_t)time_s;
	struct tm local;

	if (!localtime_r(&time, &local))
		return time_s;
	if (of_month) {
		local.tm_mday = 1;
		local.tm_mon += further;
	} else {
		local.tm_mday += further;
	}
	return midnight(&local);
}

int64_t history_bucket_start(enum history_level level, int64_t time_s)
{
	switch (level) {
	case HISTORY_HOUR:
		return hour_start(time_s);
	case HISTORY_DAY:
	case HISTORY_MONTH:
		return date_start(time_s, level == HISTORY_MONTH, 0);
	default:
		return round_down(time_s, BUCKET_5MIN_S);
	}
}

int64_t history_bucket_end(enum history_level level, int64_t start_s)
{
	switch (level) {
	case HISTORY_HOUR:
		return start_s + HOUR_S;
	case HISTORY_DAY:
	case HISTORY_MONTH:
		return date_start(start_s, level == HISTORY_MONTH, 1);
	default:
		return start_s + BUCKET_5MIN_S;
	}
}

/* May this level's bucket at `at` be taken whole, for a period that ends at `until`? */
static bool is_whole(const struct history_level_state *state, enum history_level level, int64_t at,
		     int64_t until)
{
	int64_t end;

	if (at < state->expired_until || history_bucket_start(level, at) != at)
		return false;
	end = history_bucket_end(level, at);
	return end <= until && (level == HISTORY_5MIN || end <= state->closed_until);
}

/* The level to go on with at `at`. Where finer rows have expired it is the finest one that has rows
 * for the time, although its bucket sticks out of the period. */
static enum history_level choose(const struct history_level_state *states, int64_t at,
				 int64_t until, enum history_level coarsest)
{
	for (int level = (int)coarsest; level > HISTORY_5MIN; level--)
		if (is_whole(&states[level], (enum history_level)level, at, until))
			return (enum history_level)level;
	for (int level = HISTORY_5MIN; level < HISTORY_MONTH; level++)
		if (history_bucket_start((enum history_level)level, at) >=
		    states[level].expired_until)
			return (enum history_level)level;
	return HISTORY_MONTH;
}

int history_plan(const struct history_level_state states[HISTORY_LEVELS], int64_t since,
		 int64_t until, enum history_level coarsest,
		 struct history_segment segments[HISTORY_SEGMENTS_MAX])
{
	int64_t at = since;
	int n = 0;

	while (at < until) {
		enum history_level level = choose(states, at, until, coarsest);
		int64_t start = history_bucket_start(level, at);
		int64_t end = history_bucket_end(level, start);

		if (end <= at) /* a time zone that jumps: never stand still */
			end = at + BUCKET_5MIN_S;
		/* Nothing of before is taken twice. */
		if (n && start < segments[n - 1].to)
			start = segments[n - 1].to;
		if (n && segments[n - 1].level == level && segments[n - 1].to == start) {
			segments[n - 1].to = end;
		} else {
			if (n == HISTORY_SEGMENTS_MAX)
				return -E2BIG;
			segments[n++] = (struct history_segment){ level, start, end };
		}
		at = end;
	}
	return n;
}
