// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/frames.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>

#include "capture/features.h"
#include "util/cleanup.h"
#include "util/log.h"

/* Of the filter, behind what administrators mostly choose. */
#define CLSACT_PRIORITY 49152

#define ETHERNET_HEADER 14

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

static bool is_named(const struct frames *frames, const struct link *link)
{
	for (size_t i = 0; i < frames->names.n; i++)
		if (strcmp(frames->names.values[i], link->name) == 0)
			return true;
	return false;
}

static bool is_wanted(const struct frames *frames, const struct link *link)
{
	if (header_size(link) < 0)
		return false;
	if (frames->rule == CAPTURE_INTERFACES_ONLY)
		return is_named(frames, link);
	return !link->upper && link->type != ARPHRD_LOOPBACK &&
	       (frames->rule == CAPTURE_INTERFACES_ALL || !is_named(frames, link));
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

static int attach_clsact(const struct frames *frames, const struct link *link)
{
	struct bpf_tc_hook hook = clsact_hook(link);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = frames->program_fd,
			    .handle = frames->handle, .priority = CLSACT_PRIORITY,
			    .flags = BPF_TC_F_REPLACE);
	int r = bpf_tc_hook_create(&hook);

	if (r < 0 && r != -EEXIST)
		return r;
	return bpf_tc_attach(&hook, &options);
}

/* Sets *ret_fd to the link's, or to -1. */
static int attach_program(const struct frames *frames, const struct link *link, int *ret_fd)
{
	int r;

	*ret_fd =
		bpf_link_create(frames->program_fd, (int)link->ifindex, FEATURES_TCX_EGRESS, NULL);
	if (*ret_fd >= 0)
		return 0;
	r = -errno;
	*ret_fd = -1;
	/* What a kernel without TCX says. A filter would outlive a meter that nobody can tell from
	 * others. */
	return r == -EINVAL && frames->handle ? attach_clsact(frames, link) : r;
}

static void detach_hook(const struct frames *frames, struct frames_hook *frames_hook)
{
	struct bpf_tc_hook hook = clsact_hook(&frames_hook->link);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, options, .handle = frames->handle,
			    .priority = CLSACT_PRIORITY);

	bpf_map_delete_elem(frames->links_fd, &frames_hook->link.ifindex);
	if (frames_hook->link_fd >= 0)
		close_fd(&frames_hook->link_fd);
	else
		bpf_tc_detach(&hook, &options); /* the qdisc may have others' filters by now */
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

static void update(struct frames *frames)
{
	_cleanup_free_ struct link *links = NULL;
	size_t n = 0;
	int r = links_read(&links, &n);

	if (r < 0) {
		complain(frames, r, "(all)");
		return;
	}
	remove_others(frames, links, n);
	for (size_t i = 0; i < n; i++) {
		if (!is_wanted(frames, &links[i]) || find_hook(frames, links[i].ifindex))
			continue;
		r = add_hook(frames, &links[i]);
		if (r < 0 && r != -ENODEV) /* gone again */
			complain(frames, r, links[i].name);
	}
}

void frames_attach(struct frames *frames)
{
	if (frames->handle && !features_have_tcx())
		log_notice("this kernel has no TCX links; the filter at an interface's egress "
			   "outlives "
			   "a killed meter, until the next one starts");
	frames->attached = true;
	update(frames);
}

void frames_changed(struct frames *frames)
{
	if (frames->attached)
		update(frames);
}

void frames_detach(struct frames *frames)
{
	for (size_t i = 0; i < frames->n; i++)
		detach_hook(frames, &frames->hooks[i]);
	free(frames->hooks);
	frames->hooks = NULL;
	frames->n = 0;
	frames->attached = false;
}
