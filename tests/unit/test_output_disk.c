// SPDX-License-Identifier: GPL-2.0-or-later
/* When csv and json begin to write to the disk what they have handed to the kernel. */
#include <time.h>

#include "output_fixture.h"

extern const struct traffic_output_type csv_output, json_output;

/* Before the C library's: who asks, and a clock that goes on when it is told to. */
static unsigned int write_backs;
static time_t now_s = 1000;

int sync_file_range(int fd, off64_t offset, off64_t count, unsigned int flags)
{
	assert_int_equal(offset, 0);
	assert_int_equal(count, 0);
	assert_int_equal(flags, SYNC_FILE_RANGE_WRITE);
	assert_true(fcntl(fd, F_GETFL) & O_APPEND);
	write_backs++;
	return 0;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	(void)clock;
	*ret = (struct timespec){ .tv_sec = now_s };
	return 0;
}

static void in_seconds(const struct traffic_output_type *type)
{
	const struct traffic_record record = make_record(1000, TRAFFIC_OUT, 100);
	char target[512];
	struct traffic_output output;

	snprintf(target, sizeof(target), "%s", type == &json_output ? path_of("rows") : directory);
	assert_int_equal(open_output(&output, type, target, ""), 0);
	write_backs = 0;
	flush_output(&output);
	assert_int_equal(write_backs, 0);
	write_one(&output, &record);
	flush_output(&output);
	assert_int_equal(write_backs, 1);
	/* Each second there may be rows; not each second the disk is to write their page. */
	for (int i = 0; i < 5; i++) {
		write_one(&output, &record);
		flush_output(&output);
		assert_int_equal(write_backs, 1);
		now_s++;
	}
	flush_output(&output);
	assert_int_equal(write_backs, 2);
	now_s += 60;
	flush_output(&output);
	assert_int_equal(write_backs, 2);
	/* What is let go of goes at once. */
	write_one(&output, &record);
	flush_output(&output);
	write_one(&output, &record);
	assert_int_equal(write_backs, 3);
	close_output(&output);
	assert_int_equal(write_backs, 4);
}

static void csv_in_seconds(void **state)
{
	(void)state;
	in_seconds(&csv_output);
}

static void json_in_seconds(void **state)
{
	(void)state;
	in_seconds(&json_output);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(csv_in_seconds),
		TEST(json_in_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
