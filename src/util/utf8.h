/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Characters of UTF-8, by RFC 3629. */
#ifndef UTIL_UTF8_H
#define UTIL_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* How many bytes the character at the start of `text` has, 1 to 4. Returns 0 when there is no character:
 * overlong, a surrogate, above U+10FFFF, cut short by the end. n is at least 1. */
size_t utf8_length(const char *text, size_t n);

/* The code point of a character of `length` bytes. */
uint32_t utf8_decode(const char *text, size_t length);

/* Writes a code point, without a NUL, and returns how many bytes it took. */
size_t utf8_encode(uint32_t code, char ret[4]);

#endif
