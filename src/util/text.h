/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words of people: which known word did somebody mean. */
#ifndef UTIL_TEXT_H
#define UTIL_TEXT_H

#include <stdbool.h>

/* Is `known` near enough to the misspelt `word` to be offered instead, and nearer than *best?
 * Lowers *best then; the caller starts with UINT_MAX and keeps the last name that answered true:
 *
 *	unsigned int best = UINT_MAX;
 *	for each name
 *		if (text_resembles(word, name, &best))
 *			nearest = name;
 */
bool text_resembles(const char *word, const char *known, unsigned int *best);

#endif
