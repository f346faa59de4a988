// SPDX-License-Identifier: GPL-2.0-or-later
/* Which known word did somebody mean. */
#include "util/text.h"

#include <string.h>

#define LONGEST_WORD 63

static unsigned int smallest(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int least = a < b ? a : b;

	return least < c ? least : c;
}

/* Levenshtein's distance, one row at a time. */
static unsigned int distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	unsigned int row[LONGEST_WORD + 1];

	for (size_t j = 0; j <= b_length; j++)
		row[j] = (unsigned int)j;
	for (size_t i = 1; i <= a_length; i++) {
		unsigned int diagonal = row[0];

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= b_length; j++) {
			unsigned int above = row[j];

			row[j] = smallest(above + 1, row[j - 1] + 1,
					  diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[b_length];
}

bool text_resembles(const char *word, const char *known, unsigned int *best)
{
	size_t word_length = strlen(word), known_length = strlen(known);
	unsigned int limit, found;

	if (word_length < 2 || word_length > LONGEST_WORD || known_length > LONGEST_WORD)
		return false;

	/* About one wrong letter in three: enough for a slip, too little for another word. */
	limit = word_length <= 3 ? 1 : word_length < 9 ? 2 : (unsigned int)word_length / 3;
	found = distance(word, word_length, known, known_length);

	/* A word cut short is as good as one with a slip, but no better than a nearer one. */
	if (found > limit && strncmp(word, known, word_length) == 0)
		found = limit;
	if (found > limit || found >= *best)
		return false;
	*best = found;
	return true;
}
