/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A record as a line of JSON (docs/formats.md). */
#ifndef OUTPUT_JSON_ROW_H
#define OUTPUT_JSON_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <traffic_meter/record.h>

/* Names and paths are cut here, in bytes of their own. */
#define JSON_ROW_USER_MAX   256
#define JSON_ROW_CGROUP_MAX 4096
#define JSON_ROW_NAME_MAX   256 /* of a network or workload */

/* Keys, numbers and punctuation come to less than 1,024 bytes, and a byte of a text to 6. */
#define JSON_ROW_MAX \
	(1024 + 6 * (JSON_ROW_USER_MAX + 16 + 16 + JSON_ROW_CGROUP_MAX + 2 * JSON_ROW_NAME_MAX))

/* Write the object, newline included and no NUL, at `to`, where JSON_ROW_MAX bytes have room.
 * user: the uid's name, any bytes; NULL: not known. batch: struct traffic_output's. Returns the end. */
char *json_row_append(char *to, const struct traffic_record *record, const char *user,
		      uint64_t batch);

/* Write n bytes of any kind as a string of JSON, quotes included: at most 6 * n + 2 bytes. Returns the
 * end. */
char *json_row_append_text(char *to, const char *text, size_t n);

/* Can a line begin with these n bytes? */
bool json_row_begins(const char *text, size_t n);

/* Which record a line was: one of a batch and no other. */
struct json_place {
	uint64_t batch, total_in, total_out;
	uint32_t uid;
	uint8_t direction;
};

/* By a line without its newline. false: this is no line of ours, or one without a batch. */
bool json_row_read_place(const char *line, struct json_place *ret);

#endif
