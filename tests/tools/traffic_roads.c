// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The roads: each moves all of --bytes by another of the kernel's ways to the network, so that a test
 * can see that a meter has them all. This file has their names; traffic_road_*.c has what they do.
 */
#include "traffic_roads.h"

#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

static const struct road roads[] = {
	/* name, send, receive, is_here, raw */
	{ "udp", unconnected_send, datagram_receive, NULL, false },
	{ "udp-connected", connected_send, datagram_receive, NULL, false },
	{ "mmsg", batch_send, batch_receive, NULL, false },
	{ "udp-gso", segment_send, datagram_receive, segment_is_here, false },
	{ "multicast", multicast_send, multicast_receive, NULL, false },
	{ "multicast-loop", multicast_loop_send, multicast_receive, NULL, false },
	{ "raw", protocol_send, protocol_receive, NULL, true },
	{ "icmp", echo_send, NULL, NULL, false },
	{ "raw-icmp", raw_echo_send, NULL, NULL, true },
	{ "sendfile", sendfile_send, plain_receive, NULL, false },
	{ "splice", splice_send, splice_receive, NULL, false },
	{ "zerocopy", zerocopy_send, plain_receive, NULL, false },
	{ "fastopen", fastopen_send, fastopen_receive, NULL, false },
	{ "uring", uring_send, uring_receive, uring_is_here, false },
	{ "uring-worker", uring_worker_send, uring_receive, uring_is_here, false },
	{ "uring-sqpoll", uring_poll_send, uring_receive, uring_poll_is_here, false },
	{ "ktls", ktls_send, ktls_receive, ktls_is_here, false },
	{ "mptcp", mptcp_send, mptcp_receive, mptcp_is_here, false },
	{ "mptcp-download", mptcp_download, mptcp_serve, mptcp_is_here, false },
	{ "sctp", sctp_send, sctp_receive, sctp_is_here, false },
	{ "packet", packet_send, datagram_receive, NULL, true },
	{ "packet-dgram", packet_cooked_send, datagram_receive, NULL, true },
	{ "packet-ring", packet_ring_send, datagram_receive, NULL, true },
	{ "packet-bypass", packet_bypass_send, datagram_receive, NULL, true },
};

#define N_ROADS (sizeof(roads) / sizeof(*roads))

static const struct road *find_road(const char *name)
{
	for (size_t i = 0; i < N_ROADS; i++)
		if (strcmp(name, roads[i].name) == 0)
			return &roads[i];
	return NULL;
}

bool road_needs_raw(const char *name)
{
	const struct road *road = name ? find_road(name) : NULL;

	return road && road->raw;
}

void road_become(const struct arguments *arguments)
{
	if (arguments->late)
		become(arguments, road_needs_raw(arguments->road));
}

int road_open(const struct arguments *arguments, int type, int protocol)
{
	int fd = open_from(arguments, type, protocol);

	road_become(arguments);
	return fd;
}

unsigned int device_index(const struct arguments *arguments)
{
	unsigned int index = arguments->device ? if_nametoindex(arguments->device) : 0;

	if (!index)
		fail("this road needs a --device that is there");
	return index;
}

static int list_roads(void)
{
	for (size_t i = 0; i < N_ROADS; i++)
		puts(roads[i].name);
	return 0;
}

int road_run(const struct arguments *arguments)
{
	const struct road *road = find_road(arguments->road);
	struct moved moved;
	road_half *half;

	if (!*arguments->road)
		return list_roads();
	if (!road)
		fail("no road is called '%s'", arguments->road);
	if (!arguments->to.any.sa_family && !arguments->bind.any.sa_family)
		return road->is_here && !road->is_here() ? NOT_HERE : 0;
	if (arguments->late && !arguments->to.any.sa_family)
		fail("a receiver can't be --late");
	half = arguments->to.any.sa_family ? road->send : road->receive;
	if (!half)
		fail("the peer's kernel is the other half of '%s'", road->name);
	if (!arguments->size)
		fail("datagrams need a --size");
	moved = half(arguments);
	printf("bytes=%" PRIu64, moved.bytes);
	if (moved.packets)
		printf(" packets=%" PRIu64 " ip_bytes=%" PRIu64, moved.packets, moved.ip_bytes);
	printf(" resent=%" PRIu64 "\n", moved.resent);
	fflush(stdout);
	if (moved.bytes != arguments->bytes)
		fail("that is not all: %" PRIu64 " bytes were to go", arguments->bytes);
	return 0;
}
