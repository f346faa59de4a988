// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table for people: keys on the left, amounts aligned on the right, the share as a bar. 80 columns
 * are kept as long as the keys leave room; names are never cut, as two that are cut may look the same.
 */
#include <errno.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>

#include <traffic_meter/record.h>

#include "report/forms.h"
#include "util/cleanup.h"

#define COLUMNS	 80
#define BAR_MAX	 20
#define AMOUNTS	 3 /* in, out, total */
#define N_CELLS	 (QUERY_BY_MAX + AMOUNTS + 1)
#define BOLD	 "\033[1m"
#define BAR_TINT "\033[34m"
#define PLAIN	 "\033[0m"

struct table {
	const struct report *report;
	FILE *file;
	size_t n_keys, n_cells;
	size_t widths[N_CELLS];
	size_t bar_width; /* 0: none */
	bool utf8;
};

struct line {
	char *cells[N_CELLS];
	double share; /* of the total; negative: no bar */
};

static void line_free(struct line *line)
{
	for (size_t i = 0; i < N_CELLS; i++)
		free(line->cells[i]);
}

/* A cell's text by one of words.h's writers, allocated. */
static char *amount_cell(uint64_t bytes, enum word_unit unit)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return NULL;
	word_put_amount(file, bytes, unit);
	fclose(file);
	return text;
}

static char *text_cell(const char *raw)
{
	char *text = NULL;
	size_t size;
	FILE *file = raw ? open_memstream(&text, &size) : NULL;

	if (!file)
		return NULL;
	word_put_text(file, WORD_TERMINAL, raw);
	fclose(file);
	return text;
}

static char *key_cell(const struct query_row *row, size_t i, enum query_key key)
{
	_cleanup_free_ char *raw = word_value(key, &row->values[i]);
	char *text = NULL;

	if (row->groups > 1 && row->values[i].kind == QUERY_VALUE_OTHER && raw &&
	    asprintf(&text, "other (%zu)", (size_t)row->groups) >= 0)
		return text;
	return text_cell(raw);
}

static bool fill_amounts(struct table *table, struct line *line,
			 const struct query_amounts *amounts)
{
	const struct report *report = table->report;
	bool wire = report->question->wire;
	const uint64_t *by_direction = wire ? amounts->wire_bytes : amounts->bytes;
	uint64_t total = query_bytes(&report->answer->total, wire);
	uint64_t bytes = query_bytes(amounts, wire);
	char **cell = line->cells + table->n_keys;

	cell[0] = amount_cell(by_direction[TRAFFIC_IN], report->unit);
	cell[1] = amount_cell(by_direction[TRAFFIC_OUT], report->unit);
	cell[2] = amount_cell(bytes, report->unit);
	line->share = total ? (double)bytes / (double)total : 0;
	if (asprintf(&cell[3], "%.1f%%", 100 * line->share) < 0)
		cell[3] = NULL;
	return cell[0] && cell[1] && cell[2] && cell[3];
}

static bool fill_row(struct table *table, struct line *line, const struct query_row *row)
{
	for (size_t i = 0; i < table->n_keys; i++) {
		line->cells[i] = key_cell(row, i, table->report->question->by[i]);
		if (!line->cells[i])
			return false;
	}
	return fill_amounts(table, line, &row->amounts);
}

static bool fill_heading(struct table *table, struct line *line)
{
	static const char *const amounts[] = { "IN", "OUT", "TOTAL", "SHARE" };

	for (size_t i = 0; i < table->n_cells; i++) {
		const char *word = i < table->n_keys
					   ? query_key_name(table->report->question->by[i])
					   : amounts[i - table->n_keys];
		char *cell = line->cells[i] = strdup(word);

		if (!cell)
			return false;
		for (; *cell; cell++)
			if (*cell >= 'a' && *cell <= 'z')
				*cell = (char)(*cell - 'a' + 'A');
	}
	line->share = -1;
	return true;
}

static bool fill_total(struct table *table, struct line *line)
{
	for (size_t i = 0; i < table->n_keys; i++) {
		line->cells[i] = strdup(i ? "" : "total");
		if (!line->cells[i])
			return false;
	}
	if (!fill_amounts(table, line, &table->report->answer->total))
		return false;
	line->share = -1;
	return true;
}

static void put_spaces(FILE *file, size_t n)
{
	fprintf(file, "%*s", (int)n, "");
}

/* Eighths of a column where the locale has them. */
static void put_bar(const struct table *table, double share)
{
	static const char *const eighths[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	size_t n = (size_t)(share * (double)table->bar_width * 8 + 0.5);

	fputs(table->report->colour ? "  " BAR_TINT : "  ", table->file);
	for (size_t i = 0; i < n / 8; i++)
		fputs(table->utf8 ? "█" : "#", table->file);
	if (table->utf8)
		fputs(eighths[n % 8], table->file);
	else if (n % 8 >= 4)
		fputc('#', table->file);
	if (table->report->colour)
		fputs(PLAIN, table->file);
}

static void put_line(const struct table *table, const struct line *line, bool bold)
{
	FILE *file = table->file;

	if (bold && table->report->colour)
		fputs(BOLD, file);
	for (size_t i = 0; i < table->n_cells; i++) {
		size_t width = word_width(line->cells[i]), room = table->widths[i];

		if (i)
			fputs("  ", file);
		if (i >= table->n_keys)
			put_spaces(file, room - width);
		fputs(line->cells[i], file);
		if (i < table->n_keys)
			put_spaces(file, room - width);
	}
	if (bold && table->report->colour)
		fputs(PLAIN, file);
	if (line->share > 0 && table->bar_width)
		put_bar(table, line->share);
	fputc('\n', file);
}

static void measure(struct table *table, const struct line *lines, size_t n)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < table->n_cells; j++) {
			size_t width = lines[i].cells[j] ? word_width(lines[i].cells[j]) : 0;

			if (width > table->widths[j])
				table->widths[j] = width;
		}
	for (size_t j = 0; j < table->n_cells; j++)
		used += table->widths[j] + 2;
	if (table->n_keys && used + 4 <= COLUMNS)
		table->bar_width = COLUMNS - used < BAR_MAX ? COLUMNS - used : BAR_MAX;
}

static int fill_lines(struct table *table, struct line *lines, size_t *ret_n)
{
	const struct answer *answer = table->report->answer;
	size_t n = 0;

	if (!fill_heading(table, &lines[n++]))
		return -ENOMEM;
	for (size_t i = 0; table->n_keys && i < answer->n_rows; i++)
		if (report_shows(table->report, &answer->rows[i]) &&
		    !fill_row(table, &lines[n++], &answer->rows[i]))
			return -ENOMEM;
	if (!table->report->over_bytes && !fill_total(table, &lines[n++]))
		return -ENOMEM;
	*ret_n = n;
	return 0;
}

int report_print_table(const struct report *report, FILE *file)
{
	struct table table = {
		.report = report,
		.file = file,
		.n_keys = report->question->n_by,
		.n_cells = report->question->n_by + AMOUNTS + 1,
		.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
	};
	size_t n_lines = report->answer->n_rows + 2, n = 0;
	struct line *lines = calloc(n_lines, sizeof(*lines));
	int r = lines ? fill_lines(&table, lines, &n) : -ENOMEM;

	if (r == 0) {
		measure(&table, lines, n);
		for (size_t i = 0; i < n; i++)
			put_line(&table, &lines[i], i == 0 || (i == n - 1 && !report->over_bytes));
	}
	for (size_t i = 0; lines && i < n_lines; i++)
		line_free(&lines[i]);
	free(lines);
	return r;
}
