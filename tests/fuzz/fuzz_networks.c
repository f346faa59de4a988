// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer target for the untracked list: any bytes, and what must hold of whatever comes out.
 *	clang -fsanitize=fuzzer,address,undefined
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "networks/compiled.h"
#include "networks/networks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define require(condition)                                                              \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

struct told {
	unsigned int n, last_line;
};

static void require_printable(const char *text)
{
	for (; *text; text++)
		require(*text >= ' ' && *text <= '~');
}

static void check_error(void *userdata, const char *path, unsigned int line, const char *text,
			const char *why)
{
	struct told *told = userdata;

	require(strcmp(path, "list") == 0);
	require(line > told->last_line);
	require(strlen(text) <= 64 && *why && strlen(why) < NETWORK_WHY_MAX - 1);
	require_printable(text);
	require_printable(why);
	told->last_line = line;
	told->n++;
}

/* The wildcard of a mask that is no prefix, as network_format() tells it in other words. */
static void format_wildcard(const struct network *network, char text[NETWORK_TEXT_MAX])
{
	size_t end = 0;

	for (size_t i = 0; i < 4; i++) {
		require(network->mask[i] == 0 || network->mask[i] == 0xff);
		if (network->mask[i])
			end += (size_t)sprintf(text + end, "%s%u", i ? "." : "",
					       network->address[i]);
		else
			end += (size_t)sprintf(text + end, "%s*", i ? "." : "");
	}
}

static void require_same(const struct network *a, const struct network *b)
{
	require(a->family == b->family && a->prefix_length == b->prefix_length);
	require(memcmp(a->address, b->address, sizeof(a->address)) == 0);
	require(memcmp(a->mask, b->mask, sizeof(a->mask)) == 0);
}

/* What a network means, written, is that network. */
static void check_text(const struct network *network)
{
	char text[NETWORK_TEXT_MAX], why[NETWORK_WHY_MAX];
	struct network again;

	network_format(network, text);
	require(strlen(text) < NETWORK_TEXT_MAX - 1);
	if (network->prefix_length == NETWORK_NO_PREFIX) {
		require(strstr(text, " mask "));
		format_wildcard(network, text);
	}
	require(network_parse(text, strlen(text), &again, why) == 0);
	require(!again.bits_dropped);
	require_same(network, &again);
}

static void check_mask(const struct network *network)
{
	int bits = 0, width = network->family == 4 ? 32 : 128;
	bool gap = false;

	require(network->family == 4 || network->family == 6);
	for (int i = 0; i < 128; i++) {
		bool is_set = network->mask[i / 8] & (0x80 >> i % 8);

		require(!is_set || i < width);
		gap |= is_set && bits < i;
		bits += is_set;
	}
	for (size_t i = 0; i < 16; i++)
		require((network->address[i] & ~network->mask[i]) == 0);
	if (network->prefix_length == NETWORK_NO_PREFIX)
		require(network->family == 4 && gap);
	else
		require(!gap && bits == network->prefix_length);
}

/* As ipmask_tool prints it and the program has it again. */
static void check_compiled(const struct network *network)
{
	const uint8_t *a = network->address, *m = network->mask;
	struct ipv4_mask ipv4 = {
		__builtin_bswap32((uint32_t)a[0] << 24 | a[1] << 16 | a[2] << 8 | a[3]),
		__builtin_bswap32((uint32_t)m[0] << 24 | m[1] << 16 | m[2] << 8 | m[3]),
	};
	struct ipv6_mask ipv6 = { .prefix_length = (uint32_t)network->prefix_length };
	struct network_list list = { 0 };

	memcpy(ipv6.network, network->address, 16);
	require(network_list_add_compiled(&list, &ipv4, network->family == 4, &ipv6,
					  network->family == 6) == 0);
	require(list.n == 1);
	require_same(&list.networks[0], network);
	network_list_free(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct network untouched;
	struct network_list list = { &untouched, 1, 1 };
	struct told told = { 0 };
	uint32_t last_line = 0;
	int r;

	r = network_list_parse((const char *)data, size, "list", check_error, &told, &list);
	if (r < 0) {
		require(r == -EINVAL && told.n > 0);
		require(list.networks == &untouched && list.n == 1);
		return 0;
	}
	require(told.n == 0);
	for (size_t i = 0; i < list.n; i++) {
		require(list.networks[i].line > last_line);
		last_line = list.networks[i].line;
		check_mask(&list.networks[i]);
		check_text(&list.networks[i]);
		check_compiled(&list.networks[i]);
	}
	network_list_free(&list);
	return 0;
}
