// SPDX-License-Identifier: GPL-2.0-or-later
/* Which flows are charged to the owner who is seen later on the same connection, and which never are. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "capture/join.h"

#define SERVER 0x0100007f
#define CLIENT 0x0200007f

#define ROOT 0
#define ANNA 1001
#define BERT 1002

/* A packet's way between the server's port 22 and a client's port. */
static struct flow_key key_of(uint32_t uid, enum meter_direction direction, uint16_t port)
{
	struct flow_key key = { .uid = uid,
				.ifindex = 2,
				.direction = direction,
				.family = 4,
				.protocol = IPPROTO_TCP };
	bool in = direction == METER_IN;

	key.source[0] = in ? CLIENT : SERVER;
	key.destination[0] = in ? SERVER : CLIENT;
	key.source_port = htons(in ? port : 22);
	key.destination_port = htons(in ? 22 : port);
	return key;
}

static struct flow_value value_of(uint64_t bytes, uint64_t first_ns, uint32_t uid,
				  const char *program)
{
	struct flow_value value = { 0 };

	value.value.sum.packets = 1;
	value.value.sum.bytes = bytes;
	value.value.first_ns = value.value.last_ns = first_ns;
	value.owner.uid = uid;
	value.owner.login_uid = METER_NO_UID;
	snprintf(value.owner.program, sizeof(value.owner.program), "%s", program);
	return value;
}

static int keep(struct join *join, struct flow_key key, struct flow_value value)
{
	return join_keep(join, &key, &value);
}

static void see(struct join *join, struct flow_key key, struct flow_value value)
{
	join_see(join, &key, &value);
}

static void assert_next(struct join *join, uint32_t uid, uint64_t bytes, const char *program)
{
	const struct flow_value *value;
	const struct flow_key *key;

	assert_true(join_next(join, &key, &value));
	assert_int_equal(key->uid, uid);
	assert_int_equal(value->value.sum.bytes, bytes);
	assert_string_equal(value->owner.program, program);
}

static void assert_end(struct join *join)
{
	const struct flow_value *value;
	const struct flow_key *key;

	assert_false(join_next(join, &key, &value));
	join_end(join);
}

/* By a window update the other way, and by what came later the same way. */
static void test_the_owner_gets_what_came_before(void **state)
{
	struct join join = { 0 };

	(void)state;
	join_begin(&join);
	assert_int_equal(keep(&join, key_of(ROOT, METER_IN, 4000), value_of(60000, 1, ROOT, "")),
			 1);
	assert_int_equal(keep(&join, key_of(ROOT, METER_IN, 4001), value_of(50000, 1, ROOT, "")),
			 1);
	assert_int_equal(keep(&join, key_of(ROOT, METER_OUT, 4000), value_of(52, 1, ROOT, "")), 1);
	see(&join, key_of(ANNA, METER_OUT, 4000), value_of(104, 5, ANNA, "cat"));
	see(&join, key_of(BERT, METER_IN, 4001), value_of(104, 6, BERT, "tar"));
	assert_next(&join, ANNA, 60000, "cat");
	assert_next(&join, BERT, 50000, "tar");
	assert_next(&join, ANNA, 52, "cat");
	assert_end(&join);
}

/* The login user is charged, and the process's user told. */
static void test_the_policy_holds(void **state)
{
	struct join join = { 0 };

	(void)state;
	join_begin(&join);
	keep(&join, key_of(ROOT, METER_IN, 4000), value_of(60000, 1, ROOT, ""));
	see(&join, key_of(BERT, METER_OUT, 4000), value_of(104, 5, ANNA, "cat"));
	assert_next(&join, BERT, 60000, "cat");
	assert_end(&join);
}

static void test_not_what_is_another_connections(void **state)
{
	struct flow_key key = key_of(ANNA, METER_OUT, 4000);
	struct join join = { 0 };

	(void)state;
	join_begin(&join);
	keep(&join, key_of(ROOT, METER_IN, 4000), value_of(60000, 1, ROOT, ""));
	see(&join, key_of(ANNA, METER_OUT, 4001), value_of(104, 5, ANNA, "cat"));
	/* On the loopback the peer's packets have the same ends, the other way round. */
	see(&join, key_of(ANNA, METER_OUT, 4000), value_of(104, 5, ANNA, ""));
	key.source[0] = CLIENT, key.destination[0] = SERVER;
	key.source_port = htons(4000), key.destination_port = htons(22);
	see(&join, key, value_of(60000, 5, ANNA, "nc"));
	key = key_of(ANNA, METER_OUT, 4000);
	key.protocol = IPPROTO_UDP;
	see(&join, key, value_of(104, 5, ANNA, "cat"));
	assert_next(&join, ROOT, 60000, "");
	assert_end(&join);
}

static void test_a_known_users_flow_stays(void **state)
{
	struct flow_key udp = key_of(ROOT, METER_IN, 4000);
	struct join join = { 0 };

	(void)state;
	udp.protocol = IPPROTO_UDP;
	join_begin(&join);
	assert_int_equal(keep(&join, key_of(BERT, METER_IN, 4000), value_of(1, 1, BERT, "sh")), 0);
	assert_int_equal(
		keep(&join, key_of(METER_NO_UID, METER_IN, 4000), value_of(1, 1, METER_NO_UID, "")),
		0);
	assert_int_equal(keep(&join, udp, value_of(1, 1, ROOT, "")), 0);
	assert_end(&join);
}

/* A connection that was handed on: what came before is the first one's, in whatever order they stand. */
static void test_the_first_owner_gets_it(void **state)
{
	struct join join = { 0 };

	(void)state;
	for (int order = 0; order < 2; order++) {
		join_begin(&join);
		keep(&join, key_of(ROOT, METER_IN, 4000), value_of(60000, 1, ROOT, ""));
		for (int i = 0; i < 2; i++) {
			bool anna = i == order;

			see(&join, key_of(anna ? ANNA : BERT, METER_OUT, 4000),
			    value_of(104, anna ? 5 : 6, anna ? ANNA : BERT, anna ? "cat" : "tar"));
		}
		assert_next(&join, ANNA, 60000, "cat");
		assert_end(&join);
	}
}

/* A flood of connections: the bound holds, and the order is always the same. */
static void test_many(void **state)
{
	struct join join = { 0 };

	(void)state;
	for (int round = 0; round < 2; round++) {
		join_begin(&join);
		for (uint32_t i = 0; i < JOIN_MAX + 10; i++) {
			struct flow_key key = key_of(ROOT, METER_IN, (uint16_t)i);

			key.source[0] += i >> 16;
			assert_int_equal(keep(&join, key, value_of(i, 1, ROOT, "")), i < JOIN_MAX);
		}
		for (uint32_t i = 0; i < JOIN_MAX; i += 2)
			see(&join, key_of(ANNA, METER_OUT, (uint16_t)i),
			    value_of(1, 5, ANNA, "cat"));
		for (uint32_t i = 0; i < JOIN_MAX; i++)
			assert_next(&join, i % 2 ? ROOT : ANNA, i, i % 2 ? "" : "cat");
		assert_end(&join);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_owner_gets_what_came_before),
		cmocka_unit_test(test_the_policy_holds),
		cmocka_unit_test(test_not_what_is_another_connections),
		cmocka_unit_test(test_a_known_users_flow_stays),
		cmocka_unit_test(test_the_first_owner_gets_it),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
