// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/recent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "capture/slot.h"

int recent_open(struct recent *recent, int outer_fd, const int inner_fd[2])
{
	size_t n;
	int r;

	*recent = (struct recent){ .outer_fd = outer_fd };
	if ((r = percpu_open(&recent->arrays[0], inner_fd[0])) < 0 ||
	    (r = percpu_open(&recent->arrays[1], inner_fd[1])) < 0 ||
	    (r = slot_read(outer_fd, inner_fd)) < 0)
		return r;
	recent->active = r;
	n = (size_t)recent->arrays[0].n_cpus * METER_RECENT;
	for (recent->n_slots = 1; recent->n_slots < 2 * n;)
		recent->n_slots *= 2;
	recent->seen = calloc(n, sizeof(*recent->seen));
	recent->flows = calloc(n, sizeof(*recent->flows));
	recent->taken = calloc(n, sizeof(*recent->taken));
	recent->slots = calloc(recent->n_slots, sizeof(*recent->slots));
	return recent->seen && recent->flows && recent->taken && recent->slots ? 0 : -ENOMEM;
}

void recent_close(struct recent *recent)
{
	percpu_close(&recent->arrays[0]);
	percpu_close(&recent->arrays[1]);
	free(recent->seen);
	free(recent->flows);
	free(recent->taken);
	free(recent->slots);
	*recent = (struct recent){ 0 };
}

static bool is_used(const struct recent_flow *flow)
{
	return flow->value.value.sum.packets != 0;
}

static int n_cpus(const struct recent *recent)
{
	return recent->arrays[0].n_cpus;
}

static struct recent_flow get(const struct percpu *array, int cpu)
{
	struct recent_flow flow;

	percpu_get(array, cpu, &flow, sizeof(flow));
	return flow;
}

int recent_used(struct recent *recent, int which)
{
	struct percpu *array = &recent->arrays[which];

	for (uint32_t i = 0; i < METER_RECENT; i++) {
		int r = percpu_read(array, i);

		if (r < 0)
			return r;
		for (int cpu = 0; cpu < array->n_cpus; cpu++) {
			struct recent_flow flow = get(array, cpu);

			if (is_used(&flow))
				return 1;
		}
	}
	return 0;
}

int recent_swap(struct recent *recent)
{
	int r = slot_write(recent->outer_fd, recent->arrays[!recent->active].fd);

	if (r == 0)
		recent->active = !recent->active;
	return r;
}

static void add_value(struct flow_value *to, const struct flow_value *from)
{
	const struct table_value *more = &from->value;

	to->value.sum.packets += more->sum.packets;
	to->value.sum.bytes += more->sum.bytes;
	to->value.extra_bytes += more->extra_bytes;
	to->extra_packets += from->extra_packets;
	if (more->first_ns < to->value.first_ns)
		to->value.first_ns = more->first_ns;
	if (more->last_ns > to->value.last_ns)
		to->value.last_ns = more->last_ns;
	if (!to->owner.program[0])
		to->owner = from->owner;
}

/* The slot where a flow is, or where it belongs. */
static uint32_t *find(const struct recent *recent, const struct flow_key *key)
{
	const unsigned char *byte = (const unsigned char *)key;
	uint64_t hash = 14695981039346656037ull; /* FNV-1a */
	size_t slot;

	for (size_t i = 0; i < sizeof(*key); i++)
		hash = (hash ^ byte[i]) * 1099511628211ull;
	for (slot = hash & (recent->n_slots - 1); recent->slots[slot];
	     slot = (slot + 1) & (recent->n_slots - 1))
		if (memcmp(&recent->flows[recent->slots[slot] - 1].key, key, sizeof(*key)) == 0)
			break;
	return &recent->slots[slot];
}

static void keep(struct recent *recent, const struct recent_flow *flow)
{
	uint32_t *slot = find(recent, &flow->key);

	if (*slot) {
		add_value(&recent->flows[*slot - 1].value, &flow->value);
		return;
	}
	recent->flows[recent->n] = *flow;
	recent->taken[recent->n] = false;
	*slot = (uint32_t)++recent->n;
}

int recent_read(struct recent *recent, int which)
{
	struct percpu *array = &recent->arrays[which];

	memset(recent->slots, 0, recent->n_slots * sizeof(*recent->slots));
	recent->n = recent->position = 0;
	for (uint32_t i = 0; i < METER_RECENT; i++) {
		int r = percpu_read(array, i);

		if (r < 0)
			return r;
		for (int cpu = 0; cpu < array->n_cpus; cpu++) {
			struct recent_flow flow = get(array, cpu);

			if (is_used(&flow))
				keep(recent, &flow);
		}
	}
	return 0;
}

void recent_add_to(struct recent *recent, const struct flow_key *key, struct flow_value *value)
{
	uint32_t index = recent->n ? *find(recent, key) : 0;

	if (!index)
		return;
	add_value(value, &recent->flows[index - 1].value);
	recent->taken[index - 1] = true;
}

const struct recent_flow *recent_next(struct recent *recent)
{
	while (recent->position < recent->n && recent->taken[recent->position])
		recent->position++;
	return recent->position < recent->n ? &recent->flows[recent->position++] : NULL;
}

int recent_empty(struct recent *recent, int which)
{
	for (uint32_t i = 0; i < METER_RECENT; i++) {
		int r = percpu_clear(&recent->arrays[which], i);

		if (r < 0)
			return r;
	}
	return 0;
}

int recent_look(struct recent *recent, int which, recent_see_fn see, void *userdata)
{
	struct percpu *array = &recent->arrays[which];

	for (uint32_t i = 0; i < METER_RECENT; i++) {
		int r = percpu_read(array, i);

		if (r < 0)
			return r;
		for (int cpu = 0; cpu < array->n_cpus; cpu++) {
			struct recent_flow flow = get(array, cpu);

			if (which == recent->active)
				recent->seen[(int)i * array->n_cpus + cpu] = flow;
			if (is_used(&flow))
				see(userdata, &flow.key, &flow.value);
		}
	}
	return 0;
}

static bool is_the_same(const struct recent_flow *a, const struct recent_flow *b)
{
	return is_used(b) && memcmp(&a->key, &b->key, sizeof(a->key)) == 0 &&
	       a->value.value.first_ns == b->value.value.first_ns &&
	       a->value.value.sum.packets <= b->value.value.sum.packets;
}

int recent_look_again(struct recent *recent, recent_see_fn see, void *userdata)
{
	struct percpu *array = &recent->arrays[recent->active];

	for (uint32_t i = 0; i < METER_RECENT; i++) {
		int r = percpu_read(array, i);

		if (r < 0)
			return r;
		for (int cpu = 0; cpu < n_cpus(recent); cpu++) {
			const struct recent_flow *before =
				&recent->seen[(int)i * n_cpus(recent) + cpu];
			struct recent_flow now = get(array, cpu);

			if (is_used(before) && !is_the_same(before, &now))
				see(userdata, &before->key, &before->value);
		}
	}
	return 0;
}
