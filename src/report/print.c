// SPDX-License-Identifier: GPL-2.0-or-later
/* The answer as a table for people, or in a form for programs. */
#ifdef HAVE_SQLITE3
#include <langinfo.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "report/report.h"
#include "util/json_text.h"
#include "util/utf8.h"

#define BAR_WIDTH 16
#define KEY_MAX	  40 /* characters of a key in the table */

static uint64_t total(const struct report_row *row)
{
	return row->in + row->out;
}

/* Three digits and a decimal prefix: "1.53 GB", "12.2 Mbit". */
static void format_amount(uint64_t bytes, enum report_unit unit, char *ret, size_t size)
{
	static const char prefixes[][2] = { "", "k", "M", "G", "T", "P", "E" };
	double value = unit == REPORT_BITS ? 8.0 * (double)bytes : (double)bytes;
	size_t i = 0;

	if (unit == REPORT_RAW) {
		snprintf(ret, size, "%llu", (unsigned long long)bytes);
		return;
	}
	while (value >= 999.5 && i + 1 < sizeof(prefixes) / sizeof(prefixes[0])) {
		value /= 1000;
		i++;
	}
	snprintf(ret, size, "%.*f %s%s",
		 !i || value >= 99.95 ? 0
		 : value >= 9.995     ? 1
				      : 2,
		 value, prefixes[i], unit == REPORT_BITS ? "bit" : "B");
}

/* One character of the text, or '?' for what a terminal must not be given. Returns its bytes. */
static size_t put_character(const char *text, FILE *file)
{
	size_t length = utf8_length(text, strlen(text));

	if (!length || (unsigned char)*text < ' ' || *text == 0x7f ||
	    (length == 2 && (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] < 0xa0)) {
		fputc('?', file);
		return length ? length : 1;
	}
	fwrite(text, 1, length, file);
	return length;
}

static size_t count_characters(const char *text)
{
	size_t n = 0;

	while (*text) {
		size_t length = utf8_length(text, strlen(text));

		text += length ? length : 1;
		n++;
	}
	return n;
}

static void put_key(const char *text, size_t width, FILE *file)
{
	size_t n = 0;

	if (!*text)
		text = "-";
	for (; *text && n < width; n++)
		text += put_character(text, file);
	for (; n < width; n++)
		fputc(' ', file);
}

static void put_bar(uint64_t part, uint64_t whole, FILE *file)
{
	bool utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	unsigned int n = whole ? (unsigned int)((double)part / (double)whole * BAR_WIDTH + 0.5) : 0;

	for (unsigned int i = 0; i < n; i++)
		fputs(utf8 ? "\xe2\x96\x88" : "#", file);
}

static void format_time(int64_t time_s, char *ret, size_t size)
{
	time_t time = (time_t)time_s;
	struct tm tm;

	localtime_r(&time, &tm);
	strftime(ret, size, "%Y-%m-%d %H:%M", &tm);
}

static void print_period(const struct report_answer *answer, FILE *file)
{
	char since[32], until[32];
	uint64_t length_s = (uint64_t)(answer->until_s - answer->since_s);

	format_time(answer->since_s, since, sizeof(since));
	format_time(answer->until_s, until, sizeof(until));
	fprintf(file, "%s to %s", since, until);
	/* A restart takes some seconds. */
	if (answer->metered_s + 60 < length_s)
		fprintf(file, "; a meter ran for %.3g %% of it",
			100.0 * (double)answer->metered_s / (double)length_s);
	fputs("\n\n", file);
}

static void print_text(const struct report_question *question, const struct report_answer *answer,
		       enum report_unit unit, FILE *file)
{
	size_t widths[REPORT_KEYS];
	bool bold = isatty(fileno(file));
	char in[32], out[32], all[32];

	print_period(answer, file);
	fputs(bold ? "\x1b[1m" : "", file);
	for (size_t i = 0; i < question->n_by; i++) {
		widths[i] = strlen(report_key_names[question->by[i]]);
		if (!i && widths[i] < strlen("total"))
			widths[i] = strlen("total");
		for (size_t row = 0; row < answer->n; row++) {
			size_t n = count_characters(answer->rows[row].keys[i]);

			n = n < KEY_MAX ? n : KEY_MAX;
			widths[i] = n > widths[i] ? n : widths[i];
		}
		put_key(report_key_names[question->by[i]], widths[i], file);
		fputs("  ", file);
	}
	fprintf(file, "%14s %14s %14s  %6s\n", "received", "sent", "total", "share");
	fputs(bold ? "\x1b[0m" : "", file);
	for (size_t row = 0; row <= answer->n; row++) {
		const struct report_row sum = { .in = answer->in, .out = answer->out };
		bool last = row == answer->n;
		const struct report_row *at = last ? &sum : &answer->rows[row];

		for (size_t i = 0; i < question->n_by; i++) {
			put_key(!last ? at->keys[i] : i ? " " : "total", widths[i], file);
			fputs("  ", file);
		}
		format_amount(at->in, unit, in, sizeof(in));
		format_amount(at->out, unit, out, sizeof(out));
		format_amount(total(at), unit, all, sizeof(all));
		fprintf(file, "%14s %14s %14s", in, out, all);
		if (!last) {
			fprintf(file, "  %5.1f%% ",
				100.0 * (double)total(at) / (double)(total(&sum) ?: 1));
			put_bar(total(at), total(&sum), file);
		}
		fputc('\n', file);
	}
}

/* A field for a form in which `separator` ends one: its place takes '?' or, in CSV, quotes. */
static void put_field(const char *text, char separator, FILE *file)
{
	bool quote = separator == ',' && strpbrk(text, ",\"");

	fputs(quote ? "\"" : "", file);
	while (*text) {
		if (separator == '|' && *text == '|') {
			fputc('?', file);
			text++;
			continue;
		}
		fputs(quote && *text == '"' ? "\"" : "", file);
		text += put_character(text, file);
	}
	fputs(quote ? "\"" : "", file);
}

static void print_fields(const struct report_question *question, const struct report_answer *answer,
			 enum report_unit unit, char separator, FILE *file)
{
	char in[32], out[32], all[32];

	for (size_t i = 0; i < question->n_by; i++)
		fprintf(file, "%s%c", report_key_names[question->by[i]], separator);
	fprintf(file, "received%csent%ctotal\n", separator, separator);
	for (size_t row = 0; row < answer->n; row++) {
		const struct report_row *at = &answer->rows[row];

		for (size_t i = 0; i < question->n_by; i++) {
			put_field(at->keys[i], separator, file);
			fputc(separator, file);
		}
		format_amount(at->in, unit, in, sizeof(in));
		format_amount(at->out, unit, out, sizeof(out));
		format_amount(total(at), unit, all, sizeof(all));
		fprintf(file, "%s%c%s%c%s\n", in, separator, out, separator, all);
	}
}

static void print_json(const struct report_question *question, const struct report_answer *answer,
		       FILE *file)
{
	struct json_text text = { 0 };

	json_text_printf(
		&text,
		"{\"jsonversion\":1,\"since\":%lld,\"until\":%lld,\"metered_seconds\":%llu,"
		"\"received\":%llu,\"sent\":%llu,\"rows\":[",
		(long long)answer->since_s, (long long)answer->until_s,
		(unsigned long long)answer->metered_s, (unsigned long long)answer->in,
		(unsigned long long)answer->out);
	for (size_t row = 0; row < answer->n; row++) {
		const struct report_row *at = &answer->rows[row];

		json_text_put(&text, row ? ",{" : "{");
		for (size_t i = 0; i < question->n_by; i++) {
			json_text_printf(&text, "\"%s\":", report_key_names[question->by[i]]);
			json_text_put_string(&text, at->keys[i]);
			json_text_put(&text, ",");
		}
		json_text_printf(&text, "\"received\":%llu,\"sent\":%llu}",
				 (unsigned long long)at->in, (unsigned long long)at->out);
	}
	json_text_put(&text, "]}\n");
	if (!text.failed)
		fwrite(text.data, 1, text.size, file);
	json_text_free(&text);
}

void report_print(const struct report_question *question, const struct report_answer *answer,
		  enum report_form form, enum report_unit unit, FILE *file)
{
	switch (form) {
	case REPORT_TEXT:
		print_text(question, answer, unit, file);
		break;
	case REPORT_PARSABLE:
		print_fields(question, answer, unit, '|', file);
		break;
	case REPORT_CSV:
		print_fields(question, answer, REPORT_RAW, ',', file);
		break;
	case REPORT_JSON:
		print_json(question, answer, file);
		break;
	}
}

#endif
