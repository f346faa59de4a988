// SPDX-License-Identifier: GPL-2.0-or-later
/* One network of the untracked list: the grammar, and the reasons of what is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "networks/networks.h"

static const struct {
	const char *text, *means;
} accepted[] = {
	/* the examples of the documentation */
	{ "10.0.*.*", "10.0.0.0/16" },
	{ "192.168.1.*", "192.168.1.0/24" },
	{ "2001:db8::*", "2001:db8::/32" },
	{ "2001:db8:abcd:1234:5678:9abc:def0:*", "2001:db8:abcd:1234:5678:9abc:def0:0/112" },
	{ "10.0.0.0/8", "10.0.0.0/8" },
	{ "2001:db8::/32", "2001:db8::/32" },
	{ "10.*.5.*", "10.0.5.0 mask 255.0.255.0" },
	/* addresses */
	{ "192.0.2.7", "192.0.2.7/32" },
	{ "0.0.0.0", "0.0.0.0/32" },
	{ "255.255.255.255", "255.255.255.255/32" },
	{ "2001:db8::7", "2001:db8::7/128" },
	{ "2001:DB8:0:0:0:0:0:7", "2001:db8::7/128" },
	{ "::", "::/128" },
	{ "::1", "::1/128" },
	{ "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8/128" },
	{ "::ffff:1.2.3.4", "::ffff:1.2.3.4/128" },
	{ "::ffff:10.0.0.0/104", "::ffff:10.0.0.0/104" },
	/* prefixes */
	{ "0.0.0.0/0", "0.0.0.0/0" },
	{ "192.0.2.7/32", "192.0.2.7/32" },
	{ "192.0.2.6/31", "192.0.2.6/31" },
	{ "10.128.0.0/9", "10.128.0.0/9" },
	{ "::/0", "::/0" },
	{ "fe80::/10", "fe80::/10" },
	{ "2001:db8::7/128", "2001:db8::7/128" },
	{ "2001:db8:8000::/33", "2001:db8:8000::/33" },
	/* bits behind the prefix */
	{ "10.0.0.1/8", "10.0.0.0/8" },
	{ "10.255.0.0/9", "10.128.0.0/9" },
	{ "1.2.3.4/0", "0.0.0.0/0" },
	{ "2001:db8::1/32", "2001:db8::/32" },
	{ "ffff::/1", "8000::/1" },
	/* stars */
	{ "*.*.*.*", "0.0.0.0/0" },
	{ "10.*.*.*", "10.0.0.0/8" },
	{ "*.0.0.1", "0.0.0.1 mask 0.255.255.255" },
	{ "*.*.*.7", "0.0.0.7 mask 0.0.0.255" },
	{ "10.*.0.0", "10.0.0.0 mask 255.0.255.255" },
	{ "::*", "::/0" },
	{ "fe80::*", "fe80::/16" },
	{ "2001:db8:*", "2001:db8::/32" },
	{ "2001:0db8:0:0:*", "2001:db8::/64" },
	{ "1:2:3:4:5:6:7::*", "1:2:3:4:5:6:7:0/112" },
};

static void test_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(accepted) / sizeof(*accepted); i++) {
		char text[NETWORK_TEXT_MAX], why[NETWORK_WHY_MAX] = "";
		struct network network;

		if (network_parse(accepted[i].text, strlen(accepted[i].text), &network, why) != 0)
			fail_msg("%s: %s", accepted[i].text, why);
		network_format(&network, text);
		if (strcmp(text, accepted[i].means) != 0)
			fail_msg("%s: %s, not %s", accepted[i].text, text, accepted[i].means);
		assert_int_equal(network.family, strchr(accepted[i].means, ':') ? 6 : 4);
		assert_int_equal(network.line, 0);
	}
}

static void test_bits(void **state)
{
	static const uint8_t address4[16] = { 10, 0, 5, 0 }, mask4[16] = { 255, 0, 255, 0 };
	static const uint8_t address6[16] = { 0x20, 0x01, 0x0d, 0xb8, 0x80 };
	static const uint8_t mask6[16] = { 255, 255, 255, 255, 0x80 };
	char why[NETWORK_WHY_MAX];
	struct network network;

	(void)state;
	assert_int_equal(network_parse("10.*.5.*", 8, &network, why), 0);
	assert_memory_equal(network.address, address4, 16);
	assert_memory_equal(network.mask, mask4, 16);
	assert_int_equal(network.prefix_length, NETWORK_NO_PREFIX);
	assert_false(network.bits_dropped);

	assert_int_equal(network_parse("2001:db8:ffff::1/33", 19, &network, why), 0);
	assert_memory_equal(network.address, address6, 16);
	assert_memory_equal(network.mask, mask6, 16);
	assert_int_equal(network.prefix_length, 33);
	assert_true(network.bits_dropped);

	assert_int_equal(network_parse("2001:db8:8000::/33", 18, &network, why), 0);
	assert_false(network.bits_dropped);

	/* Only `length` bytes are the network's. */
	assert_int_equal(network_parse("10.0.0.0/8888", 10, &network, why), 0);
	assert_int_equal(network.prefix_length, 8);
}

/* The words that a reason must hold. */
static const struct {
	const char *text, *why;
} refused[] = {
	{ "", "is empty" },
	/* characters */
	{ "10.0.0.0/8 10.1.0.0/16", "more than one word" },
	{ "10.0.0.0\t/8", "more than one word" },
	{ "10.0.0.0 255.0.0.0", "10.0.0.0/8" },
	{ "\xef\xbb\xbf"
	  "10.0.0.0/8",
	  "byte order mark" },
	{ "10.0.0.0\xc2\xa0", "not ASCII" },
	{ "10.0.0.0\r10.0.0.1", "control character" },
	{ "10.0.0.0\x7f", "control character" },
	{ "10.0.0.0\v", "control character" },
	{ "fe80::1%eth0", "a zone, %eth0," },
	{ "[2001:db8::1]", "without brackets" },
	{ "10.0.0.1-10.0.0.9", "a range" },
	{ "10.0.0.1-9", "a range" },
	/* the prefix length */
	{ "10.0.0.0/33", "prefix length /33 is over 32" },
	{ "10.0.0.0/99999999999999999999999999", "is over 32" },
	{ "10.0.0.0/4294967304", "is over 32" },
	{ "2001:db8::/129", "prefix length /129 is over 128" },
	{ "10.0.0.0/", "no prefix length behind the /" },
	{ "10.0.0.0/-8", "/-8 is no number" },
	{ "10.0.0.0/+8", "/+8 is no number" },
	{ "10.0.0.0/8x", "/8x is no number" },
	{ "10.0.0.0/8/8", "/8/8 is no number" },
	{ "10.0.0.0/*", "/* is no number" },
	{ "10.0.0.0/08", "leading zero" },
	{ "10.0.0.0/00", "leading zero" },
	{ "10.0.0.0/255.0.0.0", "as a prefix length" },
	{ "2001:db8::/ffff:ffff::", "as a prefix length" },
	{ "/8", "no address" },
	{ "/", "no address" },
	/* stars */
	{ "*", "*.*.*.* for all of IPv4, ::* for all of IPv6" },
	{ "*/0", "a plain star" },
	{ "10.0.*.*/16", "a star and a prefix length" },
	{ "2001:db8::*/32", "a star and a prefix length" },
	{ "10.1*.0.0", "one whole octet" },
	{ "10.**.0.0", "one whole octet" },
	{ "2001:db8:*:1", "must be the last group" },
	{ "*::", "must be the last group" },
	{ "*:*", "must be the last group" },
	{ "2001:db8:12*", "whole groups" },
	{ "2001:db8::**", "whole groups" },
	{ "2001:d*8::*", "whole groups" },
	{ "::ffff:10.0.*.*", "whole groups" },
	{ "::ffff:10.0.0.1:*", "IPv4 part" },
	{ "2001::5:*", "leaves open" },
	{ "::5:*", "leaves open" },
	{ "::5::*", "leaves open" },
	{ ":*", "begins with one colon" },
	{ ":::*", "empty group" },
	{ ":5:*", "empty group" },
	{ "5:::*", "empty group" },
	{ "1:2:3:4:5:6:7:8:*", "has 8 groups in front of the star" },
	{ "1:2:3:4:5:6:7:8:9::*", "has 9 groups in front of the star" },
	{ "2001:0db80:*", "group 0db80 has more than 4 digits" },
	{ "2001:dbg:*", "`dbg` is no group" },
	/* octets */
	{ "300.0.0.0/8", "octet 300 is over 255" },
	{ "10.0.0.256", "octet 256 is over 255" },
	{ "10.0.0.4294967296", "octet 4294967296 is over 255" },
	{ "1234", "octet 1234 is over 255" },
	{ "10.010.0.0", "octet 010 is ambiguous, as leading zeros mean octal to some; "
			"write 10" },
	{ "10.00.0.0", "write 0" },
	{ "10..0.0", "empty octet" },
	{ "10.0.0.", "empty octet" },
	{ ".10.0.0.0", "empty octet" },
	{ "10.0.0.0.0", "has 5 octets" },
	{ "10.0.0.*.*.*", "has 6 octets" },
	{ "10.0.0", "has 3 of 4 octets; write 10.0.0.* or 10.0.0.0/24" },
	{ "10", "has 1 of 4 octets; write 10.*.*.* or 10.0.0.0/8" },
	{ "10.*", "has 2 of 4 octets; write 10.*.*.*" },
	{ "10.0/12", "has 2 of 4 octets; write 10.0.0.0/12" },
	{ "0x0a.0.0.0", "`0x0a` is no octet" },
	{ "localhost", "host names are not looked up" },
	{ "node-1.example.org", "host names are not looked up" },
	{ "10.0.0.0,10.1.0.0", "`0,10` is no octet" },
	/* IPv6 addresses */
	{ "10.0.0.1:80", "a port" },
	{ "1.2.3.4::", "its last part" },
	{ "::ffff:1.2.3", "its last part" },
	{ "::ffff:01.2.3.4", "its last part" },
	{ "2001:db8::g", "`g` is no group" },
	{ "2001:db8::12345", "group 12345 has more than 4 digits" },
	{ "2001:db8:::1", "three colons" },
	{ "2001::db8::1", "`::` twice" },
	{ "1:2:3:4:5:6:7:8::", "too many groups" },
	{ "1:2:3:4::5:6:7:8", "too many groups" },
	{ "1:2:3:4:5:6:7:8:9", "has 9 groups" },
	{ "2001:db8", "has 2 of 8 groups; write 2001:db8::* or 2001:db8::/32" },
	{ "2001:db8/20", "has 2 of 8 groups; write 2001:db8::/20" },
	{ "1:2:3:4:5:6:7:", "one colon" },
	{ ":1:2:3:4:5:6:7", "one colon" },
	{ ":", "one colon" },
	{ "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", "has 10 groups" },
	{ "mail:25", "`mail` is no group" },
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		struct network network, before;
		char why[NETWORK_WHY_MAX] = "";

		memset(&network, 0xa5, sizeof(network));
		before = network;
		if (network_parse(refused[i].text, strlen(refused[i].text), &network, why) !=
		    -EINVAL)
			fail_msg("`%s` was accepted", refused[i].text);
		if (!strstr(why, refused[i].why))
			fail_msg("`%s`: %s; not: %s", refused[i].text, why, refused[i].why);
		if (strlen(why) > 120)
			fail_msg("`%s`: too long: %s", refused[i].text, why);
		assert_memory_equal(&network, &before, sizeof(network));
	}
}

/* What is suggested must be right itself. */
static void test_suggestions(void **state)
{
	static const char *const texts[] = { "10", "10.1", "10.1.2", "2001:db8", "1:2:3:4:5:6:7" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct network star, prefix;
		char why[NETWORK_WHY_MAX], first[64], second[64], other[NETWORK_WHY_MAX];

		assert_int_equal(network_parse(texts[i], strlen(texts[i]), &star, why), -EINVAL);
		assert_non_null(strstr(why, "; write "));
		assert_int_equal(
			sscanf(strstr(why, "; write "), "; write %63s or %63s", first, second), 2);
		assert_int_equal(network_parse(first, strlen(first), &star, other), 0);
		assert_int_equal(network_parse(second, strlen(second), &prefix, other), 0);
		assert_memory_equal(star.address, prefix.address, 16);
		assert_memory_equal(star.mask, prefix.mask, 16);
	}
}

/* A long piece must not push the reason out of the message. */
static void test_long_piece(void **state)
{
	char text[4096], why[NETWORK_WHY_MAX];
	struct network network;

	(void)state;
	memset(text, '9', sizeof(text));
	assert_int_equal(network_parse(text, sizeof(text), &network, why), -EINVAL);
	assert_non_null(strstr(why, "is over 255"));
	memset(text, 'x', sizeof(text));
	assert_int_equal(network_parse(text, sizeof(text), &network, why), -EINVAL);
	assert_non_null(strstr(why, "host names"));
	memset(text, '0', sizeof(text));
	assert_int_equal(network_parse(text, sizeof(text), &network, why), -EINVAL);
	assert_non_null(strstr(why, "write 0"));
	memset(text, ':', sizeof(text));
	assert_int_equal(network_parse(text, sizeof(text), &network, why), -EINVAL);
	assert_non_null(strstr(why, "three colons"));
	memset(text, 'a', sizeof(text));
	text[0] = ':';
	assert_int_equal(network_parse(text, sizeof(text), &network, why), -EINVAL);
	assert_non_null(strstr(why, "more than 4 digits"));
	text[4094] = ':';
	text[4095] = '*';
	assert_int_equal(network_parse(text, sizeof(text), &network, why), -EINVAL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),   cmocka_unit_test(test_bits),
		cmocka_unit_test(test_refused),	   cmocka_unit_test(test_suggestions),
		cmocka_unit_test(test_long_piece),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
