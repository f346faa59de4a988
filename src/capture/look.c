// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/look.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "capture/decode.h"
#include "capture/set.h"
#include "util/cleanup.h"

/* The set's maps with buffers of the look's own, as the set's are in use by another thread. */
struct look {
	const struct set *set;
	struct percpu recent[2];
	struct percpu audit;
};

struct seer {
	look_see_fn *see;
	void *userdata;
};

static void look_closep(struct look **look)
{
	look_close(*look);
}

int look_open_set(struct look **ret, const struct set *set)
{
	_cleanup_(look_closep) struct look *look = calloc(1, sizeof(*look));
	int r;

	if (!look)
		return -ENOMEM;
	look->set = set;
	if ((r = percpu_open(&look->recent[0], set->fds[SET_RECENT_A])) < 0 ||
	    (r = percpu_open(&look->recent[1], set->fds[SET_RECENT_B])) < 0 ||
	    (r = percpu_open(&look->audit, set->fds[SET_AUDIT])) < 0)
		return r;
	*ret = steal_pointer(look);
	return 0;
}

void look_close(struct look *look)
{
	if (!look)
		return;
	percpu_close(&look->recent[0]);
	percpu_close(&look->recent[1]);
	percpu_close(&look->audit);
	free(look);
}

static int see_totals(struct look *look, const struct seer *seer)
{
	const struct journal_set *taken = look->set->taken;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	for (enum meter_direction i = 0; i < METER_DIRECTIONS; i++) {
		struct audit_value sum = { 0 }, value;
		struct traffic_record record;
		int r = percpu_read(&look->audit, i);

		if (r < 0)
			return r;
		for (int cpu = 0; cpu < look->audit.n_cpus; cpu++) {
			percpu_get(&look->audit, cpu, &value, sizeof(value));
			sum.total.packets += value.total.packets;
			sum.total.bytes += value.total.bytes;
			sum.total_extra_bytes += value.total_extra_bytes;
			sum.total_extra_packets += value.total_extra_packets;
		}
		sum.total.packets -= taken->totals.packets[i];
		sum.total.bytes -= taken->totals.bytes[i];
		sum.total_extra_bytes -= taken->totals_extra_bytes[i];
		sum.total_extra_packets -= taken->totals_extra_packets[i];
		if (!sum.total.packets)
			continue;
		decode_total(i, &sum, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec,
			     &record);
		seer->see(seer->userdata, &record);
	}
	return 0;
}

static void see_user(void *userdata, const void *key, const void *value)
{
	const struct seer *seer = userdata;
	struct traffic_record record;

	if (decode_user(key, value, &record) == 0)
		seer->see(seer->userdata, &record);
}

static void see_flow(void *userdata, const void *key, const void *value)
{
	const struct seer *seer = userdata;
	struct traffic_record record;

	if (decode_flow(key, value, &record) == 0)
		seer->see(seer->userdata, &record);
}

static int see_recent(struct percpu *array, struct seer *seer)
{
	for (uint32_t i = 0; i < METER_RECENT; i++) {
		int r = percpu_read(array, i);

		if (r < 0)
			return r;
		for (int cpu = 0; cpu < array->n_cpus; cpu++) {
			struct recent_flow flow;

			percpu_get(array, cpu, &flow, sizeof(flow));
			if (flow.value.value.sum.packets)
				see_flow(seer, &flow.key, &flow.value);
		}
	}
	return 0;
}

int look_at_tables(struct look *look, look_see_fn *see, void *userdata)
{
	struct seer seer = { see, userdata };
	const struct set *set = look->set;
	int r = see_totals(look, &seer);

	for (int i = 0; r == 0 && i < 2; i++)
		r = tables_look(&set->users, i, see_user, &seer);
	for (int i = 0; r == 0 && i < 2; i++)
		r = tables_look(&set->flows, i, see_flow, &seer);
	for (int i = 0; r == 0 && i < 2; i++)
		r = see_recent(&look->recent[i], &seer);
	return r;
}
