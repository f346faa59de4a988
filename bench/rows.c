// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rows original|all METER_DIRECTORY BASELINE_DIRECTORY: how fast records in memory become rows of
 * per-user files, by the csv output as the host calls it, and by the baseline's way.
 *
 * Both write the same records, as many times over as their speed makes sense of; afterwards only
 * one pass of each is left in the directories, so that a caller can compare them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <traffic_meter/output.h>

#include "output/registry.h"
#include "util/options.h"

#include "baseline/row.h"

#define USERS	      100
#define BATCHES	      128
#define BATCH_RECORDS 1024
#define RECORDS	      (BATCHES * BATCH_RECORDS)
#define NIC_ID	      "bench"

/* The csv output is this much faster, so that the two take about the same time. */
#define PASSES 32

static struct traffic_record records[RECORDS];

static void fail(const char *what, int error)
{
	fprintf(stderr, "rows: %s: %s\n", what, strerror(error));
	exit(1);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void random_address(uint8_t family, uint8_t address[16])
{
	for (int i = 0; i < (family == TRAFFIC_FAMILY_IPV4 ? 4 : 16); i++)
		address[i] = (uint8_t)random();
	/* As long and as full of zeroes as real ones: a /64 of its own, small and large hosts. */
	if (family == TRAFFIC_FAMILY_IPV6) {
		address[0] = 0x20;
		if (random() % 2)
			memset(address + 8, 0, 7);
	}
}

/* Users come in no order, one record each, which is the hardest for per-user buffers. */
static void make_records(void)
{
	static uint64_t totals[USERS][2];

	srandom(1);
	for (size_t i = 0; i < RECORDS; i++) {
		struct traffic_record *record = &records[i];
		unsigned int user = (unsigned int)random() % USERS;

		record->uid = 1000 + user;
		record->login_uid = TRAFFIC_NO_UID;
		record->start_ns = record->end_ns = 1732985432123456789 + i * 2500;
		record->bytes = 40 + (uint64_t)random() % 1461;
		record->wire_bytes = record->bytes;
		record->wire_packets = record->packets = 1;
		record->direction = (uint8_t)(random() % 2);
		record->family = random() % 2 ? TRAFFIC_FAMILY_IPV4 : TRAFFIC_FAMILY_IPV6;
		record->protocol = random() % 3 ? 6 : 17;
		record->step = TRAFFIC_STEP_PACKET;
		record->source_port = (uint16_t)random();
		record->destination_port = (uint16_t)random();
		strcpy(record->interface, "eth0");
		strcpy(record->program, "rsync");
		random_address(record->family, record->source);
		random_address(record->family, record->destination);
		totals[user][record->direction] += record->bytes;
		record->total_in = totals[user][TRAFFIC_IN];
		record->total_out = totals[user][TRAFFIC_OUT];
	}
}

static void write_batch(struct traffic_output *output, const struct traffic_record *batch)
{
	size_t taken = 0;

	while (taken < BATCH_RECORDS) {
		ssize_t n = output->type->write(output, batch + taken, BATCH_RECORDS - taken);

		if (n < 0) {
			fprintf(stderr, "rows: %s\n", output->error);
			exit(1);
		}
		taken += (size_t)n;
	}
}

/* All records, so many times, from init() to close(): no row is still in a buffer. */
static void write_meter(const char *directory, const char *columns, int passes)
{
	const struct traffic_output_type *type = output_type_find("csv");
	struct traffic_output output = { .type = type, .target = directory, .nic_id = NIC_ID };

	output.context = calloc(1, type->context_size);
	if (!output.context)
		fail("memory", ENOMEM);
	if (type->preset)
		type->preset(output.context);
	if (options_set_by_name(type->options, output.context, "columns", columns, "csv") < 0)
		exit(1);
	if (type->init(&output) < 0)
		fail(output.error, 0);
	for (int pass = 0; pass < passes; pass++)
		for (size_t i = 0; i < RECORDS; i += BATCH_RECORDS)
			write_batch(&output, &records[i]);
	if (type->flush(&output) < 0)
		fail(output.error, 0);
	type->close(&output);
	if (output.lost_records)
		fail("records were lost", 0);
	options_free(type->options, output.context);
	free(output.context);
}

static void write_baseline(const char *directory, bool all)
{
	for (size_t i = 0; i < RECORDS; i++) {
		int r = baseline_write_row(directory, NIC_ID, &records[i], all);

		if (r < 0)
			fail("write a row", -r);
	}
}

static void remove_files(const char *directory)
{
	char path[4096];

	for (unsigned int user = 0; user < USERS; user++) {
		snprintf(path, sizeof(path), "%s/traffic_user_" NIC_ID "_%u.log", directory,
			 1000 + user);
		if (unlink(path) < 0)
			fail(path, errno);
	}
}

int main(int argc, char **argv)
{
	double begin, meter_s, baseline_s;

	if (argc != 4) {
		fputs("usage: rows original|all METER_DIRECTORY BASELINE_DIRECTORY\n", stderr);
		return 2;
	}
	make_records();
	write_meter(argv[2], argv[1], 1); /* once for the caches */
	remove_files(argv[2]);

	begin = now_s();
	write_meter(argv[2], argv[1], PASSES);
	meter_s = now_s() - begin;
	remove_files(argv[2]);
	begin = now_s();
	write_baseline(argv[3], strcmp(argv[1], "all") == 0);
	baseline_s = now_s() - begin;

	write_meter(argv[2], argv[1], 1);
	printf("meter_rate=%.0f baseline_rate=%.0f\n", RECORDS * PASSES / meter_s,
	       RECORDS / baseline_s);
	return 0;
}
