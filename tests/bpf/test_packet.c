// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel half's reading of packets: hand-made ones go through the real programs
 * (BPF_PROG_TEST_RUN), and what stands in the ring is compared.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bpf/shared.h"
#include "capture/decode.h"
#include "capture/ring.h"
#include "traffic_meter.skel.h"

#define RING_BYTES	(64 << 10)
#define ETHERNET_HEADER 14

struct fixture {
	struct traffic_meter_bpf *skeleton;
	struct ring ring;
};

/* A packet being made: what follows is appended. */
struct made {
	uint8_t data[2048];
	size_t size;
};

static void put(struct made *made, const void *bytes, size_t n)
{
	memcpy(made->data + made->size, bytes, n);
	made->size += n;
}

#define PUT(made, ...)                                    \
	do {                                              \
		const uint8_t _bytes[] = { __VA_ARGS__ }; \
		put(made, _bytes, sizeof(_bytes));        \
	} while (0)

static void put_ethernet(struct made *made, uint16_t type)
{
	made->size = 0;
	PUT(made, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, type >> 8, type & 0xff);
}

/* 192.0.2.1 to 198.51.100.2. */
static void put_ipv4(struct made *made, uint8_t protocol, uint8_t words, uint16_t fragment)
{
	put_ethernet(made, 0x0800);
	PUT(made, 0x40 | words, 0, 0, 0, 0, 0, fragment >> 8, fragment & 0xff, 64, protocol, 0, 0,
	    192, 0, 2, 1, 198, 51, 100, 2);
	for (int i = 5; i < words; i++)
		PUT(made, 1, 1, 1, 1);
}

/* 2001:db8::1 to 2001:db8::2. */
static void put_ipv6(struct made *made, uint8_t next)
{
	put_ethernet(made, 0x86dd);
	PUT(made, 0x60, 0, 0, 0, 0, 0, next, 64, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	    0, 1, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2);
}

/* Ports 4660 and 22136, then zeroes up to a TCP header of 20 bytes; data offset as told. */
static void put_transport(struct made *made, uint8_t tcp_words)
{
	PUT(made, 0x12, 0x34, 0x56, 0x78, 0, 0, 0, 0, 0, 0, 0, 0, tcp_words << 4, 0, 0, 0, 0, 0, 0,
	    0);
}

/* Give the packet to a program as the kernel would; the record it makes, if it makes one. */
static int meter_packet(struct fixture *fixture, const struct made *made, struct __sk_buff *context,
			struct traffic_record *ret)
{
	struct bpf_program *program = fixture->skeleton->progs.meter_packets;
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = made->data,
		    .data_size_in = (uint32_t)made->size, .repeat = 1);
	const void *data;
	size_t size;

	if (context) {
		options.ctx_in = context;
		options.ctx_size_in = sizeof(*context);
	}
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(program), &options), 0);
	assert_int_equal(options.retval, 1);
	if (!ring_next(&fixture->ring, &data, &size))
		return 0;
	assert_int_equal(decode_packet(data, size, ret), 0);
	ring_release(&fixture->ring, fixture->ring.position);
	assert_int_equal(ring_next(&fixture->ring, &data, &size), 0);
	return 1;
}

static struct traffic_record meter_one(void **state, const struct made *made)
{
	struct fixture *fixture = *state;
	struct traffic_record record;

	assert_int_equal(meter_packet(fixture, made, NULL, &record), 1);
	assert_int_equal(record.bytes, made->size - ETHERNET_HEADER);
	assert_int_equal(record.direction, TRAFFIC_OUT);
	assert_int_equal(record.packets, 1);
	return record;
}

static void assert_ports(const struct traffic_record *record, uint16_t source, uint16_t destination)
{
	assert_int_equal(record->source_port, source);
	assert_int_equal(record->destination_port, destination);
}

static void assert_ipv6_ends(const struct traffic_record *record)
{
	uint8_t source[16], destination[16];

	inet_pton(AF_INET6, "2001:db8::1", source);
	inet_pton(AF_INET6, "2001:db8::2", destination);
	assert_int_equal(record->family, TRAFFIC_FAMILY_IPV6);
	assert_memory_equal(record->source, source, 16);
	assert_memory_equal(record->destination, destination, 16);
}

static void test_ipv4_tcp(void **state)
{
	struct made made;
	struct traffic_record record;

	put_ipv4(&made, IPPROTO_TCP, 5, 0);
	put_transport(&made, 5);
	record = meter_one(state, &made);
	assert_int_equal(record.family, TRAFFIC_FAMILY_IPV4);
	assert_int_equal(record.protocol, IPPROTO_TCP);
	assert_memory_equal(record.source, "\xc0\x00\x02\x01\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_memory_equal(record.destination, "\xc6\x33\x64\x02\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_ports(&record, 0x1234, 0x5678);
	assert_int_equal(record.wire_bytes, record.bytes);
	assert_int_equal(record.wire_packets, 1);
	assert_true(record.start_ns > 0);
}

/* Whether this kernel's test runs can say where a packet came in. */
static bool takes_interfaces(struct fixture *fixture, const struct made *made,
			     struct __sk_buff *context)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = made->data,
		    .data_size_in = (uint32_t)made->size, .ctx_in = context,
		    .ctx_size_in = sizeof(*context), .repeat = 1);
	int fd = bpf_program__fd(fixture->skeleton->progs.meter_frames);

	return bpf_prog_test_run_opts(fd, &options) != -EINVAL;
}

static void test_ingress_direction(void **state)
{
	struct fixture *fixture = *state;
	struct __sk_buff context = { .ingress_ifindex = 1 };
	struct traffic_record record;
	struct made made;

	put_ipv4(&made, IPPROTO_UDP, 5, 0);
	put_transport(&made, 0);
	if (!takes_interfaces(fixture, &made, &context))
		return; /* up to 5.11; the matrix has real packets both ways there too */
	assert_int_equal(meter_packet(fixture, &made, &context, &record), 1);
	assert_int_equal(record.direction, TRAFFIC_IN);
}

static void test_ipv4_options(void **state)
{
	struct made made;
	struct traffic_record record;

	put_ipv4(&made, IPPROTO_UDP, 15, 0);
	put_transport(&made, 0);
	record = meter_one(state, &made);
	assert_int_equal(record.protocol, IPPROTO_UDP);
	assert_ports(&record, 0x1234, 0x5678);
}

static void test_ipv4_fragments(void **state)
{
	struct made made;
	struct traffic_record record;

	put_ipv4(&made, IPPROTO_UDP, 5, 0x2000); /* the first: more follow */
	put_transport(&made, 0);
	record = meter_one(state, &made);
	assert_ports(&record, 0x1234, 0x5678);

	put_ipv4(&made, IPPROTO_UDP, 5, 0x0001); /* a later one: what stands there is payload */
	put_transport(&made, 0);
	record = meter_one(state, &made);
	assert_int_equal(record.protocol, IPPROTO_UDP);
	assert_ports(&record, 0, 0);
}

static void test_protocols_without_ports(void **state)
{
	static const uint8_t protocols[] = { IPPROTO_ICMP, IPPROTO_GRE, IPPROTO_ESP, 253 };
	struct made made;
	struct traffic_record record;

	for (size_t i = 0; i < sizeof(protocols); i++) {
		put_ipv4(&made, protocols[i], 5, 0);
		put_transport(&made, 0);
		record = meter_one(state, &made);
		assert_int_equal(record.protocol, protocols[i]);
		assert_ports(&record, 0, 0);
	}
}

static void test_ipv6_udp(void **state)
{
	struct made made;
	struct traffic_record record;

	put_ipv6(&made, IPPROTO_UDP);
	put_transport(&made, 0);
	record = meter_one(state, &made);
	assert_ipv6_ends(&record);
	assert_int_equal(record.protocol, IPPROTO_UDP);
	assert_ports(&record, 0x1234, 0x5678);
}

static void test_ipv6_extension_headers(void **state)
{
	struct made made;
	struct traffic_record record;

	put_ipv6(&made, IPPROTO_HOPOPTS);
	PUT(&made, IPPROTO_ROUTING, 0, 1, 4, 0, 0, 0, 0);
	PUT(&made, IPPROTO_DSTOPTS, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	    0, 0);
	PUT(&made, IPPROTO_AH, 0, 1, 4, 0, 0, 0, 0);
	PUT(&made, IPPROTO_FRAGMENT, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	    0, 0);				      /* AH of (4 + 2) * 4 bytes */
	PUT(&made, IPPROTO_TCP, 0, 0, 1, 0, 0, 0, 7); /* the first fragment */
	put_transport(&made, 5);
	record = meter_one(state, &made);
	assert_ipv6_ends(&record);
	assert_int_equal(record.protocol, IPPROTO_TCP);
	assert_ports(&record, 0x1234, 0x5678);
}

static void test_ipv6_later_fragment(void **state)
{
	struct made made;
	struct traffic_record record;

	put_ipv6(&made, IPPROTO_FRAGMENT);
	PUT(&made, IPPROTO_UDP, 0, 0, 8, 0, 0, 0, 7);
	put_transport(&made, 0);
	record = meter_one(state, &made);
	assert_int_equal(record.protocol, IPPROTO_UDP);
	assert_ports(&record, 0, 0);
}

/* More headers than any standard has: never a wrong port, always counted. */
static void test_ipv6_too_many_headers(void **state)
{
	struct made made;
	struct traffic_record record;

	put_ipv6(&made, IPPROTO_DSTOPTS);
	for (int i = 0; i < 20; i++)
		PUT(&made, i < 19 ? IPPROTO_DSTOPTS : IPPROTO_UDP, 0, 1, 4, 0, 0, 0, 0);
	put_transport(&made, 0);
	record = meter_one(state, &made);
	assert_ipv6_ends(&record);
	assert_int_equal(record.protocol, IPPROTO_DSTOPTS);
	assert_ports(&record, 0, 0);
}

static void test_cut_packets(void **state)
{
	struct made made;
	struct traffic_record record;

	put_ipv4(&made, IPPROTO_UDP, 5, 0);
	PUT(&made, 0x12, 0x34); /* half of the ports */
	record = meter_one(state, &made);
	assert_int_equal(record.protocol, IPPROTO_UDP);
	assert_ports(&record, 0, 0);

	put_ipv6(&made, IPPROTO_HOPOPTS);
	PUT(&made, IPPROTO_UDP, 0);
	record = meter_one(state, &made);
	assert_int_equal(record.protocol, IPPROTO_HOPOPTS);
	assert_ports(&record, 0, 0);
}

/* What is no IP packet by its own header gets no addresses: it is counted by user. */
static void test_unreadable_goes_to_the_user_table(void **state)
{
	struct fixture *fixture = *state;
	int users_fd = bpf_map__fd(fixture->skeleton->maps.users_a);
	/* A test run's socket is the kernel's own. */
	struct user_key key = { .uid = METER_NO_UID, .direction = METER_OUT };
	struct user_value before = { 0 }, after;
	struct traffic_record record;
	struct made made;

	bpf_map_lookup_elem(users_fd, &key, &before);
	put_ipv4(&made, IPPROTO_UDP, 5, 0);
	made.data[ETHERNET_HEADER] = 0x75; /* version 7 */
	put_transport(&made, 0);
	assert_int_equal(meter_packet(fixture, &made, NULL, &record), 0);
	assert_int_equal(bpf_map_lookup_elem(users_fd, &key, &after), 0);
	assert_int_equal(after.value.sum.packets, before.value.sum.packets + 1);
	assert_int_equal(after.value.sum.bytes,
			 before.value.sum.bytes + made.size - ETHERNET_HEADER);
	assert_int_equal(after.value.extra_bytes, before.value.extra_bytes);
	assert_int_equal(after.extra_packets, before.extra_packets);
}

static void test_wire_bytes_of_gso(void **state)
{
	struct fixture *fixture = *state;
	struct __sk_buff context = { .gso_segs = 4, .gso_size = 100 };
	struct traffic_record record;
	struct made made;
	static const uint8_t payload[400];

	put_ipv4(&made, IPPROTO_TCP, 5, 0);
	put_transport(&made, 8);
	PUT(&made, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
	put(&made, payload, sizeof(payload));
	assert_int_equal(meter_packet(fixture, &made, &context, &record), 1);
	assert_int_equal(record.bytes, 20 + 32 + 400);
	assert_int_equal(record.wire_bytes, 4 * (20 + 32) + 400);
	assert_int_equal(record.wire_packets, 4);

	/* A packet from a virtual machine may bring the size alone. */
	context.gso_segs = 0;
	assert_int_equal(meter_packet(fixture, &made, &context, &record), 1);
	assert_int_equal(record.wire_bytes, 4 * (20 + 32) + 400);
	assert_int_equal(record.wire_packets, 4);
}

/* A jumbo option before TCP's header: the segments have none. */
static void test_wire_bytes_of_big_tcp(void **state)
{
	struct fixture *fixture = *state;
	struct __sk_buff context = { .gso_segs = 4, .gso_size = 100 };
	static const uint8_t payload[400];
	struct traffic_record record;
	struct made made;

	put_ipv6(&made, IPPROTO_HOPOPTS);
	PUT(&made, IPPROTO_TCP, 0, 0xc2, 4, 0, 0, 1, 0x90 + 20);
	put_transport(&made, 5);
	put(&made, payload, sizeof(payload));
	assert_int_equal(meter_packet(fixture, &made, &context, &record), 1);
	assert_int_equal(record.protocol, IPPROTO_TCP);
	assert_int_equal(record.bytes, 40 + 8 + 20 + 400);
	assert_int_equal(record.wire_bytes, 4 * (40 + 20) + 400);
	assert_int_equal(record.wire_packets, 4);
}

static int setup(void **state)
{
	static struct fixture fixture;

	fixture.skeleton = traffic_meter_bpf__open();
	if (!fixture.skeleton)
		return -1;
	fixture.skeleton->rodata->settings.records = METER_RECORDS_PACKET;
	bpf_map__set_max_entries(fixture.skeleton->maps.packets, RING_BYTES);
	if (traffic_meter_bpf__load(fixture.skeleton) ||
	    ring_open(&fixture.ring, bpf_map__fd(fixture.skeleton->maps.packets), RING_BYTES))
		return -1;
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	ring_close(&fixture->ring);
	traffic_meter_bpf__destroy(fixture->skeleton);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4_tcp),
		cmocka_unit_test(test_ingress_direction),
		cmocka_unit_test(test_ipv4_options),
		cmocka_unit_test(test_ipv4_fragments),
		cmocka_unit_test(test_protocols_without_ports),
		cmocka_unit_test(test_ipv6_udp),
		cmocka_unit_test(test_ipv6_extension_headers),
		cmocka_unit_test(test_ipv6_later_fragment),
		cmocka_unit_test(test_ipv6_too_many_headers),
		cmocka_unit_test(test_cut_packets),
		cmocka_unit_test(test_unreadable_goes_to_the_user_table),
		cmocka_unit_test(test_wire_bytes_of_gso),
		cmocka_unit_test(test_wire_bytes_of_big_tcp),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
