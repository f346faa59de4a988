/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sorting rows of a block by a key. */
#ifndef SPOOL_SORT_H
#define SPOOL_SORT_H

#include <stddef.h>
#include <stdint.h>

struct sort_row {
	uint64_t key;
	uint16_t row;
};

/* Sorts the first n rows; the n behind them are scratch. Rows of one key keep their order. */
void sort_by_key(struct sort_row *rows, size_t n);

#endif
