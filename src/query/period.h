/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Times as people write them, in the local time zone: 2026-11-25, "2026-11-25 14:30", 14:30, 2026-11,
 * @1790000000, now, today, yesterday, this-hour|day|week|month|year, last-..., -90min, -12h, -7d, -2w,
 * -3months, -1y. Weeks begin on Monday.
 *
 * A word may name a span (a day) or a moment (14:30): as the begin of a period a span stands for its
 * first second, as the end for all of it.
 */
#ifndef QUERY_PERIOD_H
#define QUERY_PERIOD_H

#include <stdint.h>

/* [begin_s, end_s), seconds since 1970-01-01 UTC. A moment has begin_s == end_s. */
struct span {
	int64_t begin_s, end_s;
};

/* Returns 0, or -EINVAL when `text` names no time. */
int span_parse(const char *text, int64_t now_s, struct span *ret);

/* What a period is made of: by calendar, in the local time zone. */
enum span_unit {
	SPAN_HOUR,
	SPAN_DAY,
	SPAN_WEEK,
	SPAN_MONTH,
	SPAN_YEAR,
};

/* The unit that time_s is in, shifted by so many units (-1: the one before). */
struct span span_around(int64_t time_s, enum span_unit unit, int shift);

#endif
