/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The forms that an answer is printed in. */
#ifndef REPORT_FORMS_H
#define REPORT_FORMS_H

#include "report/words.h"

struct report {
	const struct question *question;
	const struct answer *answer;
	enum word_unit unit;
	uint64_t over_bytes; /* print only rows with more; 0: all */
	bool colour;
};

/* Is the row to be printed? */
static inline bool report_shows(const struct report *report, const struct query_row *row)
{
	return query_bytes(&row->amounts, report->question->wire) > report->over_bytes;
}

/* Each returns 0 or -ENOMEM; errors of the file are seen in ferror(). */
int report_print_table(const struct report *report, FILE *file);
int report_print_parsable(const struct report *report, FILE *file);
int report_print_csv(const struct report *report, FILE *file);
int report_print_json(const struct report *report, FILE *file);

#endif
