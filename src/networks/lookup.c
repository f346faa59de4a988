// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whose an address is. Prefixes hold one another or are apart, so they cut the addresses into spans that each
 * belong to one of them: a look-up is a search for the span, without a branch that a processor could guess
 * wrong. The starts' high halves stand apart, as one cache line then has eight of them; an IPv4 address is a
 * high half alone. IPv4 networks whose masks are no prefixes (there are 11 such masks) are searched for by
 * mask, where they are more exact than the prefix.
 */
#include <endian.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "networks/named.h"
#include "util/cleanup.h"

#define MASKS_MAX 11
#define DEPTH_MAX 130 /* of prefixes that hold one another, and the root */

/* All arrays have n entries; the first span begins at address 0. */
struct spans {
	size_t n;
	uint64_t *high, *low;
	uint8_t *name;
	uint8_t *bits; /* NULL: there are no masks to compare with */
};

/* Networks of one mask that is no prefix. */
struct masked {
	uint32_t mask;
	uint8_t bits;
	size_t n;
	uint64_t *addresses; /* in order */
	uint8_t *name;
};

struct network_names {
	atomic_uint references;
	struct spans ipv4, ipv6;
	struct masked masked[MASKS_MAX]; /* the most exact first */
	size_t n_masked;
	char names[NETWORK_NAMES_MAX + 1][NETWORK_NAME_SIZE];
};

struct address {
	uint64_t high, low;
};

struct prefix {
	struct address start, end; /* the end is in it */
	uint8_t bits, name;
};

static struct address address_of(uint8_t family, const uint8_t bytes[16])
{
	struct address address = { 0 };
	uint32_t word;

	if (family == 4) {
		memcpy(&word, bytes, sizeof(word));
		address.high = be32toh(word);
	} else {
		memcpy(&address, bytes, sizeof(address));
		address.high = be64toh(address.high);
		address.low = be64toh(address.low);
	}
	return address;
}

static int compare_addresses(const struct address *a, const struct address *b)
{
	if (a->high != b->high)
		return a->high < b->high ? -1 : 1;
	return a->low < b->low ? -1 : a->low > b->low;
}

/* One that holds another comes before it. */
static int compare_prefixes(const void *a, const void *b)
{
	const struct prefix *x = a, *y = b;
	int r = compare_addresses(&x->start, &y->start);

	return r ? r : x->bits - y->bits;
}

static struct prefix prefix_of(const struct network *network)
{
	struct prefix prefix = {
		.start = address_of(network->family, network->address),
		.end = address_of(network->family, network->mask),
		.bits = (uint8_t)network->prefix_length,
		.name = network->name,
	};

	prefix.end.high = prefix.start.high | ~prefix.end.high;
	prefix.end.low = prefix.start.low | ~prefix.end.low;
	if (network->family == 4) {
		prefix.end.high &= UINT32_MAX;
		prefix.end.low = 0;
	}
	return prefix;
}

static void put_span(struct spans *spans, struct address start, const struct prefix *owner)
{
	size_t n = spans->n;

	/* A prefix that begins where the last span does is more exact. */
	if (n && spans->high[n - 1] == start.high && spans->low[n - 1] == start.low)
		n--;
	if (n && spans->name[n - 1] == owner->name &&
	    (!spans->bits || spans->bits[n - 1] == owner->bits)) {
		spans->n = n;
		return;
	}
	spans->high[n] = start.high;
	spans->low[n] = start.low;
	spans->name[n] = owner->name;
	if (spans->bits)
		spans->bits[n] = owner->bits;
	spans->n = n + 1;
}

/* The first address behind the prefix. False: there is none. */
static bool after(const struct prefix *prefix, uint8_t family, struct address *ret)
{
	*ret = prefix->end;
	if (family == 4)
		return ret->high++ < UINT32_MAX;
	return ++ret->low || ++ret->high;
}

static void cut(struct spans *spans, uint8_t family, const struct prefix *prefixes, size_t n)
{
	struct prefix root = { .end = { UINT64_MAX, UINT64_MAX }, .name = NETWORK_INTERNET };
	const struct prefix *open[DEPTH_MAX] = { &root };
	size_t depth = 1;
	struct address end;

	put_span(spans, root.start, &root);
	for (size_t i = 0; i <= n; i++) {
		while (depth > 1 &&
		       (i == n || compare_addresses(&open[depth - 1]->end, &prefixes[i].start) < 0))
			if (after(open[--depth], family, &end))
				put_span(spans, end, open[depth - 1]);
		/* The same prefix twice would be as deep as there are lines. */
		if (i == n || (depth > 1 && compare_prefixes(open[depth - 1], &prefixes[i]) == 0))
			continue;
		put_span(spans, prefixes[i].start, &prefixes[i]);
		open[depth++] = &prefixes[i];
	}
}

static int make_spans(struct spans *spans, const struct network_list *list, uint8_t family,
		      bool with_bits)
{
	_cleanup_free_ struct prefix *prefixes = calloc(list->n ?: 1, sizeof(*prefixes));
	size_t n = 0, room;

	if (!prefixes)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++)
		if (list->networks[i].family == family &&
		    list->networks[i].prefix_length != NETWORK_NO_PREFIX)
			prefixes[n++] = prefix_of(&list->networks[i]);
	qsort(prefixes, n, sizeof(*prefixes), compare_prefixes);
	room = 2 * n + 1;
	spans->high = calloc(room, sizeof(*spans->high));
	spans->low = calloc(room, sizeof(*spans->low));
	spans->name = calloc(room, 1);
	spans->bits = with_bits ? calloc(room, 1) : NULL;
	if (!spans->high || !spans->low || !spans->name || (with_bits && !spans->bits))
		return -ENOMEM;
	cut(spans, family, prefixes, n);
	return 0;
}

static int compare_masked(const void *a, const void *b)
{
	const struct network *x = *(const struct network *const *)a;
	const struct network *y = *(const struct network *const *)b;
	int x_bits = __builtin_popcountll(address_of(4, x->mask).high);
	int y_bits = __builtin_popcountll(address_of(4, y->mask).high);
	int r = y_bits - x_bits;

	if (!r)
		r = memcmp(y->mask, x->mask, 4);
	return r ? r : memcmp(x->address, y->address, 4);
}

/* Networks of the mask are the first n. */
static int add_mask(struct network_names *names, const struct network *const *networks, size_t n)
{
	struct masked *masked = &names->masked[names->n_masked++];

	*masked = (struct masked){
		.mask = (uint32_t)address_of(4, networks[0]->mask).high,
		.n = n,
		.addresses = calloc(n, sizeof(*masked->addresses)),
		.name = calloc(n, 1),
	};
	if (!masked->addresses || !masked->name)
		return -ENOMEM;
	masked->bits = (uint8_t)__builtin_popcount(masked->mask);
	for (size_t i = 0; i < n; i++) {
		masked->addresses[i] = address_of(4, networks[i]->address).high;
		masked->name[i] = networks[i]->name;
	}
	return 0;
}

static int make_masked(struct network_names *names, const struct network_list *list)
{
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
	_cleanup_free_ const struct network **sorted = calloc(list->n ?: 1, sizeof(*sorted));
	size_t n = 0, end;
	int r = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++)
		if (list->networks[i].prefix_length == NETWORK_NO_PREFIX)
			sorted[n++] = &list->networks[i];
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): likewise */
	qsort(sorted, n, sizeof(*sorted), compare_masked);
	for (size_t i = 0; i < n && r == 0; i = end) {
		for (end = i + 1; end < n && memcmp(sorted[end]->mask, sorted[i]->mask, 4) == 0;)
			end++;
		r = add_mask(names, sorted + i, end - i);
	}
	return r;
}

static void free_spans(struct spans *spans)
{
	free(spans->high);
	free(spans->low);
	free(spans->name);
	free(spans->bits);
}

static void free_names(struct network_names *names)
{
	free_spans(&names->ipv4);
	free_spans(&names->ipv6);
	for (size_t i = 0; i < names->n_masked; i++) {
		free(names->masked[i].addresses);
		free(names->masked[i].name);
	}
	free(names);
}

int network_names_new(struct network_names **ret, const struct named_list *list)
{
	struct network_names *names = calloc(1, sizeof(*names));
	int r;

	if (!names)
		return -ENOMEM;
	atomic_init(&names->references, 1);
	memcpy(names->names, list->names, sizeof(names->names));
	if ((r = make_masked(names, &list->list)) < 0 ||
	    (r = make_spans(&names->ipv4, &list->list, 4, names->n_masked > 0)) < 0 ||
	    (r = make_spans(&names->ipv6, &list->list, 6, false)) < 0) {
		free_names(names);
		return r;
	}
	*ret = names;
	return 0;
}

struct network_names *network_names_ref(struct network_names *names)
{
	/* Who takes a reference holds one already. */
	if (names)
		atomic_fetch_add_explicit(&names->references, 1, memory_order_relaxed);
	return names;
}

void network_names_unref(struct network_names *names)
{
	/* All look-ups by this thread come before the free() by another. */
	if (names && atomic_fetch_sub_explicit(&names->references, 1, memory_order_acq_rel) == 1)
		free_names(names);
}

/* The last of n >= 1 values in order that is at most the key, or the first one. */
static size_t last_at_most(const uint64_t *values, size_t n, uint64_t key)
{
	const uint64_t *base = values;

	while (n > 1) {
		size_t half = n / 2;

		base += base[half] <= key ? half : 0;
		n -= half;
	}
	return (size_t)(base - values);
}

static size_t find_span(const struct spans *spans, struct address address)
{
	size_t last = last_at_most(spans->high, spans->n, address.high), first;

	if (spans->high[last] != address.high || spans->low[last] <= address.low)
		return last;
	/* Spans begin in this half: it was none of these if it was not the first of them. */
	first = address.high ? last_at_most(spans->high, spans->n, address.high - 1) + 1 : 0;
	if (spans->low[first] > address.low)
		return first - 1;
	return first + last_at_most(spans->low + first, last - first + 1, address.low);
}

unsigned int network_names_find(const struct network_names *names, uint8_t family,
				const uint8_t bytes[16])
{
	const struct spans *spans = family == 4 ? &names->ipv4 : &names->ipv6;
	struct address address = address_of(family, bytes);
	size_t span = find_span(spans, address);

	for (size_t i = 0; family == 4 && i < names->n_masked; i++) {
		const struct masked *masked = &names->masked[i];
		uint64_t key = address.high & masked->mask;
		size_t at;

		if (masked->bits <= spans->bits[span])
			break;
		at = last_at_most(masked->addresses, masked->n, key);
		if (masked->addresses[at] == key)
			return masked->name[at];
	}
	return spans->name[span];
}

const char *network_names_name(const struct network_names *names, unsigned int index)
{
	return names->names[index];
}
