// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The times of a sum. Flows wait in front of the tables until another one takes their place, so they
 * come there in another order than their packets did; hand-made packets (BPF_PROG_TEST_RUN) bring
 * that about.
 */
#include <bpf/bpf.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "bpf/shared.h"
#include "traffic_meter.skel.h"

/* Of the kernel's: times are right to one. */
#define LONGEST_TICK_US 10000

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* From 192.0.2.N to 198.51.100.N, of a protocol without ports: whatever N, the ends differ in the same
 * bits, so that those of a PLACE are after the same slot. */
static void send_flow(const struct traffic_meter_bpf *skeleton, uint8_t place, uint8_t n)
{
	uint8_t packet[] = {
		0, 0, 0, 0, 0, 1,  0,  0, 0, 0,	  0, 2, 8, 0,	0x45, 0,   0,
		0, 0, 0, 0, 0, 64, 47, 0, 0, 192, 0, 2, n, 198, 51,   100, (uint8_t)(n ^ place)
	};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = 1);

	assert_int_equal(
		bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.meter_packets), &options),
		0);
}

static void test_late_flow_is_the_earlier_one(void **state)
{
	const struct traffic_meter_bpf *skeleton = *state;
	int users_fd = bpf_map__fd(skeleton->maps.users_a);
	/* A test run's socket is the kernel's own. */
	struct user_key key = { .uid = METER_NO_UID, .direction = METER_OUT };
	struct user_value user;
	const struct table_value *sum = &user.value;
	uint64_t between_ns;

	/* The flow table has one entry. */
	send_flow(skeleton, 0, 1);
	send_flow(skeleton, 0, 2);
	assert_int_not_equal(bpf_map_lookup_elem(users_fd, &key, &user), 0);

	send_flow(skeleton, 1, 1);
	usleep(2 * LONGEST_TICK_US); /* that time goes by is what is wanted */
	between_ns = now_ns() - LONGEST_TICK_US * UINT64_C(1000);
	send_flow(skeleton, 2, 1);
	send_flow(skeleton, 2, 2);
	assert_int_equal(bpf_map_lookup_elem(users_fd, &key, &user), 0);
	assert_true(sum->first_ns > between_ns);
	send_flow(skeleton, 1, 2);
	assert_int_equal(bpf_map_lookup_elem(users_fd, &key, &user), 0);
	assert_int_equal(sum->sum.packets, 2);
	assert_true(sum->first_ns < between_ns);
	assert_true(sum->last_ns > between_ns);
}

static int setup(void **state)
{
	struct traffic_meter_bpf *skeleton = traffic_meter_bpf__open();
	cpu_set_t one;

	/* Each CPU has flows of its own. */
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (!skeleton || sched_setaffinity(0, sizeof(one), &one))
		return -1;
	*state = skeleton;
	skeleton->rodata->settings.records = METER_RECORDS_FLOW;
	bpf_map__set_max_entries(skeleton->maps.packets, (uint32_t)sysconf(_SC_PAGESIZE));
	return traffic_meter_bpf__load(skeleton) ? -1 : 0;
}

static int teardown(void **state)
{
	traffic_meter_bpf__destroy(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_late_flow_is_the_earlier_one),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
