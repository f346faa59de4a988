// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The maps' layouts, read by the user half: wire packets of GSO packets come through each step of the
 * ladder, and maps that a meter of the first layout has left are read as the beginning of ours.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture/span.h"
#include "traffic_meter.skel.h"

#define RING_BYTES 4096

/* Entries as of the first layout. */
struct first_flow_value {
	struct table_value value;
	struct owner owner;
};

struct first_recent_flow {
	struct flow_key key;
	struct first_flow_value value;
	uint64_t padding;
};

_Static_assert(sizeof(struct first_flow_value) == 72, "as it was");
_Static_assert(sizeof(struct first_recent_flow) == 128, "as it was");

struct fixture {
	struct pins pins;
	struct journal journal;
	struct set set;
	int n_cpus;
};

static void open_set(struct fixture *fixture, const int fds[SET_MAPS])
{
	fixture->pins = (struct pins){ .fd = -1 }; /* nothing is pinned */
	fixture->n_cpus = libbpf_num_possible_cpus();
	assert_int_equal(journal_open(&fixture->journal, &fixture->pins, 1), 0);
	assert_int_equal(set_open(&fixture->set, 1, fds, &fixture->journal), 0);
}

static void close_set(struct fixture *fixture)
{
	set_close(&fixture->set);
	journal_close(&fixture->journal);
}

/* Read all that the tables number 0 hold. The one record of a step is stored at its place. */
static unsigned int read_span(struct fixture *fixture,
			      struct traffic_record ret[TRAFFIC_STEP_TOTAL + 1])
{
	struct traffic_record record;
	struct span span;
	unsigned int n = 0;
	int r;

	assert_int_equal(span_begin_tables(&span, &fixture->set, 0, 0, 0, &fixture->journal), 1);
	while ((r = span_next(&span, &record)) == 1) {
		ret[record.step] = record;
		n++;
	}
	assert_int_equal(r, 0);
	assert_int_equal(span_commit(&span, &fixture->journal), 0);
	return n;
}

static int new_map(enum bpf_map_type type, uint32_t key_size, uint32_t value_size, uint32_t entries)
{
	int fd = bpf_map_create(type, "test", key_size, value_size, entries, NULL);

	assert_true(fd >= 0);
	return fd;
}

static int new_slot(int inner_fd)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .inner_map_fd = (uint32_t)inner_fd);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "test", 4, 4, 1, &options);
	uint32_t slot = 0;

	assert_true(fd >= 0);
	assert_int_equal(bpf_map_update_elem(fd, &slot, &inner_fd, BPF_ANY), 0);
	return fd;
}

static void new_tables(int fds[SET_MAPS], int slot, enum bpf_map_type type, uint32_t key_size,
		       uint32_t value_size, uint32_t entries)
{
	fds[slot + 1] = new_map(type, key_size, value_size, entries);
	fds[slot + 2] = new_map(type, key_size, value_size, entries);
	fds[slot] = new_slot(fds[slot + 1]);
}

static const struct flow_key example_flow = {
	.uid = 1001,
	.ifindex = 1,
	.source_port = 1,
	.destination_port = 2,
	.direction = METER_OUT,
	.family = 4,
	.protocol = 6,
};

static const struct table_value example_value = {
	.sum = { .packets = 3, .bytes = 300 },
	.extra_bytes = 80,
	.first_ns = 10,
	.last_ns = 20,
};

/* One flow in the table and in front of it, a user, and what step 4 has counted. */
static void fill_first_layout(const int fds[SET_MAPS], int n_cpus)
{
	struct first_recent_flow recent[n_cpus];
	struct first_flow_value flow = { .value = example_value };
	struct audit_value audit[n_cpus];
	struct user_key user = { .uid = 1001, .direction = METER_OUT };
	uint32_t key = 0;

	strcpy(flow.owner.program, "rsync");
	memset(recent, 0, sizeof(recent));
	recent[0] = (struct first_recent_flow){ .key = example_flow, .value = flow };
	assert_int_equal(bpf_map_update_elem(fds[SET_RECENT_A], &key, recent, BPF_ANY), 0);
	assert_int_equal(bpf_map_update_elem(fds[SET_FLOWS_A], &example_flow, &flow, BPF_ANY), 0);
	assert_int_equal(bpf_map_update_elem(fds[SET_USERS_A], &user, &example_value, BPF_ANY), 0);
	memset(audit, 0, sizeof(audit));
	audit[0].packets = audit[0].ended = audit[0].total.packets = 5;
	audit[0].bytes = audit[0].total.bytes = 500;
	key = METER_OUT;
	assert_int_equal(bpf_map_update_elem(fds[SET_AUDIT], &key, audit, BPF_ANY), 0);
}

static void test_first_layout_is_read(void **state)
{
	struct traffic_record records[TRAFFIC_STEP_TOTAL + 1];
	struct fixture fixture = { 0 };
	int fds[SET_MAPS];

	(void)state;
	fds[SET_PACKETS] = new_map(BPF_MAP_TYPE_RINGBUF, 0, 0, RING_BYTES);
	new_tables(fds, SET_RECENT, BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct first_recent_flow),
		   METER_RECENT);
	new_tables(fds, SET_FLOWS, BPF_MAP_TYPE_HASH, sizeof(struct flow_key),
		   sizeof(struct first_flow_value), 4);
	new_tables(fds, SET_USERS, BPF_MAP_TYPE_HASH, sizeof(struct user_key),
		   sizeof(struct table_value), 4);
	fds[SET_AUDIT] = new_map(BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct audit_value),
				 METER_AUDIT_ENTRIES);
	fill_first_layout(fds, libbpf_num_possible_cpus());
	open_set(&fixture, fds);
	assert_int_equal(read_span(&fixture, records), 3);
	assert_int_equal(records[TRAFFIC_STEP_FLOW].bytes, 600);
	assert_int_equal(records[TRAFFIC_STEP_FLOW].wire_bytes, 760);
	assert_int_equal(records[TRAFFIC_STEP_FLOW].wire_packets, 6);
	assert_string_equal(records[TRAFFIC_STEP_FLOW].program, "rsync");
	assert_int_equal(records[TRAFFIC_STEP_USER].bytes, 300);
	assert_int_equal(records[TRAFFIC_STEP_USER].wire_packets, 3);
	assert_int_equal(records[TRAFFIC_STEP_TOTAL].bytes, 500);
	assert_int_equal(records[TRAFFIC_STEP_TOTAL].wire_packets, 5);
	close_set(&fixture);
}

/* What the meter's user can write is no index to go by. */
static void test_hostile_journal(void **state)
{
	struct traffic_record record;
	struct fixture fixture = { 0 };
	struct journal_span *hostile;
	struct span span;
	int fds[SET_MAPS];

	(void)state;
	fds[SET_PACKETS] = new_map(BPF_MAP_TYPE_RINGBUF, 0, 0, RING_BYTES);
	new_tables(fds, SET_RECENT, BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct recent_flow),
		   METER_RECENT);
	new_tables(fds, SET_FLOWS, BPF_MAP_TYPE_HASH, sizeof(struct flow_key),
		   sizeof(struct flow_value), 4);
	new_tables(fds, SET_USERS, BPF_MAP_TYPE_HASH, sizeof(struct user_key),
		   sizeof(struct user_value), 4);
	fds[SET_AUDIT] = new_map(BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct audit_value),
				 METER_AUDIT_ENTRIES);
	open_set(&fixture, fds);
	hostile = &fixture.journal.page->span;
	*hostile = (struct journal_span){ .number = 1, .generation = 1, .kind = UINT32_MAX };
	hostile->recent = INT32_MAX;
	hostile->flows = INT32_MAX;
	hostile->users = INT32_MAX;
	assert_int_equal(span_begin_again(&span, &fixture.set, &fixture.journal), 1);
	assert_int_equal(span_next(&span, &record), 0);
	assert_int_equal(span_commit(&span, &fixture.journal), 0);
	close_set(&fixture);
}

/* TCP with 20 bytes of header, no options. The packet's payload is 3 segments of 100 bytes. */
static void send_gso(const struct traffic_meter_bpf *skeleton, uint8_t last)
{
	uint8_t packet[14 + 20 + 20 + 300] = {
		[12] = 8, [14] = 0x45, [22] = 64,   [23] = 6,	[26] = 192,
		[29] = 1, [30] = 198,  [33] = last, [46] = 0x50
	};
	struct __sk_buff context = { .gso_segs = 3, .gso_size = 100 };
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof(packet),
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1);

	assert_int_equal(
		bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.meter_packets), &options),
		0);
}

/* More flows than the recent ones have room for, twice. */
static void send_flows(const struct traffic_meter_bpf *skeleton)
{
	for (int i = 0; i < 400; i++)
		send_gso(skeleton, (uint8_t)(1 + i % 200));
}

/* A table of one flow, and one user: the second flow goes on a step lower, and where there is another user
 * already, on the last one. */
static void test_wire_packets_of_each_step(void **state)
{
	struct traffic_record records[TRAFFIC_STEP_TOTAL + 1];
	struct traffic_meter_bpf *skeleton = traffic_meter_bpf__open();
	struct user_key other = { .uid = 7, .direction = METER_IN };
	struct user_value nothing = { 0 };
	struct fixture fixture = { 0 };
	int fds[SET_MAPS];

	(void)state;
	assert_non_null(skeleton);
	bpf_map__set_max_entries(skeleton->maps.packets, RING_BYTES);
	assert_int_equal(traffic_meter_bpf__load(skeleton), 0);
	for (int i = 0; i < SET_MAPS; i++)
		fds[i] = fcntl(bpf_object__find_map_fd_by_name(skeleton->obj, set_map_names[i]),
			       F_DUPFD_CLOEXEC, 3);
	open_set(&fixture, fds);
	send_flows(skeleton);
	read_span(&fixture, records);
	assert_int_equal(records[TRAFFIC_STEP_FLOW].wire_packets,
			 3 * records[TRAFFIC_STEP_FLOW].packets);
	assert_int_equal(records[TRAFFIC_STEP_USER].wire_packets,
			 3 * records[TRAFFIC_STEP_USER].packets);
	assert_true(records[TRAFFIC_STEP_USER].packets > 100);

	bpf_map_update_elem(fds[SET_USERS_A], &other, &nothing, BPF_ANY);
	send_flows(skeleton);
	read_span(&fixture, records);
	assert_int_equal(records[TRAFFIC_STEP_TOTAL].wire_packets,
			 3 * records[TRAFFIC_STEP_TOTAL].packets);
	assert_true(records[TRAFFIC_STEP_TOTAL].packets > 100);
	close_set(&fixture);
	traffic_meter_bpf__destroy(skeleton);
}

static int setup(void **state)
{
	cpu_set_t one;

	(void)state;
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	return sched_setaffinity(0, sizeof(one), &one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_layout_is_read),
		cmocka_unit_test(test_hostile_journal),
		cmocka_unit_test(test_wire_packets_of_each_step),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
