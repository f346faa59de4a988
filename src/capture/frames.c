// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * With TCX each attaching waits for a grace period of the kernel's, some 10 ms, and keeps the lock of all
 * network configuration meanwhile. 5,000 of them take a minute: so the start attaches for START_NS, to the
 * interfaces that are up first, and the rest follows in slices of SLICE_NS. What a meter before has pinned is
 * taken over at once, which waits for nothing: its programs would go on writing into tables that are read
 * and removed.
 *
 * Detaching waits likewise, and takes away the size of the link's header first, without which the program
 * lets every frame pass. So after DETACH_NS nobody waits until the rest is really gone.
 */
#include "capture/frames.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "capture/features.h"
#include "util/cleanup.h"
#include "util/log.h"

#define ETHERNET_HEADER 14

#define START_NS  UINT64_C(1000000000)
#define SLICE_NS  UINT64_C(100000000)
#define DETACH_NS UINT64_C(3000000000)

uint32_t frames_handle(const char *instance)
{
	uint32_t hash = 2166136261u;

	if (!instance)
		return 0;
	for (; *instance; instance++)
		hash = (hash ^ (unsigned char)*instance) * 16777619u;
	return (hash >> 1) | 1;
}

/* The size of the link's header, where it is one that frame_payload() knows; else -1. */
static int header_size(const struct link *link)
{
	switch (link->type) {
	case ARPHRD_ETHER:
	case ARPHRD_LOOPBACK:
		return ETHERNET_HEADER;
	case ARPHRD_NONE:
	case ARPHRD_RAWIP:
		return 0;
	}
	return -1;
}

static bool is_wanted(const struct frames *frames, const struct link *link)
{
	if (header_size(link) < 0)
		return false;
	if (frames->rule == CAPTURE_INTERFACES_ONLY)
		return link->named;
	return !link->upper && link->type != ARPHRD_LOOPBACK &&
	       (frames->rule == CAPTURE_INTERFACES_ALL || !link->named);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int compare_hooks(const void *a, const void *b)
{
	uint32_t left = ((const struct frames_hook *)a)->ifindex;
	uint32_t right = ((const struct frames_hook *)b)->ifindex;

	return left < right ? -1 : left > right;
}

static int compare_links(const void *a, const void *b)
{
	uint32_t left = ((const struct link *)a)->ifindex;
	uint32_t right = ((const struct link *)b)->ifindex;

	return left < right ? -1 : left > right;
}

/* Those that are up at the end, from where they are taken. */
static int compare_urgency(const void *a, const void *b)
{
	const struct link *left = a, *right = b;

	return left->up == right->up ? compare_links(b, a) : left->up - right->up;
}

static void complain(struct frames *frames, int error, const char *name)
{
	if (!frames->refused)
		log_warning_errno(error,
				  "attach to the egress of interface %s; frames that programs "
				  "send by packet sockets are not counted there",
				  name);
	frames->refused = true;
}

/* The program is told of the link first: without that it lets its frames pass. */
static void add_hook(struct frames *frames, const struct link *link, bool take_over)
{
	struct frames_hook *hook = &frames->hooks[frames->n];
	uint32_t size = (uint32_t)header_size(link);
	int r = 0;

	if (bpf_map_update_elem(frames->links_fd, &link->ifindex, &size, BPF_ANY))
		r = -errno;
	if (r == 0)
		r = take_over ? frames_hook_take_over(&frames->program, link->ifindex, hook)
			      : frames_hook_attach(&frames->program, link->ifindex, hook);
	if (r == 0) {
		frames->n++;
		return;
	}
	bpf_map_delete_elem(frames->links_fd, &link->ifindex);
	if (r != -ENODEV && !take_over) /* gone again */
		complain(frames, r, link->name);
}

static void remove_hook(struct frames *frames, struct frames_hook *hook)
{
	bpf_map_delete_elem(frames->links_fd, &hook->ifindex);
	frames_hook_detach(&frames->program, hook, true);
}

/* Attaches to interfaces that wait for it, for that long. */
static void attach_pending(struct frames *frames, uint64_t limit_ns)
{
	uint64_t begin_ns = now_ns();

	while (frames->n_pending && now_ns() - begin_ns < limit_ns)
		add_hook(frames, &frames->pending[--frames->n_pending], false);
	qsort(frames->hooks, frames->n, sizeof(*frames->hooks), compare_hooks);
	if (!frames->n_pending && frames->behind)
		log_notice("all interfaces have their hook now, %zu of them", frames->n);
	if (!frames->n_pending)
		frames->behind = false;
}

/* The wanted links, by index, and room for a hook on each. 0 or -ENOMEM. */
static int choose(struct frames *frames, const struct link *links, size_t n)
{
	struct link *pending = calloc(n ?: 1, sizeof(*pending));
	struct frames_hook *hooks =
		pending ? realloc(frames->hooks, (frames->n + n + 1) * sizeof(*hooks)) : NULL;

	if (!hooks) {
		free(pending);
		return -ENOMEM;
	}
	frames->hooks = hooks;
	free(frames->pending);
	frames->pending = pending;
	frames->n_pending = 0;
	for (size_t i = 0; i < n; i++)
		if (is_wanted(frames, &links[i]))
			pending[frames->n_pending++] = links[i];
	qsort(pending, frames->n_pending, sizeof(*pending), compare_links);
	return 0;
}

/* Both are in order: removes the hooks on links that are not wanted any more, and leaves as pending the links
 * that have none. */
static void match(struct frames *frames)
{
	size_t hook = 0, kept = 0, pending = 0;

	for (size_t i = 0; i < frames->n_pending; i++) {
		const struct link link = frames->pending[i];

		while (hook < frames->n && frames->hooks[hook].ifindex < link.ifindex)
			remove_hook(frames, &frames->hooks[hook++]);
		if (hook < frames->n && frames->hooks[hook].ifindex == link.ifindex)
			frames->hooks[kept++] = frames->hooks[hook++];
		else
			frames->pending[pending++] = link;
	}
	while (hook < frames->n)
		remove_hook(frames, &frames->hooks[hook++]);
	frames->n = kept;
	frames->n_pending = pending;
	qsort(frames->pending, pending, sizeof(*frames->pending), compare_urgency);
}

static void update(struct frames *frames, const struct link *links, size_t n, uint64_t limit_ns)
{
	if (choose(frames, links, n) < 0) {
		complain(frames, -ENOMEM, "(all)");
		return;
	}
	match(frames);
	attach_pending(frames, limit_ns);
	if (frames->n_pending && !frames->behind)
		log_notice("%zu interfaces have a hook, %zu get theirs in the next minutes: the "
			   "kernel takes its time for each; until then frames that programs send "
			   "by packet sockets are not counted there",
			   frames->n, frames->n_pending);
	frames->behind = frames->n_pending > 0;
}

/* A pin of a meter before: of a wanted interface its hook is ours now. */
static void take_over(void *userdata, const char *name)
{
	struct frames *frames = userdata;
	const struct link key = {
		.ifindex = (uint32_t)strtoul(name + strlen(FRAMES_PIN_PREFIX), NULL, 10),
	};
	const struct link *link = bsearch(&key, frames->pending, frames->n_pending,
					  sizeof(*frames->pending), compare_links);
	size_t before = frames->n;

	if (link)
		add_hook(frames, link, true);
	if (frames->n == before)
		pins_detach(frames->program.pins, name);
}

/* Half of the descriptors that the process may have. */
static size_t spare_descriptors(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (size_t)limit.rlim_cur / 2 : 512;
}

void frames_attach(struct frames *frames, const struct link *links, size_t n)
{
	bool tcx = features_have_tcx();

	if (frames->program.handle && !tcx)
		log_notice("this kernel has no TCX links; the filter at an interface's egress "
			   "outlives "
			   "a killed meter, until the next one starts");
	frames->attached = true;
	frames->program.descriptors_left = spare_descriptors();
	if (choose(frames, links, n) == 0) {
		pins_each(frames->program.pins, FRAMES_PIN_PREFIX, take_over, frames);
		qsort(frames->hooks, frames->n, sizeof(*frames->hooks), compare_hooks);
	}
	/* A filter waits for nothing, and those that were left are to be replaced at once. */
	update(frames, links, n, tcx ? START_NS : UINT64_MAX);
}

void frames_changed(struct frames *frames, const struct link *links, size_t n)
{
	if (frames->attached)
		update(frames, links, n, SLICE_NS);
}

void frames_go_on(struct frames *frames)
{
	if (frames->n_pending)
		attach_pending(frames, SLICE_NS);
}

static void forget(struct frames *frames)
{
	free(frames->hooks);
	free(frames->pending);
	frames->hooks = NULL;
	frames->pending = NULL;
	frames->n = frames->n_pending = 0;
	frames->attached = false;
}

void frames_detach(struct frames *frames)
{
	uint64_t begin_ns = now_ns();

	for (size_t i = 0; i < frames->n; i++)
		bpf_map_delete_elem(frames->links_fd, &frames->hooks[i].ifindex);
	for (size_t i = 0; i < frames->n; i++)
		frames_hook_detach(&frames->program, &frames->hooks[i],
				   now_ns() - begin_ns < DETACH_NS);
	forget(frames);
}

void frames_close(struct frames *frames)
{
	for (size_t i = 0; i < frames->n; i++)
		close_fd(&frames->hooks[i].fd);
	forget(frames);
}

static void remove_pin(void *userdata, const char *name)
{
	pins_detach(userdata, name);
}

void frames_remove_left(struct pins *pins, uint32_t handle)
{
	static const struct traffic_strings none;
	_cleanup_free_ struct link *links = NULL;
	size_t n = 0;

	pins_each(pins, FRAMES_PIN_PREFIX, remove_pin, pins);
	if (features_have_tcx() || links_read(&none, NULL, &links, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		frames_hook_remove_filters(links[i].ifindex, handle);
}
