/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions put to a history, whatever keeps it: who moved how many bytes in a period, grouped by some
 * keys and limited by filters. report, alert and serve ask by this interface alone.
 *
 *	query_open("history:/var/lib/traffic-meter/history.db", &source);
 *	question_init(&question);
 *	question_set_by(&question, "user,day");
 *	question_filter(&question, QUERY_NETWORK, "internet");
 *	query_ask(source, &question, &answer);
 *
 * All sums are exact: rows that `top` leaves out are added up in a row `other`, and the rows of an
 * answer add up to its total.
 */
#ifndef QUERY_QUERY_H
#define QUERY_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <traffic_meter/option.h>

enum query_key {
	QUERY_USER,
	QUERY_LOGIN,
	QUERY_NETWORK,
	QUERY_REMOTE,
	QUERY_SERVICE,
	QUERY_INTERFACE,
	QUERY_PROGRAM,
	QUERY_WORKLOAD,
	QUERY_DIRECTION,
	QUERY_KEYS_FILTERED, /* the keys before this one can be filtered by */
	/* Times, of which a question has one at most. */
	QUERY_HOUR = QUERY_KEYS_FILTERED,
	QUERY_DAY,
	QUERY_MONTH,
	QUERY_SLOT, /* question.slot_s seconds, for pictures; has no name on a command line */
	QUERY_KEYS,
};

#define QUERY_BY_MAX 8

/* The key's name, as --by and --user have it. */
const char *query_key_name(enum query_key key);

static inline bool query_key_is_time(enum query_key key)
{
	return key >= QUERY_HOUR;
}

/* ---- the question ---- */

struct question {
	int64_t since_s, until_s; /* [since_s, until_s), seconds since 1970-01-01 UTC */
	enum query_key by[QUERY_BY_MAX];
	size_t n_by; /* 0: the total alone */
	int64_t slot_s;
	/* A row passes when for each key with values one of them matches. As people write them: names
	 * or numbers of users; networks or addresses of remotes; `*` and `?` in other texts. */
	struct traffic_strings filters[QUERY_KEYS_FILTERED];
	uint64_t top; /* keep so many groups, the largest; 0: all */
	bool wire;    /* what "largest" means: bytes on the wire */
	/* Who asks. An asker who may not see everything is told of the traffic that is charged to
	 * asker_uid, and gets -EACCES for a filter by another user. query_ask() alone decides that, for
	 * all sources. */
	bool sees_everything;
	uint32_t asker_uid;
	/* Called now and then while the source is read; another answer than 0 ends it, as the error. */
	int (*progress)(void *userdata, double done);
	void *progress_userdata;
};

/* A question of somebody who may see everything. */
void question_init(struct question *question);
void question_free(struct question *question);

/* Set the keys by a list of names with commas. -EINVAL, logged, for one that is none. */
int question_set_by(struct question *question, const char *names, const char *where);

/* Add a value to a filter. 0, -ENOMEM. */
int question_filter(struct question *question, enum query_key key, const char *value);

/* ---- the answer ---- */

enum query_value_kind {
	QUERY_VALUE_KNOWN,
	QUERY_VALUE_UNKNOWN, /* nobody's, or the meter does not know it */
	QUERY_VALUE_OTHER,   /* several, added up */
};

struct query_value {
	enum query_value_kind kind;
	int64_t number; /* uid; begin of the time; enum traffic_direction; else private to the source */
	char *text;	/* any bytes; NULL: a user without a name, a time, or not KNOWN */
};

/* By direction (enum traffic_direction). */
struct query_amounts {
	uint64_t bytes[2], wire_bytes[2], packets[2];
};

static inline uint64_t query_bytes(const struct query_amounts *amounts, bool wire)
{
	return wire ? amounts->wire_bytes[0] + amounts->wire_bytes[1]
		    : amounts->bytes[0] + amounts->bytes[1];
}

struct query_row {
	struct query_value values[QUERY_BY_MAX]; /* in the order of question.by */
	struct query_amounts amounts;
	uint64_t groups; /* that `top` added up here; 1 in other rows */
};

struct answer {
	struct query_row *rows; /* times in their order, then the largest first, `other` last */
	size_t n_rows;
	struct query_amounts total; /* the sum of all rows */
	uint64_t groups;	    /* that there were before `top` */
	/* The period that was added up: whole buckets, so it may begin before since_s and end behind
	 * until_s. */
	int64_t since_s, until_s;
	int64_t bucket_s; /* the widest bucket in it */
	/* What the history knows of the period: its first and last second with a meter running (both 0:
	 * none), and for how long none was between them. */
	int64_t covered_since_s, covered_until_s, off_s;
};

void answer_free(struct answer *answer);

/* ---- the source ---- */

struct query_source;

/* What a source can do. One implementation each in history_source.c, ... */
struct query_source_ops {
	const char *kind; /* "history": as in history:FILE */
	/* Errors are logged. */
	int (*open)(struct query_source *source, const char *target);
	int (*ask)(struct query_source *source, const struct question *question,
		   struct answer *ret_answer);
	void (*close)(struct query_source *source);
};

struct query_source {
	const struct query_source_ops *ops;
	void *context; /* of the implementation */
};

/* Open "kind:target". An error is logged: -EINVAL for a bad spec, else of the source. */
int query_open(const char *spec, struct query_source *ret);
void query_close(struct query_source *source);

/* Answer a question. An error is logged, but for -EACCES (question.asker_uid) and what progress()
 * returned. *ret_answer is the caller's, to be freed with answer_free(). */
int query_ask(struct query_source *source, const struct question *question,
	      struct answer *ret_answer);

#endif
