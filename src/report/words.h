/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values of an answer as words: amounts with units, times, names of any bytes made harmless. */
#ifndef REPORT_WORDS_H
#define REPORT_WORDS_H

#include <stdio.h>

#include "query/query.h"

enum word_unit {
	WORD_BYTES, /* 1.23 GB, by thousands, as in `top` */
	WORD_BITS,  /* 9.84 Gbit */
	WORD_RAW,   /* bytes, digits alone */
};

/* What a text is written into. */
enum word_place {
	WORD_TERMINAL, /* control characters and what is no UTF-8 become `?` */
	WORD_PARSABLE, /* so does `|` */
	WORD_CSV,      /* quoted where RFC 4180 asks for it */
	WORD_JSON,     /* with its quotes; what is no UTF-8 becomes U+FFFD */
};

void word_put_text(FILE *file, enum word_place place, const char *text);
void word_put_amount(FILE *file, uint64_t bytes, enum word_unit unit);

/* A value as people and scripts read it: a name, a number, "2026-11-25 14:00"; allocated, NULL without
 * memory. Bytes are as the history has them. */
char *word_value(enum query_key key, const struct query_value *value);

/* Local time, "2026-11-25 14:00"; at most 32 bytes with the NUL. */
const char *word_time(char buffer[32], int64_t time_s);

/* How many columns of a terminal a text takes, in the locale's character set. */
size_t word_width(const char *text);

#endif
