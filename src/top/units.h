/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Amounts and rates as people read them, and the bars and sparklines of the screen. */
#ifndef TOP_UNITS_H
#define TOP_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNITS_TEXT_MAX 24

/* "12.3 MB", "940 B": powers of 1000. */
void units_bytes(double bytes, char ret[UNITS_TEXT_MAX]);

/* "12.3 Mbit/s" or, in bytes, "1.54 MB/s"; "-" for nothing. */
void units_rate(double bytes_per_s, bool in_bytes, char ret[UNITS_TEXT_MAX]);

/* A bar of `width` columns, of which `part` (0 to 1) is filled. Returns UTF-8 or ASCII; size: 3 * width + 1. */
void units_bar(double part, int width, bool utf8, char *ret, size_t size);

/* The last `width` values against `top`, the newest at the right. */
void units_spark(const float *values, int n, float top, int width, bool utf8, char *ret,
		 size_t size);

#endif
