/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text of JSON that grows in memory. Whatever bytes a string holds, the text is valid JSON in UTF-8: a byte
 * that is no part of a character becomes U+FFFD, and control characters are escaped.
 */
#ifndef UTIL_JSON_TEXT_H
#define UTIL_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zeroes: empty. A failed allocation shows in `failed`, and further calls do nothing. */
struct json_text {
	char *data;
	size_t size, allocated;
	bool failed;
};

void json_text_free(struct json_text *text);

/* As it is. */
void json_text_put(struct json_text *text, const char *raw);
void json_text_put_bytes(struct json_text *text, const char *raw, size_t n);
void json_text_put_number(struct json_text *text, uint64_t number);
void json_text_printf(struct json_text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* In quotes; NULL: the word null. */
void json_text_put_string(struct json_text *text, const char *string);
void json_text_put_string_n(struct json_text *text, const char *string, size_t n);

#endif
