// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/utf8.h"

size_t utf8_length(const char *text, size_t n)
{
	const unsigned char *byte = (const unsigned char *)text;
	/* The second byte's range is narrower behind first bytes that would allow overlong forms,
	 * surrogates and numbers that are too large. */
	unsigned char low = 0x80, high = 0xbf;
	size_t length;

	if (byte[0] < 0x80)
		return 1;
	if (byte[0] < 0xc2 || byte[0] > 0xf4)
		return 0;
	length = byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : 4;
	if (byte[0] == 0xe0 || byte[0] == 0xf0)
		low = byte[0] == 0xe0 ? 0xa0 : 0x90;
	if (byte[0] == 0xed || byte[0] == 0xf4)
		high = byte[0] == 0xed ? 0x9f : 0x8f;
	if (n < length || byte[1] < low || byte[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if (byte[i] < 0x80 || byte[i] > 0xbf)
			return 0;
	return length;
}

uint32_t utf8_decode(const char *text, size_t length)
{
	static const unsigned char masks[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	const unsigned char *byte = (const unsigned char *)text;
	uint32_t code = byte[0] & masks[length];

	for (size_t i = 1; i < length; i++)
		code = code << 6 | (byte[i] & 0x3f);
	return code;
}

size_t utf8_encode(uint32_t code, char ret[4])
{
	static const unsigned char firsts[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

	for (size_t i = length; i-- > 1; code >>= 6)
		ret[i] = (char)(0x80 | (code & 0x3f));
	ret[0] = (char)(firsts[length] | code);
	return length;
}
