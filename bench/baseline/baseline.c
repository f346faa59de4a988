// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * baseline CGROUP DIRECTORY: the user half of the thing compared with. libbpf's own ring reader,
 * which sleeps in epoll until a record wakes it, and a file opened, printed to and closed for each
 * record. It reads its ring to the end before it stops, so that no row that it could have written
 * is missing.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "row.h"

#include "record.h"
#include <bench/baseline/baseline.skel.h>

#define USERS_MAX 1024

struct reader {
	const char *directory;
	uint64_t offset_ns; /* from the kernel's clock to the wall's */
	struct {
		uint32_t uid;
		uint64_t total[2];
	} users[USERS_MAX];
	int n_users;
};

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
	(void)number;
	stopping = 1;
}

static uint64_t *find_totals(struct reader *reader, uint32_t uid)
{
	int i;

	for (i = 0; i < reader->n_users && reader->users[i].uid != uid; i++)
		;
	if (i == USERS_MAX)
		exit(1);
	if (i == reader->n_users)
		reader->users[reader->n_users++].uid = uid;
	return reader->users[i].total;
}

static int write_record(void *context, void *data, size_t size)
{
	const struct baseline_record *packet = data;
	struct reader *reader = context;
	uint64_t *totals = find_totals(reader, packet->uid);
	struct traffic_record record = {
		.end_ns = packet->time_ns + reader->offset_ns,
		.bytes = packet->bytes,
		.uid = packet->uid,
		.direction = packet->direction,
		.family = packet->family,
	};

	(void)size;
	totals[packet->direction] += packet->bytes;
	record.total_in = totals[TRAFFIC_IN];
	record.total_out = totals[TRAFFIC_OUT];
	memcpy(record.source, packet->source, sizeof(record.source));
	memcpy(record.destination, packet->destination, sizeof(record.destination));
	return baseline_write_row(reader->directory, "baseline", &record, false);
}

static uint64_t clock_offset_ns(void)
{
	struct timespec wall, monotonic;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	return (uint64_t)(wall.tv_sec - monotonic.tv_sec) * 1000000000 +
	       (uint64_t)(wall.tv_nsec - monotonic.tv_nsec);
}

static int fail(const char *what)
{
	fprintf(stderr, "baseline: %s: %s\n", what, strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	struct reader reader = { .offset_ns = clock_offset_ns() };
	struct baseline_bpf *skeleton;
	struct ring_buffer *ring;
	int cgroup_fd;

	if (argc != 3) {
		fprintf(stderr, "usage: baseline CGROUP DIRECTORY\n");
		return 2;
	}
	reader.directory = argv[2];
	/* Restarts system calls, but for epoll_wait(), which always ends with EINTR. */
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	cgroup_fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (cgroup_fd < 0)
		return fail(argv[1]);
	skeleton = baseline_bpf__open_and_load();
	if (!skeleton)
		return fail("load");
	ring = ring_buffer__new(bpf_map__fd(skeleton->maps.packets), write_record, &reader, NULL);
	if (!ring)
		return fail("ring");
	skeleton->links.baseline_ingress =
		bpf_program__attach_cgroup(skeleton->progs.baseline_ingress, cgroup_fd);
	skeleton->links.baseline_egress =
		bpf_program__attach_cgroup(skeleton->progs.baseline_egress, cgroup_fd);
	if (!skeleton->links.baseline_ingress || !skeleton->links.baseline_egress)
		return fail("attach");
	fprintf(stderr, "baseline: metering %s\n", argv[1]);
	while (!stopping) {
		int n = ring_buffer__poll(ring, 100 /* ms: for a signal that came just before */);

		if (n < 0 && n != -EINTR) {
			errno = -n;
			return fail("write a row");
		}
	}
	baseline_bpf__detach(skeleton);
	ring_buffer__consume(ring);
	ring_buffer__free(ring);
	baseline_bpf__destroy(skeleton);
	close(cgroup_fd);
	return 0;
}
