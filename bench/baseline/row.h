/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the baseline writes a row: the user's file is opened, printed to and closed for each. */
#ifndef BENCH_BASELINE_ROW_H
#define BENCH_BASELINE_ROW_H

#include <stdbool.h>

#include <traffic_meter/record.h>

/* all: the columns behind the original's seven too, so that the two ways write the same bytes.
 * 0 or -errno. */
int baseline_write_row(const char *directory, const char *nic_id,
		       const struct traffic_record *record, bool all);

#endif
