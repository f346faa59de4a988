// SPDX-License-Identifier: GPL-2.0-or-later
/* Questions to a history: times as people write them, the top and `other`, and who may see what. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "query/collector.h"
#include "query/period.h"
#include "query/query.h"

/* 2026-11-25 09:29:08 in Berlin, a Wednesday. */
#define NOW_S INT64_C(1795595348)

static void test_spans(void **state)
{
	static const struct {
		const char *text;
		int64_t begin_s, end_s;
	} good[] = {
		{ "now", NOW_S, NOW_S },
		{ "@5", 5, 5 },
		{ "today", 1795561200, 1795647600 },
		{ "yesterday", 1795474800, 1795561200 },
		{ "2026-11-25", 1795561200, 1795647600 },
		{ "2026-11-25 09:29", 1795595340, 1795595340 },
		{ "2026-11-25T08:29:08Z", NOW_S, NOW_S },
		{ "09:29:08", NOW_S, NOW_S },
		{ "this-hour", 1795593600, 1795597200 },
		{ "this-week", 1795388400, 1795993200 },
		{ "this-month", 1793487600, 1796079600 },
		{ "last-month", 1790805600, 1793487600 }, /* 31 days and an hour: summer ends */
		{ "2026-03-29", 1774738800, 1774821600 }, /* a day of 23 hours */
		{ "2026-10", 1790805600, 1793487600 },
		{ "-12h", NOW_S - 43200, NOW_S - 43200 },
		{ "-90min", NOW_S - 5400, NOW_S - 5400 },
		{ "-7d", NOW_S - 604800, NOW_S - 604800 },
	};
	static const char *const bad[] = {
		"",
		"soon",
		"2026-02-30",
		"2026-13-01",
		"2026-11-25 24:00",
		"25:00",
		"-7",
		"-7x",
		"--7d",
		"2026-11-25 09:29 x",
		"@",
		"@-5",
		"last-year ",
		"-99999999999999999999d",
		"2026",
		"9999999-01-01",
		"-999999y",
	};
	struct span span;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(span_parse(good[i].text, NOW_S, &span), 0);
		assert_int_equal(span.begin_s, good[i].begin_s);
		assert_int_equal(span.end_s, good[i].end_s);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(span_parse(bad[i], NOW_S, &span), -EINVAL);
}

/* A source whose rows are given: user u moves 10^u bytes on each of three days. */
static int given_ask(struct query_source *source, const struct question *question,
		     struct answer *answer)
{
	struct collector collector;
	int r = 0;

	(void)source;
	collector_init(&collector, question);
	for (int64_t day = 3; day >= 1; day--) {
		uint64_t bytes = (uint64_t)day;

		for (int64_t user = 0; r == 0 && user < 6; user++, bytes *= 10) {
			struct query_amounts amounts = { .bytes = { bytes, 0 } };
			int64_t ids[QUERY_BY_MAX] = { 0 };

			for (size_t i = 0; i < question->n_by; i++)
				ids[i] = question->by[i] == QUERY_DAY ? day : user ?: COLLECTOR_OTHER;
			r = collector_add(&collector, ids, &amounts);
		}
	}
	if (r == 0)
		r = collector_finish(&collector, answer);
	collector_free(&collector);
	return r;
}

static const struct query_source_ops given = { .kind = "given", .ask = given_ask };

static void ask(const char *by, uint64_t top, struct answer *answer)
{
	struct query_source source = { .ops = &given };
	struct question question;

	question_init(&question);
	question.until_s = 1;
	question.top = top;
	assert_int_equal(question_set_by(&question, by, "--by"), 0);
	assert_int_equal(query_ask(&source, &question, answer), 0);
	assert_int_equal(answer->total.bytes[0], 666666);
	question_free(&question);
}

static void assert_row(const struct answer *answer, size_t i, int64_t first, int64_t second,
		       uint64_t bytes, uint64_t groups)
{
	const struct query_row *row = &answer->rows[i];

	assert_int_equal(row->values[0].kind == QUERY_VALUE_OTHER ? -1 : row->values[0].number,
			 first);
	assert_int_equal(row->values[1].kind == QUERY_VALUE_OTHER ? -1 : row->values[1].number,
			 second);
	assert_int_equal(row->amounts.bytes[0], bytes);
	assert_int_equal(row->groups, groups);
}

static void test_top(void **state)
{
	struct answer answer;

	(void)state;
	ask("user", 2, &answer);
	assert_int_equal(answer.n_rows, 3);
	assert_int_equal(answer.groups, 5);
	assert_row(&answer, 0, 5, 0, 600000, 1);
	assert_row(&answer, 1, 4, 0, 60000, 1);
	assert_row(&answer, 2, -1, 0, 6666, 4);
	answer_free(&answer);

	/* The same users on each day, and each day's own rest. */
	ask("day,user", 1, &answer);
	assert_int_equal(answer.n_rows, 6);
	assert_row(&answer, 0, 1, 5, 100000, 1);
	assert_row(&answer, 1, 1, -1, 11111, 5);
	assert_row(&answer, 4, 3, 5, 300000, 1);
	answer_free(&answer);

	ask("user,day", 1, &answer);
	assert_row(&answer, 0, 5, 1, 100000, 1);
	assert_row(&answer, 2, 5, 3, 300000, 1);
	assert_row(&answer, 3, -1, 1, 11111, 5);
	answer_free(&answer);

	/* A time alone is ranked itself. */
	ask("day", 2, &answer);
	assert_int_equal(answer.n_rows, 3);
	assert_row(&answer, 0, 2, 0, 222222, 1);
	assert_row(&answer, 1, 3, 0, 333333, 1);
	assert_row(&answer, 2, -1, 0, 111111, 1);
	answer_free(&answer);

	ask("user", 0, &answer);
	assert_int_equal(answer.n_rows, 6);
	assert_row(&answer, 5, -1, 0, 6, 1);
	answer_free(&answer);
}

/* No rows at all are an answer, too. */
static void test_nothing(void **state)
{
	struct question question;
	struct collector collector;
	struct answer answer = { 0 };

	(void)state;
	question_init(&question);
	question.top = 1;
	assert_int_equal(question_set_by(&question, "day,user", "--by"), 0);
	collector_init(&collector, &question);
	assert_int_equal(collector_finish(&collector, &answer), 0);
	assert_int_equal(answer.n_rows, 0);
	assert_int_equal(answer.groups, 0);
	collector_free(&collector);
	answer_free(&answer);
	question_free(&question);
}

static int see_filter(struct query_source *source, const struct question *question,
		      struct answer *answer)
{
	(void)source;
	(void)answer;
	assert_int_equal(question->filters[QUERY_USER].n, 1);
	assert_string_equal(question->filters[QUERY_USER].values[0], "4001");
	return 0;
}

/* Who may see their own usage alone gets it, whatever else they ask for. */
static void test_asker(void **state)
{
	static const struct query_source_ops seeing = { .kind = "seeing", .ask = see_filter };
	static const char *const others[] = {
		"0", "root", "4002", "4001x", "", "*", "04001", "-1"
	};
	struct query_source source = { .ops = &seeing };
	struct question question;
	struct answer answer;

	(void)state;
	question_init(&question);
	question.until_s = 1;
	question.sees_everything = false;
	question.asker_uid = 4001;
	assert_int_equal(query_ask(&source, &question, &answer), 0);
	assert_int_equal(question_filter(&question, QUERY_USER, "4001"), 0);
	assert_int_equal(query_ask(&source, &question, &answer), 0);
	question_free(&question);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		question_init(&question);
		question.until_s = 1;
		question.sees_everything = false;
		question.asker_uid = 4001;
		assert_int_equal(question_filter(&question, QUERY_USER, "4001"), 0);
		assert_int_equal(question_filter(&question, QUERY_USER, others[i]), 0);
		assert_int_equal(query_ask(&source, &question, &answer), -EACCES);
		question_free(&question);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_top),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_asker),
	};

	setenv("TZ", "Europe/Berlin", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
