// SPDX-License-Identifier: GPL-2.0-or-later
/* Buckets of the history in local time, and which levels cover a period. */
#include "output_fixture.h"

#include <time.h>

#include "history/levels.h"

static void set_zone(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
}

/* In the zone that is set. */
static int64_t at(const char *text)
{
	struct tm local = { .tm_isdst = -1 };

	assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &local));
	return (int64_t)mktime(&local);
}

static void expect_bucket(enum history_level level, const char *time, const char *start,
			  const char *end)
{
	assert_int_equal(history_bucket_start(level, at(time)), at(start));
	assert_int_equal(history_bucket_end(level, at(start)), at(end));
}

static void test_buckets_follow_the_local_time(void **state)
{
	(void)state;
	set_zone("UTC0");
	expect_bucket(HISTORY_5MIN, "2026-11-25 07:44:59", "2026-11-25 07:40:00",
		      "2026-11-25 07:45:00");
	expect_bucket(HISTORY_HOUR, "2026-11-25 07:59:59", "2026-11-25 07:00:00",
		      "2026-11-25 08:00:00");
	expect_bucket(HISTORY_MONTH, "2026-12-31 23:59:59", "2026-12-01 00:00:00",
		      "2027-01-01 00:00:00");
	set_zone("IST-5:30");
	expect_bucket(HISTORY_HOUR, "2026-11-25 07:59:59", "2026-11-25 07:00:00",
		      "2026-11-25 08:00:00");
	expect_bucket(HISTORY_DAY, "2026-11-25 00:00:00", "2026-11-25 00:00:00",
		      "2026-11-26 00:00:00");
}

static void test_days_of_23_and_25_hours(void **state)
{
	(void)state;
	set_zone("CET-1CEST,M3.5.0,M10.5.0/3");
	expect_bucket(HISTORY_DAY, "2026-03-29 12:00:00", "2026-03-29 00:00:00",
		      "2026-03-30 00:00:00");
	assert_int_equal(at("2026-03-30 00:00:00") - at("2026-03-29 00:00:00"), 23 * 3600);
	expect_bucket(HISTORY_DAY, "2026-10-25 12:00:00", "2026-10-25 00:00:00",
		      "2026-10-26 00:00:00");
	/* The hour that comes twice is two buckets. */
	assert_int_equal(history_bucket_start(HISTORY_HOUR, at("2026-10-25 01:30:00") + 3600),
			 at("2026-10-25 01:00:00") + 3600);
	assert_int_equal(history_bucket_start(HISTORY_HOUR, at("2026-10-25 01:30:00") + 7200),
			 at("2026-10-25 01:00:00") + 7200);
}

static void expect_segments(const struct history_level_state *states, const char *since,
			    const char *until, enum history_level coarsest,
			    const struct history_segment *expected, int n)
{
	struct history_segment segments[HISTORY_SEGMENTS_MAX];

	assert_int_equal(history_plan(states, at(since), at(until), coarsest, segments), n);
	for (int i = 0; i < n; i++) {
		assert_int_equal(segments[i].level, expected[i].level);
		assert_int_equal(segments[i].from, expected[i].from);
		assert_int_equal(segments[i].to, expected[i].to);
	}
}

/* Closed at 2026-11-25 07:45 and not expired. */
static void close_all(struct history_level_state states[HISTORY_LEVELS])
{
	memset(states, 0, HISTORY_LEVELS * sizeof(*states));
	states[HISTORY_5MIN].closed_until = at("2026-11-25 07:40:00");
	states[HISTORY_HOUR].closed_until = at("2026-11-25 07:00:00");
	states[HISTORY_DAY].closed_until = at("2026-11-25 00:00:00");
	states[HISTORY_MONTH].closed_until = at("2026-11-01 00:00:00");
}

static void test_a_period_is_covered_once(void **state)
{
	struct history_level_state states[HISTORY_LEVELS];

	(void)state;
	set_zone("CET-1CEST,M3.5.0,M10.5.0/3");
	close_all(states);
	expect_segments(
		states, "2026-08-30 22:50:00", "2026-11-25 07:45:00", HISTORY_MONTH,
		(struct history_segment[]){
			{ HISTORY_5MIN, at("2026-08-30 22:50:00"), at("2026-08-30 23:00:00") },
			{ HISTORY_HOUR, at("2026-08-30 23:00:00"), at("2026-08-31 00:00:00") },
			{ HISTORY_DAY, at("2026-08-31 00:00:00"), at("2026-09-01 00:00:00") },
			{ HISTORY_MONTH, at("2026-09-01 00:00:00"), at("2026-11-01 00:00:00") },
			{ HISTORY_DAY, at("2026-11-01 00:00:00"), at("2026-11-25 00:00:00") },
			{ HISTORY_HOUR, at("2026-11-25 00:00:00"), at("2026-11-25 07:00:00") },
			{ HISTORY_5MIN, at("2026-11-25 07:00:00"), at("2026-11-25 07:45:00") },
		},
		7);
	expect_segments(
		states, "2026-10-24 00:00:00", "2026-10-26 00:00:00", HISTORY_HOUR,
		(struct history_segment[]){
			{ HISTORY_HOUR, at("2026-10-24 00:00:00"), at("2026-10-26 00:00:00") },
		},
		1);
	expect_segments(states, "2026-10-26 00:00:00", "2026-10-26 00:00:00", HISTORY_DAY, NULL, 0);
}

/* What is no longer there in 5 minutes is taken in whole hours, and so on. */
static void test_expired_rows_are_taken_from_coarser_levels(void **state)
{
	struct history_level_state states[HISTORY_LEVELS];

	(void)state;
	set_zone("UTC0");
	close_all(states);
	states[HISTORY_5MIN].expired_until = at("2026-11-18 07:00:00");
	states[HISTORY_HOUR].expired_until = at("2026-10-21 07:00:00");
	expect_segments(
		states, "2026-11-18 06:10:00", "2026-11-18 07:10:00", HISTORY_MONTH,
		(struct history_segment[]){
			{ HISTORY_HOUR, at("2026-11-18 06:00:00"), at("2026-11-18 07:00:00") },
			{ HISTORY_5MIN, at("2026-11-18 07:00:00"), at("2026-11-18 07:10:00") },
		},
		2);
	expect_segments(
		states, "2026-10-20 12:00:00", "2026-10-20 13:00:00", HISTORY_HOUR,
		(struct history_segment[]){
			{ HISTORY_DAY, at("2026-10-20 00:00:00"), at("2026-10-21 00:00:00") },
		},
		1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buckets_follow_the_local_time),
		cmocka_unit_test(test_days_of_23_and_25_hours),
		cmocka_unit_test(test_a_period_is_covered_once),
		cmocka_unit_test(test_expired_rows_are_taken_from_coarser_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
