// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/json_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/utf8.h"

void json_text_free(struct json_text *text)
{
	free(text->data);
	*text = (struct json_text){ 0 };
}

/* Room for n bytes and a NUL. */
static char *reserve(struct json_text *text, size_t n)
{
	if (text->failed)
		return NULL;
	if (text->size + n + 1 > text->allocated) {
		size_t allocated = (text->size + n + 1) * 2;
		char *data = realloc(text->data, allocated);

		if (!data) {
			text->failed = true;
			return NULL;
		}
		text->data = data;
		text->allocated = allocated;
	}
	return text->data + text->size;
}

void json_text_put_bytes(struct json_text *text, const char *raw, size_t n)
{
	char *to = reserve(text, n);

	if (!to)
		return;
	memcpy(to, raw, n);
	to[n] = '\0';
	text->size += n;
}

void json_text_put(struct json_text *text, const char *raw)
{
	json_text_put_bytes(text, raw, strlen(raw));
}

void json_text_put_number(struct json_text *text, uint64_t number)
{
	char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	json_text_put_bytes(text, digits + i, sizeof(digits) - i);
}

void json_text_printf(struct json_text *text, const char *format, ...)
{
	char line[512];
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (n < 0 || n >= (int)sizeof(line))
		text->failed = true;
	else
		json_text_put_bytes(text, line, (size_t)n);
}

/* A control character, up to U+009F. */
static void put_control(struct json_text *text, unsigned int c)
{
	if (c == '\n')
		json_text_put(text, "\\n");
	else if (c == '\t')
		json_text_put(text, "\\t");
	else
		json_text_printf(text, "\\u%04x", c);
}

void json_text_put_string_n(struct json_text *text, const char *string, size_t n)
{
	json_text_put_bytes(text, "\"", 1);
	while (n) {
		size_t length = utf8_length(string, n);
		unsigned char first = (unsigned char)*string;

		if (length == 0) {
			json_text_put(text, "\xef\xbf\xbd");
			length = 1;
		} else if (first == '"' || first == '\\') {
			json_text_put_bytes(text, "\\", 1);
			json_text_put_bytes(text, string, 1);
		} else if (first < 0x20 || first == 0x7f) {
			put_control(text, first);
		} else if (first == 0xc2 && (unsigned char)string[1] < 0xa0) {
			put_control(text, (unsigned char)string[1]);
		} else {
			json_text_put_bytes(text, string, length);
		}
		string += length;
		n -= length;
	}
	json_text_put_bytes(text, "\"", 1);
}

void json_text_put_string(struct json_text *text, const char *string)
{
	if (string)
		json_text_put_string_n(text, string, strlen(string));
	else
		json_text_put(text, "null");
}
