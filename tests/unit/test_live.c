// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests, JSON in both directions, and the sums and connections that live numbers are made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "live/groups.h"
#include "live/picture.h"
#include "live/request.h"
#include "live/store.h"
#include "live/sums.h"
#include "util/json_text.h"
#include "util/json_tree.h"

#define SECOND 1000000000ull

static void assert_request(const char *line, enum request_kind kind, uint32_t top, uint32_t every)
{
	struct request request;
	const char *error;

	assert_int_equal(request_parse(line, strlen(line), &request, &error), 0);
	assert_int_equal(request.kind, kind);
	assert_int_equal(request.top, top);
	assert_int_equal(request.every_s, every);
}

static void assert_refused(const char *line, const char *words)
{
	struct request request;
	const char *error = "";

	assert_true(request_parse(line, strlen(line), &request, &error) < 0);
	assert_non_null(strstr(error, words));
}

static void test_requests(void **state)
{
	char longer[REQUEST_MAX + 2];

	(void)state;
	assert_request("status", REQUEST_STATUS, 100, 0);
	assert_request("status\r", REQUEST_STATUS, 100, 0);
	assert_request("users protocol=1 top=5000  every=3600", REQUEST_USERS, 5000, 3600);
	assert_request("flows user=none top=1", REQUEST_FLOWS, 1, 0);
	assert_request("groups by=workload user=4294967294", REQUEST_GROUPS, 100, 0);
	assert_refused("", "unknown request");
	assert_refused("Status", "unknown request");
	assert_refused("users top", "NAME=VALUE");
	assert_refused("users top=0", "top");
	assert_refused("users top=5001", "top");
	assert_refused("users top=99999999999999999999", "top");
	assert_refused("users every=-1", "every");
	assert_refused("users protocol=2", "protocol");
	assert_refused("users user=4294967295", "user");
	assert_refused("users user=root", "user");
	assert_refused("groups by=colour", "by");
	assert_refused("users colour=red", "unknown option");
	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_refused(longer, "longer");
}

static void assert_json(const char *text, const char *expected)
{
	struct json_tree tree = { 0 };
	struct json_text again = { 0 };
	int r = json_parse(&tree, text, strlen(text));

	if (!expected) {
		assert_true(r < 0);
		return;
	}
	assert_int_equal(r, 0);
	json_tree_write(&tree, json_root(&tree), &again);
	assert_string_equal(again.data, expected);
	json_tree_free(&tree);
	json_text_free(&again);
}

static void test_json(void **state)
{
	struct json_tree tree = { 0 };
	char deep[200];

	(void)state;
	assert_json(" { \"a\" : [ 1 , -2.5e+3,null , true, false ], \"b\":{} } ",
		    "{\"a\":[1,-2.5e+3,null,true,false],\"b\":{}}");
	assert_json("\"\\u00e9\\ud83d\\ude00\\/\\b\"", "\"\xc3\xa9\xf0\x9f\x98\x80/\\u0008\"");
	assert_json("18446744073709551615", "18446744073709551615");
	assert_json("", NULL);
	assert_json("{", NULL);
	assert_json("[1,]", NULL);
	assert_json("{\"a\"}", NULL);
	assert_json("[1] 2", NULL);
	assert_json("\"\\u0000\"", NULL);
	assert_json("\"\\ud800\"", NULL);
	assert_json("\"\xff\"", NULL);
	assert_json("\"a\nb\"", NULL);
	assert_json("nul", NULL);
	assert_json("-", NULL);
	memset(deep, '[', sizeof(deep));
	deep[sizeof(deep) - 1] = '\0';
	assert_json(deep, NULL);

	assert_int_equal(json_parse(&tree, "{\"a\":{\"b\":[7,-8]},\"c\":\"d\"}", 26), 0);
	assert_int_equal(
		json_uint(json_first(&tree, json_get_path(&tree, json_root(&tree), "a.b")), 0), 7);
	assert_string_equal(json_string(json_get(&tree, json_root(&tree), "c"), ""), "d");
	assert_int_equal(json_uint(json_get_path(&tree, json_root(&tree), "a.x.y"), 5), 5);
	json_tree_free(&tree);
}

/* Whatever bytes a path holds, the text is JSON. */
static void test_json_of_any_bytes(void **state)
{
	(void)state;
	for (int c = 1; c < 256; c++) {
		char string[] = { '/', (char)c, (char)(c ^ 0xff ? c ^ 0xff : 'x'), 'z', '\0' };
		struct json_tree tree = { 0 };
		struct json_text text = { 0 };

		json_text_put_string(&text, string);
		assert_false(text.failed);
		assert_int_equal(json_parse(&tree, text.data, text.size), 0);
		assert_null(strchr(text.data, 0x1b));
		json_tree_free(&tree);
		json_text_free(&text);
	}
}

static struct traffic_record make(enum traffic_step step, uint8_t direction, uint64_t bytes)
{
	return (struct traffic_record){
		.step = (uint8_t)step,
		.direction = direction,
		.family = TRAFFIC_FAMILY_IPV4,
		.protocol = 6,
		.uid = 1001,
		.ifindex = 3,
		.source_port = direction == TRAFFIC_OUT ? 40000 : 443,
		.destination_port = direction == TRAFFIC_OUT ? 443 : 40000,
		.source = { 10, 0, 0, direction == TRAFFIC_OUT },
		.destination = { 10, 0, 0, direction == TRAFFIC_IN },
		.bytes = bytes,
		.wire_bytes = bytes + 40,
		.packets = 1,
		.wire_packets = 2,
		.cgroup_id = 5,
		.program = "scp",
	};
}

static uint64_t sum_of(const struct sums *sums)
{
	struct sums copy = { 0 };
	uint64_t bytes;

	assert_int_equal(sums_copy(&copy, sums), 0);
	bytes = sums_get(&copy, picture_user_id(1001))->way[TRAFFIC_OUT].bytes;
	sums_free(&copy);
	return bytes;
}

/* What came out of the tables counts when they are empty, what came out of the ring at once. */
static void test_sums(void **state)
{
	struct traffic_record flow = make(TRAFFIC_STEP_FLOW, TRAFFIC_OUT, 100);
	struct traffic_record packet = make(TRAFFIC_STEP_PACKET, TRAFFIC_OUT, 7);
	struct sums sums = { 0 };
	uint64_t id = picture_user_id(1001);

	(void)state;
	sums_begin(&sums, 10);
	assert_int_equal(sums_add(&sums, id, &flow), 0);
	assert_int_equal(sums_add(&sums, id, &flow), 0);
	assert_int_equal(sum_of(&sums), 0);
	assert_int_equal(sums_add(&sums, id, &packet), 0);
	assert_int_equal(sum_of(&sums), 7);
	sums_commit(&sums);
	assert_int_equal(sum_of(&sums), 207);
	sums_begin(&sums, 11);
	assert_int_equal(sums_add(&sums, id, &flow), 0);
	assert_int_equal(sum_of(&sums), 207);
	sums_commit(&sums);
	assert_int_equal(sum_of(&sums), 307);
	for (uint64_t i = 1; i < 5000; i++)
		assert_int_equal(sums_add(&sums, id + i, &flow), 0);
	assert_int_equal(sum_of(&sums), 307);
	sums_free(&sums);
}

/* Both directions are one connection. A drained sum and what is found of it are added; a rate is what came
 * since the look before; a sum does not go back while nothing was drained. */
static void test_connections(void **state)
{
	struct traffic_record out = make(TRAFFIC_STEP_FLOW, TRAFFIC_OUT, 1000);
	struct traffic_record in = make(TRAFFIC_STEP_FLOW, TRAFFIC_IN, 50);
	struct store store = { 0 };
	const struct connection *connection;

	(void)state;
	store_begin_look(&store);
	store_find(&store, &out, 1001);
	store_find(&store, &in, 1001);
	store_end_look(&store, SECOND);
	assert_int_equal(store.n, 1);
	connection = &store.connections[0];
	assert_int_equal(connection->key.local_port, 40000);
	assert_int_equal(connection->key.remote_port, 443);
	assert_int_equal(connection->shown.way[TRAFFIC_OUT].bytes, 1000);
	assert_true(connection->rates.way[TRAFFIC_OUT].bytes == 0);

	out.bytes = 3000;
	store_begin_look(&store);
	store_find(&store, &out, 1001); /* of a look that is given up */
	store_begin_look(&store);
	store_find(&store, &out, 1001);
	store_end_look(&store, 3 * SECOND);
	assert_int_equal(connection->shown.way[TRAFFIC_OUT].bytes, 3000);
	assert_true(connection->rates.way[TRAFFIC_OUT].bytes == 1000);
	assert_int_equal(connection->shown.way[TRAFFIC_IN].bytes, 50);

	store_drain(&store, &out);
	out.bytes = 10;
	store_begin_look(&store);
	store_find(&store, &out, 1001);
	store_end_look(&store, 4 * SECOND);
	assert_int_equal(connection->shown.way[TRAFFIC_OUT].bytes, 3010);
	assert_true(connection->rates.way[TRAFFIC_OUT].bytes == 10);

	store_begin_look(&store);
	store_end_look(&store, 4 * SECOND + STORE_KEPT_NS);
	assert_int_equal(store.n, 1);
	store_begin_look(&store);
	store_end_look(&store, 5 * SECOND + STORE_KEPT_NS);
	assert_int_equal(store.n, 0);
	store_free(&store);
}

static void test_groups(void **state)
{
	struct request request = { .kind = REQUEST_GROUPS, .by = REQUEST_BY_REMOTE };
	struct store store = { 0 };
	struct groups groups;

	(void)state;
	store_begin_look(&store);
	for (uint32_t i = 0; i < 3000; i++) {
		struct traffic_record record = make(TRAFFIC_STEP_FLOW, TRAFFIC_OUT, 1 + i % 3);

		record.source_port = (uint16_t)i;
		record.destination[1] = (uint8_t)(i % 3);
		store_find(&store, &record, 1000 + i % 2);
	}
	store_end_look(&store, SECOND);
	assert_int_equal(groups_make(&groups, &store, &request), 0);
	assert_int_equal(groups.n, 3);
	assert_int_equal(groups.groups[0].amounts.way[TRAFFIC_OUT].bytes, 3000);
	assert_int_equal(groups.groups[0].connections, 1000);
	assert_true(groups.groups[0].has_users);
	groups_free(&groups);
	request.has_user = true;
	request.uid = 1001;
	request.by = REQUEST_BY_PROGRAM;
	assert_int_equal(groups_make(&groups, &store, &request), 0);
	assert_int_equal(groups.n, 1);
	assert_int_equal(groups.groups[0].connections, 1500);
	assert_false(groups.groups[0].has_users);
	groups_free(&groups);
	store_free(&store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),	  cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_of_any_bytes), cmocka_unit_test(test_sums),
		cmocka_unit_test(test_connections),	  cmocka_unit_test(test_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
