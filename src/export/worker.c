// SPDX-License-Identifier: GPL-2.0-or-later
#include "export/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/log.h"
#include "util/options.h"

#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 30000

/* FNV-1a */
static uint64_t hash_text(const char *text)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return hash;
}

static int make_output(struct export_worker *worker, const char *spec)
{
	struct export_output *output = &worker->output;
	_cleanup_free_ char *kind = NULL;
	char *target;
	const char *rest;
	int r = options_split_spec(spec, &kind, &target, &rest);

	if (r < 0)
		return log_error_errno(r, "output '%s'", spec);
	output->target = worker->target = target;
	output->type = export_type_find(kind);
	if (!output->type) {
		log_error(
			"'%s' is not an output of export; 'traffic-meter export --help' lists them",
			kind);
		return -EINVAL;
	}
	if (asprintf(&worker->label, "%s:%s", kind, target) < 0) {
		worker->label = NULL;
		return -ENOMEM;
	}
	/* Options may change without the cursor being another one. */
	snprintf(worker->name, sizeof(worker->name), "%s-%016" PRIx64, kind,
		 hash_text(worker->label));
	output->context = calloc(1, output->type->context_size ? output->type->context_size : 1);
	if (!output->context)
		return -ENOMEM;
	if (output->type->preset)
		output->type->preset(output->context);
	r = options_parse_pairs(output->type->options, output->context, rest, worker->label);
	if (r < 0)
		return r;
	r = output->type->check ? output->type->check(output) : 0;
	if (r < 0)
		log_error("%s: %s", worker->label, output->error);
	return r < 0 ? -EINVAL : 0;
}

static int open_cursor(struct export_worker *worker)
{
	struct export_cursor *cursor = &worker->cursor;
	const char *directory = worker->how.state_directory;
	int r;

	if (!directory)
		return 0;
	r = export_cursor_open(cursor, directory, worker->name);
	if (r == -EBUSY) {
		log_error("%s: another export has the cursor %s/%s.cursor", worker->label,
			  directory, worker->name);
		return r;
	}
	if (r == -EBADMSG) {
		log_error("%s: the cursor %s/%s.cursor is damaged; remove it to begin anew (--from "
			  "says where)",
			  worker->label, directory, worker->name);
		return r;
	}
	if (r < 0)
		return log_error_errno(r, "%s: open the cursor in %s", worker->label, directory);
	worker->reader.place = cursor->place;
	worker->comes_again = cursor->is_sending;
	snprintf(cursor->spec, sizeof(cursor->spec), "%s", worker->label);
	return r;
}

int export_worker_new(struct export_worker **ret, const char *spec, const struct export_how *how)
{
	struct export_worker *worker = calloc(1, sizeof(*worker));
	int r;

	if (!worker)
		return log_error_errno(-ENOMEM, "output '%s'", spec);
	worker->how = *how;
	worker->reader = SPOOL_READER_CLOSED;
	worker->reader.path = how->spool;
	worker->cursor.fd = -1;
	worker->output.stop_fd = how->stop_fd;
	worker->output.dry_run = how->dry_run;
	worker->output.delivered = &worker->cursor.delivered;
	worker->output.missed = &worker->cursor.missed;
	r = make_output(worker, spec);
	if (r == 0)
		r = open_cursor(worker);
	/* Without a place of its own: where it was told to begin. */
	if (r == 0 && !worker->cursor.place.id) {
		r = spool_reader_seek(&worker->reader, how->from, how->from_ns);
		if (r < 0)
			log_error("%s: %s", worker->label, worker->reader.error);
		worker->cursor.place = worker->reader.place;
	}
	if (r < 0) {
		export_worker_free(worker);
		return r;
	}
	*ret = worker;
	return 0;
}

static bool is_stopping(const struct export_worker *worker)
{
	struct pollfd stop = { .fd = worker->how.stop_fd, .events = POLLIN };

	return poll(&stop, 1, 0) > 0;
}

/* Returns whether to stop. */
static bool wait_ms(const struct export_worker *worker, int ms)
{
	struct pollfd stop = { .fd = worker->how.stop_fd, .events = POLLIN };

	return poll(&stop, 1, ms) > 0;
}

static int write_cursor(struct export_worker *worker, bool now)
{
	int r;

	if (worker->cursor.fd < 0)
		return 0;
	r = export_cursor_write(&worker->cursor, now);
	return r < 0 ? export_fail(&worker->output, r, "write the cursor in %s",
				   worker->how.state_directory)
		     : 0;
}

static void say_error(struct export_worker *worker)
{
	const char *error = worker->output.error;

	if (!worker->was_said || strcmp(worker->cursor.error, error) != 0)
		log_warning("%s: %s%s", worker->label, error, worker->how.once ? "" : "; retrying");
	worker->was_said = true;
	snprintf(worker->cursor.error, sizeof(worker->cursor.error), "%s", error);
	if (worker->cursor.fd >= 0)
		export_cursor_write(&worker->cursor, false);
}

static void end_error(struct export_worker *worker)
{
	if (worker->was_said)
		log_notice("%s: works again", worker->label);
	worker->was_said = false;
	*worker->cursor.error = '\0';
}

static void close_output(struct export_worker *worker)
{
	if (worker->is_open)
		worker->output.type->close(&worker->output);
	worker->is_open = false;
}

/* One try. */
static int try_send(struct export_worker *worker)
{
	struct export_output *output = &worker->output;
	int r = 0;

	if (!worker->is_open) {
		worker->is_open = true;
		r = output->type->open(output);
	}
	if (r == 0 && !worker->cursor.is_sending) {
		worker->cursor.is_sending = true;
		r = write_cursor(worker, false);
	}
	if (r == 0) {
		if (worker->batch.repeated)
			spool_sums_add(&worker->cursor.repeated, &worker->batch.frame.sums);
		r = output->type->send(output, &worker->batch);
		/* A part of it may be there. */
		if (r < 0 && worker->batch.done == 0)
			worker->batch.repeated = true;
	}
	return r;
}

/* Returns 0, or -ECANCELED when it has to stop, or with --once the error. */
static int send_batch(struct export_worker *worker)
{
	int delay_ms = RETRY_MIN_MS, r;

	while ((r = try_send(worker)) < 0) {
		close_output(worker);
		if (is_stopping(worker))
			return -ECANCELED;
		say_error(worker);
		if (worker->how.once)
			return r;
		if (wait_ms(worker, delay_ms))
			return -ECANCELED;
		delay_ms = delay_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : delay_ms * 2;
	}
	end_error(worker);
	return 0;
}

static void say_missed(struct export_worker *worker)
{
	struct spool_sums *missed = &worker->reader.missed;

	if (worker->reader.other_spool)
		log_warning(
			"%s: the spool %s is another one than before; what the old one held and "
			"was not read is not known",
			worker->label, worker->how.spool);
	worker->reader.other_spool = false;
	if (!missed->records)
		return;
	log_warning("%s: missed %" PRIu64 " records, %" PRIu64 " packets and %" PRIu64
		    " bytes in, %" PRIu64 " packets and %" PRIu64
		    " bytes out: they went from the spool, or were damaged, before they were read",
		    worker->label, missed->records, missed->packets[TRAFFIC_IN],
		    missed->bytes[TRAFFIC_IN], missed->packets[TRAFFIC_OUT],
		    missed->bytes[TRAFFIC_OUT]);
	spool_sums_add(&worker->cursor.missed, missed);
	*missed = (struct spool_sums){ 0 };
}

/* A block that can't be unpacked has a good checksum, so it was written so: nobody can read it. */
static int unpack(struct export_worker *worker)
{
	struct export_batch *batch = &worker->batch;
	int r;

	worker->records.n = 0;
	batch->records = &worker->records;
	if (worker->output.type->takes_blocks)
		return 0;
	r = spool_records_read(&worker->records, batch->block, batch->frame.stored_size,
			       batch->frame.raw_size);
	if (r == 0)
		return 0;
	log_error_errno(r, "%s: the block of batch %" PRIu64 " can't be read; it is missed",
			worker->label, batch->frame.batch);
	spool_sums_add(&worker->reader.missed, &batch->frame.sums);
	return r;
}

static int hand_on(struct export_worker *worker)
{
	int r = unpack(worker);

	say_missed(worker);
	if (r < 0) {
		worker->cursor.place = worker->reader.place;
		return r == -ENOMEM ? r : write_cursor(worker, false);
	}
	worker->batch.done = 0;
	worker->batch.repeated = worker->comes_again;
	worker->comes_again = false;
	r = send_batch(worker);
	if (r < 0)
		return r;
	spool_sums_add(&worker->cursor.delivered, &worker->batch.frame.sums);
	worker->cursor.place = worker->reader.place;
	worker->cursor.is_sending = false;
	r = write_cursor(worker, false);
	if (r < 0) /* told, and a start anew would only send this batch again */
		say_error(worker);
	return 0;
}

/* Nothing to read. Returns whether to go on. */
static bool idle(struct export_worker *worker)
{
	struct export_output *output = &worker->output;

	if (worker->how.once || spool_reader_wait(&worker->reader, worker->how.stop_fd))
		return false;
	if (worker->is_open && output->type->idle && output->type->idle(output) < 0) {
		close_output(worker);
		if (!is_stopping(worker))
			say_error(worker);
	}
	return true;
}

static void *run(void *argument)
{
	struct export_worker *worker = argument;
	const void *block;
	int r = 0;

	pthread_setname_np(pthread_self(), worker->output.type->kind);
	spool_reader_wait(&worker->reader, worker->how.stop_fd); /* begins to watch */
	while (!is_stopping(worker)) {
		r = spool_reader_next(&worker->reader, &worker->batch.frame, &block);
		if (r > 0) {
			worker->batch.block = block;
			r = hand_on(worker);
			if (r < 0)
				break;
			continue;
		}
		if (r < 0) {
			snprintf(worker->output.error, sizeof(worker->output.error), "%s",
				 worker->reader.error);
			say_error(worker);
		} else if (worker->was_said && !worker->is_open) {
			end_error(worker);
		}
		say_missed(worker);
		if (!idle(worker))
			break;
	}
	close_output(worker);
	worker->has_failed = r < 0 && r != -ECANCELED;
	if (worker->cursor.fd >= 0 && export_cursor_write(&worker->cursor, true) < 0)
		worker->has_failed = true;
	return NULL;
}

int export_worker_start(struct export_worker *worker)
{
	int r = pthread_create(&worker->thread, NULL, run, worker);

	if (r)
		return log_error_errno(r, "%s: start a thread", worker->label);
	worker->has_thread = true;
	return 0;
}

int export_worker_join(struct export_worker *worker, const struct timespec *deadline)
{
	int r;

	if (!worker->has_thread)
		return 0;
	r = deadline ? pthread_timedjoin_np(worker->thread, NULL, deadline)
		     : pthread_join(worker->thread, NULL);
	if (r)
		return -ETIMEDOUT;
	worker->has_thread = false;
	return worker->has_failed;
}

void export_worker_free(struct export_worker *worker)
{
	if (!worker)
		return;
	export_cursor_close(&worker->cursor);
	spool_reader_close(&worker->reader);
	spool_records_free(&worker->records);
	if (worker->output.context && worker->output.type->forget)
		worker->output.type->forget(&worker->output);
	if (worker->output.context)
		options_free(worker->output.type->options, worker->output.context);
	free(worker->output.context);
	free(worker->target);
	free(worker->label);
	free(worker);
}
