// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/span.h"

#include <errno.h>
#include <time.h>

#include "capture/decode.h"
#include "util/log.h"

/* A span of the ring ends here: while it is under way its room in the ring is not free. */
#define RING_PARTS 4

/* What step 4 has counted since the last span, as records of no user's. */
static void begin_totals(struct span *span, const struct journal_span *record)
{
	const struct journal_set *taken = span->set->taken;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	for (enum meter_direction i = 0; i < METER_DIRECTIONS; i++) {
		struct audit_value more = { 0 };

		more.total.packets = record->totals.packets[i] - taken->totals.packets[i];
		more.total.bytes = record->totals.bytes[i] - taken->totals.bytes[i];
		more.total_extra_bytes =
			record->totals_extra_bytes[i] - taken->totals_extra_bytes[i];
		more.total_extra_packets =
			record->set_after.totals_extra_packets[i] - taken->totals_extra_packets[i];
		if (more.total.packets || more.total.bytes)
			decode_total(i, &more,
				     (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec,
				     &span->totals[span->n_totals++]);
	}
}

static int begin(struct span *span, struct set *set, const struct journal_span *record)
{
	int r = 0;

	*span = (struct span){
		.set = set,
		.kind = record->kind == JOURNAL_RING ? JOURNAL_RING : JOURNAL_TABLES,
		.recent = journal_which(&record->recent),
		.flows = journal_which(&record->flows),
		.users = journal_which(&record->users),
	};
	if (span->kind == JOURNAL_RING) {
		ring_rewind(&set->ring);
		span->ring_begin = set->ring.position;
		return 0;
	}
	set->recent.n = 0;
	if (span->recent >= 0)
		r = recent_read(&set->recent, span->recent);
	join_begin(&set->join);
	tables_read(&set->flows, span->flows);
	tables_read(&set->users, span->users);
	begin_totals(span, record);
	return r;
}

int span_begin_ring(struct span *span, struct set *set, struct journal *journal)
{
	struct journal_span record = {
		.generation = set->generation,
		.kind = JOURNAL_RING,
		.recent = JOURNAL_NONE,
		.flows = JOURNAL_NONE,
		.users = JOURNAL_NONE,
	};

	if (ring_is_empty(&set->ring))
		return 0;
	journal_begin(journal, &record);
	return begin(span, set, &record) ?: 1;
}

static int read_totals(struct set *set, struct journal_span *record)
{
	for (enum meter_audit i = 0; i < (enum meter_audit)METER_DIRECTIONS; i++) {
		struct audit_value value;
		int r = set_read_audit(set, i, &value);

		if (r < 0)
			return r;
		record->totals.packets[i] = value.total.packets;
		record->totals.bytes[i] = value.total.bytes;
		record->totals_extra_bytes[i] = value.total_extra_bytes;
		record->set_after.totals_extra_packets[i] = value.total_extra_packets;
	}
	return 0;
}

int span_begin_tables(struct span *span, struct set *set, int recent, int flows, int users,
		      struct journal *journal)
{
	struct journal_span record = {
		.generation = set->generation,
		.kind = JOURNAL_TABLES,
		.recent = recent,
		.flows = flows,
		.users = users,
	};
	int r = read_totals(set, &record);

	if (r < 0)
		return r;
	if (recent < 0 && flows < 0 && users < 0 &&
	    record.totals.packets[METER_IN] == set->taken->totals.packets[METER_IN] &&
	    record.totals.packets[METER_OUT] == set->taken->totals.packets[METER_OUT])
		return 0;
	journal_begin(journal, &record);
	return begin(span, set, &record) ?: 1;
}

int span_begin_again(struct span *span, struct set *set, const struct journal *journal)
{
	int r = begin(span, set, journal_unfinished(journal));

	span->repeated = true;
	return r ?: 1;
}

static int next_of_ring(struct span *span, struct traffic_record *ret)
{
	struct ring *ring = &span->set->ring;
	const void *data;
	size_t size;
	int r;

	if (ring->position - span->ring_begin >= ring->size / RING_PARTS ||
	    !ring_next(ring, &data, &size))
		return 0;
	r = decode_packet(data, size, ret);
	return r < 0 ? log_error_errno(r, "read a record of %zu bytes from the ring", size) : 1;
}

/* The next flow of the tables and the recent ones: 1, 0 or an error. Good until the next call. */
static int next_flow(struct set *set, const struct flow_key **ret_key,
		     const struct flow_value **ret_value)
{
	const struct recent_flow *left;
	const void *key, *value;
	int r = tables_next(&set->flows, &key, &value);

	if (r < 0)
		return r;
	if (r > 0) {
		recent_add_to(&set->recent, key, set->flows.value);
		*ret_key = key;
		*ret_value = value;
		return 1;
	}
	left = recent_next(&set->recent);
	if (!left)
		return 0;
	*ret_key = &left->key;
	*ret_value = &left->value;
	return 1;
}

/* Show all flows to those that were kept; of the recent ones those too that were added to the table's. */
static int join_flows(struct span *span)
{
	struct set *set = span->set;
	const void *key, *value;
	int r;

	set->join.joined = true;
	if (!set->join.n)
		return 0;
	tables_read(&set->flows, span->flows);
	while ((r = tables_next(&set->flows, &key, &value)) > 0)
		join_see(&set->join, key, value);
	for (size_t i = 0; r == 0 && i < set->recent.n; i++)
		join_see(&set->join, &set->recent.flows[i].key, &set->recent.flows[i].value);
	return r;
}

static int next_of_flows(struct span *span, struct traffic_record *ret)
{
	struct set *set = span->set;
	const struct flow_value *value;
	const struct flow_key *key;
	int r = 0;

	while (!set->join.joined && (r = next_flow(set, &key, &value)) > 0) {
		r = join_keep(&set->join, key, value);
		if (r <= 0)
			return r < 0 ? r : (decode_flow(key, value, ret) ?: 1);
	}
	if (r == 0 && !set->join.joined)
		r = join_flows(span);
	if (r < 0)
		return r;
	return join_next(&set->join, &key, &value) ? (decode_flow(key, value, ret) ?: 1) : 0;
}

static int next_of_tables(struct span *span, struct traffic_record *ret)
{
	const void *key, *value;
	int r = next_of_flows(span, ret);

	if (r != 0)
		return r;
	r = tables_next(&span->set->users, &key, &value);
	if (r != 0)
		return r > 0 ? (decode_user(key, value, ret) ?: 1) : r;
	if (!span->n_totals)
		return 0;
	*ret = span->totals[--span->n_totals];
	return 1;
}

int span_next(struct span *span, struct traffic_record *ret)
{
	int r;

	if (span->kind == JOURNAL_RING) {
		r = next_of_ring(span, ret);
	} else {
		r = next_of_tables(span, ret);
		if (r < 0)
			log_error_errno(r, "read the flow and user tables");
	}
	if (r > 0) {
		span->read.packets[ret->direction] += ret->packets;
		span->read.bytes[ret->direction] += ret->bytes;
	}
	return r;
}

int span_clear(struct set *set, struct journal *journal)
{
	const struct journal_span *record = journal_unfinished(journal);
	int recent = journal_which(&record->recent), flows = journal_which(&record->flows),
	    users = journal_which(&record->users), r = 0;

	if (record->kind == JOURNAL_RING)
		ring_release(&set->ring, record->ring_end);
	if (recent >= 0)
		r = recent_empty(&set->recent, recent);
	if (r == 0 && flows >= 0)
		r = tables_empty(&set->flows, flows);
	if (r == 0 && users >= 0)
		r = tables_empty(&set->users, users);
	if (r < 0)
		return log_error_errno(r, "empty the flow and user tables");
	journal_end(journal);
	return 0;
}

int span_commit(struct span *span, struct journal *journal)
{
	const struct journal_span *record = journal_unfinished(journal);
	struct set *set = span->set;
	struct journal_set after = *set->taken;

	for (int i = 0; i < METER_DIRECTIONS; i++) {
		after.taken.packets[i] += span->read.packets[i];
		after.taken.bytes[i] += span->read.bytes[i];
		if (span->kind != JOURNAL_TABLES)
			continue;
		after.totals.packets[i] = record->totals.packets[i];
		after.totals.bytes[i] = record->totals.bytes[i];
		after.totals_extra_bytes[i] = record->totals_extra_bytes[i];
		after.totals_extra_packets[i] = record->set_after.totals_extra_packets[i];
	}
	journal_commit(journal, set->ring.position, &after);
	join_end(&set->join);
	span->set = NULL;
	return span_clear(set, journal);
}
