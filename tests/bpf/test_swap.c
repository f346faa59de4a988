// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tables that are swapped under a flood: not a packet may fall between the retired one and the one
 * in its place. The hooks are attached to a cgroup of the test's own, in which two processes send;
 * what is read, record by record, is compared with their own counts.
 *
 * Each sender sends to a socket of its own that nobody reads: packets pass the ingress hook before
 * they find its buffer full. How many come that far nobody but the audit can say, as loopback may
 * drop some in between.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture/capture.h"
#include "capture/cgroup.h"

#define FLOOD_NS      (5 * UINT64_C(1000000000))
#define SWAP_EVERY_NS (10 * UINT64_C(1000000))

/* A swap waits for the kernel, and other suites run beside this one: then the flood goes on for longer,
 * until there were as many as these. */
#define SWAPS_MIN     20
#define FLOOD_MORE_NS (40 * UINT64_C(1000000000))

#define SENDERS		 2
#define FLOWS_OF_SENDER	 64 /* more than the recent flows of a CPU have room for */
#define IP_AND_UDP_BYTES 28
#define PAYLOAD_MAX	 1000

/* Shared with the senders. */
struct flood {
	bool stop;
	struct {
		uint64_t packets, bytes;
	} sent[SENDERS];
};

struct fixture {
	char *cgroup;
	struct flood *flood;
	pid_t senders[SENDERS]; /* 0: none runs */
	struct capture *capture;
	bool in_span;

	/* What the records sum up to, by direction; and how many came from which step. */
	struct capture_audit read;
	uint64_t records_of_step[TRAFFIC_STEP_TOTAL + 1];
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void sleep_until(uint64_t time_ns)
{
	const struct timespec time = { .tv_sec = (time_t)(time_ns / 1000000000),
				       .tv_nsec = (long)(time_ns % 1000000000) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR)
		;
}

static void enter_cgroup(const char *cgroup)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(1);
	close(fd);
}

static void open_flows(int fds[FLOWS_OF_SENDER])
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int receiver = socket(AF_INET, SOCK_DGRAM, 0);

	if (receiver < 0 || bind(receiver, (struct sockaddr *)&address, size) ||
	    getsockname(receiver, (struct sockaddr *)&address, &size))
		_exit(1);
	for (int i = 0; i < FLOWS_OF_SENDER; i++) {
		fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
		if (fds[i] < 0 || connect(fds[i], (struct sockaddr *)&address, size))
			_exit(1);
	}
}

/* Runs in a process of its own. Sizes differ from packet to packet, so that bytes can't come out
 * right with the wrong packets. The last one is sent after the end was told, so that something is
 * left in the tables whenever that was. */
static void send_until_told(struct fixture *fixture, int sender)
{
	static const char payload[PAYLOAD_MAX];
	int fds[FLOWS_OF_SENDER];
	uint64_t packets = 0, bytes = 0;
	bool stop;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	enter_cgroup(fixture->cgroup);
	open_flows(fds);
	do {
		size_t size = 1 + packets % PAYLOAD_MAX;

		stop = __atomic_load_n(&fixture->flood->stop, __ATOMIC_ACQUIRE);
		while (send(fds[packets % FLOWS_OF_SENDER], payload, size, 0) < 0)
			if (errno != ENOBUFS && errno != EAGAIN)
				_exit(1);
		packets++;
		bytes += IP_AND_UDP_BYTES + size;
	} while (!stop);
	fixture->flood->sent[sender].packets = packets;
	fixture->flood->sent[sender].bytes = bytes;
	_exit(0);
}

static void start_senders(struct fixture *fixture)
{
	memset(fixture->flood, 0, sizeof(*fixture->flood));
	for (int i = 0; i < SENDERS; i++) {
		pid_t pid = fork();

		if (pid == 0)
			send_until_told(fixture, i);
		assert_true(pid > 0);
		fixture->senders[i] = pid;
	}
}

static void stop_senders(struct fixture *fixture)
{
	__atomic_store_n(&fixture->flood->stop, true, __ATOMIC_RELEASE);
	for (int i = 0; i < SENDERS; i++) {
		int status;

		assert_int_equal(waitpid(fixture->senders[i], &status, 0), fixture->senders[i]);
		fixture->senders[i] = 0;
		assert_int_equal(status, 0);
	}
}

/* Read what there is now, up to n records. Returns how many of them were of tables. */
static uint64_t read_records(struct fixture *fixture, uint64_t n)
{
	struct traffic_record record;
	struct capture_span span;
	uint64_t of_tables = 0;
	int r = 0;

	while (n > 0 && (fixture->in_span || (r = capture_begin(fixture->capture, &span)) > 0)) {
		fixture->in_span = true;
		r = capture_next(fixture->capture, &record);
		if (r == 0) {
			assert_int_equal(capture_commit(fixture->capture), 0);
			fixture->in_span = false;
			continue;
		}
		assert_true(r > 0);
		n--;
		fixture->read.packets[record.direction] += record.packets;
		fixture->read.bytes[record.direction] += record.bytes;
		fixture->records_of_step[record.step]++;
		of_tables += record.step != TRAFFIC_STEP_PACKET;
	}
	assert_true(r >= 0);
	return of_tables;
}

static void assert_sums_equal(const struct capture_audit *a, const struct capture_audit *b)
{
	for (int i = 0; i < 2; i++) {
		assert_int_equal(a->packets[i], b->packets[i]);
		assert_int_equal(a->bytes[i], b->bytes[i]);
	}
}

/* At rest what was counted is what was read and what is still held. */
static void verify_held(struct fixture *fixture, bool expect_some)
{
	struct capture_audit held, twice, counted;

	assert_int_equal(capture_read_held(fixture->capture, &held, &twice), 0);
	assert_int_equal(capture_read_audit(fixture->capture, &counted), 0);
	assert_int_equal(twice.bytes[TRAFFIC_OUT] + twice.bytes[TRAFFIC_IN], 0);
	assert_int_equal(held.packets[TRAFFIC_OUT] + held.packets[TRAFFIC_IN] > 0, expect_some);
	for (int i = 0; i < 2; i++) {
		held.packets[i] += fixture->read.packets[i];
		held.bytes[i] += fixture->read.bytes[i];
	}
	assert_sums_equal(&held, &counted);
}

/* To the end: a table that retired before the last packets may have to be read first. */
static void read_rest(struct fixture *fixture)
{
	for (int i = 0; i < 2; i++) {
		assert_int_equal(capture_retire(fixture->capture), 0);
		read_records(fixture, UINT64_MAX);
	}
}

static void verify_sent(const struct fixture *fixture)
{
	uint64_t packets = 0, bytes = 0;

	for (int i = 0; i < SENDERS; i++) {
		packets += fixture->flood->sent[i].packets;
		bytes += fixture->flood->sent[i].bytes;
	}
	assert_int_equal(fixture->read.packets[TRAFFIC_OUT], packets);
	assert_int_equal(fixture->read.bytes[TRAFFIC_OUT], bytes);
	assert_in_range(fixture->read.packets[TRAFFIC_IN], 1, packets);
}

static void print_result(const struct fixture *fixture, const char *name, uint64_t swaps)
{
	printf("# %s: %llu swaps under %llu packets; records by step: %llu %llu %llu %llu\n", name,
	       (unsigned long long)swaps, (unsigned long long)fixture->read.packets[TRAFFIC_OUT],
	       (unsigned long long)fixture->records_of_step[TRAFFIC_STEP_PACKET],
	       (unsigned long long)fixture->records_of_step[TRAFFIC_STEP_FLOW],
	       (unsigned long long)fixture->records_of_step[TRAFFIC_STEP_USER],
	       (unsigned long long)fixture->records_of_step[TRAFFIC_STEP_TOTAL]);
}

static void swap_under_flood(struct fixture *fixture, const char *name,
			     const struct capture_settings *settings)
{
	uint64_t swaps = 0, now, end;

	assert_int_equal(capture_open(&fixture->capture, settings), 0);
	assert_int_equal(capture_attach(fixture->capture, fixture->cgroup), 0);
	start_senders(fixture);
	now = now_ns();
	for (end = now + FLOOD_NS; now < end || (swaps < SWAPS_MIN && now < end + FLOOD_MORE_NS);
	     now = now_ns()) {
		sleep_until(now + SWAP_EVERY_NS);
		assert_int_equal(capture_retire(fixture->capture), 0);
		swaps += read_records(fixture, UINT64_MAX) > 0;
	}
	stop_senders(fixture);

	verify_held(fixture, true);
	/* In the middle of a drain some of it is in the reader's own hands. */
	assert_int_equal(capture_retire(fixture->capture), 0);
	read_records(fixture, 1);
	verify_held(fixture, true);
	capture_detach(fixture->capture);
	read_rest(fixture);
	verify_held(fixture, false);
	verify_sent(fixture);
	print_result(fixture, name, swaps);
	assert_true(swaps >= SWAPS_MIN);
}

static void test_flow_records(void **state)
{
	struct fixture *fixture = *state;

	swap_under_flood(fixture, "flow records",
			 &(struct capture_settings){ .records = CAPTURE_RECORDS_FLOW,
						     .ring_bytes = CAPTURE_RING_BYTES_MIN,
						     .flow_entries = 4096,
						     .user_entries = 1024 });
	assert_int_equal(fixture->records_of_step[TRAFFIC_STEP_PACKET], 0);
	assert_int_equal(fixture->records_of_step[TRAFFIC_STEP_USER], 0);
	assert_int_equal(fixture->records_of_step[TRAFFIC_STEP_TOTAL], 0);
}

static void test_packet_records(void **state)
{
	struct fixture *fixture = *state;

	swap_under_flood(fixture, "packet records, smallest ring",
			 &(struct capture_settings){ .records = CAPTURE_RECORDS_PACKET,
						     .ring_bytes = CAPTURE_RING_BYTES_MIN,
						     .flow_entries = 4096,
						     .user_entries = 1024 });
	assert_true(fixture->records_of_step[TRAFFIC_STEP_PACKET] > 0);
	assert_int_equal(fixture->records_of_step[TRAFFIC_STEP_USER], 0);
}

/* All steps at once: fewer entries than flows, and than users and directions. */
static void test_all_steps(void **state)
{
	struct fixture *fixture = *state;

	swap_under_flood(fixture, "smallest ring and tables",
			 &(struct capture_settings){ .records = CAPTURE_RECORDS_PACKET,
						     .ring_bytes = CAPTURE_RING_BYTES_MIN,
						     .flow_entries = 8,
						     .user_entries = 1 });
	for (int step = TRAFFIC_STEP_PACKET; step <= TRAFFIC_STEP_TOTAL; step++)
		assert_true(fixture->records_of_step[step] > 0);
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	char *root = NULL;

	if (!fixture || cgroup_find_root(&root) < 0 ||
	    asprintf(&fixture->cgroup, "%s/traffic-meter-test-swap-%d", root, (int)getpid()) < 0)
		return -1;
	free(root);
	if (mkdir(fixture->cgroup, 0755))
		return -1;
	fixture->flood = mmap(NULL, sizeof(*fixture->flood), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fixture->flood == MAP_FAILED)
		return -1;
	*state = fixture;
	return 0;
}

/* After a failed test too: senders may still run, and programs be attached. */
static int teardown(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t deadline = now_ns() + 10 * UINT64_C(1000000000);
	int r;

	for (int i = 0; i < SENDERS; i++) {
		if (fixture->senders[i] > 0) {
			kill(fixture->senders[i], SIGKILL);
			waitpid(fixture->senders[i], NULL, 0);
		}
	}
	capture_close(fixture->capture);
	munmap(fixture->flood, sizeof(*fixture->flood));
	/* A process that ended leaves its cgroup a little later. */
	while ((r = rmdir(fixture->cgroup)) && errno == EBUSY && now_ns() < deadline)
		usleep(10000);
	free(fixture->cgroup);
	free(fixture);
	return r;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_flow_records, setup, teardown),
		cmocka_unit_test_setup_teardown(test_packet_records, setup, teardown),
		cmocka_unit_test_setup_teardown(test_all_steps, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
