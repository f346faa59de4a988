// SPDX-License-Identifier: GPL-2.0-or-later
#include "pipeline/user_sums.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 64

/* Fibonacci hashing: uids come in runs. */
static size_t slot_of(const struct user_sums *sums, const struct traffic_record *record)
{
	uint64_t key = (uint64_t)record->uid << 1 | (record->direction & 1);

	return (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (sums->n_slots - 1);
}

/* The slot of the record's sum, or the free one where it would be. */
static uint32_t *find(const struct user_sums *sums, const struct traffic_record *record)
{
	size_t slot = slot_of(sums, record);

	for (;; slot = (slot + 1) & (sums->n_slots - 1)) {
		const struct traffic_record *sum;

		if (!sums->slots[slot])
			return &sums->slots[slot];
		sum = &sums->records[sums->slots[slot] - 1];
		if (sum->uid == record->uid && sum->direction == record->direction)
			return &sums->slots[slot];
	}
}

static void fill_slots(struct user_sums *sums)
{
	memset(sums->slots, 0, sums->n_slots * sizeof(*sums->slots));
	for (size_t i = 0; i < sums->n; i++)
		*find(sums, &sums->records[i]) = (uint32_t)i + 1;
}

static int grow(struct user_sums *sums)
{
	size_t room = sums->room ? 2 * sums->room : ROOM_MIN;
	struct traffic_record *records = reallocarray(sums->records, room, sizeof(*records));
	uint32_t *slots;

	if (!records)
		return -ENOMEM;
	sums->records = records;
	slots = reallocarray(sums->slots, 2 * room, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	sums->slots = slots;
	sums->n_slots = 2 * room;
	sums->room = room;
	fill_slots(sums);
	return 0;
}

static struct traffic_record first_of(const struct traffic_record *record)
{
	return (struct traffic_record){
		.start_ns = record->start_ns,
		.uid = record->uid,
		.login_uid = TRAFFIC_NO_UID,
		.direction = record->direction,
		.step = record->step == TRAFFIC_STEP_TOTAL ? TRAFFIC_STEP_TOTAL : TRAFFIC_STEP_USER,
	};
}

int user_sums_add(struct user_sums *sums, const struct traffic_record *record)
{
	struct traffic_record *sum;
	uint32_t *slot;
	int r;

	if (sums->n == sums->room && (r = grow(sums)) < 0)
		return r;
	slot = find(sums, record);
	if (!*slot) {
		sums->records[sums->n++] = first_of(record);
		*slot = (uint32_t)sums->n;
	}
	sum = &sums->records[*slot - 1];
	if (record->start_ns < sum->start_ns)
		sum->start_ns = record->start_ns;
	if (record->end_ns > sum->end_ns)
		sum->end_ns = record->end_ns;
	sum->bytes += record->bytes;
	sum->wire_bytes += record->wire_bytes;
	sum->wire_packets += record->wire_packets;
	sum->packets += record->packets;
	/* Records come in order, so these are the latest. */
	sum->total_in = record->total_in;
	sum->total_out = record->total_out;
	return 0;
}

size_t user_sums_take(struct user_sums *sums, struct traffic_record *records, size_t room)
{
	size_t n = sums->n < room ? sums->n : room;

	if (!n)
		return 0;
	memcpy(records, &sums->records[sums->n - n], n * sizeof(*records));
	sums->n -= n;
	fill_slots(sums);
	return n;
}

void user_sums_free(struct user_sums *sums)
{
	free(sums->records);
	free(sums->slots);
	*sums = (struct user_sums){ 0 };
}
