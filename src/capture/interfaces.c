// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/interfaces.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "util/cleanup.h"
#include "util/log.h"

static int open_netlink(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	_cleanup_close_ int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	return steal_fd(&fd);
}

static bool is_wanted(const struct metered_interfaces *interfaces, uint32_t ifindex)
{
	for (size_t i = 0; i < interfaces->names.n; i++)
		if (if_nametoindex(interfaces->names.values[i]) == ifindex)
			return true;
	return false;
}

/* An index that is no wanted name's any more: gone, or renamed. */
static void forget_others(const struct metered_interfaces *interfaces)
{
	uint32_t ifindex, next;
	bool more = bpf_map_get_next_key(interfaces->map_fd, NULL, &ifindex) == 0;

	while (more) {
		more = bpf_map_get_next_key(interfaces->map_fd, &ifindex, &next) == 0;
		if (!is_wanted(interfaces, ifindex))
			bpf_map_delete_elem(interfaces->map_fd, &ifindex);
		ifindex = next;
	}
}

static int load(const struct metered_interfaces *interfaces, bool say)
{
	uint8_t value = 1;

	forget_others(interfaces);
	for (size_t i = 0; i < interfaces->names.n; i++) {
		const char *name = interfaces->names.values[i];
		uint32_t ifindex = if_nametoindex(name);

		if (!ifindex && say)
			log_warning(
				"interface %s: there is none now; it takes effect when it comes",
				name);
		if (ifindex && bpf_map_update_elem(interfaces->map_fd, &ifindex, &value, BPF_ANY))
			return log_error_errno(errno, "load the index of interface %s", name);
	}
	return 0;
}

int interfaces_open(struct metered_interfaces *interfaces, const struct traffic_strings *names,
		    int map_fd)
{
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
	return load(interfaces, true);
}

void interfaces_close(struct metered_interfaces *interfaces)
{
	close_fd(&interfaces->netlink_fd);
	interfaces->netlink_fd = -1;
}

void interfaces_changed(struct metered_interfaces *interfaces)
{
	char message[8192];

	/* What changed is looked up afresh, also when messages were lost (ENOBUFS). */
	while (recv(interfaces->netlink_fd, message, sizeof(message), 0) > 0 || errno == ENOBUFS)
		;
	load(interfaces, false);
}
