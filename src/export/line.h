/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A record as a line of JSON, for outputs that hand lines on (docs/outputs.md has the keys). */
#ifndef EXPORT_LINE_H
#define EXPORT_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "export/export.h"

/* Texts of a record are cut at so many bytes where the caller has no smaller limit. */
#define LINE_TEXT_MAX 4096

/* Room for a line whose texts are cut at n bytes: each byte of the five texts that can be that long
 * may take 6. */
#define LINE_MAX(n) (2048 + 6 * (5 * (size_t)(n) + 64))

enum line_names {
	LINE_NAMES_OWN, /* as json: has them */
	LINE_NAMES_ECS, /* Elastic Common Schema, with dots */
};

/* Writes the object of record `row` at `to`, no newline behind it. Returns the end. */
char *line_append(char *to, const struct export_batch *batch, size_t row, enum line_names names,
		  size_t text_max);

#endif
