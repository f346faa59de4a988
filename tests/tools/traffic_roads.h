/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the roads share: ways for a known number of bytes to get from one address to another. */
#ifndef TRAFFIC_ROADS_H
#define TRAFFIC_ROADS_H

#include "traffic.h"

/* What went. Where the kernel cuts the packets their number is not known, and ip_bytes neither:
 * 0. Else ip_bytes is all from the IP header on, each segment with headers of its own. What TCP had to
 * send again is resent, and not in bytes. */
struct moved {
	uint64_t bytes, packets, ip_bytes, resent;
};

/* One end's half. All of --bytes is moved, or the program fails. */
typedef struct moved road_half(const struct arguments *arguments);

struct road {
	const char *name;
	road_half *send;
	road_half *receive;    /* NULL: the peer's kernel answers */
	bool (*is_here)(void); /* NULL: every kernel has it */
	bool raw;	       /* sending needs CAP_NET_RAW, receiving too */
};

/* A sender's socket, as open_from() makes it; then the sender is --uid's, if --late. */
int road_open(const struct arguments *arguments, int type, int protocol);
void road_become(const struct arguments *arguments);

/* A connection over that IPPROTO to --to, or from one of --bind's senders. */
int stream_connect(const struct arguments *arguments, int protocol);
int stream_accept(const struct arguments *arguments, int protocol);
/* Sender: end, and wait for the receiver's end, which comes after it has read all. */
struct moved stream_sent(const struct arguments *arguments, int fd);
/* Receiver: read all of it, and the sender's end. */
struct moved stream_receive(const struct arguments *arguments, int fd);

/* The index of --device. */
unsigned int device_index(const struct arguments *arguments);

/* The payload bytes of the next datagram of --size when so many were moved. */
size_t datagram_size(const struct arguments *arguments, uint64_t moved);
/* Count a datagram that has that header behind IP's. */
void count_datagram(const struct arguments *arguments, struct moved *moved, size_t header,
		    size_t size);

/* traffic_road_stream.c */
road_half sendfile_send, splice_send, splice_receive, zerocopy_send, ktls_send, ktls_receive;
road_half mptcp_send, mptcp_receive, mptcp_download, mptcp_serve, sctp_send, sctp_receive,
	fastopen_send, fastopen_receive;
road_half plain_receive;
bool ktls_is_here(void), mptcp_is_here(void), sctp_is_here(void);

/* traffic_road_datagram.c */
road_half unconnected_send, connected_send, datagram_receive, batch_send, batch_receive;
road_half segment_send, multicast_send, multicast_loop_send, multicast_receive;
road_half protocol_send, protocol_receive, echo_send, raw_echo_send;
bool segment_is_here(void);

/* traffic_road_uring.c */
road_half uring_send, uring_receive, uring_worker_send, uring_poll_send;
bool uring_is_here(void), uring_poll_is_here(void);

/* traffic_road_packet.c */
road_half packet_send, packet_cooked_send, packet_ring_send, packet_bypass_send;

#endif
