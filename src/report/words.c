// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "output/format.h"

static bool is_control(const char *text, size_t length)
{
	unsigned char first = (unsigned char)text[0];

	if (length == 1)
		return first < 0x20 || first == 0x7f;
	return length == 2 && first == 0xc2 && (unsigned char)text[1] < 0xa0;
}

static void put_json_character(FILE *file, const char *text, size_t length)
{
	if (length == 0)
		fputs("\xef\xbf\xbd", file);
	else if (is_control(text, length))
		fprintf(file, "\\u%04x", (unsigned char)text[length - 1]);
	else if (*text == '"' || *text == '\\')
		fprintf(file, "\\%c", *text);
	else
		fprintf(file, "%.*s", (int)length, text);
}

void word_put_text(FILE *file, enum word_place place, const char *text)
{
	bool quote = place == WORD_JSON || (place == WORD_CSV && strpbrk(text, ",\""));
	size_t n = strlen(text);

	if (quote)
		fputc('"', file);
	while (n) {
		size_t length = format_character_length(text, n);

		if (place == WORD_JSON)
			put_json_character(file, text, length);
		else if (!length || is_control(text, length) ||
			 (place == WORD_PARSABLE && *text == '|'))
			fputc('?', file);
		else if (place == WORD_CSV && *text == '"')
			fputs("\"\"", file);
		else
			fprintf(file, "%.*s", (int)length, text);
		text += length ?: 1;
		n -= length ?: 1;
	}
	if (quote)
		fputc('"', file);
}

void word_put_amount(FILE *file, uint64_t bytes, enum word_unit unit)
{
	static const char *const names[2][7] = {
		{ "B", "kB", "MB", "GB", "TB", "PB", "EB" },
		{ "bit", "kbit", "Mbit", "Gbit", "Tbit", "Pbit", "Ebit" },
	};
	double number = (double)bytes * (unit == WORD_BITS ? 8 : 1);
	size_t i = 0;

	if (unit == WORD_RAW) {
		fprintf(file, "%" PRIu64, bytes);
		return;
	}
	/* What would be rounded to 1000 is one of the next unit. */
	for (; i < 6 && number >= 999.5; i++)
		number /= 1000;
	fprintf(file, "%.*f %s",
		i == 0 || number >= 99.95 ? 0
		: number >= 9.995	  ? 1
					  : 2,
		number, names[unit == WORD_BITS][i]);
}

static const char *format_local(char buffer[32], const char *format, int64_t time_s)
{
	time_t time = (time_t)time_s;
	struct tm local = { 0 };

	localtime_r(&time, &local);
	if (!strftime(buffer, 32, format, &local))
		buffer[0] = '\0';
	return buffer;
}

const char *word_time(char buffer[32], int64_t time_s)
{
	return format_local(buffer, "%Y-%m-%d %H:%M", time_s);
}

char *word_value(enum query_key key, const struct query_value *value)
{
	char buffer[32];

	if (value->kind != QUERY_VALUE_KNOWN)
		return strdup(value->kind == QUERY_VALUE_OTHER ? "other" : "unknown");
	switch (key) {
	case QUERY_MONTH:
		return strdup(format_local(buffer, "%Y-%m", value->number));
	case QUERY_DAY:
		return strdup(format_local(buffer, "%Y-%m-%d", value->number));
	case QUERY_HOUR:
	case QUERY_SLOT:
		return strdup(word_time(buffer, value->number));
	default:
		if (value->text)
			return strdup(value->text);
		snprintf(buffer, sizeof(buffer), "%" PRId64, value->number);
		return strdup(buffer);
	}
}

size_t word_width(const char *text)
{
	mbstate_t state = { 0 };
	size_t width = 0, n = strlen(text);

	while (n) {
		wchar_t character;
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): the state is the caller's */
		size_t length = mbrtowc(&character, text, n, &state);
		int columns;

		if (length == (size_t)-1 || length == (size_t)-2 || length == 0)
			return width + n; /* a byte, a column: the locale has no such characters */
		columns = wcwidth(character);
		width += columns > 0 ? (size_t)columns : 0;
		text += length;
		n -= length;
	}
	return width;
}
