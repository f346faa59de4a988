/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The thread of a network output: it reads the spool from the output's cursor on and sends. */
#ifndef EXPORT_WORKER_H
#define EXPORT_WORKER_H

#include <pthread.h>
#include <stdbool.h>

#include "export/cursor.h"
#include "export/export.h"
#include "spool/reader.h"

struct export_worker {
	/* set by export_worker_new()'s caller, in `how` */
	struct export_how {
		const char *spool;
		const char *state_directory; /* NULL: no cursor (a dry run) */
		enum spool_from from;	     /* where a new cursor begins */
		uint64_t from_ns;
		bool once;    /* end when the spool is read; the first error is the last */
		bool dry_run; /* implies once */
		int stop_fd;
	} how;

	struct export_output output;
	char *target;  /* of the SPEC, what .output.target is */
	char *label;   /* "kind:target" */
	char name[64]; /* of the cursor's file */
	struct export_cursor cursor;
	struct spool_reader reader;
	struct spool_records records;
	struct export_batch batch;
	bool is_open;
	bool was_said;	  /* the error that lasts */
	bool comes_again; /* the next frame was being sent when the process before this one ended */
	pthread_t thread;
	bool has_thread, has_failed;
};

/* Of a SPEC, with its cursor opened. Errors are logged. -EINVAL: the SPEC is wrong. */
int export_worker_new(struct export_worker **ret, const char *spec, const struct export_how *how);

/* Returns 0 or a negative errno, logged. */
int export_worker_start(struct export_worker *worker);

/* Waits for the thread's end, at most until the deadline (CLOCK_REALTIME). Returns 0 when it ended well,
 * 1 when it ended with an error, or -ETIMEDOUT. */
int export_worker_join(struct export_worker *worker, const struct timespec *deadline);

void export_worker_free(struct export_worker *worker);

#endif
