// SPDX-License-Identifier: GPL-2.0-or-later
#include "top/columns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "top/units.h"

/* from: the narrowest screen that has the column. */
struct layout {
	enum column column;
	int least, most;
	int from;
};

static const struct layout users[] = {
	{ COLUMN_NAME, 14, 32, 0 },   { COLUMN_IN, 11, 13, 0 },
	{ COLUMN_OUT, 11, 13, 0 },    { COLUMN_SHARE, 8, 24, 0 },
	{ COLUMN_MINUTE, 10, 60, 0 }, { COLUMN_SUM_IN, 9, 11, 0 },
	{ COLUMN_SUM_OUT, 9, 11, 0 }, { 0 },
};

static const struct layout groups[] = {
	{ COLUMN_NAME, 20, 60, 0 },	   { COLUMN_USER, 10, 16, 0 },
	{ COLUMN_CONNECTIONS, 5, 6, 100 }, { COLUMN_IN, 11, 13, 0 },
	{ COLUMN_OUT, 11, 13, 0 },	   { COLUMN_SHARE, 8, 20, 110 },
	{ COLUMN_MINUTE, 10, 60, 120 },	   { COLUMN_SUM_IN, 9, 11, 0 },
	{ COLUMN_SUM_OUT, 9, 11, 90 },	   { 0 },
};

static const struct layout flows[] = {
	{ COLUMN_PROGRAM, 12, 15, 0 },	{ COLUMN_PROTOCOL, 5, 5, 0 },
	{ COLUMN_PORT, 6, 6, 0 },	{ COLUMN_REMOTE, 18, 47, 0 },
	{ COLUMN_IN, 11, 13, 0 },	{ COLUMN_OUT, 11, 13, 0 },
	{ COLUMN_MINUTE, 10, 60, 110 }, { COLUMN_SUM_IN, 9, 11, 0 },
	{ COLUMN_SUM_OUT, 9, 11, 95 },	{ 0 },
};

static const struct layout *layout_of(enum view view)
{
	if (view == VIEW_USER_FLOWS)
		return flows;
	return view == VIEW_USERS || view == VIEW_INTERFACES || view == VIEW_NETWORKS ? users
										      : groups;
}

/* What is left after the least widths goes to the text first, then to the picture of the minute. */
static void widen(struct columns *columns, const struct layout *layouts, int screen_width, int left)
{
	static const enum column order[] = { COLUMN_IN,	     COLUMN_OUT,	COLUMN_NAME,
					     COLUMN_REMOTE,  COLUMN_MINUTE,	COLUMN_SUM_IN,
					     COLUMN_SUM_OUT, COLUMN_SHARE,	COLUMN_USER,
					     COLUMN_PROGRAM, COLUMN_CONNECTIONS };

	for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
		const struct layout *layout = layouts;

		for (int i = 0; i < columns->n; layout++) {
			int more;

			if (layout->from > screen_width)
				continue;
			more = layout->most - layout->least;
			if (layout->column == order[k]) {
				more = more < left ? more : left;
				columns->columns[i].width += more;
				left -= more;
			}
			i++;
		}
	}
}

void columns_fit(enum view view, int screen_width, struct columns *ret)
{
	const struct layout *layouts = layout_of(view);
	int left = screen_width + 1;

	ret->n = 0;
	for (const struct layout *layout = layouts; layout->least; layout++) {
		if (layout->from > screen_width)
			continue;
		ret->columns[ret->n++] = (struct columns_one){ layout->column, layout->least };
		left -= layout->least + 1;
	}
	if (left > 0)
		widen(ret, layouts, screen_width, left);
}

const char *columns_title(enum column column, enum view view)
{
	static const char *const titles[] = {
		[COLUMN_USER] = "USER",	     [COLUMN_PROGRAM] = "PROGRAM",
		[COLUMN_PROTOCOL] = "PROTO", [COLUMN_PORT] = "PORT",
		[COLUMN_REMOTE] = "REMOTE",  [COLUMN_CONNECTIONS] = "CONNS",
		[COLUMN_IN] = "IN",	     [COLUMN_OUT] = "OUT",
		[COLUMN_SHARE] = "SHARE",    [COLUMN_MINUTE] = "LAST MINUTE",
		[COLUMN_SUM_IN] = "SUM IN",  [COLUMN_SUM_OUT] = "SUM OUT",
	};
	static const char *const names[VIEWS] = {
		[VIEW_USERS] = "USER",
		[VIEW_WORKLOADS] = "WORKLOAD",
		[VIEW_NETWORKS] = "NETWORK",
		[VIEW_REMOTES] = "REMOTE",
		[VIEW_INTERFACES] = "INTERFACE",
		[VIEW_USER_FLOWS] = "REMOTE",
		[VIEW_USER_PROGRAMS] = "PROGRAM",
		[VIEW_USER_WORKLOADS] = "WORKLOAD",
		[VIEW_USER_REMOTES] = "REMOTE",
	};

	return column == COLUMN_NAME ? names[view] : titles[column];
}

bool columns_is_right(enum column column)
{
	return column == COLUMN_IN || column == COLUMN_OUT || column == COLUMN_SUM_IN ||
	       column == COLUMN_SUM_OUT || column == COLUMN_CONNECTIONS || column == COLUMN_PORT;
}

const struct measure *columns_measure(const struct row *row, const struct show *show)
{
	return show->wire ? &row->wire : &row->ip;
}

static double share_of(const struct row *row, const struct row *all, const struct show *show)
{
	const struct measure *part = columns_measure(row, show);
	const struct measure *whole = columns_measure(all, show);
	double sum = whole->rate[0] + whole->rate[1];

	return sum > 0 ? (part->rate[0] + part->rate[1]) / sum : 0;
}

static void share_cell(double share, const struct show *show, int width, char *ret, size_t size)
{
	char bar[256];

	if (width < 12) {
		units_bar(share, width, show->utf8, ret, size);
		return;
	}
	units_bar(share, width - 5, show->utf8, bar, sizeof(bar));
	snprintf(ret, size, "%s %3.0f%%", bar, share * 100);
}

static void minute_cell(const struct row *row, const struct row *all, const struct show *show,
			int width, char *ret, size_t size)
{
	const float *values = row->history[show->wire];
	float top = 0;

	/* Against its own peak: the shape counts, and how much it is stands beside it. */
	(void)all;
	for (int i = 0; i < MODEL_HISTORY; i++)
		top = values[i] > top ? values[i] : top;
	units_spark(values, MODEL_HISTORY, top, width < MODEL_HISTORY ? width : MODEL_HISTORY,
		    show->utf8, ret, size);
}

void columns_cell(enum column column, const struct row *row, const struct row *all,
		  const struct show *show, int width, char *ret, size_t size)
{
	const struct measure *measure = columns_measure(row, show);
	char text[UNITS_TEXT_MAX];

	ret[0] = '\0';
	switch (column) {
	case COLUMN_NAME:
	case COLUMN_USER:
	case COLUMN_REMOTE:
		break;
	case COLUMN_PROGRAM:
		snprintf(ret, size, "%s", row->program[0] ? row->program : "-");
		break;
	case COLUMN_PROTOCOL:
		snprintf(ret, size, "%s", row->protocol);
		break;
	case COLUMN_PORT:
		snprintf(ret, size, "%u", row->local_port);
		break;
	case COLUMN_CONNECTIONS:
		snprintf(ret, size, "%u", row->connections);
		break;
	case COLUMN_IN:
	case COLUMN_OUT:
		units_rate(measure->rate[column == COLUMN_OUT], show->bytes, text);
		snprintf(ret, size, "%s", text);
		break;
	case COLUMN_SHARE:
		share_cell(share_of(row, all, show), show, width, ret, size);
		break;
	case COLUMN_MINUTE:
		minute_cell(row, all, show, width, ret, size);
		break;
	case COLUMN_SUM_IN:
	case COLUMN_SUM_OUT:
		units_bytes((double)measure->sum[column == COLUMN_SUM_OUT], text);
		snprintf(ret, size, "%s", text);
		break;
	}
}

struct order {
	enum column column;
	bool turned;
	const struct show *show;
};

static double number_of(const struct row *row, const struct order *order)
{
	const struct measure *measure = columns_measure(row, order->show);
	double sum = 0;

	switch (order->column) {
	case COLUMN_IN:
	case COLUMN_OUT:
		return measure->rate[order->column == COLUMN_OUT];
	case COLUMN_SUM_IN:
	case COLUMN_SUM_OUT:
		return (double)measure->sum[order->column == COLUMN_SUM_OUT];
	case COLUMN_CONNECTIONS:
		return row->connections;
	case COLUMN_PORT:
		return row->local_port;
	case COLUMN_MINUTE:
		for (int i = 0; i < MODEL_HISTORY; i++)
			sum += (double)row->history[order->show->wire][i];
		return sum;
	default:
		return measure->rate[0] + measure->rate[1];
	}
}

static int compare_text(const struct row *a, const struct row *b, enum column column)
{
	switch (column) {
	case COLUMN_PROGRAM:
		return strcasecmp(a->program, b->program);
	case COLUMN_PROTOCOL:
		return strcmp(a->protocol, b->protocol);
	case COLUMN_REMOTE:
		return strcmp(a->remote, b->remote);
	case COLUMN_USER:
		return a->uid < b->uid ? -1 : a->uid > b->uid;
	default:
		return strcasecmp(a->name, b->name);
	}
}

static int compare_rows(const void *a, const void *b, void *data)
{
	const struct row *x = a, *y = b;
	const struct order *order = data;
	int r = 0;

	if (order->column <= COLUMN_PROTOCOL || order->column == COLUMN_REMOTE) {
		r = compare_text(x, y, order->column);
	} else {
		double more = number_of(y, order) - number_of(x, order);

		r = more > 0 ? 1 : more < 0 ? -1 : 0;
	}
	if (order->turned)
		r = -r;
	if (r == 0) {
		double more = (double)(y->ip.sum[0] + y->ip.sum[1]) -
			      (double)(x->ip.sum[0] + x->ip.sum[1]);

		r = more > 0 ? 1 : more < 0 ? -1 : 0;
	}
	return r ?: strcmp(x->key, y->key);
}

void columns_sort(struct row *rows, size_t n, enum column column, bool turned,
		  const struct show *show)
{
	struct order order = { column, turned, show };

	if (n)
		qsort_r(rows, n, sizeof(*rows), compare_rows, &order);
}
