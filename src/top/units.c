// SPDX-License-Identifier: GPL-2.0-or-later
#include "top/units.h"

#include <stdio.h>
#include <string.h>

static void scale(double value, const char *unit, char ret[UNITS_TEXT_MAX])
{
	static const char prefixes[] = " kMGTPE";
	int i = 0;

	while (value >= 999.5 && prefixes[i + 1]) {
		value /= 1000;
		i++;
	}
	if (i == 0)
		snprintf(ret, UNITS_TEXT_MAX, "%.0f %s", value, unit);
	else
		snprintf(ret, UNITS_TEXT_MAX, "%.*f %c%s",
			 value < 9.995	 ? 2
			 : value < 99.95 ? 1
					 : 0,
			 value, prefixes[i], unit);
}

void units_bytes(double bytes, char ret[UNITS_TEXT_MAX])
{
	scale(bytes, "B", ret);
}

void units_rate(double bytes_per_s, bool in_bytes, char ret[UNITS_TEXT_MAX])
{
	if (bytes_per_s < 0.5)
		snprintf(ret, UNITS_TEXT_MAX, "-");
	else if (in_bytes)
		scale(bytes_per_s, "B/s", ret);
	else
		scale(bytes_per_s * 8, "bit/s", ret);
}

static size_t append(char *to, size_t at, size_t size, const char *text)
{
	size_t n = strlen(text);

	if (at + n >= size)
		return at;
	memcpy(to + at, text, n + 1);
	return at + n;
}

void units_bar(double part, int width, bool utf8, char *ret, size_t size)
{
	static const char *const eighths[] = { " ", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	int filled = (int)(part * width * 8 + 0.5);
	size_t at = 0;

	ret[0] = '\0';
	/* What is not nothing shows. */
	if (part > 0 && filled == 0)
		filled = 1;
	if (filled > width * 8)
		filled = width * 8;
	for (int i = 0; i < width; i++) {
		int here = filled - i * 8;

		if (!utf8)
			at = append(ret, at, size, here >= 4 || (i == 0 && here > 0) ? "|" : " ");
		else
			at = append(ret, at, size,
				    here >= 8  ? "█"
				    : here > 0 ? eighths[here]
					       : " ");
	}
}

void units_spark(const float *values, int n, float top, int width, bool utf8, char *ret,
		 size_t size)
{
	static const char *const blocks[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	static const char *const letters[] = { " ", "_", ".", ",", "-", "=", "+", "*", "#" };
	size_t at = 0;

	ret[0] = '\0';
	for (int i = n - width; i < n; i++) {
		float value = i < 0 ? 0 : values[i];
		int level = top > 0 ? (int)(value / top * 8 + 0.5f) : 0;

		if (value > 0 && level == 0)
			level = 1;
		if (level > 8)
			level = 8;
		at = append(ret, at, size, utf8 ? blocks[level] : letters[level]);
	}
}
