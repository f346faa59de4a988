// SPDX-License-Identifier: GPL-2.0-or-later
#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "top/clean.h"
#include "top/help.h"
#include "top/top.h"
#include "top/units.h"
#include "util/log.h"

#define LEAST_WIDTH  80
#define LEAST_HEIGHT 24

enum pair {
	PAIR_BAR = 1, /* the first line */
	PAIR_HEADER,
	PAIR_CURSOR,
	PAIR_KEYS,
	PAIR_IN,
	PAIR_OUT,
	PAIR_MINUTE,
	PAIR_SHARE,
	PAIR_TROUBLE,
	PAIR_TAB,
};

int screen_open(struct top *top)
{
	if (!newterm(NULL, stdout, stdin)) {
		const char *term = getenv("TERM"); /* NOLINT(concurrency-mt-unsafe) */

		log_error("the terminal type '%s' is not known here: set TERM, as to 'xterm' or "
			  "'vt100', or use --batch",
			  term ?: "");
		return -ENOTTY;
	}
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	set_escdelay(50);
	mousemask(BUTTON1_CLICKED | BUTTON1_PRESSED | BUTTON1_DOUBLE_CLICKED | BUTTON4_PRESSED |
			  BUTTON5_PRESSED,
		  NULL);
	mouseinterval(0);
	top->show.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	top->colours = !top->settings->monochrome && has_colors();
	if (!top->colours)
		return 0;
	start_color();
	use_default_colors();
	init_pair(PAIR_BAR, COLOR_WHITE, COLOR_BLUE);
	init_pair(PAIR_HEADER, COLOR_BLACK, COLOR_GREEN);
	init_pair(PAIR_CURSOR, COLOR_BLACK, COLOR_CYAN);
	init_pair(PAIR_KEYS, COLOR_BLACK, COLOR_CYAN);
	init_pair(PAIR_IN, COLOR_GREEN, -1);
	init_pair(PAIR_OUT, COLOR_YELLOW, -1);
	init_pair(PAIR_MINUTE, COLOR_CYAN, -1);
	init_pair(PAIR_SHARE, COLOR_BLUE, -1);
	init_pair(PAIR_TROUBLE, COLOR_WHITE, COLOR_RED);
	init_pair(PAIR_TAB, COLOR_BLACK, COLOR_WHITE);
	return 0;
}

void screen_close(void)
{
	endwin();
}

static void set_pair(const struct top *top, enum pair pair, attr_t otherwise)
{
	if (top->colours)
		attrset(COLOR_PAIR(pair));
	else
		attrset(otherwise);
}

/* Text in so many columns, cut or filled up. */
static void put(const struct top *top, const char *text, int width, bool right)
{
	char cut[1024];
	size_t n = 0;
	int used = 0;

	for (; text[n] && n < sizeof(cut) - 8;) {
		int length = 1, columns;

		while ((text[n + (size_t)length] & 0xc0) == 0x80)
			length++;
		memcpy(cut, text + n, (size_t)length);
		cut[length] = '\0';
		columns = clean_width(cut);
		if (used + columns > width)
			break;
		used += columns;
		n += (size_t)length;
	}
	if (right)
		printw("%*s", width - used, "");
	if (top->show.utf8) {
		addnstr(text, (int)n);
	} else {
		for (size_t i = 0; i < n; i++)
			if ((text[i] & 0xc0) != 0x80)
				addch((chtype)((unsigned char)text[i] < 0x80 ? text[i] : '?'));
	}
	/* What is cut shows it. */
	if (text[n] && width > 3 && !right) {
		int y, x;

		getyx(stdscr, y, x);
		if (used == width && x > 0)
			mvaddstr(y, x - 1, top->show.utf8 ? "…" : "~");
	}
	if (!right)
		printw("%*s", width - used, "");
}

static void draw_bar(const struct top *top)
{
	char host[65] = "", left[160], clock[16], state[64];
	time_t now = time(NULL);
	struct tm local;

	gethostname(host, sizeof(host) - 1);
	localtime_r(&now, &local);
	strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	snprintf(left, sizeof(left), " traffic-meter top   %.60s@%.60s",
		 top->model.instance[0] ? top->model.instance : top->source.instance, host);
	snprintf(state, sizeof(state), "%s%s%s%s", top->paused ? "PAUSED  " : "",
		 top->follow ? "FOLLOW  " : "", top->show.wire ? "wire  " : "", clock);
	set_pair(top, PAIR_BAR, A_REVERSE);
	move(0, 0);
	put(top, left, COLS - 34, false);
	put(top, state, 33, true);
	addch(' ');
	attrset(A_NORMAL);
}

static void draw_amount(const struct top *top, const char *label, enum pair pair, double rate)
{
	char text[UNITS_TEXT_MAX];

	units_rate(rate, top->show.bytes, text);
	attrset(A_NORMAL);
	addstr(label);
	set_pair(top, pair, A_BOLD);
	attron(A_BOLD);
	put(top, text, 13, false);
	attrset(A_NORMAL);
}

static size_t count_active(const struct top *top)
{
	size_t n = 0;

	for (size_t i = 0; i < top->model.n; i++)
		n += top->model.rows[i].ip.rate[0] + top->model.rows[i].ip.rate[1] > 0;
	return n;
}

static void draw_sums(const struct top *top)
{
	const struct measure *all = columns_measure(&top->model.all, &top->show);
	int width = COLS - 68 < MODEL_HISTORY ? COLS - 68 : MODEL_HISTORY;
	char spark[MODEL_HISTORY * 3 + 1];
	float peak = 0;

	move(1, 1);
	draw_amount(top, "in ", PAIR_IN, all->rate[0]);
	draw_amount(top, " out ", PAIR_OUT, all->rate[1]);
	printw(" %zu active of %zu", count_active(top), top->model.n);
	if (width < 8)
		return;
	for (int i = 0; i < MODEL_HISTORY; i++)
		if (top->model.all.history[top->show.wire][i] > peak)
			peak = top->model.all.history[top->show.wire][i];
	units_spark(top->model.all.history[top->show.wire], MODEL_HISTORY, peak, width,
		    top->show.utf8, spark, sizeof(spark));
	move(1, COLS - width - 1);
	set_pair(top, PAIR_MINUTE, A_NORMAL);
	addstr(spark);
	attrset(A_NORMAL);
}

static void draw_tabs(struct top *top)
{
	bool user = top->model.view >= VIEW_USER_FIRST;
	enum view first = user ? VIEW_USER_FIRST : VIEW_USERS;
	enum view end = user ? VIEWS : VIEW_USER_FIRST;
	char name[64];

	top->tabs_y = 3;
	move(3, 1);
	if (user) {
		struct row row = { .uid = top->model.uid, .has_uid = top->model.uid != UINT32_MAX };

		attrset(A_BOLD);
		addstr(row.has_uid ? top_user_name(top, &row, name, sizeof(name)) : "no user's");
		attrset(A_NORMAL);
		if (row.has_uid)
			printw(" (uid %u)", row.uid);
		addstr("  ");
	}
	for (enum view view = first; view < end; view++) {
		if (view == top->model.view)
			set_pair(top, PAIR_TAB, A_REVERSE);
		printw(" %s ", model_view_name(view));
		attrset(A_NORMAL);
		addch(' ');
	}
	if (top->filter[0]) {
		attrset(A_BOLD);
		printw(" filter: %.40s", top->filter);
		attrset(A_NORMAL);
	}
}

static void draw_header(struct top *top)
{
	top->header_y = 4;
	move(4, 0);
	set_pair(top, PAIR_HEADER, A_REVERSE);
	for (int i = 0; i < top->columns.n; i++) {
		enum column column = top->columns.columns[i].column;
		const char *arrow =
			top->turned ? (top->show.utf8 ? "△" : "^") : (top->show.utf8 ? "▽" : "v");
		char title[32];

		snprintf(title, sizeof(title), "%s%s",
			 column == COLUMN_MINUTE && top->columns.columns[i].width < 13
				 ? "MINUTE"
				 : columns_title(column, top->model.view),
			 column == top->sort ? arrow : "");
		put(top, title, top->columns.columns[i].width, columns_is_right(column));
		if (i + 1 < top->columns.n)
			addch(' ');
	}
	while (getcurx(stdscr) < COLS - 1 && getcury(stdscr) == 4)
		addch(' ');
	attrset(A_NORMAL);
}

static void remote_cell(struct top *top, const struct row *row, char *ret, size_t size)
{
	const char *host = top->hosts ? top_names_host(top->names, row->remote) : NULL;
	bool brackets = !host && strchr(row->remote, ':');

	/* ICMP and its like have no ports. */
	if (!row->remote_port && !row->local_port)
		snprintf(ret, size, "%s", host ?: row->remote);
	else
		snprintf(ret, size, "%s%s%s:%u", brackets ? "[" : "", host ?: row->remote,
			 brackets ? "]" : "", row->remote_port);
}

static void name_cell(struct top *top, const struct row *row, char *ret, size_t size)
{
	const char *host = NULL;

	if (top->model.view == VIEW_USERS && row->has_uid) {
		top_user_name(top, row, ret, size);
		return;
	}
	if (top->hosts && row->remote[0])
		host = top_names_host(top->names, row->remote);
	snprintf(ret, size, "%s", host ?: row->name);
}

static void cell_text(struct top *top, const struct row *row, enum column column, int width,
		      char *ret, size_t size)
{
	char user[160];

	if (column == COLUMN_NAME) {
		name_cell(top, row, user, sizeof(user));
		snprintf(ret, size, "%s", user);
	} else if (column == COLUMN_REMOTE) {
		remote_cell(top, row, ret, size);
	} else if (column == COLUMN_USER) {
		snprintf(ret, size, "%s",
			 row->has_uid ? top_user_name(top, row, user, sizeof(user)) : "(several)");
	} else {
		columns_cell(column, row, &top->model.all, &top->show, width, ret, size);
	}
}

static void choose_pair(const struct top *top, enum column column, bool ended)
{
	attrset(ended ? A_DIM : A_NORMAL);
	if (!top->colours || ended)
		return;
	if (column == COLUMN_IN || column == COLUMN_SUM_IN)
		attron(COLOR_PAIR(PAIR_IN));
	else if (column == COLUMN_OUT || column == COLUMN_SUM_OUT)
		attron(COLOR_PAIR(PAIR_OUT));
	else if (column == COLUMN_MINUTE)
		attron(COLOR_PAIR(PAIR_MINUTE));
	else if (column == COLUMN_SHARE)
		attron(COLOR_PAIR(PAIR_SHARE));
	else if (column == COLUMN_NAME || column == COLUMN_PROGRAM)
		attron(A_BOLD);
}

static void draw_row(struct top *top, const struct row *row, bool cursor)
{
	char text[1024];

	for (int i = 0; i < top->columns.n; i++) {
		const struct columns_one *one = &top->columns.columns[i];

		if (cursor)
			set_pair(top, PAIR_CURSOR, A_REVERSE);
		else
			choose_pair(top, one->column, row->ended);
		cell_text(top, row, one->column, one->width, text, sizeof(text));
		put(top, text, one->width, columns_is_right(one->column));
		if (i + 1 < top->columns.n)
			addch(' ');
	}
	attrset(A_NORMAL);
}

static void draw_rows(struct top *top)
{
	top->rows_y = 5;
	top->rows_n = LINES - 6;
	if (top->cursor < top->scroll)
		top->scroll = top->cursor;
	if (top->cursor >= top->scroll + (size_t)top->rows_n)
		top->scroll = top->cursor - (size_t)top->rows_n + 1;
	for (int i = 0; i < top->rows_n; i++) {
		size_t at = top->scroll + (size_t)i;

		move(top->rows_y + i, 0);
		if (at < top->n_shown)
			draw_row(top, &top->model.rows[top->shown[at]], at == top->cursor);
	}
	if (top->n_shown == 0)
		mvaddstr(top->rows_y + 1, 3,
			 !top->has_answer    ? "waiting for the first numbers ..."
			 : top->model.n == 0 ? "no traffic so far"
					     : "nothing matches the filter: \\ changes it");
}

static void draw_keys(const struct top *top)
{
	static const char *const keys[][2] = {
		{ "F1", "Help" },   { "Tab", "View" },	{ "Enter", "Open" }, { "F3", "Search" },
		{ "F4", "Filter" }, { "F6", "SortBy" }, { "Z", "Pause" },    { "b", "Bits" },
		{ "w", "Wire" },    { "F10", "Quit" },
	};

	move(LINES - 1, 0);
	if (top->prompt != PROMPT_NONE) {
		set_pair(top, PAIR_KEYS, A_REVERSE);
		printw("%s: %s_", top->prompt == PROMPT_FILTER ? "Filter" : "Search", top->input);
		attrset(A_NORMAL);
		return;
	}
	if (top->trouble[0]) {
		set_pair(top, PAIR_TROUBLE, A_REVERSE);
		put(top, top->trouble, COLS - 1, false);
		attrset(A_NORMAL);
		return;
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		attrset(A_NORMAL);
		addstr(keys[i][0]);
		set_pair(top, PAIR_KEYS, A_REVERSE);
		addstr(keys[i][1]);
		attrset(A_NORMAL);
		if (getcurx(stdscr) < COLS - 2)
			addch(' ');
	}
}

static void draw_help(const struct top *top)
{
	for (int i = 0; help_lines[i] && i < LINES - 4; i++) {
		move(3 + i, 2);
		put(top, help_lines[i], COLS - 4, false);
	}
}

static void draw_sort(const struct top *top)
{
	mvaddstr(5, 3, "Sort by (Enter chooses, Esc leaves it):");
	for (int i = 0; i < top->columns.n; i++) {
		if (i == top->sort_choice)
			set_pair(top, PAIR_CURSOR, A_REVERSE);
		move(7 + i, 5);
		put(top, columns_title(top->columns.columns[i].column, top->model.view), 20, false);
		attrset(A_NORMAL);
	}
}

void screen_draw(struct top *top)
{
	erase();
	if (COLS < LEAST_WIDTH || LINES < LEAST_HEIGHT) {
		mvprintw(0, 0, "%dx%d is too small:", COLS, LINES);
		mvprintw(1, 0, "%dx%d at least", LEAST_WIDTH, LEAST_HEIGHT);
		refresh();
		return;
	}
	columns_fit(top->model.view, COLS, &top->columns);
	draw_bar(top);
	draw_sums(top);
	if (top->page == PAGE_HELP) {
		draw_help(top);
	} else {
		draw_tabs(top);
		draw_header(top);
		if (top->page == PAGE_SORT)
			draw_sort(top);
		else
			draw_rows(top);
	}
	draw_keys(top);
	refresh();
}
