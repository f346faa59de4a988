// SPDX-License-Identifier: GPL-2.0-or-later
/* Fuzzes the parser of state files: any bytes, with a checksum that fits and without, and what must
 * hold of whatever comes out. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account/state_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECKSUM_NONE "checksum none\n"

#define CHECK(condition)                                             \
	do {                                                         \
		if (!(condition)) {                                  \
			fprintf(stderr, "not so: %s\n", #condition); \
			abort();                                     \
		}                                                    \
	} while (0)

/* What was read, written, is the same. */
static void check_state(struct state *state)
{
	char words[STATE_WORDS_MAX];
	struct state again;
	size_t length;
	char *text;

	for (size_t i = 1; i < state->n; i++)
		CHECK(state->totals[i - 1].uid < state->totals[i].uid);
	CHECK(!state->behind);
	CHECK(state_text_format(state, &text, &length) == 0 && length <= STATE_TEXT_MAX);
	CHECK(state_text_parse(text, length, &again, words) == 0);
	free(text);
	CHECK(again.n == state->n && again.batch == state->batch && again.clean == state->clean);
	for (size_t i = 0; i < state->n; i++)
		CHECK(again.totals[i].uid == state->totals[i].uid &&
		      again.totals[i].in == state->totals[i].in &&
		      again.totals[i].out == state->totals[i].out);
	state_free(&again);
}

static void check(const char *text, size_t size)
{
	char words[STATE_WORDS_MAX] = "";
	struct state state, untouched;
	int r;

	memset(&state, 0xa5, sizeof(state));
	untouched = state;
	r = state_text_parse(text, size, &state, words);
	if (r < 0) {
		CHECK((r == -EBADMSG || r == -ENOTSUP) && *words);
		CHECK(memcmp(&state, &untouched, sizeof(state)) == 0);
		return;
	}
	CHECK(r == 0);
	check_state(&state);
	state_free(&state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + sizeof(CHECKSUM_NONE) - 1);

	CHECK(text);
	if (size)
		memcpy(text, data, size);
	memcpy(text + size, CHECKSUM_NONE, sizeof(CHECKSUM_NONE) - 1);
	check((const char *)data, size);
	check(text, size + sizeof(CHECKSUM_NONE) - 1);
	free(text);
	return 0;
}
