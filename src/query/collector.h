/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Collecting an answer: rows of a source are added up by group, then the largest groups are kept and
 * the rest becomes `other`. A value is an id here: a uid, a time, a direction, or what the source uses
 * for its texts, which it puts into the few rows that are left.
 */
#ifndef QUERY_COLLECTOR_H
#define QUERY_COLLECTOR_H

#include "query/query.h"

/* Ids that every key has. */
#define COLLECTOR_UNKNOWN INT64_MIN
#define COLLECTOR_OTHER	  (INT64_MIN + 1)

struct collector {
	const struct question *question;
	struct collector_group *groups;
	uint32_t *slots; /* a hash table of indices into groups, plus 1 */
	size_t n, size, n_slots;
	struct query_amounts total;
};

/* The question must outlive the collector. */
void collector_init(struct collector *collector, const struct question *question);
void collector_free(struct collector *collector);

/* Add amounts to the group with these ids, one for each key of question.by. 0, -ENOMEM. */
int collector_add(struct collector *collector, const int64_t *ids,
		  const struct query_amounts *amounts);

/* Make the rows of an answer, with kind and number of each value. 0, -ENOMEM. */
int collector_finish(struct collector *collector, struct answer *answer);

#endif
