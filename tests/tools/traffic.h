/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the traffic generator share: its arguments and its ways out. */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Exit codes. A result line is printed before TIMED_OUT too, so that a test can see how far it
 * came. */
#define FAILED	  1
#define USAGE	  2
#define TIMED_OUT 3
#define NOT_HERE  77 /* the kernel lacks it */

#define LARGEST_PACKET 65535

#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define UDP_HEADER  8

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct arguments {
	union address to, from, bind; /* family 0: not given */
	uint64_t count, size, rate, duration_ms, timeout_s, connections, reply, bytes, expect_reply;
	uint64_t expect; /* bytes; UINT64_MAX: until the peer ends */
	uint64_t spread, spread_ports, spread_addresses, ports;
	uint64_t sockets, tcp_sockets, users, first_uid;
	uint64_t ident, option_bytes, extension_bytes, fragment_offset;
	uint16_t from_port;
	uint32_t uid;
	int ready_fd;
	bool has_uid, batch, connected, more_fragments, late;
	const char *chain, *road, *device, *mac;
};

/* End the program: these say why on standard error and never return. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void fail_errno(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

socklen_t address_size(const union address *address);
void address_set_port(union address *address, uint16_t port);
size_t ip_header(const union address *address);

/* Become --uid, if there is one. Before any socket is made: it belongs to the user that made it, but
 * for what is to be found out by --late. */
void become(const struct arguments *arguments, bool raw);

/* Allow that many open files and some more. */
void allow_files(uint64_t n);

/* A socket bound to --from and --from-port where they are given. */
int open_from(const struct arguments *arguments, int type, int protocol);
/* A socket bound to --bind. */
int open_bound(const struct arguments *arguments, int type);
/* Say "ready" on standard output, and on --ready-fd. */
void say_ready(const struct arguments *arguments);

uint64_t now_ns(void);
void sleep_until(uint64_t time_ns);
/* Wait for input until time_ns. False: nothing came. */
bool wait_input(int fd, uint64_t time_ns);
/* Bytes that tell a reader where they were cut: the same for each packet. */
void fill_payload(uint8_t *payload, size_t size);

/* TCP: a call that makes no progress for that long fails; read up to so many bytes, or to the peer's
 * end if that comes first. */
void set_timeouts(int fd, uint64_t timeout_s);
uint64_t read_bytes(int fd, uint64_t limit);

/* What a packet is made of that we write ourselves: a big-endian number, RFC 1071's sum over
 * big-endian pairs, IPv6's UDP checksum, and the address that packets to the peer leave with. */
void put16(uint8_t *at, uint64_t value);
uint32_t sum_pairs(uint32_t sum, const void *bytes, size_t size);
void put_udp6_checksum(const union address *source, const union address *destination, uint8_t *udp,
		       size_t size);
union address find_source(const struct arguments *arguments);

/* The subcommands; each returns an exit code. */
int udp_send(const struct arguments *arguments);
int udp_receive(const struct arguments *arguments);
int udp_echo(const struct arguments *arguments);
int udp_flood(const struct arguments *arguments);
int tcp_serve(const struct arguments *arguments);
int tcp_send(const struct arguments *arguments);
int tcp_many(const struct arguments *arguments);
int send_by_many_hands(const struct arguments *arguments);
int raw_ping(const struct arguments *arguments);
int raw_ipv4(const struct arguments *arguments);
int raw_ipv6(const struct arguments *arguments);
int road_run(const struct arguments *arguments);

/* Whether that road needs CAP_NET_RAW; NULL needs nothing. */
bool road_needs_raw(const char *name);

#endif
