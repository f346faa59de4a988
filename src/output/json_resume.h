/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far the meter before this one came with json:PATH, by the last line that it left: which of
 * the records that come again are to be passed over.
 */
#ifndef OUTPUT_JSON_RESUME_H
#define OUTPUT_JSON_RESUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <traffic_meter/output.h>

#include "output/append_file.h"
#include "output/json_row.h"

struct json_resume {
	struct json_place place; /* of that line */
	bool place_known;
	bool rotated_seen;		  /* where there was none, the file before was asked */
	bool is_past;			  /* all that comes from now on is to be written */
	uint64_t records, packets, bytes; /* passed over, in search of the place */
};

/* From the file's last line, or NULL, when it is opened. Of the first opening only: later ones find
 * lines of this process. */
void json_resume_set(struct json_resume *resume, const char *line);

/* How many of the records, from the first on, are in the file already. 0: none; or an error of
 * looking for the one rotated away. Where the place never comes up, they are told as lost. */
int json_resume_pass_over(struct json_resume *resume, struct traffic_output *output,
			  const struct append_policy *policy, const struct traffic_record *records,
			  size_t n);

#endif
