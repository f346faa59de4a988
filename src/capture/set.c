// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/set.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "util/cleanup.h"

const char *const set_map_names[SET_MAPS] = {
	[SET_PACKETS] = "packets",   [SET_RECENT] = "recent", [SET_RECENT_A] = "recent_a",
	[SET_RECENT_B] = "recent_b", [SET_FLOWS] = "flows",   [SET_FLOWS_A] = "flows_a",
	[SET_FLOWS_B] = "flows_b",   [SET_USERS] = "users",   [SET_USERS_A] = "users_a",
	[SET_USERS_B] = "users_b",   [SET_AUDIT] = "audit",
};

static int open_ring(struct set *set)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(set->fds[SET_PACKETS], &info, &size))
		return -errno;
	return ring_open(&set->ring, set->fds[SET_PACKETS], info.max_entries);
}

int set_open(struct set *set, uint64_t generation, const int fds[SET_MAPS], struct journal *journal)
{
	int r;

	*set = (struct set){ .generation = generation };
	for (int i = 0; i < SET_MAPS; i++)
		set->fds[i] = fds[i];
	set->taken = journal_set(journal, generation);
	if (!set->taken)
		r = -E2BIG;
	else if ((r = open_ring(set)) == 0 &&
		 (r = recent_open(&set->recent, fds[SET_RECENT], &fds[SET_RECENT_A])) == 0 &&
		 (r = tables_open(&set->flows, fds[SET_FLOWS], &fds[SET_FLOWS_A],
				  sizeof(struct flow_key), sizeof(struct flow_value))) == 0 &&
		 (r = tables_open(&set->users, fds[SET_USERS], &fds[SET_USERS_A],
				  sizeof(struct user_key), sizeof(struct user_value))) == 0)
		r = percpu_open(&set->audit, fds[SET_AUDIT]);
	if (r < 0)
		set_close(set);
	return r;
}

static void pin_name(uint64_t generation, int map, char *name, size_t size)
{
	if (map < 0)
		snprintf(name, size, SET_PREFIX "%" PRIu64, generation);
	else
		snprintf(name, size, SET_PREFIX "%" PRIu64 "/%s", generation, set_map_names[map]);
}

int set_open_pinned(struct set *set, uint64_t generation, const struct pins *pins,
		    struct journal *journal)
{
	int fds[SET_MAPS], i, r = 0;
	char name[64];

	for (i = 0; i < SET_MAPS; i++) {
		pin_name(generation, i, name, sizeof(name));
		fds[i] = pins_get(pins, name);
		if (fds[i] < 0) {
			r = fds[i];
			break;
		}
	}
	if (r == 0)
		return set_open(set, generation, fds, journal);
	while (i-- > 0)
		close_fd(&fds[i]);
	return r;
}

void set_close(struct set *set)
{
	if (!set->generation)
		return;
	ring_close(&set->ring);
	recent_close(&set->recent);
	join_end(&set->join);
	tables_close(&set->flows);
	tables_close(&set->users);
	percpu_close(&set->audit);
	for (int i = 0; i < SET_MAPS; i++)
		close_fd(&set->fds[i]);
	*set = (struct set){ 0 };
}

int set_pin(const struct set *set, const struct pins *pins)
{
	char name[64];
	int r;

	pin_name(set->generation, -1, name, sizeof(name));
	r = pins_make_directory(pins, name);
	for (int i = 0; r == 0 && i < SET_MAPS; i++) {
		pin_name(set->generation, i, name, sizeof(name));
		r = pins_put(pins, set->fds[i], name);
	}
	return r;
}

void set_remove(const struct set *set, const struct pins *pins)
{
	char name[64];

	pin_name(set->generation, -1, name, sizeof(name));
	pins_remove(pins, name);
	if (set->taken)
		set->taken->generation = 0;
}

int set_read_audit(struct set *set, enum meter_audit which, struct audit_value *ret)
{
	struct audit_value sum = { 0 };
	int r = percpu_read(&set->audit, which);

	if (r < 0)
		return r;
	for (int cpu = 0; cpu < set->audit.n_cpus; cpu++) {
		struct audit_value value;

		percpu_get(&set->audit, cpu, &value, sizeof(value));
		sum.packets += value.packets;
		sum.bytes += value.bytes + value.nested_bytes;
		sum.total.packets += value.total.packets;
		sum.total.bytes += value.total.bytes;
		sum.total_extra_bytes += value.total_extra_bytes;
		sum.total_extra_packets += value.total_extra_packets;
	}
	*ret = sum;
	return 0;
}

int set_read_remaining(struct set *set, struct journal_sum *ret)
{
	for (enum meter_audit i = 0; i < (enum meter_audit)METER_DIRECTIONS; i++) {
		struct audit_value value;
		int r = set_read_audit(set, i, &value);

		if (r < 0)
			return r;
		ret->packets[i] += value.packets - set->taken->taken.packets[i];
		ret->bytes[i] += value.bytes - set->taken->taken.bytes[i];
	}
	return 0;
}

int set_tables_used(struct set *set, int which)
{
	if (tables_used(&set->flows, which) || tables_used(&set->users, which))
		return 1;
	return recent_used(&set->recent, which);
}
