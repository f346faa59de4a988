// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One network: from text, and back to text. Owns the grammar of a network and the words for what
 * is wrong with one; the lines and files around it are list.c's.
 *
 * The grammar is strict, as a list that is not meant as it is read loses somebody's bytes without
 * a trace: what programs read in different ways (octets with leading zeros, "10.1") is refused.
 */
#include "networks/networks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A piece of the text being parsed. */
struct piece {
	const char *text;
	size_t length;
};

/* Pieces are quoted in reasons, and must not push the reason out of its line. */
#define QUOTE_MAX	24
#define QUOTE(piece)	((int)((piece).length < QUOTE_MAX ? (piece).length : QUOTE_MAX)), (piece).text
#define IPV6_GROUPS	8
#define IPV6_GROUPS_MAX (IPV6_GROUPS * 5 - 1) /* characters of 8 groups with their colons */

__attribute__((format(printf, 2, 3))) static int refuse(char *why, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, NETWORK_WHY_MAX, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static const char *find(struct piece piece, char byte)
{
	return memchr(piece.text, byte, piece.length);
}

static size_t count(struct piece piece, char byte)
{
	size_t n = 0;

	for (size_t i = 0; i < piece.length; i++)
		n += piece.text[i] == byte;
	return n;
}

static bool only(struct piece piece, const char *allowed)
{
	for (size_t i = 0; i < piece.length; i++)
		if (!piece.text[i] || !strchr(allowed, piece.text[i]))
			return false;
	return true;
}

/* Take the next piece up to the separator. False when it was the last one. */
static bool next_piece(struct piece *rest, char separator, struct piece *ret)
{
	const char *end = find(*rest, separator);

	ret->text = rest->text;
	ret->length = end ? (size_t)(end - rest->text) : rest->length;
	if (!end)
		return false;
	rest->length -= ret->length + 1;
	rest->text = end + 1;
	return true;
}

/* What no network holds, and what people write all the same. */
static int check_characters(struct piece text, char *why)
{
	if (!text.length)
		return refuse(why, "is empty");
	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = (unsigned char)text.text[i];

		if (c == ' ' || c == '\t')
			return refuse(why, "is more than one word; write one network a line, and a "
					   "mask as a prefix length: 10.0.0.0/8");
		if (c >= 0x80)
			return refuse(why, "holds a byte that is not ASCII; save the list as plain "
					   "text (without a byte order mark)");
		if (c < ' ' || c == 0x7f)
			return refuse(why, "holds a control character; save the list as plain text "
					   "with a newline behind each line");
	}
	if (find(text, '%'))
		return refuse(why, "a zone, %%eth0, is no part of a network; leave it out");
	if (find(text, '[') || find(text, ']'))
		return refuse(why, "an address is written without brackets, as 2001:db8::1");
	return 0;
}

/* *ret is from 0 to maximum. */
static int parse_prefix(struct piece text, unsigned int maximum, unsigned int *ret, char *why)
{
	unsigned int value = 0;

	if (!text.length)
		return refuse(why, "has no prefix length behind the /; write one from 0 to %u",
			      maximum);
	if (only(text, "0123456789abcdefABCDEF.:") && (find(text, '.') || find(text, ':')))
		return refuse(why, "the mask is written as a prefix length: /8, not /255.0.0.0");
	if (!only(text, "0123456789"))
		return refuse(why, "prefix length /%.*s is no number from 0 to %u", QUOTE(text),
			      maximum);
	if (text.length > 1 && text.text[0] == '0')
		return refuse(why, "prefix length /%.*s has a leading zero; leave it out",
			      QUOTE(text));
	for (size_t i = 0; i < text.length && value <= maximum; i++)
		value = value * 10 + (unsigned int)(text.text[i] - '0');
	if (value > maximum)
		return refuse(why, "prefix length /%.*s is over %u", QUOTE(text), maximum);
	*ret = value;
	return 0;
}

void network_set_prefix(struct network *network, unsigned int bits)
{
	network->prefix_length = (int16_t)bits;
	for (size_t i = 0; i < sizeof(network->mask); i++) {
		unsigned int ones = bits < 8 ? bits : 8;

		network->mask[i] = (uint8_t)(0xff00u >> ones);
		network->bits_dropped |= network->address[i] & ~network->mask[i];
		network->address[i] &= network->mask[i];
		bits -= ones;
	}
}

static int parse_octet(struct piece octet, uint8_t *ret_value, uint8_t *ret_mask, char *why)
{
	size_t zeros = 0;
	unsigned int value = 0;

	if (!octet.length)
		return refuse(why, "has an empty octet; an IPv4 address is four octets with a dot "
				   "between them, as 192.0.2.7");
	if (octet.length == 1 && octet.text[0] == '*') {
		*ret_value = *ret_mask = 0;
		return 0;
	}
	if (only(octet, "0123456789*") && find(octet, '*'))
		return refuse(why, "octet %.*s: a star stands for one whole octet, as in 10.0.*.*",
			      QUOTE(octet));
	if (!only(octet, "0123456789"))
		return refuse(why,
			      "`%.*s` is no octet, which is a number from 0 to 255 or a star; "
			      "host names are not looked up",
			      QUOTE(octet));
	while (zeros + 1 < octet.length && octet.text[zeros] == '0')
		zeros++;
	if (zeros)
		return refuse(why,
			      "octet %.*s is ambiguous, as leading zeros mean octal to some; "
			      "write %.*s",
			      QUOTE(octet),
			      QUOTE(((struct piece){ octet.text + zeros, octet.length - zeros })));
	for (size_t i = 0; i < octet.length && value <= 255; i++)
		value = value * 10 + (unsigned int)(octet.text[i] - '0');
	if (value > 255)
		return refuse(why, "octet %.*s is over 255", QUOTE(octet));
	*ret_value = (uint8_t)value;
	*ret_mask = 0xff;
	return 0;
}

/* Fewer than 4 octets: others guess what is meant, we say how to write it. */
static int refuse_short_ipv4(struct piece text, size_t n, const unsigned int *prefix, char *why)
{
	int missing = (int)(4 - n), length = (int)text.length;

	if (prefix)
		return refuse(why, "has %zu of 4 octets; write %.*s%.*s/%u", n, length, text.text,
			      missing * 2, ".0.0.0", *prefix);
	if (find(text, '*'))
		return refuse(why, "has %zu of 4 octets; write %.*s%.*s", n, length, text.text,
			      missing * 2, ".*.*.*");
	return refuse(why, "has %zu of 4 octets; write %.*s%.*s or %.*s%.*s/%zu", n, length,
		      text.text, missing * 2, ".*.*.*", length, text.text, missing * 2, ".0.0.0",
		      n * 8);
}

/* By hand, as inet_pton(3) knows no star and can't say what is wrong. prefix: NULL if none. */
static int parse_ipv4(struct piece text, const unsigned int *prefix, struct network *network,
		      char *why)
{
	struct piece rest = text, octet;
	size_t n = 0, ones = 0, bits = 0;
	bool more;
	int r;

	do {
		if (n == 4)
			return refuse(why, "has %zu octets; an IPv4 address has 4",
				      count(text, '.') + 1);
		more = next_piece(&rest, '.', &octet);
		r = parse_octet(octet, &network->address[n], &network->mask[n], why);
		if (r < 0)
			return r;
		n++;
	} while (more);
	if (n < 4)
		return refuse_short_ipv4(text, n, prefix, why);

	network->family = 4;
	if (prefix) {
		network_set_prefix(network, *prefix);
		return 0;
	}
	while (ones < 4 && network->mask[ones])
		ones++;
	for (size_t i = 0; i < 4; i++)
		bits += network->mask[i] ? 8 : 0;
	network->prefix_length = (int16_t)(bits == ones * 8 ? (int)bits : NETWORK_NO_PREFIX);
	return 0;
}

/* The group that no IPv6 address can hold, if there is one. */
static int check_ipv6_groups(struct piece text, char *why)
{
	struct piece rest = text, group;
	bool more;

	do {
		more = next_piece(&rest, ':', &group);
		if (!only(group, "0123456789abcdefABCDEF"))
			return refuse(why,
				      "`%.*s` is no group, which is up to 4 hexadecimal digits",
				      QUOTE(group));
		if (group.length > 4)
			return refuse(why, "group %.*s has more than 4 digits", QUOTE(group));
	} while (more);
	return 0;
}

/* inet_pton(3) has refused it, but can't say why. prefix: NULL if none. */
static int refuse_ipv6(struct piece text, const unsigned int *prefix, char *why)
{
	size_t n = count(text, ':') + 1, gaps = 0;
	int r, length = (int)text.length;

	if (find(text, '.') && n == 2)
		return refuse(why, "a port is no part of a network; write the address alone");
	if (find(text, '.'))
		return refuse(why, "an IPv4 address in an IPv6 one is its last part and whole, as "
				   "in ::ffff:192.0.2.1");
	r = check_ipv6_groups(text, why);
	if (r < 0)
		return r;

	/* From here on there are only hexadecimal digits and colons. */
	for (size_t i = 0; i + 1 < text.length; i++) {
		if (text.text[i] != ':' || text.text[i + 1] != ':')
			continue;
		if (i + 2 < text.length && text.text[i + 2] == ':')
			return refuse(why,
				      "has three colons in a row; `::` stands for groups of 0");
		gaps++;
	}
	if (gaps > 1)
		return refuse(why, "has `::` twice, which leaves open what each stands for");
	if (gaps)
		return refuse(why,
			      "has too many groups; an IPv6 address has 8, and `::` stands for "
			      "one at least");
	if (text.text[0] == ':' || text.text[text.length - 1] == ':')
		return refuse(why, "begins or ends with one colon; write `::` for groups of 0");
	if (n > IPV6_GROUPS)
		return refuse(why, "has %zu groups; an IPv6 address has 8", n);
	if (n == IPV6_GROUPS) /* not known to happen */
		return refuse(why, "is no IPv6 address");
	if (prefix)
		return refuse(why, "has %zu of 8 groups; write %.*s::/%u", n, length, text.text,
			      *prefix);
	return refuse(why, "has %zu of 8 groups; write %.*s::* or %.*s::/%zu", n, length, text.text,
		      length, text.text, n * 16);
}

/* The groups in front of the star, or the reason why they are no prefix. */
static int split_ipv6_star(struct piece text, struct piece *ret_groups, char *why)
{
	const char *star = find(text, '*'), *last = text.text + text.length - 1;
	struct piece groups = { text.text, text.length - 1 };

	if ((star > text.text && star[-1] != ':') || (star < last && star[1] != ':'))
		return refuse(why, "an IPv6 star stands for whole groups, as in 2001:db8::*");
	if (star < last)
		return refuse(why, "an IPv6 star must be the last group");
	if (find(text, '.'))
		return refuse(why, "an IPv6 star can't follow an IPv4 part; write the groups in "
				   "hexadecimal");

	/* The star stands for all the rest, with one colon before it or two. */
	groups.length--;
	if (groups.length && groups.text[groups.length - 1] == ':')
		groups.length--;
	else if (!groups.length)
		return refuse(why, "begins with one colon; write ::* for all of IPv6");

	for (size_t i = 0; i + 1 < groups.length; i++)
		if (groups.text[i] == ':' && groups.text[i + 1] == ':')
			return refuse(why, "`::` in front of other groups leaves open how many the "
					   "star stands for; write the groups out");
	if (groups.length && (groups.text[0] == ':' || groups.text[groups.length - 1] == ':'))
		return refuse(why, "has an empty group in front of the star");
	*ret_groups = groups;
	return 0;
}

static int parse_ipv6_star(struct piece text, struct network *network, char *why)
{
	char address[IPV6_GROUPS_MAX + 2 * IPV6_GROUPS + 1];
	struct piece groups;
	size_t n, end;
	int r;

	r = split_ipv6_star(text, &groups, why);
	if (r < 0)
		return r;
	/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Branch): refuse() returns -EINVAL. */
	n = groups.length ? count(groups, ':') + 1 : 0;
	if (n >= IPV6_GROUPS)
		return refuse(why, "has %zu groups in front of the star; an IPv6 address has 8", n);
	r = check_ipv6_groups(groups, why);
	if (r < 0)
		return r;

	/* At most 7 groups of at most 4 digits. Zeros in the star's place make it an address. */
	memcpy(address, groups.text, groups.length);
	end = groups.length;
	for (size_t i = n; i < IPV6_GROUPS; i++) {
		if (end)
			address[end++] = ':';
		address[end++] = '0';
	}
	address[end] = '\0';
	if (inet_pton(AF_INET6, address, network->address) != 1)
		return refuse(why, "is no IPv6 network");
	network->family = 6;
	network_set_prefix(network, (unsigned int)n * 16);
	return 0;
}

static int parse_ipv6(struct piece text, const unsigned int *prefix, struct network *network,
		      char *why)
{
	char address[INET6_ADDRSTRLEN];

	if (find(text, '*'))
		return parse_ipv6_star(text, network, why);
	if (text.length >= sizeof(address))
		return refuse_ipv6(text, prefix, why);
	memcpy(address, text.text, text.length);
	address[text.length] = '\0';
	if (inet_pton(AF_INET6, address, network->address) != 1)
		return refuse_ipv6(text, prefix, why);
	network->family = 6;
	network_set_prefix(network, prefix ? *prefix : 128);
	return 0;
}

int network_parse(const char *text, size_t length, struct network *ret, char why[NETWORK_WHY_MAX])
{
	struct piece rest = { text, length }, address;
	struct network network = { 0 };
	unsigned int prefix = 0;
	bool has_prefix, is_ipv6;
	int r;

	r = check_characters(rest, why);
	if (r < 0)
		return r;
	has_prefix = next_piece(&rest, '/', &address);
	if (!address.length)
		return refuse(why, "has no address in front of the /");
	if (find(address, '-') && only(address, "0123456789abcdefABCDEF.:*-"))
		return refuse(why,
			      "a range is not understood; write it as networks, one a line, as "
			      "192.0.2.0/29");
	if (address.length == 1 && address.text[0] == '*')
		return refuse(why, "a plain star names no family; write *.*.*.* for all of IPv4, "
				   "::* for all of IPv6");
	if (has_prefix && find(address, '*'))
		return refuse(why, "has a star and a prefix length; write one of them, 10.0.*.* or "
				   "10.0.0.0/16");
	is_ipv6 = find(address, ':');
	if (has_prefix) {
		r = parse_prefix(rest, is_ipv6 ? 128 : 32, &prefix, why);
		if (r < 0)
			return r;
	}

	r = (is_ipv6 ? parse_ipv6 : parse_ipv4)(address, has_prefix ? &prefix : NULL, &network,
						why);
	if (r < 0)
		return r;
	*ret = network;
	return 0;
}

void network_format(const struct network *network, char text[NETWORK_TEXT_MAX])
{
	char address[INET6_ADDRSTRLEN], mask[INET_ADDRSTRLEN];

	inet_ntop(network->family == 6 ? AF_INET6 : AF_INET, network->address, address,
		  sizeof(address));
	if (network->prefix_length != NETWORK_NO_PREFIX)
		snprintf(text, NETWORK_TEXT_MAX, "%s/%d", address, network->prefix_length);
	else
		snprintf(text, NETWORK_TEXT_MAX, "%s mask %s", address,
			 inet_ntop(AF_INET, network->mask, mask, sizeof(mask)));
}
