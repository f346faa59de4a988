// SPDX-License-Identifier: GPL-2.0-or-later
#include "history/texts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 256

static uint64_t hash_bytes(const void *bytes, size_t n)
{
	const unsigned char *at = bytes;
	uint64_t hash = 14695981039346656037u; /* FNV-1a */

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ at[i]) * 1099511628211u;
	return hash ^ hash >> 32;
}

static uint64_t hash_text(const struct texts *texts, uint32_t i)
{
	return hash_bytes(texts->texts[i].text, strlen(texts->texts[i].text));
}

static uint64_t hash_origin(const struct texts *texts, uint32_t i)
{
	return hash_bytes(&texts->origins[i].origin, sizeof(struct origin));
}

/* Room for one more; at most half of the slots are in use. */
static int reserve(const struct texts *texts, struct text_index *index, size_t n,
		   uint64_t (*hash)(const struct texts *, uint32_t))
{
	size_t n_slots = index->n_slots ? index->n_slots * 2 : SLOTS_MIN;
	uint32_t *slots;

	if ((n + 1) * 2 <= index->n_slots)
		return 0;
	slots = calloc(n_slots, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		size_t slot = hash(texts, i) & (n_slots - 1);

		while (slots[slot])
			slot = (slot + 1) & (n_slots - 1);
		slots[slot] = i + 1;
	}
	free(index->slots);
	*index = (struct text_index){ slots, n_slots };
	return 0;
}

static int grow(void **array, size_t n, size_t *allocated, size_t size)
{
	size_t more = *allocated ? *allocated * 2 : 64;
	void *grown;

	if (n < *allocated)
		return 0;
	grown = reallocarray(*array, more, size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*allocated = more;
	return 0;
}

/* NOLINTNEXTLINE(misc-no-recursion): once, for the empty text */
int texts_add(struct texts *texts, const char *text, size_t length, uint32_t *ret)
{
	size_t slot;
	char *copy;

	if (!texts->n_texts && length) {
		uint32_t none;

		if (texts_add(texts, "", 0, &none) < 0)
			return -ENOMEM;
	}
	if (reserve(texts, &texts->by_text, texts->n_texts, hash_text) < 0 ||
	    grow((void **)&texts->texts, texts->n_texts, &texts->texts_allocated,
		 sizeof(*texts->texts)) < 0)
		return -ENOMEM;
	slot = hash_bytes(text, length) & (texts->by_text.n_slots - 1);
	for (; texts->by_text.slots[slot]; slot = (slot + 1) & (texts->by_text.n_slots - 1)) {
		const char *known = texts->texts[texts->by_text.slots[slot] - 1].text;

		if (strncmp(known, text, length) == 0 && !known[length]) {
			*ret = texts->by_text.slots[slot] - 1;
			return 0;
		}
	}
	copy = strndup(text, length);
	if (!copy)
		return -ENOMEM;
	texts->texts[texts->n_texts] = (struct text_entry){ copy, -1 };
	*ret = (uint32_t)texts->n_texts++;
	texts->by_text.slots[slot] = *ret + 1;
	return 0;
}

int texts_add_origin(struct texts *texts, const struct origin *origin, uint32_t *ret)
{
	size_t slot;

	if (reserve(texts, &texts->by_origin, texts->n_origins, hash_origin) < 0 ||
	    grow((void **)&texts->origins, texts->n_origins, &texts->origins_allocated,
		 sizeof(*texts->origins)) < 0)
		return -ENOMEM;
	slot = hash_bytes(origin, sizeof(*origin)) & (texts->by_origin.n_slots - 1);
	for (; texts->by_origin.slots[slot]; slot = (slot + 1) & (texts->by_origin.n_slots - 1)) {
		uint32_t i = texts->by_origin.slots[slot] - 1;

		if (memcmp(&texts->origins[i].origin, origin, sizeof(*origin)) == 0) {
			*ret = i;
			return 0;
		}
	}
	texts->origins[texts->n_origins] = (struct origin_entry){ *origin, -1 };
	*ret = (uint32_t)texts->n_origins++;
	texts->by_origin.slots[slot] = *ret + 1;
	return 0;
}

void texts_forget_ids(struct texts *texts)
{
	for (size_t i = 0; i < texts->n_texts; i++)
		texts->texts[i].id = -1;
	for (size_t i = 0; i < texts->n_origins; i++)
		texts->origins[i].id = -1;
}

void texts_free(struct texts *texts)
{
	for (size_t i = 0; i < texts->n_texts; i++)
		free(texts->texts[i].text);
	free(texts->texts);
	free(texts->origins);
	free(texts->by_text.slots);
	free(texts->by_origin.slots);
	*texts = (struct texts){ 0 };
}
