// SPDX-License-Identifier: GPL-2.0-or-later
/* By digits of eleven bits, the lowest first; a digit that is the same in all rows costs no pass. */
#include "spool/sort.h"

#include <string.h>

#define DIGIT_BITS 11
#define DIGITS	   (1U << DIGIT_BITS)
#define PASSES	   6

void sort_by_key(struct sort_row *rows, size_t n)
{
	struct sort_row *from = rows, *to = rows + n, *swap;
	uint16_t starts[DIGITS];

	for (unsigned int shift = 0; shift < PASSES * DIGIT_BITS; shift += DIGIT_BITS) {
		unsigned int start = 0;
		size_t same = 0;

		memset(starts, 0, sizeof(starts));
		for (size_t i = 0; i < n; i++) {
			starts[from[i].key >> shift & (DIGITS - 1)]++;
			same += from[i].key >> shift == from[0].key >> shift;
		}
		if (same == n) /* here and in all higher digits */
			break;
		for (size_t digit = 0; digit < DIGITS; digit++) {
			unsigned int count = starts[digit];

			starts[digit] = (uint16_t)start;
			start += count;
		}
		for (size_t i = 0; i < n; i++)
			to[starts[from[i].key >> shift & (DIGITS - 1)]++] = from[i];
		swap = from;
		from = to;
		to = swap;
	}
	if (from != rows)
		memcpy(rows, from, n * sizeof(*rows));
}
