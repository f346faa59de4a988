// SPDX-License-Identifier: GPL-2.0-or-later
#include "top/clean.h"

#include <string.h>
#include <wchar.h>

#include "util/utf8.h"

/* Direction marks and their like turn lines around that are not theirs. */
static int is_control(unsigned int code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x200b && code <= 0x200f) ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) ||
	       code == 0xfeff;
}

void clean_copy(char *to, size_t size, const char *text)
{
	size_t left = strlen(text), at = 0;

	while (left) {
		size_t length = utf8_length(text, left);
		int bad = !length || is_control(utf8_decode(text, length));
		size_t n = bad ? 1 : length;

		if (at + n >= size)
			break;
		if (bad)
			to[at] = '?';
		else
			memcpy(to + at, text, n);
		at += n;
		length = length ?: 1;
		text += length;
		left -= length;
	}
	to[at] = '\0';
}

int clean_width(const char *text)
{
	size_t left = strlen(text);
	int width = 0;

	while (left) {
		size_t length = utf8_length(text, left) ?: 1;
		int columns = length == 1 ? 1 : wcwidth((wchar_t)utf8_decode(text, length));

		width += columns < 0 ? 1 : columns;
		text += length;
		left -= length;
	}
	return width;
}
