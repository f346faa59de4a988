// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/names.h"

#include <stdlib.h>

#define SLOTS_FIRST 256

void live_names_clear(struct live_names *names)
{
	for (size_t i = 0; i < names->n_slots; i++)
		free(names->slots[i].text);
	free(names->slots);
	*names = (struct live_names){ 0 };
}

static struct live_name *find(struct live_name *slots, size_t n_slots, enum live_name_kind kind,
			      uint64_t id)
{
	size_t slot =
		(size_t)((id * 2 + (uint64_t)kind) * 0x9e3779b97f4a7c15ull >> 32) & (n_slots - 1);

	while (slots[slot].kind && (slots[slot].kind != kind || slots[slot].id != id))
		slot = (slot + 1) & (n_slots - 1);
	return &slots[slot];
}

static bool grow(struct live_names *names)
{
	size_t n_slots = names->n_slots ? names->n_slots * 2 : SLOTS_FIRST;
	struct live_name *slots = calloc(n_slots, sizeof(*slots));

	if (!slots)
		return false;
	for (size_t i = 0; i < names->n_slots; i++)
		if (names->slots[i].kind)
			*find(slots, n_slots, names->slots[i].kind, names->slots[i].id) =
				names->slots[i];
	free(names->slots);
	names->slots = slots;
	names->n_slots = n_slots;
	return true;
}

struct live_name *live_names_ask(struct live_names *names, enum live_name_kind kind, uint64_t id)
{
	struct live_name *name;

	if (names->n >= names->n_slots / 4 * 3 && !grow(names))
		return NULL;
	name = find(names->slots, names->n_slots, kind, id);
	if (!name->kind) {
		*name = (struct live_name){ .id = id, .kind = kind };
		names->n++;
		names->n_asked++;
	}
	return name;
}

struct live_name *live_names_next_asked(struct live_names *names, size_t *position)
{
	while (*position < names->n_slots) {
		struct live_name *name = &names->slots[(*position)++];

		if (name->kind && !name->answered)
			return name;
	}
	return NULL;
}
