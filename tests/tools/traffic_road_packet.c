// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Roads past the IP stack: frames of packet sockets, with a UDP datagram in each that the peer's stack
 * takes as any other. --device is the interface they leave by, --mac the peer's address there.
 */
#include "traffic_roads.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define NS_PER_S     UINT64_C(1000000000)
#define FRAME_SOURCE 7 /* a port that nobody answers */
#define RING_FRAME   4096
#define RING_FRAMES  16
#define RING_DATA    (TPACKET2_HDRLEN - sizeof(struct sockaddr_ll))

struct frame_sender {
	const struct arguments *arguments;
	union address source;
	struct sockaddr_ll to;
	struct ether_header ethernet;
	int fd;
	uint8_t *ring; /* NULL: by sendto */
	bool cooked;   /* the kernel writes the Ethernet header */
};

static void parse_mac(const char *word, uint8_t *mac)
{
	unsigned int part[ETH_ALEN];

	if (!word || sscanf(word, "%2x:%2x:%2x:%2x:%2x:%2x", &part[0], &part[1], &part[2], &part[3],
			    &part[4], &part[5]) != ETH_ALEN)
		fail("this road needs the peer's --mac");
	for (int i = 0; i < ETH_ALEN; i++)
		mac[i] = (uint8_t)part[i];
}

/* Protocol 0: the socket is given nothing that comes in. */
static void sender_open(struct frame_sender *sender, const struct arguments *arguments, int type)
{
	uint16_t protocol = arguments->to.any.sa_family == AF_INET6 ? ETHERTYPE_IPV6 : ETHERTYPE_IP;
	struct ifreq request = { 0 };

	memset(sender, 0, sizeof(*sender));
	sender->arguments = arguments;
	sender->cooked = type == SOCK_DGRAM;
	sender->source = find_source(arguments);
	sender->fd = socket(AF_PACKET, type | SOCK_CLOEXEC, 0);
	if (sender->fd < 0)
		fail_errno("make a packet socket");
	road_become(arguments);
	sender->to.sll_ifindex = (int)device_index(arguments);
	if (strlen(arguments->device) < sizeof(request.ifr_name))
		strcpy(request.ifr_name, arguments->device);
	if (ioctl(sender->fd, SIOCGIFHWADDR, &request) < 0)
		fail_errno("find the interface");
	memcpy(sender->ethernet.ether_shost, request.ifr_hwaddr.sa_data, ETH_ALEN);
	parse_mac(arguments->mac, sender->ethernet.ether_dhost);
	sender->ethernet.ether_type = htons(protocol);
	sender->to.sll_family = AF_PACKET;
	sender->to.sll_protocol = htons(protocol);
	sender->to.sll_halen = ETH_ALEN;
	memcpy(sender->to.sll_addr, sender->ethernet.ether_dhost, ETH_ALEN);
}

static size_t put_ipv4(const struct frame_sender *sender, uint8_t *at, size_t length)
{
	memset(at, 0, IPV4_HEADER);
	at[0] = 0x45;
	put16(at + 2, IPV4_HEADER + length);
	at[8] = 64;
	at[9] = IPPROTO_UDP;
	memcpy(at + 12, &sender->source.v4.sin_addr, 4);
	memcpy(at + 16, &sender->arguments->to.v4.sin_addr, 4);
	put16(at + 10, ~sum_pairs(0, at, IPV4_HEADER));
	return IPV4_HEADER;
}

static size_t put_ipv6(const struct frame_sender *sender, uint8_t *at, size_t length)
{
	memset(at, 0, IPV6_HEADER);
	at[0] = 0x60;
	put16(at + 4, length);
	at[6] = IPPROTO_UDP;
	at[7] = 64;
	memcpy(at + 8, &sender->source.v6.sin6_addr, 16);
	memcpy(at + 24, &sender->arguments->to.v6.sin6_addr, 16);
	return IPV6_HEADER;
}

/* Write a frame with so many bytes of payload. Returns its length. */
static size_t put_frame(const struct frame_sender *sender, uint8_t *frame, size_t size)
{
	bool v6 = sender->arguments->to.any.sa_family == AF_INET6;
	uint8_t *at = frame, *udp;

	if (!sender->cooked) {
		memcpy(at, &sender->ethernet, sizeof(sender->ethernet));
		at += sizeof(sender->ethernet);
	}
	udp = at + (v6 ? put_ipv6 : put_ipv4)(sender, at, UDP_HEADER + size);
	put16(udp, FRAME_SOURCE);
	memcpy(udp + 2, &sender->arguments->to.v4.sin_port, 2);
	put16(udp + 4, UDP_HEADER + size);
	put16(udp + 6, 0);
	fill_payload(udp + UDP_HEADER, size);
	if (v6)
		put_udp6_checksum(&sender->source, &sender->arguments->to, udp, UDP_HEADER + size);
	return (size_t)(udp - frame) + UDP_HEADER + size;
}

static void ring_open(struct frame_sender *sender)
{
	struct tpacket_req request = { .tp_block_size = RING_FRAME * RING_FRAMES,
				       .tp_block_nr = 1,
				       .tp_frame_size = RING_FRAME,
				       .tp_frame_nr = RING_FRAMES };
	int version = TPACKET_V2;

	if (setsockopt(sender->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0 ||
	    setsockopt(sender->fd, SOL_PACKET, PACKET_TX_RING, &request, sizeof(request)) < 0)
		fail_errno("make a ring");
	sender->ring = mmap(NULL, RING_FRAME * RING_FRAMES, PROT_READ | PROT_WRITE, MAP_SHARED,
			    sender->fd, 0);
	if (sender->ring == MAP_FAILED)
		fail_errno("map the ring");
}

/* A call that sends from the ring waits until the frame's memory is free again. */
static void ring_send(const struct frame_sender *sender, uint64_t number, size_t size)
{
	uint8_t *at = sender->ring + number % RING_FRAMES * RING_FRAME;
	struct tpacket2_hdr *header = (void *)at;

	if (__atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE) != TP_STATUS_AVAILABLE)
		fail("the ring's frame is still in use");
	header->tp_len = (uint32_t)put_frame(sender, at + RING_DATA, size);
	__atomic_store_n(&header->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
	if (sendto(sender->fd, NULL, 0, 0, (const struct sockaddr *)&sender->to,
		   sizeof(sender->to)) < 0)
		fail_errno("send from the ring");
}

static void frame_send(const struct frame_sender *sender, size_t size)
{
	static uint8_t frame[RING_FRAME];
	size_t length = put_frame(sender, frame, size);

	while (sendto(sender->fd, frame, length, 0, (const struct sockaddr *)&sender->to,
		      sizeof(sender->to)) < 0) {
		if (errno != ENOBUFS && errno != EAGAIN)
			fail_errno("send a frame of %zu bytes", length);
		sleep_until(now_ns() + 100000);
	}
}

static struct moved send_frames(const struct frame_sender *sender)
{
	const struct arguments *arguments = sender->arguments;
	struct moved moved = { 0 };

	if (arguments->size > RING_FRAME / 2)
		fail("a frame has no room for that --size");
	while (moved.bytes < arguments->bytes) {
		size_t size = datagram_size(arguments, moved.bytes);

		if (sender->ring)
			ring_send(sender, moved.packets, size);
		else
			frame_send(sender, size);
		count_datagram(arguments, &moved, UDP_HEADER, size);
	}
	close(sender->fd);
	return moved;
}

struct moved packet_send(const struct arguments *arguments)
{
	struct frame_sender sender;

	sender_open(&sender, arguments, SOCK_RAW);
	return send_frames(&sender);
}

struct moved packet_cooked_send(const struct arguments *arguments)
{
	struct frame_sender sender;

	sender_open(&sender, arguments, SOCK_DGRAM);
	return send_frames(&sender);
}

struct moved packet_ring_send(const struct arguments *arguments)
{
	struct frame_sender sender;

	sender_open(&sender, arguments, SOCK_RAW);
	ring_open(&sender);
	return send_frames(&sender);
}

/* Straight to the driver: past the qdisc, and past every hook that is there. */
struct moved packet_bypass_send(const struct arguments *arguments)
{
	struct frame_sender sender;
	int on = 1;

	sender_open(&sender, arguments, SOCK_RAW);
	if (setsockopt(sender.fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) < 0)
		fail_errno("go past the qdisc");
	return send_frames(&sender);
}
