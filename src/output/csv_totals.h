/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of a csv output say of the users' totals. */
#ifndef OUTPUT_CSV_TOTALS_H
#define OUTPUT_CSV_TOTALS_H

#include <traffic_meter/output.h>

#include "output/csv_folder.h"

/* Tell the totals of the last row of each file in the folder, those that were rotated away and are not
 * compressed included: each user's may be told several times. What is no row of ours is passed over.
 * 0, or an error of reading the directory or of `tell`. */
int csv_totals_tell(const struct csv_folder *folder, traffic_total_tell *tell, void *userdata);

#endif
