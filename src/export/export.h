/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interface of a network output: where `traffic-meter export` hands a spool's batches on to. An
 * output is one file that defines a `struct export_type`, and one line in registry.c.
 *
 * The host (worker.c) has a thread for each output, which reads the spool from the output's own cursor
 * on. The order of the calls is
 *
 *	(open send* close)*
 *
 * An error of open() or send() is logged once; the host calls close(), waits (1 s, doubled up to 30 s),
 * and calls open() and send() again with the same batch, however often. When send() returns 0 the batch is
 * done and the cursor moves behind it. The cursor also says while a batch is being sent, so after a
 * crash exactly that one batch comes again, with .repeated set.
 *
 * A call may block: only this output waits. But it ends soon when .stop_fd becomes readable, with
 * -ECANCELED; transport.h does that.
 */
#ifndef EXPORT_EXPORT_H
#define EXPORT_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <traffic_meter/option.h>
#include <traffic_meter/record.h>

#include "spool/block.h"
#include "spool/frame.h"

/* A frame of the spool: records of one batch of the meter's. The two numbers frame.batch and frame.first
 * with the machine's name are its identity: the same frame has the same bytes, always. */
struct export_batch {
	struct spool_frame frame;

	/* As it is stored: a block of ClickHouse's Native format, gzip'd, frame.stored_size bytes. */
	const void *block;

	/* The same, unpacked. Empty for a type that takes blocks (.takes_blocks). */
	const struct spool_records *records;

	/* The peer may have some of it already: an earlier send() failed or never returned. */
	bool repeated;

	/* Kept by send() over its calls for one batch: so many records, from the first on, are out for
	 * good and are not sent again (datagrams). 0 in the first call. */
	size_t done;
};

struct export_output;

struct export_type {
	const char *kind;   /* the word before the colon of a SPEC */
	const char *target; /* what help calls the word behind it */
	const char *help;   /* one line */

	/* As in traffic_output_type: the host makes the context, zeroed, preset and with the SPEC's
	 * options in it, once for the life of the process. */
	size_t context_size;
	const struct traffic_option *options; /* ends with a NULL name; NULL: none */
	void (*preset)(void *context);

	bool takes_blocks; /* sends .block: the host need not unpack it */

	/* Is the target one? Called once, before any thread. 0, or -EINVAL told by export_fail(). */
	int (*check)(struct export_output *output);

	/* Connect, start. 0 or a negative errno. close() follows even after an error. */
	int (*open)(struct export_output *output);

	/* Send the batch, and wait until as much is known of its arrival as the peer tells.
	 * 0 or a negative errno, told by export_fail(). */
	int (*send)(struct export_output *output, struct export_batch *batch);

	/* Nothing to send for a while (about a second): may be NULL. Errors as of send(). */
	int (*idle)(struct export_output *output);

	void (*close)(struct export_output *output);

	/* Frees what check() allocated, once, also when it failed. May be NULL. */
	void (*forget)(struct export_output *output);
};

struct export_output {
	const struct export_type *type;
	const char *target; /* of the SPEC, never NULL */
	void *context;
	int stop_fd;  /* readable: end what blocks */
	bool dry_run; /* write to standard output what would be sent */
	/* All that was handed on, and missed, over restarts. */
	const struct spool_sums *delivered, *missed;
	char error[256]; /* words of the last error */
};

/* Keep "<what was being done>: <words for errno>". Returns error, a negative errno. */
int export_fail(struct export_output *output, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with the output's own words alone. */
int export_refuse(struct export_output *output, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* In the order of help, NULL-terminated. */
extern const struct export_type *const export_types[];

/* NULL: there is no such kind. */
const struct export_type *export_type_find(const char *kind);

#endif
