// SPDX-License-Identifier: GPL-2.0-or-later
/* Text of numbers, times, addresses, names: against what the C library says where it has a say. */
#include "output/format.h"

#include <inttypes.h>
#include <netdb.h>

#include "output_fixture.h"

/* Fails too when a byte beyond `max` was touched. */
#define FORMATTED(max, call)                                                       \
	({                                                                         \
		static char formatted[(max) + 2];                                  \
		char *end, *to = formatted;                                        \
		memset(formatted, '#', sizeof(formatted));                         \
		end = call;                                                        \
		assert_int_equal(formatted[max], '#');                             \
		assert_true(end >= formatted && (size_t)(end - formatted) <= max); \
		*end = '\0';                                                       \
		formatted;                                                         \
	})

static void assert_number(uint64_t number)
{
	char expected[32];

	snprintf(expected, sizeof(expected), "%" PRIu64, number);
	assert_string_equal(FORMATTED(FORMAT_NUMBER_MAX, format_number(to, number)), expected);
}

static void numbers(void **state)
{
	uint64_t power = 1;

	(void)state;
	for (int i = 0; i < 20; i++, power *= 10) {
		assert_number(power - 1);
		assert_number(power);
		assert_number(power + 1);
	}
	for (int i = 0; i < 64; i++) {
		assert_number(UINT64_C(1) << i);
		assert_number((UINT64_C(1) << i) - 1);
	}
	assert_number(0);
	assert_number(UINT64_MAX);
}

static void times(void **state)
{
	(void)state;
	assert_string_equal(FORMATTED(FORMAT_TIME_MAX, format_time(to, 1732985432123456789)),
			    "1732985432.123456789");
	assert_string_equal(FORMATTED(FORMAT_TIME_MAX, format_time(to, 1732985432000000001)),
			    "1732985432.000000001");
	assert_string_equal(FORMATTED(FORMAT_TIME_MAX, format_time(to, 0)), "0.000000000");
	assert_string_equal(FORMATTED(FORMAT_TIME_MAX, format_time(to, 999999999)), "0.999999999");
	assert_string_equal(FORMATTED(FORMAT_TIME_MAX, format_time(to, UINT64_MAX)),
			    "18446744073.709551615");
}

static void assert_address(uint8_t family, const uint8_t address[16])
{
	char expected[INET6_ADDRSTRLEN];

	assert_non_null(inet_ntop(family == TRAFFIC_FAMILY_IPV4 ? AF_INET : AF_INET6, address,
				  expected, sizeof(expected)));
	assert_string_equal(FORMATTED(FORMAT_ADDRESS_MAX, format_address(to, family, address)),
			    expected);
}

static void addresses_ipv4(void **state)
{
	uint8_t address[16] = { 0 };

	(void)state;
	for (unsigned int octet = 0; octet < 256; octet++) {
		memset(address, (int)octet, 4);
		assert_address(TRAFFIC_FAMILY_IPV4, address);
	}
	srandom(1);
	for (int i = 0; i < 100000; i++) {
		for (int j = 0; j < 4; j++)
			address[j] = (uint8_t)random();
		assert_address(TRAFFIC_FAMILY_IPV4, address);
	}
}

/* Every pattern of zero and other groups, and groups of every length: as inet_ntop() has it. */
static void addresses_ipv6(void **state)
{
	static const uint16_t groups[] = { 1, 0x1f, 0x123, 0x1234, 0xffff };
	uint8_t address[16];

	(void)state;
	for (unsigned int zeroes = 0; zeroes < 256; zeroes++) {
		for (unsigned int i = 0; i < 5 * 8; i++) {
			for (unsigned int j = 0; j < 8; j++) {
				uint16_t group = zeroes >> j & 1 ? 0 : groups[(i / 8 + i * j) % 5];

				address[2 * j] = (uint8_t)(group >> 8);
				address[2 * j + 1] = (uint8_t)group;
			}
			assert_address(TRAFFIC_FAMILY_IPV6, address);
		}
	}
	srandom(1);
	for (int i = 0; i < 100000; i++) {
		for (int j = 0; j < 16; j++)
			address[j] = random() % 3 ? (uint8_t)random() : 0;
		assert_address(TRAFFIC_FAMILY_IPV6, address);
	}
}

static void addresses_known(void **state)
{
	static const char *const texts[] = {
		"::",
		"::1",
		"1::",
		"2001:db8::1",
		"fe80::1:0:0:1",
		"::ffff:192.0.2.7",
		"::192.0.2.7",
		"2001:db8:0:1:1:1:1:1",
	};
	uint8_t address[16];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		assert_int_equal(inet_pton(AF_INET6, texts[i], address), 1);
		assert_string_equal(FORMATTED(FORMAT_ADDRESS_MAX,
					      format_address(to, TRAFFIC_FAMILY_IPV6, address)),
				    texts[i]);
	}
	assert_string_equal(
		FORMATTED(FORMAT_ADDRESS_MAX, format_address(to, TRAFFIC_FAMILY_NONE, address)),
		"");
}

static void protocols(void **state)
{
	size_t named = 0;

	(void)state;
	assert_string_equal(FORMATTED(FORMAT_PROTOCOL_MAX, format_protocol(to, 6)), "tcp");
	assert_string_equal(FORMATTED(FORMAT_PROTOCOL_MAX, format_protocol(to, 17)), "udp");
	assert_string_equal(FORMATTED(FORMAT_PROTOCOL_MAX, format_protocol(to, 1)), "icmp");
	assert_string_equal(FORMATTED(FORMAT_PROTOCOL_MAX, format_protocol(to, 58)), "ipv6-icmp");
	assert_string_equal(FORMATTED(FORMAT_PROTOCOL_MAX, format_protocol(to, 132)), "sctp");
	assert_string_equal(FORMATTED(FORMAT_PROTOCOL_MAX, format_protocol(to, 253)), "253");
	assert_string_equal(FORMATTED(FORMAT_PROTOCOL_MAX, format_protocol(to, 0)), "0");

	/* Where the machine has /etc/protocols, the names are its own; but for 4, of which there are
	 * two names about. */
	for (int i = 0; i < 256; i++) {
		const char *text = FORMATTED(FORMAT_PROTOCOL_MAX, format_protocol(to, (uint8_t)i));
		const struct protoent *entry = getprotobynumber(i);

		if (*text >= '0' && *text <= '9')
			continue;
		named++;
		if (entry && i != 4)
			assert_string_equal(text, entry->p_name);
	}
	assert_true(named >= 20);
}

static void words(void **state)
{
	(void)state;
	assert_string_equal(FORMATTED(FORMAT_WORD_MAX, format_direction(to, TRAFFIC_IN)), "in");
	assert_string_equal(FORMATTED(FORMAT_WORD_MAX, format_direction(to, TRAFFIC_OUT)), "out");
	assert_string_equal(FORMATTED(FORMAT_WORD_MAX, format_step(to, TRAFFIC_STEP_PACKET)),
			    "packet");
	assert_string_equal(FORMATTED(FORMAT_WORD_MAX, format_step(to, TRAFFIC_STEP_FLOW)), "flow");
	assert_string_equal(FORMATTED(FORMAT_WORD_MAX, format_step(to, TRAFFIC_STEP_USER)), "user");
	assert_string_equal(FORMATTED(FORMAT_WORD_MAX, format_step(to, TRAFFIC_STEP_TOTAL)),
			    "total");
	assert_string_equal(FORMATTED(FORMAT_WORD_MAX, format_step(to, 0)), "0");
	assert_string_equal(FORMATTED(FORMAT_WORD_MAX, format_step(to, 255)), "255");
}

static size_t encode(uint32_t character, char text[4])
{
	if (character < 0x80) {
		text[0] = (char)character;
		return 1;
	}
	if (character < 0x800) {
		text[0] = (char)(0xc0 | character >> 6);
		text[1] = (char)(0x80 | (character & 63));
		return 2;
	}
	if (character < 0x10000) {
		text[0] = (char)(0xe0 | character >> 12);
		text[1] = (char)(0x80 | (character >> 6 & 63));
		text[2] = (char)(0x80 | (character & 63));
		return 3;
	}
	text[0] = (char)(0xf0 | character >> 18);
	text[1] = (char)(0x80 | (character >> 12 & 63));
	text[2] = (char)(0x80 | (character >> 6 & 63));
	text[3] = (char)(0x80 | (character & 63));
	return 4;
}

/* All there are, and each cut short. */
static void characters(void **state)
{
	(void)state;
	for (uint32_t character = 0; character < 0x120000; character++) {
		bool valid = character <= 0x10ffff && !(character >= 0xd800 && character < 0xe000);
		char text[4];
		size_t length = encode(character, text);

		assert_int_equal(format_character_length(text, length), valid ? length : 0);
		if (length > 1)
			assert_int_equal(format_character_length(text, length - 1), 0);
	}
}

static void not_characters(void **state)
{
	static const char *const texts[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xe0\x9f\xbf",
		"\xf0\x8f\xbf\xbf",
		"\xf5\x80\x80\x80",
		"\xff",
		"\xfe\x80",
		"\xc3(",
		"\xe2\x82(",
		"\xf0\x9f\x92(",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_int_equal(format_character_length(texts[i], strlen(texts[i])), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),	   cmocka_unit_test(times),
		cmocka_unit_test(addresses_ipv4),  cmocka_unit_test(addresses_ipv6),
		cmocka_unit_test(addresses_known), cmocka_unit_test(protocols),
		cmocka_unit_test(words),	   cmocka_unit_test(characters),
		cmocka_unit_test(not_characters),
	};

	return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
