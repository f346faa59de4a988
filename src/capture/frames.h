/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hook at the egress of interfaces: frames of packet sockets, which pass by the cgroup's hooks,
 * and forwarded ones. Attached to the metered interfaces of our own network namespace as they come
 * and go: by a TCX link, which is pinned, or goes with us, or, before Linux 6.6, as a filter of the clsact qdisc,
 * which a killed meter leaves and the next one of its instance replaces.
 *
 * Where an interface sends by another one (a vlan, a bond), the other one's hook sees the frame, so
 * that one alone has a hook; and the loopback has none, as what is sent there is seen where it is
 * received: but for an interface that was asked for by name.
 */
#ifndef CAPTURE_FRAMES_H
#define CAPTURE_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <traffic_meter/option.h>

#include "capture/capture.h"
#include "capture/frames_hook.h"
#include "capture/links.h"

struct frames {
	struct frames_program program; /* but for descriptors_left the caller's */
	int links_fd;		       /* likewise */
	enum capture_interfaces rule;
	bool attached, refused;
	bool behind;		   /* it was said that some have no hook yet */
	struct frames_hook *hooks; /* by index, with room for all that are pending */
	size_t n;
	struct link *pending; /* wanted and without a hook; the last is the next */
	size_t n_pending;
};

/* The handle of an instance's filters: 31 bits of its name (FNV-1a), never 0; 0 when it has no name. */
uint32_t frames_handle(const char *instance);

/* Attach to the interfaces there are. What can't be attached to is told once, and metering goes on:
 * only packet sockets' frames are missed. Where there are very many, the rest follows by frames_go_on(). */
void frames_attach(struct frames *frames, const struct link *links, size_t n);

/* An interface may have come, gone, or be another's port now. */
void frames_changed(struct frames *frames, const struct link *links, size_t n);

/* Attaches to some more of those that have no hook yet. To be called some times a second. */
void frames_go_on(struct frames *frames);

/* From all of them. Programs that are under way may still count: the caller waits for these. */
void frames_detach(struct frames *frames);

/* Let go of the links: what is pinned stays attached, and filters do. */
void frames_close(struct frames *frames);

/* Detach what a meter that is gone has left, by the handle of its filters. */
void frames_remove_left(struct pins *pins, uint32_t handle);

#endif
