// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "account/account.h"

static void test_many_uids(void **state)
{
	struct totals totals;
	const uint32_t n = 100000;

	(void)state;
	assert_int_equal(totals_open(&totals, NULL, 0), 0);
	for (uint32_t i = 0; i < n; i++) {
		struct total *total = totals_get(&totals, i * 7919);

		assert_non_null(total);
		assert_int_equal(total->in, 0);
		total->in = i;
		total->out = i + 1;
	}
	assert_int_equal(totals.n, n);
	assert_true(totals.n <= totals.n_slots / 4 * 3);
	for (uint32_t i = 0; i < n; i++) {
		struct total *total = totals_get(&totals, i * 7919);

		assert_int_equal(total->uid, i * 7919);
		assert_int_equal(total->in, i);
		assert_int_equal(total->out, i + 1);
	}
	assert_int_equal(totals.n, n);
	totals_close(&totals);
}

static void test_uids_at_the_ends(void **state)
{
	struct totals totals;

	(void)state;
	assert_int_equal(totals_open(&totals, NULL, 0), 0);
	totals_get(&totals, 0)->in = 1;
	totals_get(&totals, UINT32_MAX)->in = 2;
	totals_get(&totals, 65534)->in = 3;
	assert_int_equal(totals_get(&totals, 0)->in, 1);
	assert_int_equal(totals_get(&totals, UINT32_MAX)->in, 2);
	assert_int_equal(totals_get(&totals, 65534)->in, 3);
	totals_close(&totals);
}

static int grow_never(void *userdata, uint32_t n, void (*fill)(void *fill_data, void *memory),
		      void *fill_data, void **ret)
{
	(void)userdata, (void)n, (void)fill, (void)fill_data, (void)ret;
	return -ENOMEM;
}

/* Memory that a process leaves, and the next one finds. */
static void test_what_was_not_committed_is_taken_back(void **state)
{
	static struct total slots[8];
	const struct totals_memory memory = { .memory = slots, .n_slots = 8, .grow = grow_never };
	struct totals totals;

	(void)state;
	assert_int_equal(totals_open(&totals, &memory, 40), 0);
	totals_begin(&totals, 41);
	totals_add(&totals, totals_get(&totals, 7), 10, 1);
	totals_add(&totals, totals_get(&totals, 8), 20, 2);
	totals_begin(&totals, 42);
	totals_add(&totals, totals_get(&totals, 7), 100, 0);
	totals_add(&totals, totals_get(&totals, 7), 0, 100);
	totals_add(&totals, totals_get(&totals, 9), 5, 5);

	assert_int_equal(totals_open(&totals, &memory, 41), 0);
	assert_int_equal(totals.n, 3);
	assert_int_equal(totals_get(&totals, 7)->in, 10);
	assert_int_equal(totals_get(&totals, 7)->out, 1);
	assert_int_equal(totals_get(&totals, 8)->in, 20);
	assert_int_equal(totals_get(&totals, 9)->in, 0);

	/* And the same once more, to the end. */
	totals_begin(&totals, 42);
	totals_add(&totals, totals_get(&totals, 7), 100, 100);
	assert_int_equal(totals_open(&totals, &memory, 42), 0);
	assert_int_equal(totals_get(&totals, 7)->in, 110);
	assert_int_equal(totals_get(&totals, 7)->out, 101);

	assert_int_equal(totals_raise(&totals, 7, 109, 200), 0);
	assert_int_equal(totals_get(&totals, 7)->in, 110);
	assert_int_equal(totals_get(&totals, 7)->out, 200);
	for (uint32_t uid = 10; uid < 13; uid++)
		assert_non_null(totals_get(&totals, uid));
	/* No room there, and none to be had: from here on in the process's own memory. */
	assert_non_null(totals_get(&totals, 13));
	assert_int_equal(totals.n_slots, 16);
	assert_int_equal(totals_get(&totals, 7)->out, 200);
	assert_int_equal(slots[0].interval + slots[1].interval > 0, 1);
	totals_close(&totals);
}

/* What others may have written there, or may write at any time, costs no more than what is there. */
static void test_hostile_memory(void **state)
{
	static struct total slots[7];
	struct totals_memory memory = { .memory = slots, .n_slots = 7, .grow = grow_never };
	struct totals totals;

	(void)state;
	alarm(20); /* a look-up without an end */
	for (int i = 0; i < 7; i++)
		slots[i] = (struct total){ .uid = 1000 + (uint32_t)i, .interval = UINT32_MAX };
	assert_int_equal(totals_open(&totals, &memory, 0), 0);
	assert_int_equal(totals.n_slots, 4);
	for (uint32_t uid = 5; uid < 8; uid++)
		totals_add(&totals, totals_get(&totals, uid), 1, 0);
	for (int i = 0; i < 4; i++)
		slots[i] = (struct total){ .uid = 2000 + (uint32_t)i, .interval = 1, .in = 1000 };
	assert_non_null(totals_get(&totals, 9));
	assert_int_equal(totals_get(&totals, 9)->in, 0);
	assert_int_equal(totals_get(&totals, 2000)->in, 1000);
	totals_close(&totals);
	alarm(0);
}

static struct traffic_record record_of(uint32_t uid, enum traffic_direction direction,
				       uint64_t bytes)
{
	return (struct traffic_record){
		.uid = uid,
		.direction = (uint8_t)direction,
		.bytes = bytes,
		.packets = 1,
		.step = TRAFFIC_STEP_PACKET,
		.start_ns = 1000,
		.end_ns = 1000,
	};
}

static void test_record_gets_totals_and_time(void **state)
{
	const struct account_settings settings = { .raw_subuids = true };
	struct account account;
	struct traffic_record record;
	struct account_sum sum;

	(void)state;
	assert_int_equal(account_open(&account, &settings), 0);
	account.clock.offset_ns = 5000000000;

	record = record_of(7, TRAFFIC_OUT, 52);
	assert_int_equal(account_record(&account, &record), 0);
	assert_int_equal(record.total_in, 0);
	assert_int_equal(record.total_out, 52);
	assert_int_equal(record.end_ns, 5000001000);
	record = record_of(7, TRAFFIC_IN, 84);
	record.ifindex = 1;
	account_record(&account, &record);
	assert_int_equal(record.total_in, 84);
	assert_int_equal(record.total_out, 52);
	assert_string_equal(record.interface, "lo");
	record = record_of(8, TRAFFIC_IN, 1);
	account_record(&account, &record);
	assert_int_equal(record.total_in, 1);

	sum = account_next_interval(&account);
	assert_int_equal(sum.users, 2);
	assert_int_equal(sum.bytes[TRAFFIC_IN], 85);
	assert_int_equal(sum.packets[TRAFFIC_OUT], 1);
	assert_int_equal(sum.step_packets[TRAFFIC_STEP_PACKET], 3);
	assert_int_equal(account_next_interval(&account).users, 0);
	record = record_of(7, TRAFFIC_IN, 1);
	account_record(&account, &record);
	assert_int_equal(record.total_in, 85);
	assert_int_equal(account_next_interval(&account).users, 1);
	account_close(&account);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_uids),
		cmocka_unit_test(test_uids_at_the_ends),
		cmocka_unit_test(test_what_was_not_committed_is_taken_back),
		cmocka_unit_test(test_hostile_memory),
		cmocka_unit_test(test_record_gets_totals_and_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
