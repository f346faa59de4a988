// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/frames_hook.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "capture/features.h"
#include "util/cleanup.h"

/* Of the filter: before those of others, whose verdict may be the last one. A priority at which there is
 * another protocol's filter is not to be had, so there are some. */
static const uint32_t clsact_priorities[] = { 1, 2, 3, 4 };

#define N_PRIORITIES (sizeof(clsact_priorities) / sizeof(clsact_priorities[0]))

/* Where a former version has its filter. */
#define CLSACT_PRIORITY_FORMER 49152

static struct bpf_tc_hook clsact_hook(uint32_t ifindex)
{
	return (struct bpf_tc_hook){ .sz = sizeof(struct bpf_tc_hook),
				     .ifindex = (int)ifindex,
				     .attach_point = BPF_TC_EGRESS };
}

void frames_hook_remove_filters(uint32_t ifindex, uint32_t handle)
{
	struct bpf_tc_hook hook = clsact_hook(ifindex);

	for (size_t i = 0; i <= N_PRIORITIES; i++) {
		DECLARE_LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle,
				    .priority = i < N_PRIORITIES ? clsact_priorities[i]
								 : CLSACT_PRIORITY_FORMER);

		bpf_tc_detach(&hook, &options); /* most have none */
	}
}

/* One that a killed meter has left goes first, wherever it is: a frame is not to be counted twice. */
static int attach_filter(struct frames_program *program, uint32_t ifindex, struct frames_hook *ret)
{
	struct bpf_tc_hook hook = clsact_hook(ifindex);
	int r = bpf_tc_hook_create(&hook);

	if (r < 0 && r != -EEXIST)
		return r;
	frames_hook_remove_filters(ifindex, program->handle);
	for (size_t i = 0; i < N_PRIORITIES; i++) {
		DECLARE_LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program->fd,
				    .handle = program->handle, .priority = clsact_priorities[i]);

		r = bpf_tc_attach(&hook, &options);
		if (r == 0)
			break;
	}
	if (r < 0)
		return r;
	program->has_filters = true;
	*ret = (struct frames_hook){ .ifindex = ifindex, .hold = FRAMES_HOLD_FILTER, .fd = -1 };
	return 0;
}

static void pin_name(uint32_t ifindex, char *name, size_t size)
{
	snprintf(name, size, FRAMES_PIN_PREFIX "%" PRIu32, ifindex);
}

int frames_hook_take_over(const struct frames_program *program, uint32_t ifindex,
			  struct frames_hook *ret)
{
	_cleanup_close_ int fd = -1;
	char name[32];

	pin_name(ifindex, name, sizeof(name));
	fd = pins_get(program->pins, name);
	if (fd < 0)
		return fd;
	/* Of an interface that is gone it is dead, whoever has the index now. */
	if (bpf_link_update(fd, program->fd, NULL)) {
		pins_detach(program->pins, name);
		return -ENOENT;
	}
	*ret = (struct frames_hook){ .ifindex = ifindex, .hold = FRAMES_HOLD_PIN, .fd = -1 };
	return 0;
}

/* A pin holds the link, so that thousands of interfaces take no descriptors. */
static int hold(struct frames_program *program, int *fd, struct frames_hook *ret)
{
	char name[32];
	int r;

	if (!program->pins->directory) {
		if (program->handle) /* that a killed meter has left */
			frames_hook_remove_filters(ret->ifindex, program->handle);
		program->descriptors_left--;
		ret->hold = FRAMES_HOLD_DESCRIPTOR;
		ret->fd = steal_fd(fd);
		return 0;
	}
	pin_name(ret->ifindex, name, sizeof(name));
	r = pins_put(program->pins, *fd, name);
	if (r == 0)
		ret->hold = FRAMES_HOLD_PIN;
	return r;
}

/* Before the programs of others, who may let a frame pass without us. */
int frames_hook_attach(struct frames_program *program, uint32_t ifindex, struct frames_hook *ret)
{
	DECLARE_LIBBPF_OPTS(bpf_link_create_opts, options, .flags = FEATURES_BPF_F_BEFORE);
	struct frames_hook hook = { .ifindex = ifindex, .fd = -1 };
	_cleanup_close_ int fd = -1;
	int r;

	/* A filter needs nothing to hold it, but outlives the meter: only one whom its instance's next
	 * one can tell from others. */
	if (!program->pins->directory && !program->descriptors_left)
		return program->handle ? attach_filter(program, ifindex, ret) : -EMFILE;
	fd = bpf_link_create(program->fd, (int)ifindex, FEATURES_TCX_EGRESS, &options);
	if (fd < 0) {
		r = -errno;
		/* What a kernel without TCX says. */
		return r == -EINVAL && program->handle ? attach_filter(program, ifindex, ret) : r;
	}
	r = hold(program, &fd, &hook);
	if (r == 0)
		*ret = hook;
	return r;
}

void frames_hook_detach(struct frames_program *program, struct frames_hook *hook, bool wait)
{
	char name[32];

	switch (hook->hold) {
	case FRAMES_HOLD_PIN:
		pin_name(hook->ifindex, name, sizeof(name));
		if (wait)
			pins_detach(program->pins, name);
		else
			pins_remove(program->pins, name);
		break;
	case FRAMES_HOLD_DESCRIPTOR:
		close_fd(&hook->fd);
		hook->fd = -1;
		program->descriptors_left++;
		break;
	case FRAMES_HOLD_FILTER:
		/* The qdisc may have others' by now. */
		frames_hook_remove_filters(hook->ifindex, program->handle);
		break;
	}
}
