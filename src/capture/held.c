// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/held.h"

#include "capture/decode.h"

static void add_record(struct capture_audit *sum, const struct traffic_record *record)
{
	sum->packets[record->direction] += record->packets;
	sum->bytes[record->direction] += record->bytes;
}

static void add_flow(void *sum, const void *key, const void *value)
{
	struct traffic_record record;

	if (decode_flow(key, value, &record) == 0)
		add_record(sum, &record);
}

static void add_user(void *sum, const void *key, const void *value)
{
	struct traffic_record record;

	if (decode_user(key, value, &record) == 0)
		add_record(sum, &record);
}

static void add_ring(const struct set *set, struct capture_audit *ret)
{
	struct ring ring = set->ring; /* a look that moves nothing */
	struct traffic_record record;
	const void *data;
	size_t size;

	ring_rewind(&ring);
	while (ring_next(&ring, &data, &size))
		if (decode_packet(data, size, &record) == 0)
			add_record(ret, &record);
}

static int add_totals(struct set *set, struct capture_audit *ret)
{
	for (enum meter_audit i = 0; i < (enum meter_audit)METER_DIRECTIONS; i++) {
		struct audit_value value;
		int r = set_read_audit(set, i, &value);

		if (r < 0)
			return r;
		ret->packets[i] += value.total.packets - set->taken->totals.packets[i];
		ret->bytes[i] += value.total.bytes - set->taken->totals.bytes[i];
	}
	return 0;
}

/* The table in use comes last, after what pushes flows out to it. */
int held_of_set(struct set *set, struct capture_audit *ret, struct capture_audit *ret_twice)
{
	int active = set->recent.active, flows = set->flows.active, users = set->users.active;
	int r;

	add_ring(set, ret);
	if ((r = recent_look(&set->recent, !active, add_flow, ret)) < 0 ||
	    (r = tables_look(&set->flows, !flows, add_flow, ret)) < 0 ||
	    (r = tables_look(&set->users, !users, add_user, ret)) < 0 ||
	    (r = recent_look(&set->recent, active, add_flow, ret)) < 0 ||
	    (r = tables_look(&set->flows, flows, add_flow, ret)) < 0 ||
	    (r = tables_look(&set->users, users, add_user, ret)) < 0)
		return r;
	if (ret_twice && (r = recent_look_again(&set->recent, add_flow, ret_twice)) < 0)
		return r;
	return add_totals(set, ret);
}
