// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/recent.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int recent_open(struct recent *recent, int outer_fd, const int inner_fd[2], int n_cpus)
{
	*recent = (struct recent){
		.outer_fd = outer_fd,
		.inner_fd = { inner_fd[0], inner_fd[1] },
		.n_cpus = n_cpus,
		.of_cpus = calloc((size_t)n_cpus, sizeof(*recent->of_cpus)),
		.seen = calloc((size_t)n_cpus * METER_RECENT, sizeof(*recent->seen)),
		.left = calloc((size_t)n_cpus * METER_RECENT, sizeof(*recent->left)),
	};
	return recent->of_cpus && recent->seen && recent->left ? 0 : -ENOMEM;
}

void recent_close(struct recent *recent)
{
	free(recent->of_cpus);
	free(recent->seen);
	free(recent->left);
	*recent = (struct recent){ 0 };
}

static bool is_used(const struct recent_flow *flow)
{
	return flow->value.value.sum.packets != 0;
}

static int read_entry(struct recent *recent, int fd, uint32_t index)
{
	return bpf_map_lookup_elem(fd, &index, recent->of_cpus) ? -errno : 0;
}

int recent_used(struct recent *recent)
{
	for (uint32_t i = 0; i < METER_RECENT; i++) {
		int r = read_entry(recent, recent->inner_fd[recent->active], i);

		if (r < 0)
			return r;
		for (int cpu = 0; cpu < recent->n_cpus; cpu++)
			if (is_used(&recent->of_cpus[cpu]))
				return 1;
	}
	return 0;
}

int recent_swap(struct recent *recent)
{
	uint32_t slot = 0;

	if (bpf_map_update_elem(recent->outer_fd, &slot, &recent->inner_fd[!recent->active],
				BPF_ANY))
		return -errno;
	recent->active = !recent->active;
	recent->n_left = recent->position = 0;
	return 0;
}

static void add_value(struct flow_value *to, const struct flow_value *from)
{
	const struct table_value *more = &from->value;

	to->value.sum.packets += more->sum.packets;
	to->value.sum.bytes += more->sum.bytes;
	to->value.extra_bytes += more->extra_bytes;
	if (more->first_ns < to->value.first_ns)
		to->value.first_ns = more->first_ns;
	if (more->last_ns > to->value.last_ns)
		to->value.last_ns = more->last_ns;
	if (!to->owner.program[0])
		to->owner = from->owner;
}

static int merge_flow(struct recent *recent, int flows_fd, const struct recent_flow *flow)
{
	struct flow_value value;

	if (bpf_map_lookup_elem(flows_fd, &flow->key, &value))
		value = flow->value;
	else
		add_value(&value, &flow->value);
	if (bpf_map_update_elem(flows_fd, &flow->key, &value, BPF_ANY) == 0)
		return 0;
	if (errno != E2BIG)
		return -errno;
	recent->left[recent->n_left++] = *flow;
	return 0;
}

int recent_merge(struct recent *recent, int flows_fd)
{
	int fd = recent->inner_fd[!recent->active];

	for (uint32_t i = 0; i < METER_RECENT; i++) {
		int r = read_entry(recent, fd, i);

		for (int cpu = 0; r == 0 && cpu < recent->n_cpus; cpu++) {
			if (is_used(&recent->of_cpus[cpu]))
				r = merge_flow(recent, flows_fd, &recent->of_cpus[cpu]);
			recent->of_cpus[cpu] = (struct recent_flow){ 0 };
		}
		if (r < 0)
			return r;
		if (bpf_map_update_elem(fd, &i, recent->of_cpus, BPF_ANY))
			return -errno;
	}
	return 0;
}

const struct recent_flow *recent_next(struct recent *recent)
{
	return recent->position < recent->n_left ? &recent->left[recent->position++] : NULL;
}

typedef void (*see_fn)(void *userdata, const void *key, const void *value);

int recent_look(struct recent *recent, see_fn see, void *userdata)
{
	for (size_t i = recent->position; i < recent->n_left; i++)
		see(userdata, &recent->left[i].key, &recent->left[i].value);
	for (uint32_t i = 0; i < METER_RECENT; i++) {
		int r = read_entry(recent, recent->inner_fd[recent->active], i);

		if (r < 0)
			return r;
		for (int cpu = 0; cpu < recent->n_cpus; cpu++) {
			const struct recent_flow *flow = &recent->of_cpus[cpu];

			recent->seen[(int)i * recent->n_cpus + cpu] = *flow;
			if (is_used(flow))
				see(userdata, &flow->key, &flow->value);
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

int recent_look_again(struct recent *recent, see_fn see, void *userdata)
{
	for (uint32_t i = 0; i < METER_RECENT; i++) {
		int r = read_entry(recent, recent->inner_fd[recent->active], i);

		if (r < 0)
			return r;
		for (int cpu = 0; cpu < recent->n_cpus; cpu++) {
			const struct recent_flow *flow =
				&recent->seen[(int)i * recent->n_cpus + cpu];

			if (is_used(flow) && !is_the_same(flow, &recent->of_cpus[cpu]))
				see(userdata, &flow->key, &flow->value);
		}
	}
	return 0;
}
