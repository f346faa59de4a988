// SPDX-License-Identifier: GPL-2.0-or-later
/* The audit's equation: what is missing, what is too much, and what only came in the meantime. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "command/health.h"

/* In and out, so that a direction that is left out shows. */
static void set(uint64_t bytes[2], uint64_t in, uint64_t out)
{
	bytes[TRAFFIC_IN] = in;
	bytes[TRAFFIC_OUT] = out;
}

/* 1,000 bytes in and 4,000 out: delivered 3,000, queued 1,500, held 500. */
static void fill(struct health *health, struct output_status *output)
{
	*health = (struct health){ 0 };
	*output = (struct output_status){ 0 };
	set(output->delivered.bytes, 700, 2300);
	set(output->queued.bytes, 200, 1300);
	set(health->held.bytes, 100, 400);
	set(health->counted_before.bytes, 1000, 4000);
	set(health->counted.bytes, 1000, 4000);
}

static void test_at_rest(void **state)
{
	struct output_status output;
	struct health health;

	(void)state;
	fill(&health, &output);
	assert_int_equal(health_unaccounted(&health, &output), 0);

	/* What an output gave up is part of what it was given. */
	output.lost_bytes = 1500;
	assert_int_equal(health_unaccounted(&health, &output), 0);
}

static void test_missing(void **state)
{
	struct output_status output;
	struct health health;

	(void)state;
	fill(&health, &output);
	output.delivered.bytes[TRAFFIC_IN]--;
	assert_int_equal(health_unaccounted(&health, &output), 1);
	output.queued.bytes[TRAFFIC_OUT] -= 2;
	assert_int_equal(health_unaccounted(&health, &output), 3);
	health.held.bytes[TRAFFIC_OUT] = 0;
	assert_int_equal(health_unaccounted(&health, &output), 403);

	/* More that comes in doesn't hide it. */
	health.counted.bytes[TRAFFIC_OUT] += 100000;
	assert_int_equal(health_unaccounted(&health, &output), 403);
}

static void test_too_much(void **state)
{
	struct output_status output;
	struct health health;

	(void)state;
	fill(&health, &output);
	output.delivered.bytes[TRAFFIC_OUT] += 5;
	assert_int_equal(health_unaccounted(&health, &output), -5);
}

/* Packets that were counted between the first reading and the last may have been seen in a table, or
 * not. */
static void test_in_the_meantime(void **state)
{
	struct output_status output;
	struct health health;

	(void)state;
	fill(&health, &output);
	health.counted.bytes[TRAFFIC_IN] += 60;
	assert_int_equal(health_unaccounted(&health, &output), 0);
	health.held.bytes[TRAFFIC_IN] += 60;
	assert_int_equal(health_unaccounted(&health, &output), 0);
	health.held.bytes[TRAFFIC_IN] += 1;
	assert_int_equal(health_unaccounted(&health, &output), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at_rest),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_in_the_meantime),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
