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
#include "capture/ring.h"
#include "capture/tables.h"
#include "capture/untracked.h"
#include "traffic_meter.skel.h"
#include "util/cleanup.h"
#include "util/log.h"

/* The reader is woken each time the ring has filled by another part of this many. */
#define RING_WAKE_PARTS 8

_Static_assert((int)CAPTURE_MATCH_BOTH == METER_MATCH_BOTH &&
		       (int)CAPTURE_MATCH_EITHER == METER_MATCH_EITHER &&
		       (int)CAPTURE_MATCH_REMOTE == METER_MATCH_REMOTE,
	       "both halves mean the same by a match rule");

struct capture {
	struct traffic_meter_bpf *skeleton;
	struct bpf_link *links[METER_DIRECTIONS];
	struct ring ring;
	struct tables users;
	struct untracked untracked;

	/* Step 4 is never set back, so what is new there is a difference. */
	struct audit_value *audit_per_cpu;
	int n_cpus;
	struct audit_value totals_read[METER_DIRECTIONS];
	struct traffic_record totals[METER_DIRECTIONS];
	unsigned int n_totals;
};

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char text[1024];
	size_t length;

	(void)level;
	if (!log_enabled(LOG_LEVEL_DEBUG))
		return 0;
	length = (size_t)vsnprintf(text, sizeof(text), format, arguments);
	if (length >= sizeof(text))
		length = sizeof(text) - 1;
	while (length && text[length - 1] == '\n')
		text[--length] = '\0';
	log_debug("%s", text);
	return 0;
}

static uint64_t round_up_power_of_two(uint64_t value)
{
	uint64_t power = (uint64_t)sysconf(_SC_PAGESIZE);

	while (power < value)
		power <<= 1;
	return power;
}

/* What the slot takes is told by a map of the same kind and size. (Setting the size of libbpf's own
 * template crashes before libbpf 1.2.) */
static int set_template(struct bpf_map *outer, const struct bpf_map *inner, uint32_t entries,
			int *ret_fd)
{
	int fd = bpf_map_create(bpf_map__type(inner), "template", bpf_map__key_size(inner),
				bpf_map__value_size(inner), entries, NULL);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return bpf_map__set_inner_map_fd(outer, fd);
}

static int set_sizes(struct traffic_meter_bpf *skeleton, const struct capture_settings *settings,
		     int *ret_template_fd)
{
	uint64_t ring_bytes = round_up_power_of_two(settings->ring_bytes);
	int r;

	skeleton->rodata->ring_wake_bytes = (uint32_t)(ring_bytes / RING_WAKE_PARTS);
	skeleton->rodata->networks_match = (uint32_t)settings->match;
	if ((r = bpf_map__set_max_entries(skeleton->maps.packets, (uint32_t)ring_bytes)) < 0 ||
	    (r = bpf_map__set_max_entries(skeleton->maps.users_a, settings->user_entries)) < 0 ||
	    (r = bpf_map__set_max_entries(skeleton->maps.users_b, settings->user_entries)) < 0)
		return r;
	return set_template(skeleton->maps.users, skeleton->maps.users_a, settings->user_entries,
			    ret_template_fd);
}

static int load(struct capture *capture, const struct capture_settings *settings)
{
	_cleanup_close_ int template_fd = -1;
	struct traffic_meter_bpf *skeleton;
	int r;

	libbpf_set_print(print_libbpf);
	skeleton = capture->skeleton = traffic_meter_bpf__open();
	if (!skeleton)
		return log_error_errno(errno, "open the BPF object");
	r = set_sizes(skeleton, settings, &template_fd);
	if (r < 0)
		return log_error_errno(r, "set the sizes of the BPF maps");
	r = traffic_meter_bpf__load(skeleton);
	if (r == -ENOMEM)
		return log_error_errno(r,
				       "load the BPF maps (ring of %llu bytes, %u users); choose "
				       "smaller sizes",
				       (unsigned long long)settings->ring_bytes,
				       settings->user_entries);
	if (r < 0)
		return log_error_errno(r, "load the BPF programs; 'traffic-meter check' tells what "
					  "this machine lacks, --log-level debug what the kernel "
					  "said");
	return 0;
}

static int open_readers(struct capture *capture)
{
	struct traffic_meter_bpf *skeleton = capture->skeleton;
	const int users_fd[2] = { bpf_map__fd(skeleton->maps.users_a),
				  bpf_map__fd(skeleton->maps.users_b) };
	int r;

	capture->n_cpus = libbpf_num_possible_cpus();
	if (capture->n_cpus < 0)
		return capture->n_cpus;
	capture->audit_per_cpu = calloc((size_t)capture->n_cpus, sizeof(*capture->audit_per_cpu));
	if (!capture->audit_per_cpu)
		return -ENOMEM;
	r = tables_open(&capture->users, bpf_map__fd(skeleton->maps.users), users_fd,
			sizeof(struct user_key), sizeof(struct user_value));
	if (r < 0)
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

int capture_open(struct capture **ret, const struct capture_settings *settings)
{
	_cleanup_(capture_closep) struct capture *capture = calloc(1, sizeof(*capture));
	int r;

	if (!capture)
		return log_error_errno(-ENOMEM, "start");
	r = features_require();
	if (r < 0)
		return r;
	r = load(capture, settings);
	if (r < 0)
		return r;
	r = open_readers(capture);
	if (r < 0)
		return log_error_errno(r, "map the BPF ring and tables");
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

	if (fd < 0)
		return log_error_errno(errno, "open the cgroup %s", cgroup_path);
	for (int i = 0; i < METER_DIRECTIONS; i++) {
		capture->links[i] = bpf_program__attach_cgroup(programs[i], fd);
		if (!capture->links[i]) {
			int r = -errno;

			capture_detach(capture);
			return log_error_errno(r, "attach to the cgroup %s", cgroup_path);
		}
	}
	return 0;
}

void capture_detach(struct capture *capture)
{
	for (int i = 0; i < METER_DIRECTIONS; i++) {
		bpf_link__destroy(capture->links[i]);
		capture->links[i] = NULL;
	}
	/* A program may be under way still. The swap waits for it; where there is no table to put in,
	 * the same one put in its own place does. */
	if (capture->users.keys && tables_retire(&capture->users) == -EBUSY)
		bpf_map_update_elem(capture->users.outer_fd, &(uint32_t){ 0 },
				    &capture->users.inner_fd[capture->users.active], BPF_ANY);
}

void capture_close(struct capture *capture)
{
	if (!capture)
		return;
	for (int i = 0; i < METER_DIRECTIONS; i++)
		bpf_link__destroy(capture->links[i]);
	ring_close(&capture->ring);
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

static int next_user(struct capture *capture, struct traffic_record *ret)
{
	const void *key, *value;
	int r = tables_next(&capture->users, &key, &value);

	return r > 0 ? (decode_user(key, value, ret) ?: 1) : r;
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
	r = next_user(capture, ret);
	if (r < 0)
		return log_error_errno(r, "read the user table");
	if (r == 0 && capture->n_totals) {
		*ret = capture->totals[--capture->n_totals];
		r = 1;
	}
	return r;
}

void capture_release(struct capture *capture)
{
	ring_release(&capture->ring);
}

static int read_audit(struct capture *capture, enum meter_direction direction,
		      struct audit_value *ret)
{
	uint32_t key = direction;

	if (bpf_map_lookup_elem(bpf_map__fd(capture->skeleton->maps.audit), &key,
				capture->audit_per_cpu))
		return log_error_errno(errno, "read the audit counters");
	*ret = (struct audit_value){ 0 };
	for (int cpu = 0; cpu < capture->n_cpus; cpu++) {
		const struct audit_value *value = &capture->audit_per_cpu[cpu];

		ret->counted.packets += value->counted.packets;
		ret->counted.bytes += value->counted.bytes;
		ret->total.packets += value->total.packets;
		ret->total.bytes += value->total.bytes;
		ret->total_wire_bytes += value->total_wire_bytes;
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
	clock_gettime(CLOCK_BOOTTIME, &now);
	for (enum meter_direction i = 0; i < METER_DIRECTIONS; i++) {
		struct audit_value value, difference, *read = &capture->totals_read[i];

		r = read_audit(capture, i, &value);
		if (r < 0)
			return r;
		difference.total.packets = value.total.packets - read->total.packets;
		difference.total.bytes = value.total.bytes - read->total.bytes;
		difference.total_wire_bytes = value.total_wire_bytes - read->total_wire_bytes;
		*read = value;
		if (difference.total.packets || difference.total.bytes)
			decode_total(i, &difference,
				     (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec,
				     &capture->totals[capture->n_totals++]);
	}
	return 0;
}

int capture_retire(struct capture *capture)
{
	int r = 0;

	/* A swap waits for the kernel's grace period: some 10 ms that an empty table is not worth. */
	if (tables_active_used(&capture->users))
		r = tables_retire(&capture->users);
	if (r < 0 && r != -EBUSY)
		return log_error_errno(r, "retire the user table");
	return retire_totals(capture);
}

int capture_read_audit(struct capture *capture, struct capture_audit *ret)
{
	for (enum meter_direction i = 0; i < METER_DIRECTIONS; i++) {
		struct audit_value value;
		int r = read_audit(capture, i, &value);

		if (r < 0)
			return r;
		ret->packets[i] = value.counted.packets;
		ret->bytes[i] = value.counted.bytes;
	}
	return 0;
}
