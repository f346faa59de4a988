/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A record as a row of CSV (docs/formats.md). */
#ifndef OUTPUT_CSV_ROW_H
#define OUTPUT_CSV_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <traffic_meter/record.h>

enum csv_columns {
	CSV_COLUMNS_ORIGINAL, /* the seven of the original */
	CSV_COLUMNS_ALL,
};

/* The names of the columns, with the newline. */
const char *csv_row_header(enum csv_columns columns);

/* No header and no row is longer. */
#define CSV_ROW_MAX (512 + 2 * (CSV_ROW_CGROUP_MAX + 2 * CSV_ROW_NAME_MAX))

/* Longer paths are cut here (PATH_MAX). */
#define CSV_ROW_CGROUP_MAX 4096

/* Likewise names of networks and workloads. */
#define CSV_ROW_NAME_MAX 256

/* At most so many bytes will this record's row have. */
size_t csv_row_bound(const struct traffic_record *record, enum csv_columns columns);

/* Write the row, newline included and no NUL, at `to`. Returns its end. */
char *csv_row_append(char *to, const struct traffic_record *record, enum csv_columns columns);

/* Can a row or a header, of any columns, begin with these n bytes? */
bool csv_row_begins(const char *text, size_t n);

/* The user's bytes so far by a row without its newline; it may be of any columns. false: this is no
 * row. */
bool csv_row_read_totals(const char *row, uint64_t *ret_in, uint64_t *ret_out);

#endif
