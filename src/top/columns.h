/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The columns of each view: their order, their widths on a screen, what they show and how they sort. */
#ifndef TOP_COLUMNS_H
#define TOP_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

#include "top/model.h"

#define COLUMNS_MAX 10

enum column {
	COLUMN_NAME,
	COLUMN_USER,
	COLUMN_PROGRAM,
	COLUMN_PROTOCOL,
	COLUMN_PORT, /* of this machine's end */
	COLUMN_REMOTE,
	COLUMN_CONNECTIONS,
	COLUMN_IN,
	COLUMN_OUT,
	COLUMN_SHARE,
	COLUMN_MINUTE,
	COLUMN_SUM_IN,
	COLUMN_SUM_OUT,
};

struct columns {
	struct columns_one {
		enum column column;
		int width;
	} columns[COLUMNS_MAX];
	int n;
};

/* How numbers are shown. */
struct show {
	bool bytes; /* rates in bytes, not bits */
	bool wire;  /* with the headers on the wire */
	bool utf8;
};

/* Widths for a screen of so many columns. */
void columns_fit(enum view view, int screen_width, struct columns *ret);

const char *columns_title(enum column column, enum view view);
bool columns_is_right(enum column column);

/* The text of a cell but for name and user, which the caller knows better. size: 4 * width + 1 at least. */
void columns_cell(enum column column, const struct row *row, const struct row *all,
		  const struct show *show, int width, char *ret, size_t size);

const struct measure *columns_measure(const struct row *row, const struct show *show);

/* Sorts by a column, the largest first for numbers; `turned`: the other way. */
void columns_sort(struct row *rows, size_t n, enum column column, bool turned,
		  const struct show *show);

#endif
