// SPDX-License-Identifier: GPL-2.0-or-later
/* Rows come in runs, so the key of the row before is tried first; then an open hash. */
#include "spool/dictionary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void dictionary_clear(struct dictionary *dictionary)
{
	if (dictionary->n_keys)
		memset(dictionary->slots, 0, sizeof(dictionary->slots));
	dictionary->n_keys = dictionary->used = 0;
	dictionary->last = 0;
}

void dictionary_free(struct dictionary *dictionary)
{
	free(dictionary->keys);
	dictionary->keys = NULL;
	dictionary->room = 0;
}

static uint32_t hash_value(const char *value, size_t n)
{
	uint64_t hash = n * UINT64_C(0x9e3779b97f4a7c15), word;

	for (; n >= 8; n -= 8, value += 8) {
		memcpy(&word, value, 8);
		hash = (hash ^ word) * UINT64_C(0x9fb21c651e98df25);
		hash ^= hash >> 32;
	}
	word = 0;
	memcpy(&word, value, n);
	hash = (hash ^ word) * UINT64_C(0x9fb21c651e98df25);
	return (uint32_t)(hash >> 32);
}

static bool is_key(const struct dictionary *dictionary, size_t key, const void *value, size_t n)
{
	uint32_t start = dictionary->starts[key];

	return dictionary->ends[key] - start == n &&
	       memcmp(dictionary->keys + start, value, n) == 0;
}

static int make_room(struct dictionary *dictionary, size_t n)
{
	size_t room = 2 * (dictionary->used + n) + 4096;
	char *keys;

	if (dictionary->used + n <= dictionary->room)
		return 0;
	keys = realloc(dictionary->keys, room);
	if (!keys)
		return -ENOMEM;
	dictionary->keys = keys;
	dictionary->room = room;
	return 0;
}

static int add_key(struct dictionary *dictionary, const void *value, size_t n, bool fixed)
{
	size_t key = dictionary->n_keys, length = n;
	char *to;
	int r = make_room(dictionary, n + 10);

	if (r < 0)
		return r;
	to = dictionary->keys + dictionary->used;
	if (!fixed) {
		for (; length >= 0x80; length >>= 7)
			*to++ = (char)(length | 0x80);
		*to++ = (char)length;
	}
	dictionary->starts[key] = (uint32_t)(to - dictionary->keys);
	memcpy(to, value, n);
	dictionary->used = dictionary->starts[key] + n;
	dictionary->ends[key] = (uint32_t)dictionary->used;
	dictionary->n_keys++;
	return 0;
}

int dictionary_add(struct dictionary *dictionary, const void *value, size_t n, bool fixed,
		   uint16_t *ret_key)
{
	uint32_t hash;
	size_t slot;
	int r;

	if (dictionary->n_keys && is_key(dictionary, dictionary->last, value, n)) {
		*ret_key = dictionary->last;
		return 0;
	}
	hash = hash_value(value, n);
	for (slot = hash % DICTIONARY_SLOTS; dictionary->slots[slot];
	     slot = (slot + 1) % DICTIONARY_SLOTS) {
		size_t key = dictionary->slots[slot] - 1U;

		if (dictionary->hashes[key] == hash && is_key(dictionary, key, value, n)) {
			*ret_key = dictionary->last = (uint16_t)key;
			return 0;
		}
	}
	dictionary->hashes[dictionary->n_keys] = hash;
	r = add_key(dictionary, value, n, fixed);
	if (r < 0)
		return r;
	dictionary->slots[slot] = (uint16_t)dictionary->n_keys;
	*ret_key = dictionary->last = (uint16_t)(dictionary->n_keys - 1);
	return 0;
}
