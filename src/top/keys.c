// SPDX-License-Identifier: GPL-2.0-or-later
#include <curses.h>
#include <string.h>

#include "top/top.h"

#define KEY_ESCAPE 27

static const struct row *cursor_row(const struct top *top)
{
	return top->cursor < top->n_shown ? &top->model.rows[top->shown[top->cursor]] : NULL;
}

static void remember_cursor(struct top *top)
{
	const struct row *row = cursor_row(top);

	if (row)
		memcpy(top->cursor_key, row->key, sizeof(top->cursor_key));
	else
		top->cursor_key[0] = '\0';
}

static void move_cursor(struct top *top, long by)
{
	long at = (long)top->cursor + by, last = (long)top->n_shown - 1;

	if (at > last)
		at = last;
	top->cursor = at < 0 ? 0 : (size_t)at;
	remember_cursor(top);
}

static void next_view(struct top *top, int by)
{
	bool user = top->model.view >= VIEW_USER_FIRST;
	int first = user ? VIEW_USER_FIRST : VIEW_USERS;
	int n = (user ? (int)VIEWS : (int)VIEW_USER_FIRST) - first;
	int at = ((int)top->model.view - first + by + n) % n;

	top_switch(top, (enum view)(first + at), top->model.uid);
}

static void open_user(struct top *top)
{
	const struct row *row = cursor_row(top);

	if (!row || top->model.view >= VIEW_USER_FIRST ||
	    (!row->has_uid && top->model.view != VIEW_USERS))
		return;
	top->back = top->model.view;
	top_switch(top, VIEW_USER_FLOWS, row->has_uid ? row->uid : UINT32_MAX);
}

static void go_back(struct top *top)
{
	if (top->page != PAGE_ROWS)
		top->page = PAGE_ROWS;
	else if (top->model.view >= VIEW_USER_FIRST)
		top_switch(top, top->back, UINT32_MAX);
	else if (top->filter[0])
		top->filter[0] = '\0';
}

static void sort_by(struct top *top, enum column column)
{
	if (top->sort == column)
		top->turned = !top->turned;
	else
		top->turned = false;
	top->sort = column;
	top->scroll = 0;
}

static void begin_prompt(struct top *top, enum prompt prompt)
{
	top->prompt = prompt;
	snprintf(top->input, sizeof(top->input), "%s", prompt == PROMPT_FILTER ? top->filter : "");
}

static void search(struct top *top)
{
	char name[160];

	for (size_t i = 0; i < top->n_shown && top->input[0]; i++) {
		size_t at = (top->cursor + i) % top->n_shown;
		const struct row *row = &top->model.rows[top->shown[at]];

		if (strcasestr(row->name, top->input) ||
		    (row->has_uid &&
		     strcasestr(top_user_name(top, row, name, sizeof(name)), top->input))) {
			top->cursor = at;
			remember_cursor(top);
			return;
		}
	}
}

static void end_prompt(struct top *top)
{
	const char *error;

	if (top->prompt == PROMPT_FILTER) {
		error = filter_error(top->input);
		if (error) {
			snprintf(top->trouble, sizeof(top->trouble), "filter: %s", error);
		} else {
			memcpy(top->filter, top->input, sizeof(top->filter));
			top->trouble[0] = '\0';
		}
	}
	top->prompt = PROMPT_NONE;
}

/* A key while a line is typed: what is found shows at once. */
static void type(struct top *top, int key)
{
	size_t n = strlen(top->input);

	if (key == KEY_ESCAPE) {
		top->prompt = PROMPT_NONE;
	} else if (key == '\r' || key == '\n' || key == KEY_ENTER) {
		end_prompt(top);
	} else if (key == KEY_BACKSPACE || key == 127 || key == 8) {
		while (n && (top->input[n - 1] & 0xc0) == 0x80)
			n--;
		top->input[n ? n - 1 : 0] = '\0';
	} else if (key >= ' ' && key < 256 && n + 1 < sizeof(top->input)) {
		top->input[n] = (char)key;
		top->input[n + 1] = '\0';
	}
	if (top->prompt == PROMPT_SEARCH)
		search(top);
}

static void choose_sort(struct top *top, int key)
{
	if (key == KEY_UP || key == 'k')
		top->sort_choice -= top->sort_choice > 0;
	else if (key == KEY_DOWN || key == 'j')
		top->sort_choice += top->sort_choice + 1 < top->columns.n;
	else if (key == '\r' || key == '\n' || key == KEY_ENTER) {
		sort_by(top, top->columns.columns[top->sort_choice].column);
		top->page = PAGE_ROWS;
	} else if (key == KEY_ESCAPE || key == 'q') {
		top->page = PAGE_ROWS;
	}
}

static void next_sort(struct top *top, int by)
{
	int at = 0;

	for (int i = 0; i < top->columns.n; i++)
		if (top->columns.columns[i].column == top->sort)
			at = i;
	at = (at + by + top->columns.n) % top->columns.n;
	top->turned = false;
	top->sort = top->columns.columns[at].column;
}

static void click_header(struct top *top, int x)
{
	int at = 0;

	for (int i = 0; i < top->columns.n; i++) {
		at += top->columns.columns[i].width + 1;
		if (x < at) {
			sort_by(top, top->columns.columns[i].column);
			return;
		}
	}
}

static void click_tabs(struct top *top, int x)
{
	int at = 1;

	if (top->model.view >= VIEW_USER_FIRST)
		return;
	for (enum view view = VIEW_USERS; view < VIEW_USER_FIRST; view++) {
		at += (int)strlen(model_view_name(view)) + 3;
		if (x < at) {
			top_switch(top, view, UINT32_MAX);
			return;
		}
	}
}

static void click(struct top *top)
{
	MEVENT event;

	if (getmouse(&event) != OK)
		return;
	if (event.bstate & BUTTON4_PRESSED) {
		move_cursor(top, -3);
	} else if (event.bstate & BUTTON5_PRESSED) {
		move_cursor(top, 3);
	} else if (event.y == top->header_y) {
		click_header(top, event.x);
	} else if (event.y == top->tabs_y) {
		click_tabs(top, event.x);
	} else if (event.y >= top->rows_y && event.y < top->rows_y + top->rows_n) {
		size_t at = top->scroll + (size_t)(event.y - top->rows_y);

		if (at == top->cursor || event.bstate & BUTTON1_DOUBLE_CLICKED)
			open_user(top);
		else if (at < top->n_shown)
			move_cursor(top, (long)at - (long)top->cursor);
	}
}

/* Returns false for a key that moves nothing. */
static bool move_key(struct top *top, int key)
{
	switch (key) {
	case KEY_UP:
	case 'k':
		move_cursor(top, -1);
		return true;
	case KEY_DOWN:
	case 'j':
		move_cursor(top, 1);
		return true;
	case KEY_PPAGE:
		move_cursor(top, -top->rows_n);
		return true;
	case KEY_NPAGE:
		move_cursor(top, top->rows_n);
		return true;
	case KEY_HOME:
	case 'g':
		move_cursor(top, -(long)top->n_shown);
		return true;
	case KEY_END:
	case 'G':
		move_cursor(top, (long)top->n_shown);
		return true;
	default:
		return false;
	}
}

/* Returns false for a key that changes nothing of how it is shown. */
static bool show_key(struct top *top, int key)
{
	switch (key) {
	case 'b':
		top->show.bytes = !top->show.bytes;
		return true;
	case 'w':
		top->show.wire = !top->show.wire;
		return true;
	case 'n':
		top->hosts = !top->hosts;
		return true;
	case 'Z':
	case 'z':
	case ' ':
		top->paused = !top->paused;
		return true;
	case 'F':
		top->follow = !top->follow;
		remember_cursor(top);
		return true;
	case 'I':
		top->turned = !top->turned;
		return true;
	case 'P':
		sort_by(top, COLUMN_SHARE);
		return true;
	case 'T':
	case 'M':
		sort_by(top, COLUMN_SUM_IN);
		return true;
	case 'N':
		sort_by(top, top->model.view == VIEW_USER_FLOWS ? COLUMN_REMOTE : COLUMN_NAME);
		return true;
	case '<':
		next_sort(top, -1);
		return true;
	case '>':
		next_sort(top, 1);
		return true;
	default:
		return false;
	}
}

static void other_key(struct top *top, int key)
{
	switch (key) {
	case '\t':
		next_view(top, 1);
		break;
	case KEY_BTAB:
		next_view(top, -1);
		break;
	case '\r':
	case '\n':
	case KEY_ENTER:
		open_user(top);
		break;
	case KEY_ESCAPE:
	case KEY_BACKSPACE:
	case 127:
		go_back(top);
		break;
	case KEY_F(1):
	case '?':
	case 'h':
		top->page = top->page == PAGE_HELP ? PAGE_ROWS : PAGE_HELP;
		break;
	case KEY_F(3):
	case '/':
		begin_prompt(top, PROMPT_SEARCH);
		break;
	case KEY_F(4):
	case '\\':
		begin_prompt(top, PROMPT_FILTER);
		break;
	case KEY_F(6):
	case 's':
		top->page = PAGE_SORT;
		top->sort_choice = 0;
		break;
	case KEY_F(10):
	case 'q':
		top->quit = true;
		break;
	case KEY_MOUSE:
		click(top);
		break;
	default: /* the screen's new size is looked at when it is drawn */
		break;
	}
}

void keys_read(struct top *top)
{
	int key;

	while ((key = getch()) != ERR) {
		if (top->prompt != PROMPT_NONE)
			type(top, key);
		else if (top->page == PAGE_SORT)
			choose_sort(top, key);
		else if (top->page == PAGE_HELP && key != KEY_RESIZE && key != 'q' &&
			 key != KEY_F(10))
			top->page = PAGE_ROWS;
		else if (!move_key(top, key) && !show_key(top, key))
			other_key(top, key);
	}
}
