// SPDX-License-Identifier: GPL-2.0-or-later
/* Networks with names: the file, what is wrong with one, and whose an address is. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "networks/named.h"

static unsigned int n_told, told_line;
static char told_why[NETWORK_WHY_MAX];

static void remember(void *userdata, const char *path, unsigned int line, const char *text,
		     const char *why)
{
	(void)userdata;
	(void)path;
	(void)text;
	n_told++;
	told_line = line;
	snprintf(told_why, sizeof(told_why), "%s", why);
}

static struct network_names *make(const char *text)
{
	struct network_names *names;
	struct named_list list;

	assert_int_equal(named_list_parse(text, strlen(text), "list", remember, NULL, &list), 0);
	assert_int_equal(network_names_new(&names, &list), 0);
	named_list_free(&list);
	return names;
}

static void assert_name(const struct network_names *names, const char *text, const char *expected)
{
	uint8_t family = strchr(text, ':') ? 6 : 4, address[16] = { 0 };

	assert_int_equal(inet_pton(family == 6 ? AF_INET6 : AF_INET, text, address), 1);
	assert_string_equal(network_names_name(names, network_names_find(names, family, address)),
			    expected);
}

static void test_longest_prefix(void **state)
{
	struct network_names *names =
		make("campus 10.0.0.0/8 2001:db8::/32 # all of it\n"
		     "storage\t10.1.0.0/16  10.1.0.0/16\r\n"
		     "storage 10.1.2.3 2001:db8:1::/48\n"
		     "internet 10.1.2.0/24\n"
		     "edge 255.255.255.255 ffff::* 2001:db8::7 2001:db8::9\n");

	(void)state;
	assert_name(names, "9.255.255.255", "internet");
	assert_name(names, "10.0.0.0", "campus");
	assert_name(names, "10.0.255.255", "campus");
	assert_name(names, "10.1.0.0", "storage");
	assert_name(names, "10.1.2.2", "internet");
	assert_name(names, "10.1.2.3", "storage");
	assert_name(names, "10.1.2.4", "internet");
	assert_name(names, "10.1.3.0", "storage");
	assert_name(names, "10.2.0.0", "campus");
	assert_name(names, "11.0.0.0", "internet");
	assert_name(names, "255.255.255.255", "edge");
	assert_name(names, "255.255.255.254", "internet");
	assert_name(names, "::", "internet");
	assert_name(names, "2001:db8::6", "campus");
	assert_name(names, "2001:db8::7", "edge");
	assert_name(names, "2001:db8::8", "campus");
	assert_name(names, "2001:db8::9", "edge");
	assert_name(names, "2001:db8::a", "campus");
	assert_name(names, "2001:db8:1::5", "storage");
	assert_name(names, "2001:db8:2::", "campus");
	assert_name(names, "2001:db9::", "internet");
	assert_name(names, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "edge");
	network_names_unref(names);
}

static void test_masks(void **state)
{
	struct network_names *names = make("a 10.*.5.*\nb 10.1.0.0/16\nc 10.2.5.0/24\nd *.3.5.7\n"
					   "e 10.0.0.0/8\n");

	(void)state;
	assert_name(names, "10.9.5.1", "a");
	assert_name(names, "10.1.5.1", "b");
	assert_name(names, "10.2.5.1", "c");
	assert_name(names, "10.3.5.7", "d");
	assert_name(names, "1.3.5.7", "d");
	assert_name(names, "1.3.5.8", "internet");
	assert_name(names, "10.9.6.1", "e");
	network_names_unref(names);
}

static void assert_refused(const char *text, unsigned int line, const char *why)
{
	struct named_list list;

	n_told = 0;
	assert_int_equal(named_list_parse(text, strlen(text), "list", remember, NULL, &list),
			 -EINVAL);
	assert_int_equal(n_told, 1);
	assert_int_equal(told_line, line);
	assert_non_null(strstr(told_why, why));
}

static void test_refused(void **state)
{
	char many[1024];
	size_t n = 0;

	(void)state;
	assert_refused("a 10.0.0.0/8\n10.1.0.0/16\n", 2, "has no name");
	assert_refused("\n4a 10.0.0.0/8\n", 2, "begins with no name");
	assert_refused("a;b 10.0.0.0/8\n", 1, "begins with no name");
	assert_refused("abcdefghijklmnopqrstuvwxyz012345 10.0.0.0/8\n", 1, "begins with no name");
	assert_refused("campus # 10.0.0.0/8\n", 1, "no network behind");
	assert_refused("a 10.0.0.0/8 10.0.0.0/33\n", 1, "over 32");
	assert_refused("a 10.0.0.0/8\nb 10.0.0.1/8\n", 2, "is b here and a in line 1");
	for (int i = 0; i < NETWORK_NAMES_MAX + 1; i++)
		n += (size_t)sprintf(many + n, "n%d 10.0.0.%d\n", i, i);
	assert_refused(many, NETWORK_NAMES_MAX + 1, "one name more");
}

static bool is_named(const char *text)
{
	return named_list_is(text, strlen(text));
}

static void test_which_list(void **state)
{
	(void)state;
	assert_true(is_named("# c\n\n  campus 10.0.0.0/8"));
	assert_false(is_named("10.0.0.0/8\ncampus 10.0.0.0/8\n"));
	assert_false(is_named("host # 10.0.0.0/8\n"));
	assert_false(is_named(""));
}

/* Against a search through all, at the edges of each network and at random. */
static void test_against_search(void **state)
{
	static char text[1 << 16];
	struct network_names *names;
	struct named_list list;
	size_t n = 0;

	(void)state;
	srandom(7);
	/* The name follows from the length, so that no network has two. */
	for (int i = 0; i < 1500; i++) {
		long bits = 8 + random() % 25;

		n += (size_t)sprintf(text + n, "n%ld 10.%ld.%ld.0/%ld\n", bits, random() % 4,
				     random() % 256, bits);
	}
	assert_int_equal(named_list_parse(text, n, "list", remember, NULL, &list), 0);
	assert_int_equal(network_names_new(&names, &list), 0);
	for (size_t i = 0; i < 20000; i++) {
		uint8_t address[16] = { 10, (uint8_t)(random() % 5), (uint8_t)random(),
					(uint8_t)random() };
		int longest = -1;
		unsigned int name = NETWORK_INTERNET;

		for (size_t k = 0; k < list.list.n; k++) {
			const struct network *network = &list.list.networks[k];
			bool is_in = true;

			for (int b = 0; b < 4; b++)
				is_in = is_in &&
					(address[b] & network->mask[b]) == network->address[b];
			if (is_in && network->prefix_length > longest) {
				longest = network->prefix_length;
				name = network->name;
			}
		}
		assert_int_equal(network_names_find(names, 4, address), name);
	}
	named_list_free(&list);
	network_names_unref(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_longest_prefix), cmocka_unit_test(test_masks),
		cmocka_unit_test(test_refused),	       cmocka_unit_test(test_which_list),
		cmocka_unit_test(test_against_search),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
