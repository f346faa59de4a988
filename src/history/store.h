/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The writer of a history. Rows are added in memory and written in transactions together with how far
 * the meter's batches have come; buckets are closed, and expire, in small transactions between.
 *
 * Errors are negative errno values, with one line in `why`. -EBUSY, -ENOSPC and other errors of the
 * system may pass: what was added stays, and the call can be made again. A damaged database is moved
 * away by itself, which is logged.
 */
#ifndef HISTORY_STORE_H
#define HISTORY_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "history/levels.h"
#include "history/pending.h"

#define STORE_WHY_MAX 512

/* When so many rows are pending they should be written: 1.5 MB. */
#define STORE_PENDING_MAX 16384

struct store_settings {
	const char *path;
	mode_t mode;
	gid_t group;			/* (gid_t)-1: as the system has it */
	int64_t keep_s[HISTORY_LEVELS]; /* 0: for ever */
	int64_t rows[HISTORY_LEVELS];
	/* The user's name; NULL: not known. Asked once a day for each user. May be NULL. */
	const char *(*name_of)(void *userdata, uint32_t uid);
	void *userdata;
};

/* A row to add. Texts are valid UTF-8; empty: not known. */
struct store_row {
	int64_t time_s;
	uint32_t user, login; /* UINT32_MAX: none */
	int32_t service;      /* as in the database: schema.h */
	const char *remote, *network, *interface, *program, *workload;
	struct amounts amounts;
};

struct store;

/* Opens the database, too. -EBUSY: it is locked, or -ENOSPC: and the store is there all the same.
 * All other errors: there is no store. The settings' path has to stay valid. */
int history_store_new(struct store **ret, const struct store_settings *settings,
		      char why[STORE_WHY_MAX]);

/* The batch that was written last, and how many of its records. 0 if it is not known. */
void history_store_progress(const struct store *store, uint64_t *ret_batch, uint64_t *ret_records);

/* 0 or -ENOMEM. */
int history_store_add(struct store *store, const struct store_row *row);
size_t history_store_pending(const struct store *store);

/* Write what is pending, and that so many records of the batch were added. Where nothing is pending it
 * notes once a minute that the meter runs. now_s: wall-clock time. */
int history_store_write(struct store *store, uint64_t batch, uint64_t records, int64_t now_s,
			char why[STORE_WHY_MAX]);

/* Close buckets that are over, and remove rows that have expired, for about budget_ns. Returns 1 when
 * there is more to do, 0 when not, or an error. */
int history_store_maintain(struct store *store, int64_t now_s, uint64_t budget_ns,
			   char why[STORE_WHY_MAX]);

/* ended_well: all that was added is written. */
void history_store_free(struct store *store, bool ended_well, int64_t now_s);

#endif
