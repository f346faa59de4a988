// SPDX-License-Identifier: GPL-2.0-or-later
#include "account/state_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "util/cleanup.h"

#define TITLE	      "traffic-meter totals "
#define VERSION_KNOWN 1

#define CHECKSUM      "checksum "
#define CHECKSUM_NONE "checksum none\n"
#define CHECKSUM_SIZE (sizeof(CHECKSUM) - 1 + 8 + 1)

/* "4294967295 18446744073709551615 18446744073709551615\n", and the shortest. */
#define LINE_MAX_SIZE 53
#define LINE_MIN_SIZE 6
/* All lines but the uids', the longest. */
#define FRAME_SIZE 128

struct cursor {
	const char *at, *end;
	unsigned int line;
};

void state_free(struct state *state)
{
	free(state->totals);
	*state = (struct state){ 0 };
}

/* Go on behind the words, if they come next. */
static bool skip(struct cursor *cursor, const char *words)
{
	size_t length = strlen(words);

	if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, words, length) != 0)
		return false;
	cursor->at += length;
	return true;
}

static bool skip_number(struct cursor *cursor, uint64_t max, uint64_t *ret)
{
	const char *start = cursor->at;
	uint64_t number = 0;

	for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++) {
		uint64_t digit = (uint64_t)(*cursor->at - '0');

		if (number > (max - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	if (cursor->at == start || (*start == '0' && cursor->at != start + 1))
		return false;
	*ret = number;
	return true;
}

static bool skip_newline(struct cursor *cursor)
{
	if (!skip(cursor, "\n"))
		return false;
	cursor->line++;
	return true;
}

static bool skip_total(struct cursor *cursor, struct state_total *ret)
{
	uint64_t uid;

	if (!skip_number(cursor, UINT32_MAX, &uid) || !skip(cursor, " ") ||
	    !skip_number(cursor, UINT64_MAX, &ret->in) || !skip(cursor, " ") ||
	    !skip_number(cursor, UINT64_MAX, &ret->out) || !skip_newline(cursor))
		return false;
	ret->uid = (uint32_t)uid;
	return true;
}

/* Does the last line fit all lines before? They end at *ret_end then. */
static int check_sum(const char *text, size_t length, const char **ret_end,
		     char words[STATE_WORDS_MAX])
{
	size_t none = sizeof(CHECKSUM_NONE) - 1;
	char expected[CHECKSUM_SIZE + 1];
	const char *last;

	if (length >= none && memcmp(text + length - none, CHECKSUM_NONE, none) == 0) {
		*ret_end = text + length - none;
		return 0;
	}
	if (length < CHECKSUM_SIZE ||
	    memcmp(text + length - CHECKSUM_SIZE, CHECKSUM, sizeof(CHECKSUM) - 1) != 0) {
		snprintf(words, STATE_WORDS_MAX, "does not end with a checksum: it is torn");
		return -EBADMSG;
	}
	last = text + length - CHECKSUM_SIZE;
	snprintf(expected, sizeof(expected), CHECKSUM "%08lx\n",
		 crc32_z(0, (const unsigned char *)text, length - CHECKSUM_SIZE));
	if (memcmp(last, expected, CHECKSUM_SIZE) != 0) {
		snprintf(
			words, STATE_WORDS_MAX,
			"is damaged: the checksum of what it has is %.8s, not the one it ends with",
			expected + sizeof(CHECKSUM) - 1);
		return -EBADMSG;
	}
	*ret_end = last;
	return 0;
}

static int bad_line(const struct cursor *cursor, const char *expected, char words[STATE_WORDS_MAX])
{
	snprintf(words, STATE_WORDS_MAX, "is damaged: line %u is not '%s'", cursor->line, expected);
	return -EBADMSG;
}

static int parse_title(struct cursor *cursor, char words[STATE_WORDS_MAX])
{
	uint64_t version;

	if (!skip(cursor, TITLE) || !skip_number(cursor, UINT64_MAX, &version) || !version ||
	    !skip_newline(cursor)) {
		snprintf(words, STATE_WORDS_MAX, "does not begin as a file of totals");
		return -EBADMSG;
	}
	if (version <= VERSION_KNOWN)
		return 0;
	snprintf(words, STATE_WORDS_MAX,
		 "has version %" PRIu64 " of the format, of which this build knows %d: a newer "
		 "traffic-meter wrote it",
		 version, VERSION_KNOWN);
	return -ENOTSUP;
}

static int parse_head(struct cursor *cursor, struct state *state, char words[STATE_WORDS_MAX])
{
	if (!skip(cursor, "batch ") || !skip_number(cursor, UINT64_MAX, &state->batch) ||
	    !skip_newline(cursor))
		return bad_line(cursor, "batch NUMBER", words);
	state->clean = skip(cursor, "clean yes");
	if ((!state->clean && !skip(cursor, "clean no")) || !skip_newline(cursor))
		return bad_line(cursor, "clean yes|no", words);
	return 0;
}

static int compare_totals(const void *a, const void *b)
{
	const struct state_total *one = a, *other = b;

	return one->uid < other->uid ? -1 : one->uid > other->uid;
}

/* As a file of ours is sorted, this mostly only looks. */
static void sort_totals(struct state *state)
{
	for (size_t i = 1; i < state->n; i++) {
		if (state->totals[i - 1].uid > state->totals[i].uid) {
			qsort(state->totals, state->n, sizeof(*state->totals), compare_totals);
			return;
		}
	}
}

static int parse_totals(struct cursor *cursor, struct state *state, char words[STATE_WORDS_MAX])
{
	size_t room = (size_t)(cursor->end - cursor->at) / LINE_MIN_SIZE;

	if (room) {
		/* Too much, but untouched memory costs nothing; shrunk below. */
		state->totals = malloc(room * sizeof(*state->totals));
		if (!state->totals)
			return -ENOMEM;
	}
	while (cursor->at < cursor->end) {
		if (state->n == room || !skip_total(cursor, &state->totals[state->n]))
			return bad_line(cursor, "UID IN OUT", words);
		state->n++;
	}
	sort_totals(state);
	for (size_t i = 1; i < state->n; i++) {
		if (state->totals[i - 1].uid != state->totals[i].uid)
			continue;
		snprintf(words, STATE_WORDS_MAX, "is damaged: it has uid %" PRIu32 " twice",
			 state->totals[i].uid);
		return -EBADMSG;
	}
	if (state->n)
		state->totals =
			realloc(state->totals, state->n * sizeof(*state->totals)) ?: state->totals;
	return 0;
}

int state_text_parse(const char *text, size_t length, struct state *ret,
		     char words[STATE_WORDS_MAX])
{
	_cleanup_(state_free) struct state state = { 0 };
	struct cursor cursor = { text, text + length, 1 };
	int r;

	/* The version first: a newer one may end in another way. */
	r = parse_title(&cursor, words);
	if (r < 0)
		return r;
	r = check_sum(text, length, &cursor.end, words);
	if (r < 0)
		return r;
	r = parse_head(&cursor, &state, words);
	if (r < 0)
		return r;
	r = parse_totals(&cursor, &state, words);
	if (r < 0)
		return r;
	*ret = state;
	state = (struct state){ 0 };
	return 0;
}

int state_text_format(struct state *state, char **ret_text, size_t *ret_length)
{
	_cleanup_free_ char *text = NULL;
	size_t size, used;

	if (state->n > (STATE_TEXT_MAX - FRAME_SIZE) / LINE_MAX_SIZE)
		return -EFBIG;
	size = FRAME_SIZE + state->n * LINE_MAX_SIZE;
	text = malloc(size);
	if (!text)
		return -ENOMEM;
	sort_totals(state);
	used = (size_t)snprintf(text, size, TITLE "%d\nbatch %" PRIu64 "\nclean %s\n",
				VERSION_KNOWN, state->batch, state->clean ? "yes" : "no");
	for (size_t i = 0; i < state->n; i++) {
		const struct state_total *total = &state->totals[i];

		used += (size_t)snprintf(text + used, size - used,
					 "%" PRIu32 " %" PRIu64 " %" PRIu64 "\n", total->uid,
					 total->in, total->out);
	}
	used += (size_t)snprintf(text + used, size - used, CHECKSUM "%08lx\n",
				 crc32_z(0, (const unsigned char *)text, used));
	*ret_text = steal_pointer(text);
	*ret_length = used;
	return 0;
}
