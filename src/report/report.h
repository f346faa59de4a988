/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `traffic-meter report`: usage of a period from a history. report.c reads the options, ask.c puts the
 * question to the database, print.c writes the answer.
 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum report_key {
	REPORT_USER,
	REPORT_LOGIN,
	REPORT_NETWORK,
	REPORT_REMOTE,
	REPORT_SERVICE,
	REPORT_INTERFACE,
	REPORT_PROGRAM,
	REPORT_WORKLOAD,
	REPORT_DIRECTION,
	REPORT_HOUR,
	REPORT_DAY,
	REPORT_MONTH,
	REPORT_KEYS,
};

/* The last key that rows can be filtered by. */
#define REPORT_FILTERS (REPORT_DIRECTION + 1)

extern const char *const report_key_names[REPORT_KEYS];

struct report_question {
	int64_t since_s, until_s; /* [since_s, until_s), seconds since 1970-01-01 UTC */
	enum report_key by[REPORT_KEYS];
	size_t n_by;
	const char *filters[REPORT_FILTERS]; /* the value that the key must have; NULL: any */
	bool wire; /* bytes on the wire, with the headers of each segment */
};

struct report_row {
	char *keys[REPORT_KEYS]; /* n_by texts */
	uint64_t in, out;	 /* bytes received and sent */
};

struct report_answer {
	struct report_row *rows; /* the largest first, or by time where that is the first key */
	size_t n;
	uint64_t in, out; /* the sums over all rows */
	int64_t since_s;  /* the rows' own period: whole buckets where finer rows have expired */
	int64_t until_s;
	uint64_t metered_s; /* how many seconds of the period a meter ran */
};

/* Put the question to the history at `path`. Returns 0, or a negative errno, logged. */
int report_ask(const char *path, const struct report_question *question, struct report_answer *ret);

void report_answer_free(struct report_answer *answer, size_t n_by);

enum report_form {
	REPORT_TEXT,
	REPORT_PARSABLE, /* fields with | between them, as sacct -P */
	REPORT_CSV,
	REPORT_JSON,
};

enum report_unit {
	REPORT_BYTES, /* with a prefix: 1.5 GB */
	REPORT_BITS,
	REPORT_RAW, /* the number of bytes */
};

void report_print(const struct report_question *question, const struct report_answer *answer,
		  enum report_form form, enum report_unit unit, FILE *file);

#endif
