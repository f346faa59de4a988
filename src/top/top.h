/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of the screen: what is shown, and how. */
#ifndef TOP_TOP_H
#define TOP_TOP_H

#include <stdbool.h>

#include "command/top.h"
#include "top/columns.h"
#include "top/filter.h"
#include "top/model.h"
#include "top/names.h"
#include "top/source.h"

enum prompt {
	PROMPT_NONE,
	PROMPT_FILTER,
	PROMPT_SEARCH,
};

enum page {
	PAGE_ROWS,
	PAGE_HELP,
	PAGE_SORT, /* choose the column */
};

struct top {
	const struct top_settings *settings;
	struct source source;
	struct model model;
	struct top_names *names;
	struct show show;
	bool colours;
	bool quit;
	bool paused;
	bool follow;	   /* the cursor stays with its row */
	bool hosts;	   /* names of remote hosts are looked up */
	bool has_answer;   /* of this request */
	char trouble[160]; /* what keeps numbers away; empty: nothing */

	enum page page;
	enum column sort;
	bool turned; /* the sorting */
	int sort_choice;
	enum view back; /* the view that a user was opened from */

	char filter[FILTER_MAX + 1];
	enum prompt prompt;
	char input[FILTER_MAX + 1];

	/* Rows that match the filter, in their order: indexes into the model's. */
	size_t *shown;
	size_t n_shown, n_shown_allocated;
	size_t cursor, scroll;
	char cursor_key[sizeof(((struct row *)0)->key)];

	/* Where things are on the screen, for the mouse. */
	int rows_y, rows_n, header_y, tabs_y;
	struct columns columns;
	double now_s;
};

/* Sorts, filters, and puts the cursor to where it belongs. */
void top_arrange(struct top *top);

/* Another view; the request goes out at once. */
void top_switch(struct top *top, enum view view, uint32_t uid);
void top_ask(struct top *top);

const char *top_user_name(struct top *top, const struct row *row, char *buffer, size_t size);

/* screen.c */
int screen_open(struct top *top);
void screen_close(void);
void screen_draw(struct top *top);

/* keys.c: reads what was typed. */
void keys_read(struct top *top);

/* batch.c: for scripts. Returns an exit code. */
int batch_run(struct top *top);

#endif
