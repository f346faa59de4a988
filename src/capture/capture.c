// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/capture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "bpf/shared.h"
#include "capture/decode.h"
#include "capture/features.h"
#include "capture/frames.h"
#include "capture/interfaces.h"
#include "capture/load.h"
#include "capture/recent.h"
#include "capture/ring.h"
#include "capture/tables.h"
#include "capture/untracked.h"
#include "traffic_meter.skel.h"
#include "util/cleanup.h"
#include "util/log.h"

struct capture {
	struct traffic_meter_bpf *skeleton;
	struct bpf_link *links[METER_DIRECTIONS];
	struct ring ring;
	struct recent recent;
	struct tables flows, users;
	struct untracked untracked;
	struct metered_interfaces interfaces;
	struct frames frames;

	/* Step 4 is never set back, so what is new there is a difference. */
	struct audit_value *audit_per_cpu;
	int n_cpus;
	struct audit_value totals_read[METER_DIRECTIONS];
	struct traffic_record totals[METER_DIRECTIONS];
	unsigned int n_totals;
};

static int open_tables(struct tables *tables, const struct bpf_map *slot, const struct bpf_map *a,
		       const struct bpf_map *b)
{
	const int inner_fd[2] = { bpf_map__fd(a), bpf_map__fd(b) };

	return tables_open(tables, bpf_map__fd(slot), inner_fd, bpf_map__key_size(a),
			   bpf_map__value_size(a));
}

static int open_readers(struct capture *capture)
{
	struct traffic_meter_bpf *skeleton = capture->skeleton;
	int r;

	capture->n_cpus = libbpf_num_possible_cpus();
	if (capture->n_cpus < 0)
		return capture->n_cpus;
	capture->audit_per_cpu = calloc((size_t)capture->n_cpus, sizeof(*capture->audit_per_cpu));
	if (!capture->audit_per_cpu)
		return -ENOMEM;
	if ((r = recent_open(&capture->recent, bpf_map__fd(skeleton->maps.recent),
			     (int[]){ bpf_map__fd(skeleton->maps.recent_a),
				      bpf_map__fd(skeleton->maps.recent_b) },
			     capture->n_cpus)) < 0 ||
	    (r = open_tables(&capture->flows, skeleton->maps.flows, skeleton->maps.flows_a,
			     skeleton->maps.flows_b)) < 0 ||
	    (r = open_tables(&capture->users, skeleton->maps.users, skeleton->maps.users_a,
			     skeleton->maps.users_b)) < 0)
		return r;
	capture->untracked = (struct untracked){
		.ipv4_fd = bpf_map__fd(skeleton->maps.networks_ipv4),
		.ipv6_fd = bpf_map__fd(skeleton->maps.networks_ipv6),
		.masked_fd = bpf_map__fd(skeleton->maps.networks_masked),
		.control = &skeleton->bss->networks_control,
	};
	return ring_open(&capture->ring, bpf_map__fd(skeleton->maps.packets),
			 bpf_map__max_entries(skeleton->maps.packets));
}

static void capture_closep(struct capture **capture)
{
	capture_close(*capture);
}

/* 31 bits of the instance's name (FNV-1a), never 0; or 0 where it has none. */
static uint32_t filter_handle(const char *instance)
{
	uint32_t hash = 2166136261u;

	if (!instance)
		return 0;
	for (; *instance; instance++)
		hash = (hash ^ (unsigned char)*instance) * 16777619u;
	return (hash >> 1) | 1;
}

int capture_open(struct capture **ret, const struct capture_settings *settings)
{
	_cleanup_(capture_closep) struct capture *capture = calloc(1, sizeof(*capture));
	int r;

	if (!capture)
		return log_error_errno(-ENOMEM, "start");
	capture->interfaces.netlink_fd = -1;
	r = features_require();
	if (r < 0)
		return r;
	r = load_programs(settings, &capture->skeleton);
	if (r < 0)
		return r;
	r = open_readers(capture);
	if (r < 0)
		return log_error_errno(r, "map the BPF ring and tables");
	r = interfaces_open(&capture->interfaces, &settings->interfaces,
			    bpf_map__fd(capture->skeleton->maps.interfaces));
	if (r < 0)
		return r;
	capture->frames = (struct frames){
		.program_fd = bpf_program__fd(capture->skeleton->progs.meter_frames),
		.links_fd = bpf_map__fd(capture->skeleton->maps.links),
		.rule = settings->interfaces_rule,
		.names = settings->interfaces,
		.handle = filter_handle(settings->instance),
	};
	*ret = steal_pointer(capture);
	return 0;
}

int capture_attach(struct capture *capture, const char *cgroup_path)
{
	const struct bpf_program *programs[METER_DIRECTIONS] = {
		[METER_IN] = capture->skeleton->progs.meter_ingress,
		[METER_OUT] = capture->skeleton->progs.meter_egress,
	};
	_cleanup_close_ int fd = open(cgroup_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint32_t slot = 0;
	int r;

	if (fd < 0)
		return log_error_errno(errno, "open the cgroup %s", cgroup_path);
	if (bpf_map_update_elem(bpf_map__fd(capture->skeleton->maps.frames_cgroup), &slot, &fd,
				BPF_ANY))
		return log_error_errno(errno, "name the cgroup %s to the frames' hook",
				       cgroup_path);
	for (int i = 0; i < METER_DIRECTIONS; i++) {
		capture->links[i] = bpf_program__attach_cgroup(programs[i], fd);
		if (!capture->links[i]) {
			r = -errno;
			capture_detach(capture);
			return log_error_errno(r, "attach to the cgroup %s", cgroup_path);
		}
	}
	frames_attach(&capture->frames);
	return 0;
}

void capture_detach(struct capture *capture)
{
	for (int i = 0; i < METER_DIRECTIONS; i++) {
		bpf_link__destroy(capture->links[i]);
		capture->links[i] = NULL;
	}
	frames_detach(&capture->frames);
	/* A program may be under way still. */
	tables_wait(&capture->users);
}

void capture_close(struct capture *capture)
{
	if (!capture)
		return;
	for (int i = 0; i < METER_DIRECTIONS; i++)
		bpf_link__destroy(capture->links[i]);
	frames_detach(&capture->frames);
	interfaces_close(&capture->interfaces);
	ring_close(&capture->ring);
	recent_close(&capture->recent);
	tables_close(&capture->flows);
	tables_close(&capture->users);
	traffic_meter_bpf__destroy(capture->skeleton);
	free(capture->audit_per_cpu);
	free(capture);
}

int capture_set_networks(struct capture *capture, const struct network_list *list)
{
	return untracked_load(&capture->untracked, list);
}

int capture_ring_fd(const struct capture *capture)
{
	return bpf_map__fd(capture->skeleton->maps.packets);
}

/* The next entry of the retired tables, step by step. */
static int next_entry(struct capture *capture, struct traffic_record *ret)
{
	const struct recent_flow *left = recent_next(&capture->recent);
	const void *key, *value;
	int r;

	if (left)
		return decode_flow(&left->key, &left->value, ret) ?: 1;
	r = tables_next(&capture->flows, &key, &value);

	if (r != 0)
		return r > 0 ? (decode_flow(key, value, ret) ?: 1) : r;
	r = tables_next(&capture->users, &key, &value);
	if (r != 0)
		return r > 0 ? (decode_user(key, value, ret) ?: 1) : r;
	if (!capture->n_totals)
		return 0;
	*ret = capture->totals[--capture->n_totals];
	return 1;
}

int capture_next(struct capture *capture, struct traffic_record *ret)
{
	const void *data;
	size_t size;
	int r;

	if (ring_next(&capture->ring, &data, &size)) {
		r = decode_packet(data, size, ret);
		return r < 0 ? log_error_errno(r, "read a record of %zu bytes from the ring", size)
			     : 1;
	}
	r = next_entry(capture, ret);
	return r < 0 ? log_error_errno(r, "read the flow and user tables") : r;
}

void capture_release(struct capture *capture)
{
	ring_release(&capture->ring);
}

static int read_audit(struct capture *capture, uint32_t key, struct audit_value *ret)
{

	if (bpf_map_lookup_elem(bpf_map__fd(capture->skeleton->maps.audit), &key,
				capture->audit_per_cpu))
		return log_error_errno(errno, "read the audit counters");
	*ret = (struct audit_value){ 0 };
	for (int cpu = 0; cpu < capture->n_cpus; cpu++) {
		const struct audit_value *value = &capture->audit_per_cpu[cpu];

		ret->packets += value->packets;
		ret->bytes += value->bytes + value->nested_bytes;
		ret->total.packets += value->total.packets;
		ret->total.bytes += value->total.bytes;
		ret->total_extra_bytes += value->total_extra_bytes;
	}
	return 0;
}

/* What step 4 took since it was last looked at, as records of no user's. */
static int retire_totals(struct capture *capture)
{
	struct timespec now;
	int r;

	if (capture->n_totals)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	for (enum meter_direction i = 0; i < METER_DIRECTIONS; i++) {
		struct audit_value value, difference, *read = &capture->totals_read[i];

		r = read_audit(capture, i, &value);
		if (r < 0)
			return r;
		difference.total.packets = value.total.packets - read->total.packets;
		difference.total.bytes = value.total.bytes - read->total.bytes;
		difference.total_extra_bytes = value.total_extra_bytes - read->total_extra_bytes;
		*read = value;
		if (difference.total.packets || difference.total.bytes)
			decode_total(i, &difference,
				     (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec,
				     &capture->totals[capture->n_totals++]);
	}
	return 0;
}

/* A swap waits for the kernel's grace period: some 10 ms that an empty table is not worth. */
static int retire_used(struct tables *tables)
{
	int r = tables_active_used(tables) ? tables_retire(tables) : 0;

	return r == -EBUSY ? 0 : r;
}

/* The recent flows first: what of the table's they push out until it retires is in it. */
static int retire_flows(struct capture *capture)
{
	int r;

	if (capture->flows.retired)
		return 0;
	r = tables_active_used(&capture->flows) ? 1 : recent_used(&capture->recent);
	if (r <= 0)
		return r;
	if ((r = recent_swap(&capture->recent)) < 0 || (r = tables_retire(&capture->flows)) < 0)
		return r;
	return recent_merge(&capture->recent, tables_retired_fd(&capture->flows));
}

int capture_retire(struct capture *capture)
{
	int r;

	if ((r = retire_flows(capture)) < 0 || (r = retire_used(&capture->users)) < 0)
		return log_error_errno(r, "retire the flow and user tables");
	return retire_totals(capture);
}

int capture_read_audit(struct capture *capture, struct capture_audit *ret)
{
	for (enum meter_direction i = 0; i < METER_DIRECTIONS; i++) {
		struct audit_value value;
		int r = read_audit(capture, i, &value);

		if (r < 0)
			return r;
		ret->packets[i] = value.packets;
		ret->bytes[i] = value.bytes;
	}
	return 0;
}

int capture_read_notes(struct capture *capture, struct capture_notes *ret)
{
	struct audit_value forwarded, unremembered;
	int r;

	if ((r = read_audit(capture, METER_AUDIT_FORWARDED, &forwarded)) < 0 ||
	    (r = read_audit(capture, METER_AUDIT_UNREMEMBERED, &unremembered)) < 0)
		return r;
	*ret = (struct capture_notes){
		.forwarded_packets = forwarded.packets,
		.forwarded_bytes = forwarded.bytes,
		.unremembered = unremembered.packets,
	};
	return 0;
}

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

int capture_read_held(struct capture *capture, struct capture_audit *ret,
		      struct capture_audit *ret_twice)
{
	struct ring ring = capture->ring; /* a look that moves nothing */
	struct traffic_record record;
	const void *data;
	size_t size;
	int r;

	*ret = *ret_twice = (struct capture_audit){ 0 };
	while (ring_next(&ring, &data, &size))
		if (decode_packet(data, size, &record) == 0)
			add_record(ret, &record);
	if ((r = recent_look(&capture->recent, add_flow, ret)) < 0 ||
	    (r = tables_look(&capture->flows, add_flow, ret)) < 0 ||
	    (r = tables_look(&capture->users, add_user, ret)) < 0 ||
	    (r = recent_look_again(&capture->recent, add_flow, ret_twice)) < 0)
		return log_error_errno(r, "look into the flow and user tables");
	for (unsigned int i = 0; i < capture->n_totals; i++)
		add_record(ret, &capture->totals[i]);
	for (enum meter_direction i = 0; i < METER_DIRECTIONS; i++) {
		struct audit_value value = { 0 };

		r = read_audit(capture, i, &value);
		if (r < 0)
			return r;
		ret->packets[i] += value.total.packets - capture->totals_read[i].total.packets;
		ret->bytes[i] += value.total.bytes - capture->totals_read[i].total.bytes;
	}
	return 0;
}

enum capture_owner capture_owner_policy(const struct capture *capture)
{
	return (enum capture_owner)capture->skeleton->rodata->settings.owner;
}

/* A preallocated hash: an element has a head of 48 bytes, a table a bucket of 16 for each entry,
 * rounded up to a power of two. */
static uint64_t table_memory(const struct bpf_map *map)
{
	uint64_t entries = bpf_map__max_entries(map);
	uint64_t buckets = 1;

	while (buckets < entries)
		buckets <<= 1;
	return 2 *
	       (entries * (48 + bpf_map__key_size(map) + bpf_map__value_size(map)) + buckets * 16);
}

uint64_t capture_memory(const struct capture *capture)
{
	return capture->ring.size + table_memory(capture->skeleton->maps.flows_a) +
	       table_memory(capture->skeleton->maps.users_a);
}

int capture_interfaces_fd(const struct capture *capture)
{
	return capture->interfaces.netlink_fd;
}

void capture_interfaces_changed(struct capture *capture)
{
	interfaces_changed(&capture->interfaces);
	frames_changed(&capture->frames);
}
