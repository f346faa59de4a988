// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/interfaces.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "util/cleanup.h"
#include "util/log.h"

/* Reading the list takes one part in so many of the time, at most, where changes come in a row. */
#define LIST_SHARE 10

static int open_netlink(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	_cleanup_close_ int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	return steal_fd(&fd);
}

static bool is_wanted(const struct link *links, size_t n, uint32_t ifindex)
{
	for (size_t i = 0; i < n; i++)
		if (links[i].ifindex == ifindex)
			return links[i].named;
	return false;
}

/* An index that is no wanted name's any more: gone, or renamed. */
static void forget_others(const struct metered_interfaces *interfaces, const struct link *links,
			  size_t n)
{
	uint32_t ifindex, next;
	bool more = bpf_map_get_next_key(interfaces->map_fd, NULL, &ifindex) == 0;

	while (more) {
		more = bpf_map_get_next_key(interfaces->map_fd, &ifindex, &next) == 0;
		if (!is_wanted(links, n, ifindex))
			bpf_map_delete_elem(interfaces->map_fd, &ifindex);
		ifindex = next;
	}
}

static int load(const struct metered_interfaces *interfaces, const struct link *links, size_t n)
{
	uint8_t value = 1;

	forget_others(interfaces, links, n);
	for (size_t i = 0; i < n; i++)
		if (links[i].named &&
		    bpf_map_update_elem(interfaces->map_fd, &links[i].ifindex, &value, BPF_ANY))
			return log_error_errno(errno, "load the index of interface %s",
					       links[i].name);
	return 0;
}

static void tell_missing(const struct traffic_strings *names, const bool *found)
{
	for (size_t i = 0; i < names->n; i++)
		if (!found[i])
			log_warning(
				"interface %s: there is none now; it takes effect when it comes",
				names->values[i]);
}

int interfaces_open(struct metered_interfaces *interfaces, const struct traffic_strings *names,
		    int map_fd)
{
	_cleanup_free_ struct link *links = NULL;
	_cleanup_free_ bool *found = NULL;
	size_t n = 0;
	int r;

	*interfaces = (struct metered_interfaces){
		.names = *names,
		.map_fd = map_fd,
		.netlink_fd = -1,
	};
	/* Watched before they are looked up, so that no change falls between the two. */
	r = open_netlink();
	if (r < 0)
		return log_error_errno(r, "watch for changes of interfaces");
	interfaces->netlink_fd = r;
	if (!names->n)
		return 0;
	found = calloc(names->n, sizeof(*found));
	if (!found)
		return log_error_errno(-ENOMEM, "list the interfaces");
	r = links_read(names, found, &links, &n);
	if (r < 0)
		return log_error_errno(r, "list the interfaces");
	tell_missing(names, found);
	return load(interfaces, links, n);
}

void interfaces_close(struct metered_interfaces *interfaces)
{
	close_fd(&interfaces->netlink_fd);
	interfaces->netlink_fd = -1;
}

static int read_links(const struct metered_interfaces *interfaces, struct link **ret, size_t *ret_n)
{
	int r = links_read(&interfaces->names, NULL, ret, ret_n);

	return r < 0 ? log_warning_errno(r,
					 "list the interfaces; frames that programs send by packet "
					 "sockets are not counted at those that are new")
		     : 0;
}

/* Where the list can't be had, they are looked at when something changes. */
void interfaces_attach(struct metered_interfaces *interfaces, struct frames *frames)
{
	_cleanup_free_ struct link *links = NULL;
	size_t n = 0;

	if (read_links(interfaces, &links, &n) == 0)
		frames_attach(frames, links, n);
	else
		frames->attached = true;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void look_again(struct metered_interfaces *interfaces, struct frames *frames)
{
	_cleanup_free_ struct link *links = NULL;
	uint64_t begin_ns = now_ns();
	size_t n = 0;

	interfaces->changed = false;
	if (read_links(interfaces, &links, &n) == 0) {
		load(interfaces, links, n);
		frames_changed(frames, links, n);
	}
	interfaces->listed_ns = now_ns();
	interfaces->took_ns = interfaces->listed_ns - begin_ns;
}

void interfaces_changed(struct metered_interfaces *interfaces, struct frames *frames)
{
	char message[8192];

	/* What changed is looked up afresh, also when messages were lost (ENOBUFS). */
	while (recv(interfaces->netlink_fd, message, sizeof(message), 0) > 0 || errno == ENOBUFS)
		;
	interfaces->changed = true;
	/* The whole list for each of thousands of changes would take all of the loop's time. */
	if (now_ns() - interfaces->listed_ns >= interfaces->took_ns * LIST_SHARE)
		look_again(interfaces, frames);
}

void interfaces_go_on(struct metered_interfaces *interfaces, struct frames *frames)
{
	if (interfaces->changed)
		look_again(interfaces, frames);
	else
		frames_go_on(frames);
}
