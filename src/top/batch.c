// SPDX-License-Identifier: GPL-2.0-or-later
/* Screens one after the other, for scripts: as a table, or as the meter's answers are. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "command/command.h"
#include "top/clean.h"
#include "top/top.h"
#include "util/cleanup.h"
#include "util/json_text.h"
#include "util/log.h"

/* Wide enough for all columns. */
#define BATCH_WIDTH 160

/* An answer comes each delay; one that is late by this is not coming. */
#define LATE_MS 15000

static void print_cell(const char *text, int width, bool right, bool last)
{
	int filled = width - clean_width(text);

	if (right)
		printf("%*s", filled > 0 ? filled : 0, "");
	printf("%s", text);
	if (!right && !last)
		printf("%*s", filled > 0 ? filled : 0, "");
	putchar(last ? '\n' : ' ');
}

static void print_line(struct top *top, const struct row *row)
{
	const struct columns *columns = &top->columns;

	for (int i = 0; i < columns->n; i++) {
		const struct columns_one *one = &columns->columns[i];
		char text[1024], name[160];

		if (one->column == COLUMN_MINUTE || one->column == COLUMN_SHARE)
			continue;
		if (!row)
			snprintf(text, sizeof(text), "%s",
				 columns_title(one->column, top->model.view));
		else if (one->column == COLUMN_REMOTE)
			snprintf(text, sizeof(text), "%s %u", row->remote, row->remote_port);
		else if (one->column == COLUMN_USER ||
			 (one->column == COLUMN_NAME && top->model.view == VIEW_USERS &&
			  row->has_uid))
			snprintf(text, sizeof(text), "%s",
				 row->has_uid ? top_user_name(top, row, name, sizeof(name)) : "-");
		else if (one->column == COLUMN_NAME)
			snprintf(text, sizeof(text), "%s", row->name);
		else
			columns_cell(one->column, row, &top->model.all, &top->show, one->width,
				     text, sizeof(text));
		print_cell(text, one->width, columns_is_right(one->column), i + 1 == columns->n);
	}
}

static void print_screen(struct top *top)
{
	time_t now = time(NULL);
	struct tm local;
	char clock[32];

	localtime_r(&now, &local);
	strftime(clock, sizeof(clock), "%Y-%m-%d %H:%M:%S", &local);
	columns_fit(top->model.view, BATCH_WIDTH, &top->columns);
	top_arrange(top);
	printf("%s %s %s\n", clock, top->model.instance, model_view_name(top->model.view));
	print_line(top, NULL);
	for (size_t i = 0; i < top->n_shown; i++)
		print_line(top, &top->model.rows[top->shown[i]]);
	putchar('\n');
}

static int print_answer(struct top *top, const struct json_tree *answer)
{
	_cleanup_(json_text_free) struct json_text text = { 0 };
	int r = model_take(&top->model, answer);

	if (r == -EPROTO) {
		log_error("the meter of the instance '%s' is of a version without live numbers: "
			  "restart it",
			  top->source.instance);
		return r;
	}
	if (r < 0)
		return r == -ESTALE ? 0 : r;
	if (!top->settings->json) {
		print_screen(top);
		return 0;
	}
	json_tree_write(answer, json_root(answer), &text);
	if (text.failed)
		return -ENOMEM;
	puts(text.data);
	return 0;
}

int batch_run(struct top *top)
{
	uint64_t rounds = top->settings->rounds;
	int r;

	signal(SIGPIPE, SIG_IGN);
	top_ask(top);
	for (uint64_t i = 0; !rounds || i < rounds; i++) {
		_cleanup_(json_tree_free) struct json_tree answer = { 0 };

		r = client_read(&top->source.connection,
				(int)top->settings->delay_s * 1000 + LATE_MS, &answer);
		if (r == -ECONNRESET) {
			log_error("the meter of the instance '%s' has ended", top->source.instance);
			return EXIT_FAILED;
		}
		if (r < 0) {
			log_error_errno(r, "ask the meter of the instance '%s'",
					top->source.instance);
			return EXIT_FAILED;
		}
		r = print_answer(top, &answer);
		if (r < 0)
			return EXIT_FAILED;
		if (fflush(stdout)) {
			/* A pipe that nobody reads any more is an end as any other. */
			return errno == EPIPE ? EXIT_DONE : EXIT_FAILED;
		}
	}
	return EXIT_DONE;
}
