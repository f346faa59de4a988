// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/capture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "bpf/shared.h"
#include "capture/attachment.h"
#include "capture/frames.h"
#include "capture/held.h"
#include "capture/interfaces.h"
#include "capture/journal.h"
#include "capture/load.h"
#include "capture/look.h"
#include "capture/old_sets.h"
#include "capture/pins.h"
#include "capture/set.h"
#include "capture/span.h"
#include "capture/untracked.h"
#include "traffic_meter.skel.h"
#include "util/cleanup.h"
#include "util/log.h"

/* Which of the live set's tables have retired and are to be read. */
struct retired {
	bool wanted;
	int recent, flows, users; /* or JOURNAL_NONE */
};

struct capture {
	const struct capture_settings *settings;
	struct traffic_meter_bpf *skeleton; /* NULL: only what is left over is read */
	struct pins pins;
	struct journal journal;
	struct attachment attachment;
	struct set live;
	struct old_sets old;
	struct retired retired;
	struct span span; /* that is read */
	struct kept kept; /* for the caller */
	struct untracked untracked;
	struct metered_interfaces interfaces;
	struct frames frames;
	bool attached;
	bool persists; /* what is attached, at the end */
};

static const struct bpf_map *map_of(const struct traffic_meter_bpf *skeleton, int map)
{
	return bpf_object__find_map_by_name(skeleton->obj, set_map_names[map]);
}

static int open_live(struct capture *capture, uint64_t generation)
{
	struct traffic_meter_bpf *skeleton = capture->skeleton;
	int fds[SET_MAPS];

	/* Each end closes its own. */
	for (int i = 0; i < SET_MAPS; i++)
		fds[i] = fcntl(bpf_map__fd(map_of(skeleton, i)), F_DUPFD_CLOEXEC, 3);
	capture->untracked = (struct untracked){
		.ipv4_fd = bpf_map__fd(skeleton->maps.networks_ipv4),
		.ipv6_fd = bpf_map__fd(skeleton->maps.networks_ipv6),
		.masked_fd = bpf_map__fd(skeleton->maps.networks_masked),
		.control = &skeleton->bss->networks_control,
	};
	return set_open(&capture->live, generation, fds, &capture->journal);
}

static void capture_closep(struct capture **capture)
{
	capture_close(*capture);
}

static int load(struct capture *capture, uint64_t generation)
{
	const struct capture_settings *settings = capture->settings;
	_cleanup_close_ int sockets_fd = pins_get(&capture->pins, "sockets");
	int r = load_programs(settings, sockets_fd, &capture->skeleton);

	if (r < 0)
		return r;
	r = open_live(capture, generation);
	if (r == -E2BIG) {
		log_error("%d meters were killed before they had read what those before them left "
			  "in %s: 'traffic-meter detach' writes and removes it",
			  JOURNAL_SETS_MAX, capture->pins.directory);
		return r;
	}
	if (r < 0)
		return log_error_errno(r, "open the BPF ring and tables");
	r = interfaces_open(&capture->interfaces, &settings->interfaces,
			    bpf_map__fd(capture->skeleton->maps.interfaces));
	if (r < 0)
		return r;
	capture->frames = (struct frames){
		.program.fd = bpf_program__fd(capture->skeleton->progs.meter_frames),
		.program.pins = &capture->pins,
		.program.handle = frames_handle(settings->instance),
		.links_fd = bpf_map__fd(capture->skeleton->maps.links),
		.rule = settings->interfaces_rule,
	};
	return 0;
}

int capture_open(struct capture **ret, const struct capture_settings *settings)
{
	_cleanup_(capture_closep) struct capture *capture = calloc(1, sizeof(*capture));
	uint64_t generation;
	int r;

	if (!capture)
		return log_error_errno(-ENOMEM, "start");
	libbpf_set_print(load_print_libbpf);
	capture->settings = settings;
	capture->interfaces.netlink_fd = -1;
	capture->attachment = ATTACHMENT_NONE;
	capture->attachment.pins = &capture->pins;
	capture->journal.kept.fd = capture->kept.fd = -1;
	if ((r = pins_open(&capture->pins, settings->instance, settings->user)) < 0 ||
	    (r = journal_open(&capture->journal, &capture->pins, journal_first_number())) < 0)
		return r;
	capture->persists = settings->persist && capture->pins.directory;
	generation = old_sets_open(&capture->old, &capture->pins, &capture->journal);
	if (!settings->left_over_only && (r = load(capture, generation)) < 0)
		return r;
	*ret = steal_pointer(capture);
	return 0;
}

int capture_give(struct capture *capture, uid_t uid, gid_t gid)
{
	int r = pins_give(&capture->pins, uid, gid);

	return r < 0 ? log_error_errno(r, "give %s to uid %u", capture->pins.directory, uid) : 0;
}

/* The set has its pins before a program counts in it. */
static int attach_programs(struct capture *capture, const char *cgroup_path, int cgroup_fd)
{
	struct attachment *attachment = &capture->attachment;
	int r;

	attachment->program_fd = bpf_program__fd(capture->skeleton->progs.meter_packets);
	attachment->frames_cgroup_fd = bpf_map__fd(capture->skeleton->maps.frames_cgroup);
	if ((r = pins_put(&capture->pins, bpf_map__fd(capture->skeleton->maps.sockets),
			  "sockets")) < 0 ||
	    (r = set_pin(&capture->live, &capture->pins)) < 0)
		return log_error_errno(r, "pin the tables in %s", capture->pins.directory);
	capture->attached = true;
	r = attachment_open(attachment, cgroup_path, cgroup_fd);
	if (r == 0)
		interfaces_attach(&capture->interfaces, &capture->frames);
	return r;
}

/* Nothing stays attached of a start that failed, unless it is in the place of what was there: then that
 * goes on being counted, for the next start. */
static void give_up_attaching(struct capture *capture)
{
	if (capture->old.n)
		return;
	attachment_detach(&capture->attachment);
	capture->attached = false;
}

int capture_attach(struct capture *capture, const char *cgroup_path)
{
	_cleanup_close_ int fd = -1;
	int r;

	if (capture->skeleton) {
		fd = open(cgroup_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return log_error_errno(errno, "open the cgroup %s", cgroup_path);
		r = attach_programs(capture, cgroup_path, fd);
		if (r < 0) {
			give_up_attaching(capture);
			return r;
		}
	} else {
		attachment_detach(&capture->attachment);
		frames_remove_left(&capture->pins, frames_handle(capture->settings->instance));
	}
	return old_sets_adopt(&capture->old);
}

bool capture_persists(const struct capture *capture)
{
	return capture->persists;
}

bool capture_give_up(struct capture *capture)
{
	if (capture->old.n)
		return true;
	capture->persists = false;
	return false;
}

void capture_detach(struct capture *capture)
{
	if (!capture->skeleton || capture_persists(capture))
		return;
	attachment_detach(&capture->attachment);
	frames_detach(&capture->frames);
	/* A program may be under way still. */
	tables_wait(&capture->live.users);
}

void capture_remove(struct capture *capture)
{
	/* A set that could not be opened holds what nobody has read. */
	if (capture_persists(capture) || capture->old.failed)
		return;
	pins_remove_all(&capture->pins);
}

void capture_close(struct capture *capture)
{
	if (!capture)
		return;
	attachment_close(&capture->attachment);
	frames_close(&capture->frames);
	interfaces_close(&capture->interfaces);
	/* A start that failed leaves nothing of its own, and all that was there. */
	if (capture->live.generation && !capture->attached)
		set_remove(&capture->live, &capture->pins);
	if (capture->journal.page && !capture->attached && !capture->old.n && !capture->old.failed)
		pins_remove_all(&capture->pins);
	set_close(&capture->live);
	old_sets_close(&capture->old);
	traffic_meter_bpf__destroy(capture->skeleton);
	kept_close(&capture->kept);
	journal_close(&capture->journal);
	pins_close(&capture->pins);
	free(capture);
}

int capture_keep(struct capture *capture, size_t entry_size, uint32_t *entries, void **ret)
{
	int r = kept_open(&capture->kept, &capture->pins, "totals", entry_size, *entries);

	if (r < 0)
		return log_error_errno(r, "open the totals in the kernel");
	*entries = capture->kept.entries;
	*ret = capture->kept.memory;
	return 0;
}

int capture_keep_more(struct capture *capture, uint32_t entries,
		      void (*fill)(void *userdata, void *memory), void *userdata, void **ret)
{
	struct kept more;
	int r = kept_new(&more, "totals", capture->kept.entry_size, entries);

	if (r < 0)
		return r;
	fill(userdata, more.memory);
	r = kept_replace(&more, &capture->pins, "totals");
	if (r < 0) {
		kept_close(&more);
		return r;
	}
	kept_close(&capture->kept);
	capture->kept = more;
	*ret = more.memory;
	return 0;
}

uint64_t capture_committed(const struct capture *capture)
{
	return capture->journal.page->committed;
}

void capture_number_from(struct capture *capture, uint64_t number)
{
	struct journal_page *page = capture->journal.page;

	if (number > page->committed && !page->span.number)
		page->committed = number;
}

int capture_set_networks(struct capture *capture, const struct network_list *list)
{
	return capture->skeleton ? untracked_load(&capture->untracked, list) : 0;
}

int capture_ring_fd(const struct capture *capture)
{
	return capture->skeleton ? bpf_map__fd(capture->skeleton->maps.packets) : -1;
}

static int begin_live(struct capture *capture)
{
	const struct retired retired = capture->retired;
	int r = 0;

	if (!capture->skeleton)
		return 0;
	if (retired.wanted) {
		capture->retired.wanted = false;
		r = span_begin_tables(&capture->span, &capture->live, retired.recent, retired.flows,
				      retired.users, &capture->journal);
	}
	return r ?: span_begin_ring(&capture->span, &capture->live, &capture->journal);
}

int capture_begin(struct capture *capture, struct capture_span *ret)
{
	int r = old_sets_begin(&capture->old, &capture->span);

	if (r == 0)
		r = begin_live(capture);

	if (r < 0)
		return log_error_errno(r, "read the ring and the tables");
	if (r > 0)
		*ret = (struct capture_span){
			.number = journal_unfinished(&capture->journal)->number,
			.repeated = capture->span.repeated,
			.in_tables = capture->span.kind == JOURNAL_TABLES,
		};
	return r;
}

int capture_next(struct capture *capture, struct traffic_record *ret)
{
	return span_next(&capture->span, ret);
}

int capture_commit(struct capture *capture)
{
	return span_commit(&capture->span, &capture->journal);
}

/* A table that has retired and is not emptied yet. */
static bool is_busy(const struct capture *capture)
{
	return capture->retired.wanted ||
	       (capture->span.set == &capture->live && capture->span.kind == JOURNAL_TABLES);
}

/* The recent flows first: what of the table's they push out until it retires is in it. */
static int retire_flows(struct set *set, struct retired *retired)
{
	int r = tables_used(&set->flows, set->flows.active)
			? 1
			: recent_used(&set->recent, set->recent.active);

	if (r <= 0)
		return r;
	if ((r = recent_swap(&set->recent)) < 0 || (r = tables_swap(&set->flows)) < 0)
		return r;
	retired->recent = !set->recent.active;
	retired->flows = !set->flows.active;
	return 0;
}

/* A swap waits for the kernel's grace period: some 10 ms that an empty table is not worth. */
int capture_retire(struct capture *capture)
{
	struct retired retired = { true, JOURNAL_NONE, JOURNAL_NONE, JOURNAL_NONE };
	struct set *set = &capture->live;
	int r;

	if (!capture->skeleton || is_busy(capture))
		return 0;
	r = retire_flows(set, &retired);
	if (r == 0 && tables_used(&set->users, set->users.active)) {
		r = tables_swap(&set->users);
		retired.users = !set->users.active;
	}
	if (r < 0)
		return log_error_errno(r, "retire the flow and user tables");
	capture->retired = retired;
	return 0;
}

int capture_read_audit(struct capture *capture, struct capture_audit *ret)
{
	for (enum meter_direction i = 0; i < METER_DIRECTIONS; i++) {
		struct audit_value value = { 0 };
		int r = capture->skeleton
				? set_read_audit(&capture->live, (enum meter_audit)i, &value)
				: 0;

		if (r < 0)
			return log_error_errno(r, "read the audit counters");
		ret->packets[i] = value.packets + capture->old.adopted.packets[i];
		ret->bytes[i] = value.bytes + capture->old.adopted.bytes[i];
	}
	return 0;
}

int capture_read_notes(struct capture *capture, struct capture_notes *ret)
{
	struct audit_value forwarded = { 0 }, unremembered = { 0 };
	int r;

	if (capture->skeleton &&
	    ((r = set_read_audit(&capture->live, METER_AUDIT_FORWARDED, &forwarded)) < 0 ||
	     (r = set_read_audit(&capture->live, METER_AUDIT_UNREMEMBERED, &unremembered)) < 0))
		return log_error_errno(r, "read the audit counters");
	*ret = (struct capture_notes){
		.forwarded_packets = forwarded.packets,
		.forwarded_bytes = forwarded.bytes,
		.unremembered = unremembered.packets,
	};
	return 0;
}

int capture_read_held(struct capture *capture, struct capture_audit *ret,
		      struct capture_audit *ret_twice)
{
	int r = 0;

	*ret = *ret_twice = (struct capture_audit){ 0 };
	for (size_t i = 0; r == 0 && i < capture->old.n; i++)
		r = held_of_set(&capture->old.sets[i], ret, NULL);
	if (r == 0 && capture->skeleton)
		r = held_of_set(&capture->live, ret, ret_twice);
	if (r < 0)
		return log_error_errno(r, "look into the flow and user tables");
	if (capture->span.set)
		for (int i = 0; i < METER_DIRECTIONS; i++) {
			ret->packets[i] -= capture->span.read.packets[i];
			ret->bytes[i] -= capture->span.read.bytes[i];
		}
	return 0;
}

int look_open(struct look **ret, const struct capture *capture)
{
	return capture->skeleton ? look_open_set(ret, &capture->live) : -ENOENT;
}

enum capture_owner capture_owner_policy(const struct capture *capture)
{
	return capture->skeleton ? (enum capture_owner)capture->skeleton->rodata->settings.owner
				 : capture->settings->owner;
}

uint64_t capture_memory(const struct capture *capture)
{
	if (!capture->skeleton)
		return 0;
	return capture->live.ring.size + load_table_memory(capture->skeleton->maps.flows_a) +
	       load_table_memory(capture->skeleton->maps.users_a);
}

int capture_interfaces_fd(const struct capture *capture)
{
	return capture->interfaces.netlink_fd;
}

void capture_interfaces_changed(struct capture *capture)
{
	interfaces_changed(&capture->interfaces, &capture->frames);
}

void capture_go_on(struct capture *capture)
{
	if (capture->skeleton)
		interfaces_go_on(&capture->interfaces, &capture->frames);
}

int capture_cgroup_fd(const struct capture *capture)
{
	return capture->attachment.inotify_fd;
}

void capture_check_cgroup(struct capture *capture)
{
	attachment_check(&capture->attachment);
}

bool capture_needs_net_admin(const struct capture *capture)
{
	return capture_cgroup_fd(capture) >= 0 || capture->frames.program.has_filters;
}

bool capture_cgroup_is_gone(const struct capture *capture)
{
	return attachment_is_gone(&capture->attachment);
}
