// SPDX-License-Identifier: GPL-2.0-or-later
/* Text of numbers, times, addresses and names; see format.h. Knows no row and no file. */
#include "output/format.h"

#include <string.h>

static const char digit_pairs[] = "00010203040506070809"
				  "10111213141516171819"
				  "20212223242526272829"
				  "30313233343536373839"
				  "40414243444546474849"
				  "50515253545556575859"
				  "60616263646566676869"
				  "70717273747576777879"
				  "80818283848586878889"
				  "90919293949596979899";

static unsigned int count_digits(uint64_t number)
{
	/* clang-format off */
	static const uint64_t powers[] = {
		1ULL, 10ULL, 100ULL, 1000ULL, 10000ULL, 100000ULL, 1000000ULL, 10000000ULL,
		100000000ULL, 1000000000ULL, 10000000000ULL, 100000000000ULL, 1000000000000ULL,
		10000000000000ULL, 100000000000000ULL, 1000000000000000ULL, 10000000000000000ULL,
		100000000000000000ULL, 1000000000000000000ULL, 10000000000000000000ULL,
	};
	/* clang-format on */
	/* 1233 / 4096 is log10(2), near enough for 64 bits: the guess is right or one too few. */
	unsigned int bits = 64 - (unsigned int)__builtin_clzll(number | 1);
	unsigned int guess = bits * 1233 >> 12;

	return guess + ((number | 1) >= powers[guess]); /* 0 has a digit, as 1 has */
}

/* Exactly the last n digits, with zeroes in front. */
static char *put_digits(char *to, uint64_t number, unsigned int n)
{
	char *end = to + n, *at = end;

	for (; n >= 2; n -= 2, number /= 100) {
		at -= 2;
		memcpy(at, digit_pairs + number % 100 * 2, 2);
	}
	if (n)
		*--at = (char)('0' + number % 10);
	return end;
}

char *format_number(char *to, uint64_t number)
{
	return put_digits(to, number, count_digits(number));
}

const char *format_read_number(const char *text, uint64_t *ret)
{
	const char *at = text;
	uint64_t number = 0;

	for (; *at >= '0' && *at <= '9'; at++) {
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number))
			return NULL;
	}
	*ret = number;
	return at == text ? NULL : at;
}

char *format_time(char *to, uint64_t time_ns)
{
	to = format_number(to, time_ns / 1000000000);
	*to++ = '.';
	return put_digits(to, time_ns % 1000000000, 9);
}

static char *put_word(char *to, const char *word)
{
	size_t n = strlen(word);

	memcpy(to, word, n);
	return to + n;
}

/* The lengths of groups and octets are random, and a branch that guesses them wrong costs more than
 * all else here. So four digits are written always, and the first `length` of them kept. */
static char *put_hexadecimal(char *to, unsigned int group)
{
	static const char digits[] = "0123456789abcdef";
	unsigned int length = (35 - (unsigned int)__builtin_clz(group | 1)) / 4;
	unsigned int left = group << (16 - 4 * length);

	to[0] = digits[left >> 12 & 15];
	to[1] = digits[left >> 8 & 15];
	to[2] = digits[left >> 4 & 15];
	to[3] = digits[left & 15];
	return to + length;
}

static char *put_ipv4(char *to, const uint8_t address[4])
{
	for (int i = 0; i < 4; i++) {
		unsigned int octet = address[i];

		/* A digit in each four bits reads the same in hexadecimal. */
		to = put_hexadecimal(to, octet / 100 << 8 | octet / 10 % 10 << 4 | octet % 10);
		*to++ = '.';
	}
	return to - 1;
}

/* The first of the longest runs of at least two groups of zero, which `::` stands for. */
static void find_zeroes(const unsigned int groups[8], int *ret_from, int *ret_n)
{
	unsigned int zero = 0;
	int from = -1, n = 0;

	for (int i = 0; i < 8; i++)
		zero |= (unsigned int)!groups[i] << i;
	/* Most often there are no two of them side by side. */
	for (int i = 0, run = 0; zero & zero >> 1 && i < 8; i++) {
		run = groups[i] ? 0 : run + 1;
		if (run >= 2 && run > n) {
			n = run;
			from = i - run + 1;
		}
	}
	*ret_from = from;
	*ret_n = n;
}

/* By hand, as inet_ntop() takes longer than the rest of a row; a test holds the two together. */
static char *put_ipv6(char *to, const uint8_t address[16])
{
	unsigned int groups[8];
	int zeroes, n_zeroes;

	for (int i = 0; i < 8; i++)
		groups[i] = (unsigned int)address[2 * i] << 8 | address[2 * i + 1];
	find_zeroes(groups, &zeroes, &n_zeroes);

	for (int i = 0; i < 8; i++) {
		if (i == zeroes) {
			*to++ = ':';
			i += n_zeroes - 1;
			continue;
		}
		if (i)
			*to++ = ':';
		/* ::1.2.3.4 and ::ffff:1.2.3.4 */
		if (i == 6 && zeroes == 0 &&
		    (n_zeroes == 6 || (n_zeroes == 5 && groups[5] == 0xffff)))
			return put_ipv4(to, address + 12);
		to = put_hexadecimal(to, groups[i]);
	}
	if (zeroes >= 0 && zeroes + n_zeroes == 8)
		*to++ = ':';
	return to;
}

char *format_address(char *to, uint8_t family, const uint8_t address[16])
{
	switch (family) {
	case TRAFFIC_FAMILY_IPV4:
		return put_ipv4(to, address);
	case TRAFFIC_FAMILY_IPV6:
		return put_ipv6(to, address);
	}
	return to;
}

char *format_protocol(char *to, uint8_t protocol)
{
	static const char names[256][FORMAT_PROTOCOL_MAX] = {
		[1] = "icmp",	   [2] = "igmp",   [4] = "ipencap",	 [6] = "tcp",
		[17] = "udp",	   [33] = "dccp",  [41] = "ipv6",	 [46] = "rsvp",
		[47] = "gre",	   [50] = "esp",   [51] = "ah",		 [58] = "ipv6-icmp",
		[89] = "ospf",	   [94] = "ipip",  [97] = "etherip",	 [103] = "pim",
		[108] = "ipcomp",  [112] = "vrrp", [115] = "l2tp",	 [132] = "sctp",
		[136] = "udplite", [139] = "hip",  [137] = "mpls-in-ip",
	};

	if (names[protocol][0])
		return put_word(to, names[protocol]);
	return format_number(to, protocol);
}

char *format_direction(char *to, uint8_t direction)
{
	memcpy(to, direction == TRAFFIC_IN ? "in " : "out", 3);
	return to + (direction == TRAFFIC_IN ? 2 : 3);
}

char *format_step(char *to, uint8_t step)
{
	static const char names[][FORMAT_WORD_MAX] = {
		[TRAFFIC_STEP_PACKET] = "packet",
		[TRAFFIC_STEP_FLOW] = "flow",
		[TRAFFIC_STEP_USER] = "user",
		[TRAFFIC_STEP_TOTAL] = "total",
	};

	if (step < sizeof(names) / sizeof(*names) && names[step][0])
		return put_word(to, names[step]);
	return format_number(to, step);
}

size_t format_character_length(const char *text, size_t n)
{
	const unsigned char *byte = (const unsigned char *)text;
	/* What may follow first: narrower behind the first bytes that would allow overlong forms,
	 * surrogates and too large numbers. */
	unsigned char low, high;
	size_t length;

	if (byte[0] < 0x80)
		return 1;
	if (byte[0] < 0xc2 || byte[0] > 0xf4)
		return 0;
	length = byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : 4;
	low = byte[0] == 0xe0 ? 0xa0 : byte[0] == 0xf0 ? 0x90 : 0x80;
	high = byte[0] == 0xed ? 0x9f : byte[0] == 0xf4 ? 0x8f : 0xbf;
	if (n < length || byte[1] < low || byte[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++) {
		if (byte[i] < 0x80 || byte[i] > 0xbf)
			return 0;
	}
	return length;
}
