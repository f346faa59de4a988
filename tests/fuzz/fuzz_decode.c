// SPDX-License-Identifier: GPL-2.0-or-later
/* Fuzzes the decoder of ring records. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                             \
	do {                                                         \
		if (!(condition)) {                                  \
			fprintf(stderr, "not so: %s\n", #condition); \
			abort();                                     \
		}                                                    \
	} while (0)

static void check_packet(const uint8_t *data, size_t size)
{
	struct traffic_record record, untouched;
	int r;

	memset(&record, 0xa5, sizeof(record));
	untouched = record;
	r = decode_packet(data, size, &record);
	if (r < 0) {
		CHECK(memcmp(&record, &untouched, sizeof(record)) == 0);
		return;
	}
	CHECK(r == 0);
	CHECK(record.family == TRAFFIC_FAMILY_IPV4 || record.family == TRAFFIC_FAMILY_IPV6);
	CHECK(record.direction <= TRAFFIC_OUT);
	CHECK(record.packets == 1 && record.step == TRAFFIC_STEP_PACKET);
	CHECK(record.start_ns == record.end_ns);
	CHECK(size ==
	      sizeof(struct packet_record) + (record.family == TRAFFIC_FAMILY_IPV4 ? 8 : 32));
	if (record.family == TRAFFIC_FAMILY_IPV4)
		for (int i = 4; i < 16; i++)
			CHECK(record.source[i] == 0 && record.destination[i] == 0);
	CHECK(record.interface[0] == '\0' && !record.cgroup);
	CHECK(memchr(record.program, '\0', sizeof(record.program)));
}

static void check_user(const uint8_t *data, size_t size)
{
	struct traffic_record record;
	struct user_value value;
	struct user_key key;

	if (size < sizeof(key) + sizeof(value))
		return;
	memcpy(&key, data, sizeof(key));
	memcpy(&value, data + sizeof(key), sizeof(value));
	if (decode_user(&key, &value, &record) < 0)
		return;
	CHECK(record.direction <= TRAFFIC_OUT);
	CHECK(record.family == TRAFFIC_FAMILY_NONE && record.step == TRAFFIC_STEP_USER);
	CHECK(record.bytes == value.value.sum.bytes && record.packets == value.value.sum.packets);
}

static void check_flow(const uint8_t *data, size_t size)
{
	struct traffic_record record;
	struct flow_value value;
	struct flow_key key;

	if (size < sizeof(key) + sizeof(value))
		return;
	memcpy(&key, data, sizeof(key));
	memcpy(&value, data + sizeof(key), sizeof(value));
	if (decode_flow(&key, &value, &record) < 0)
		return;
	CHECK(record.direction <= TRAFFIC_OUT);
	CHECK(record.family == TRAFFIC_FAMILY_IPV4 || record.family == TRAFFIC_FAMILY_IPV6);
	CHECK(record.step == TRAFFIC_STEP_FLOW);
	CHECK(memchr(record.program, '\0', sizeof(record.program)));
	CHECK(record.bytes == value.value.sum.bytes && record.packets == value.value.sum.packets);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_flow(data, size);
	check_packet(data, size);
	check_user(data, size);
	return 0;
}
