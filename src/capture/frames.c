// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/frames.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/features.h"
#include "util/cleanup.h"
#include "util/log.h"

/* Of the filter: before those of others, whose verdict may be the last one. A priority at which there is
 * another protocol's filter is not to be had, so there are some. */
static const uint32_t clsact_priorities[] = { 1, 2, 3, 4 };

#define N_PRIORITIES (sizeof(clsact_priorities) / sizeof(clsact_priorities[0]))

/* Where a former version has its filter. */
#define CLSACT_PRIORITY_FORMER 49152

#define ETHERNET_HEADER 14

#define PIN_PREFIX "frames-"

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

static struct frames_hook *find_hook(const struct frames *frames, uint32_t ifindex)
{
	for (size_t i = 0; i < frames->n; i++)
		if (frames->hooks[i].link.ifindex == ifindex)
			return &frames->hooks[i];
	return NULL;
}

static struct bpf_tc_hook clsact_hook(const struct link *link)
{
	return (struct bpf_tc_hook){ .sz = sizeof(struct bpf_tc_hook),
				     .ifindex = (int)link->ifindex,
				     .attach_point = BPF_TC_EGRESS };
}

static void detach_clsact(const struct bpf_tc_hook *hook, uint32_t handle)
{
	for (size_t i = 0; i <= N_PRIORITIES; i++) {
		DECLARE_LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle,
				    .priority = i < N_PRIORITIES ? clsact_priorities[i]
								 : CLSACT_PRIORITY_FORMER);

		bpf_tc_detach(hook, &options); /* most have none */
	}
}

/* One that a killed meter has left goes first, wherever it is: a frame is not to be counted twice. */
static int attach_clsact(const struct frames *frames, const struct link *link)
{
	struct bpf_tc_hook hook = clsact_hook(link);
	int r = bpf_tc_hook_create(&hook);

	if (r < 0 && r != -EEXIST)
		return r;
	detach_clsact(&hook, frames->handle);
	for (size_t i = 0; i < N_PRIORITIES; i++) {
		DECLARE_LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = frames->program_fd,
				    .handle = frames->handle, .priority = clsact_priorities[i]);

		r = bpf_tc_attach(&hook, &options);
		if (r == 0)
			break;
	}
	return r;
}

static void pin_name(uint32_t ifindex, char *name, size_t size)
{
	snprintf(name, size, PIN_PREFIX "%" PRIu32, ifindex);
}

/* The link that a meter before has pinned, with our program. Of an interface that is gone it is dead,
 * whoever has the index now. */
static int take_over(const struct frames *frames, const char *name)
{
	_cleanup_close_ int fd = pins_get(frames->pins, name);

	if (fd < 0)
		return fd;
	if (bpf_link_update(fd, frames->program_fd, NULL) == 0)
		return steal_fd(&fd);
	pins_detach(frames->pins, name);
	return -ENOENT;
}

/* Before the programs of others, who may let a frame pass without us. Sets *ret_fd to the link's, or to
 * -1. */
static int attach_program(const struct frames *frames, const struct link *link, int *ret_fd)
{
	DECLARE_LIBBPF_OPTS(bpf_link_create_opts, options, .flags = FEATURES_BPF_F_BEFORE);
	char name[32];
	int r;

	pin_name(link->ifindex, name, sizeof(name));
	*ret_fd = take_over(frames, name);
	if (*ret_fd >= 0)
		return 0;
	*ret_fd = bpf_link_create(frames->program_fd, (int)link->ifindex, FEATURES_TCX_EGRESS,
				  &options);
	if (*ret_fd >= 0) {
		r = pins_put(frames->pins, *ret_fd, name);
		if (r < 0)
			close_fd(ret_fd);
		return r;
	}
	r = -errno;
	*ret_fd = -1;
	/* What a kernel without TCX says. A filter would outlive a meter that nobody can tell from
	 * others. */
	return r == -EINVAL && frames->handle ? attach_clsact(frames, link) : r;
}

static void detach_hook(const struct frames *frames, struct frames_hook *frames_hook)
{
	struct bpf_tc_hook hook = clsact_hook(&frames_hook->link);
	char name[32];

	bpf_map_delete_elem(frames->links_fd, &frames_hook->link.ifindex);
	pin_name(frames_hook->link.ifindex, name, sizeof(name));
	if (frames_hook->link_fd >= 0)
		bpf_link_detach(frames_hook->link_fd);
	else
		detach_clsact(&hook, frames->handle); /* the qdisc may have others' by now */
	pins_detach(frames->pins, name);
	close_fd(&frames_hook->link_fd);
}

static int add_hook(struct frames *frames, const struct link *link)
{
	struct frames_hook *grown =
		reallocarray(frames->hooks, frames->n + 1, sizeof(*frames->hooks));
	uint32_t size = (uint32_t)header_size(link);
	int fd, r;

	if (!grown)
		return -ENOMEM;
	frames->hooks = grown;
	if (bpf_map_update_elem(frames->links_fd, &link->ifindex, &size, BPF_ANY))
		return -errno;
	r = attach_program(frames, link, &fd);
	if (r < 0) {
		bpf_map_delete_elem(frames->links_fd, &link->ifindex);
		return r;
	}
	frames->hooks[frames->n++] = (struct frames_hook){ .link = *link, .link_fd = fd };
	return 0;
}

/* Hooks on what is no wanted interface any more. The link of one that is gone has gone with it. */
static void remove_others(struct frames *frames, const struct link *links, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < frames->n; i++) {
		bool wanted = false;

		for (size_t j = 0; j < n && !wanted; j++)
			wanted = links[j].ifindex == frames->hooks[i].link.ifindex &&
				 is_wanted(frames, &links[j]);
		if (wanted)
			frames->hooks[kept++] = frames->hooks[i];
		else
			detach_hook(frames, &frames->hooks[i]);
	}
	frames->n = kept;
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

static void update(struct frames *frames, const struct link *links, size_t n)
{
	remove_others(frames, links, n);
	for (size_t i = 0; i < n; i++) {
		int r;

		if (!is_wanted(frames, &links[i]) || find_hook(frames, links[i].ifindex))
			continue;
		r = add_hook(frames, &links[i]);
		if (r < 0 && r != -ENODEV) /* gone again */
			complain(frames, r, links[i].name);
	}
}

/* A pinned link of an interface that is not wanted now. */
static void remove_stale(void *userdata, const char *name)
{
	const struct frames *frames = userdata;

	if (!find_hook(frames, (uint32_t)strtoul(name + strlen(PIN_PREFIX), NULL, 10)))
		pins_detach(frames->pins, name);
}

void frames_attach(struct frames *frames, const struct link *links, size_t n)
{
	if (frames->handle && !features_have_tcx())
		log_notice("this kernel has no TCX links; the filter at an interface's egress "
			   "outlives "
			   "a killed meter, until the next one starts");
	frames->attached = true;
	update(frames, links, n);
	pins_each(frames->pins, PIN_PREFIX, remove_stale, frames);
}

void frames_changed(struct frames *frames, const struct link *links, size_t n)
{
	if (frames->attached)
		update(frames, links, n);
}

static void forget(struct frames *frames)
{
	free(frames->hooks);
	frames->hooks = NULL;
	frames->n = 0;
	frames->attached = false;
}

void frames_detach(struct frames *frames)
{
	for (size_t i = 0; i < frames->n; i++)
		detach_hook(frames, &frames->hooks[i]);
	forget(frames);
}

void frames_close(struct frames *frames)
{
	for (size_t i = 0; i < frames->n; i++)
		close_fd(&frames->hooks[i].link_fd);
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

	pins_each(pins, PIN_PREFIX, remove_pin, pins);
	if (features_have_tcx() || links_read(&none, NULL, &links, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		struct bpf_tc_hook hook = clsact_hook(&links[i]);

		detach_clsact(&hook, handle);
	}
}
