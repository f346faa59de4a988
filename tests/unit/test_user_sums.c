// SPDX-License-Identifier: GPL-2.0-or-later
/* Sums by user: exact for many users, in both directions, taken in pieces. */
#include <stdlib.h>

#include "output_fixture.h"
#include "pipeline/user_sums.h"

#define USERS 5000

static struct user_sums sums;

static int end(void **state)
{
	(void)state;
	user_sums_free(&sums);
	return 0;
}

static struct traffic_record record_of(uint32_t uid, unsigned int i)
{
	struct traffic_record record = make_record(uid, i & 1 ? TRAFFIC_IN : TRAFFIC_OUT, i + 1);

	record.start_ns = 1000 + (i * 7919) % 1000;
	record.end_ns = record.start_ns + 5;
	record.total_in = i;
	return record;
}

static void sums_are_exact(void **state)
{
	static uint64_t bytes[USERS][2], latest[USERS];
	struct traffic_record taken[300];
	size_t n, n_taken = 0;

	(void)state;
	for (unsigned int i = 0; i < 20 * USERS; i++) {
		uint32_t user = i * 31 % USERS;
		struct traffic_record record = record_of(100000 + user, i);

		assert_int_equal(user_sums_add(&sums, &record), 0);
		bytes[user][record.direction] += record.bytes;
		latest[user] = i;
	}
	while ((n = user_sums_take(&sums, taken, 300))) {
		for (size_t i = 0; i < n; i++) {
			const struct traffic_record *sum = &taken[i];
			uint64_t *left = &bytes[sum->uid - 100000][sum->direction];

			assert_int_equal(sum->bytes, *left);
			*left = 0;
			assert_int_equal(sum->step, TRAFFIC_STEP_USER);
			assert_int_equal(sum->family, TRAFFIC_FAMILY_NONE);
			assert_true(sum->start_ns >= 1000 && sum->end_ns < 2005);
			assert_true(sum->total_in <= latest[sum->uid - 100000]);
		}
		n_taken += n;
	}
	for (size_t i = 0; i < USERS; i++)
		assert_int_equal(bytes[i][0] + bytes[i][1], 0);
	assert_true(n_taken >= USERS);
}

/* What was taken is not there any more, and its user begins anew. */
static void goes_on_between_takes(void **state)
{
	struct traffic_record taken[2], record = record_of(7, 0);
	uint64_t bytes = 0;

	(void)state;
	for (uint32_t uid = 0; uid < 100; uid++) {
		record.uid = uid;
		assert_int_equal(user_sums_add(&sums, &record), 0);
	}
	for (int i = 0; i < 1000; i++) {
		record.uid = (uint32_t)i % 100;
		assert_int_equal(user_sums_add(&sums, &record), 0);
		for (size_t n = user_sums_take(&sums, taken, 2); n--;)
			bytes += taken[n].bytes;
	}
	while (user_sums_take(&sums, taken, 1))
		bytes += taken[0].bytes;
	assert_int_equal(bytes, 1100 * record.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(sums_are_exact, end),
		cmocka_unit_test_teardown(goes_on_between_takes, end),
	};

	return cmocka_run_group_tests_name("user_sums", tests, NULL, NULL);
}
