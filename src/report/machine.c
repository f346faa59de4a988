// SPDX-License-Identifier: GPL-2.0-or-later
/* Forms for scripts: `|` as sacct -P prints it, CSV, JSON. Amounts are whole numbers of bytes. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "report/forms.h"
#include "util/cleanup.h"

/* Readers can tell by it which members there are: 1 is this file. */
#define JSON_VERSION 1

static bool is_user(enum query_key key)
{
	return key == QUERY_USER || key == QUERY_LOGIN;
}

/* Of a user the number, too: names may be missing, and come again for others. */
static int put_separated(const struct report *report, FILE *file, char separator,
			 enum word_place place)
{
	const struct question *question = report->question;

	for (size_t j = 0; j < question->n_by; j++)
		fprintf(file, is_user(question->by[j]) ? "%s%c%s_uid%c" : "%s%c",
			query_key_name(question->by[j]), separator, query_key_name(question->by[j]),
			separator);
	fprintf(file, "in_bytes%cout_bytes%cin_wire_bytes%cout_wire_bytes\n", separator, separator,
		separator);
	for (size_t i = 0; i < report->answer->n_rows; i++) {
		const struct query_row *row = &report->answer->rows[i];
		const struct query_amounts *amounts = &row->amounts;

		if (!report_shows(report, row))
			continue;
		for (size_t j = 0; j < question->n_by; j++) {
			_cleanup_free_ char *text = word_value(question->by[j], &row->values[j]);

			if (!text)
				return -ENOMEM;
			word_put_text(file, place, text);
			fputc(separator, file);
			if (is_user(question->by[j]) && row->values[j].kind == QUERY_VALUE_KNOWN)
				fprintf(file, "%" PRId64, row->values[j].number);
			if (is_user(question->by[j]))
				fputc(separator, file);
		}
		fprintf(file, "%" PRIu64 "%c%" PRIu64 "%c%" PRIu64 "%c%" PRIu64 "\n",
			amounts->bytes[0], separator, amounts->bytes[1], separator,
			amounts->wire_bytes[0], separator, amounts->wire_bytes[1]);
	}
	return 0;
}

int report_print_parsable(const struct report *report, FILE *file)
{
	return put_separated(report, file, '|', WORD_PARSABLE);
}

int report_print_csv(const struct report *report, FILE *file)
{
	return put_separated(report, file, ',', WORD_CSV);
}

static void put_amounts(FILE *file, const struct query_amounts *amounts)
{
	fprintf(file,
		"\"in_bytes\":%" PRIu64 ",\"out_bytes\":%" PRIu64 ",\"in_wire_bytes\":%" PRIu64
		",\"out_wire_bytes\":%" PRIu64 "}",
		amounts->bytes[0], amounts->bytes[1], amounts->wire_bytes[0],
		amounts->wire_bytes[1]);
}

/* unknown: null; several rows added up: the member "other" says so, and how many. */
static int put_row(const struct question *question, const struct query_row *row, FILE *file)
{
	bool other = false;

	fputc('{', file);
	for (size_t j = 0; j < question->n_by; j++) {
		const struct query_value *value = &row->values[j];
		_cleanup_free_ char *text = word_value(question->by[j], value);

		if (!text)
			return -ENOMEM;
		other |= value->kind == QUERY_VALUE_OTHER;
		fprintf(file, "\"%s\":", query_key_name(question->by[j]));
		if (value->kind == QUERY_VALUE_UNKNOWN ||
		    (is_user(question->by[j]) && !value->text))
			fputs("null", file);
		else
			word_put_text(file, WORD_JSON, text);
		if (is_user(question->by[j]) && value->kind == QUERY_VALUE_KNOWN)
			fprintf(file, ",\"%s_uid\":%" PRId64, query_key_name(question->by[j]),
				value->number);
		if (query_key_is_time(question->by[j]) && value->kind == QUERY_VALUE_KNOWN)
			fprintf(file, ",\"time\":%" PRId64, value->number);
		fputc(',', file);
	}
	if (other)
		fprintf(file, "\"other\":%" PRIu64 ",", row->groups);
	put_amounts(file, &row->amounts);
	return 0;
}

int report_print_json(const struct report *report, FILE *file)
{
	const struct answer *answer = report->answer;
	bool first = true;

	fprintf(file,
		"{\"jsonversion\":\"%d\",\"since\":%" PRId64 ",\"until\":%" PRId64
		",\"covered_since\":%" PRId64 ",\"covered_until\":%" PRId64
		",\"meter_off_seconds\":%" PRId64 ",\"rows\":[",
		JSON_VERSION, answer->since_s, answer->until_s, answer->covered_since_s,
		answer->covered_until_s, answer->off_s);
	for (size_t i = 0; i < answer->n_rows; i++) {
		int r;

		if (!report_shows(report, &answer->rows[i]))
			continue;
		fputs(first ? "\n" : ",\n", file);
		first = false;
		r = put_row(report->question, &answer->rows[i], file);
		if (r < 0)
			return r;
	}
	fputs("\n],\"total\":{", file);
	put_amounts(file, &answer->total);
	fputs("}\n", file);
	return 0;
}
