// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * spool DIRECTORY BATCHES RECORDS FIRST [OPTIONS]: writes batches, numbered from FIRST on, into a spool by
 * the meter's own output, and prints what they sum up to and how long it took:
 *
 *	records=N packets=N bytes_in=N bytes_out=N seconds=S
 *
 * The flows are as a login node has them: each connection is a record in and one out, in the order of a
 * hash table; a quarter last as long as the interval; DNS is one packet; some are bulk. With
 * HOSTILE=1 in the environment names hold any bytes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <traffic_meter/output.h>

#include "output/registry.h"
#include "spool/frame.h"
#include "util/options.h"

#define RECORDS_MAX 65536
#define USERS	    40
#define REMOTES	    4000
#define CGROUPS	    120

static struct traffic_record records[RECORDS_MAX];
static char cgroups[CGROUPS][120], workloads[CGROUPS][400];
static uint32_t remotes[REMOTES];
static uint8_t remotes6[REMOTES][16];

static void make_names(void)
{
	const char *hostile = getenv("HOSTILE");

	for (int i = 0; i < REMOTES; i++) {
		remotes[i] = (uint32_t)random();
		memcpy(remotes6[i], "\x20\x01\x0d\xb8", 4);
		for (int k = 4; k < 16; k++)
			remotes6[i][k] = (uint8_t)(random() % 3 ? random() : 0);
	}
	for (int i = 0; i < CGROUPS; i++) {
		snprintf(cgroups[i], sizeof(cgroups[i]),
			 "/user.slice/user-%d.slice/session-%d.scope", 1000 + i % USERS, i);
		snprintf(workloads[i], sizeof(workloads[i]), "session:%d", i);
		if (hostile) {
			snprintf(cgroups[i], sizeof(cgroups[i]), "/a\n\"]\\=|b%c%d\xff\xfe\t'",
				 i + 1, i);
			memset(workloads[i], 'x', 300);
		}
	}
}

/* A connection's two directions. */
static void make_connection(struct traffic_record pair[2], uint64_t base_ns)
{
	static const char *const programs[] = { "sshd",	   "rsync", "curl", "python3", "node",
						"firefox", "wget",  "git",  "apt",     "ntpd" };
	static const char *const networks[] = { "internet", "campus", "storage" };
	static const uint16_t ports[] = { 443, 443, 443, 443, 22, 80, 53, 873 };
	unsigned int user = (unsigned int)((random() % USERS) * (random() % USERS) / USERS);
	unsigned int cgroup = user + USERS * (unsigned int)(random() % 3);
	long remote = (random() % 64) * (random() % 64) * (random() % 64) / 66;
	uint16_t port = ports[random() % 8], own = (uint16_t)(32768 + random() % 28000);
	bool is_long = random() % 4 == 0, is_bulk = random() % 20 == 0, is_ipv6 = random() % 5 == 0;
	uint64_t start = base_ns + (uint64_t)random() % (is_long ? 100000000 : 2000000000) * 4;
	uint64_t end = is_long ? base_ns + 9900000000 + (uint64_t)random() % 100000000
			       : start + (uint64_t)random() % 80000000;
	static const uint8_t local[16] = { 192, 168, 1, 100 };
	static const uint8_t local6[16] = { 0x20, 0x01, 0x0d, 0xb8, [5] = 1, [15] = 7 };

	for (int out = 0; out < 2; out++) {
		struct traffic_record *record = &pair[out];
		uint64_t packets = port == 53 ? 1
				   : is_bulk  ? 100 + random() % 20000
					      : 4 + random() % 12;

		*record = (struct traffic_record){
			.start_ns = start + (out ? 0 : (uint64_t)random() % 20000000),
			.end_ns = end + 20000000,
			.packets = packets,
			.wire_packets = is_bulk && !out ? 4 * packets : packets,
			.bytes = port == 53 ? 60 + (uint64_t)random() % 60
				 : is_bulk
					 ? packets * (out ? 52 : 1480)
					 : packets * 52 + (uint64_t)random() % (out ? 1500 : 6000),
			.uid = user ? 1000 + user : 0, /* root has a name everywhere */
			.login_uid = cgroup % 10 ? 1000 + user : TRAFFIC_NO_UID,
			.ifindex = 2,
			.direction = out ? TRAFFIC_OUT : TRAFFIC_IN,
			.family = is_ipv6 ? TRAFFIC_FAMILY_IPV6 : TRAFFIC_FAMILY_IPV4,
			.protocol = port == 53 ? 17 : 6,
			.step = TRAFFIC_STEP_FLOW,
			.source_port = out ? own : port,
			.destination_port = out ? port : own,
			.interface = "eth0",
			.cgroup = cgroups[cgroup],
			.workload = workloads[cgroup],
			.network = networks[remote % 10 ? 0 : remote % 3],
		};
		record->wire_bytes = record->bytes + (record->wire_packets - packets) * 52;
		strcpy(record->program, programs[(user + cgroup) % 10]);
		memcpy(out ? record->source : record->destination, is_ipv6 ? local6 : local, 16);
		if (is_ipv6)
			memcpy(out ? record->destination : record->source, remotes6[remote], 16);
		else
			memcpy(out ? record->destination : record->source, &remotes[remote], 4);
	}
}

static void make_records(size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		make_connection(&records[i], UINT64_C(1732985432000000000));
	if (n % 2)
		records[n - 1] = (struct traffic_record){ .uid = TRAFFIC_NO_UID,
							  .login_uid = TRAFFIC_NO_UID,
							  .bytes = 1,
							  .packets = 1,
							  .step = TRAFFIC_STEP_TOTAL };
	for (size_t i = n - 1; i > 0; i--) {
		size_t other = (size_t)random() % (i + 1);
		struct traffic_record swap = records[i];

		records[i] = records[other];
		records[other] = swap;
	}
}

static void fail(const struct traffic_output *output)
{
	fprintf(stderr, "spool: %s\n", output->error);
	exit(1);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	const struct traffic_output_type *type = output_type_find("spool");
	struct traffic_output output = { .type = type, .nic_id = "test" };
	unsigned long batches, n, first;
	struct spool_sums sums = { 0 };
	double begin;

	if (argc < 5)
		return fputs("usage: spool DIRECTORY BATCHES RECORDS FIRST [OPTIONS]\n", stderr), 2;
	batches = strtoul(argv[2], NULL, 10);
	n = strtoul(argv[3], NULL, 10);
	first = strtoul(argv[4], NULL, 10);
	if (!n || n > RECORDS_MAX)
		return 2;
	srandom((unsigned int)first);
	make_names();
	make_records(n);
	output.target = argv[1];
	output.context = calloc(1, type->context_size);
	type->preset(output.context);
	if (options_parse_pairs(type->options, output.context, argc > 5 ? argv[5] : "", "spool") <
	    0)
		return 2;
	if (type->init(&output) < 0)
		fail(&output);
	begin = now_s();
	for (output.batch = first; output.batch < first + batches; output.batch++) {
		for (size_t done = 0; done < n;) {
			ssize_t taken = type->write(&output, records + done,
						    n - done < 1024 ? n - done : 1024);

			if (taken < 0)
				fail(&output);
			done += (size_t)taken;
		}
		if (type->flush(&output) < 0)
			fail(&output);
		spool_sums_count(&sums, records, n);
	}
	type->close(&output);
	printf("records=%" PRIu64 " packets=%" PRIu64 " bytes_in=%" PRIu64 " bytes_out=%" PRIu64
	       " seconds=%.6f\n",
	       sums.records, sums.packets[0] + sums.packets[1], sums.bytes[TRAFFIC_IN],
	       sums.bytes[TRAFFIC_OUT], now_s() - begin);
	options_free(type->options, output.context);
	free(output.context);
	return 0;
}
