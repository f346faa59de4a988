// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The thread of an output: it takes batches from the queue's head, calls the output, waits out its
 * errors, opens it again, and keeps the counts. The queue's other end is
 * output_queue.c's.
 *
 * Each turn picks one task under the mutex and does it without. What is due when is in three
 * `struct retry`; all that may change from outside in the middle of a call is read again after.
 */
#include "pipeline/output_thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/log.h"
#include "util/monotonic.h"
#include "util/options.h"

/* From the first record taken to the flush(); and between flushes with nothing taken, for the sake
 * of files that were rotated away, and of what an output could not hand on the last time. */
#define FLUSH_NS      NS_PER_S
#define FLUSH_IDLE_NS (5 * NS_PER_S)

/* Between calls that say -EAGAIN, and between tries of init(): doubled from the first to the
 * second. While stopping it is always the first of all. */
#define BUSY_MIN_NS (100 * NS_PER_MS)
#define BUSY_MAX_NS NS_PER_S
#define OPEN_MIN_NS NS_PER_S
#define OPEN_MAX_NS (30 * NS_PER_S)

enum task {
	TASK_WAIT,
	TASK_OPEN,
	TASK_WRITE,
	TASK_FLUSH,
	TASK_END,
};

void queue_sum(struct output_sum *sum, const struct traffic_record *records, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		sum->packets[records[i].direction & 1] += records[i].packets;
		sum->bytes[records[i].direction & 1] += records[i].bytes;
	}
}

static void add_sum(struct output_sum *sum, const struct output_sum *more)
{
	for (int i = 0; i < 2; i++) {
		sum->packets[i] += more->packets[i];
		sum->bytes[i] += more->bytes[i];
	}
}

static void subtract_sum(struct output_sum *sum, const struct output_sum *less)
{
	for (int i = 0; i < 2; i++) {
		sum->packets[i] -= less->packets[i];
		sum->bytes[i] -= less->bytes[i];
	}
}

/* Under the mutex. An earlier time stands: a request from outside may have set it. */
static void try_at(struct retry *retry, uint64_t at_ns)
{
	if (at_ns < retry->at_ns)
		retry->at_ns = at_ns;
}

/* Under the mutex. */
static void retry_later(const struct output_queue *queue, struct retry *retry, uint64_t min_ns,
			uint64_t max_ns)
{
	uint64_t delay = retry->delay_ns ? 2 * retry->delay_ns : min_ns;

	if (delay > max_ns)
		delay = max_ns;
	retry->delay_ns = delay;
	if (queue->stopping && delay > BUSY_MIN_NS)
		delay = BUSY_MIN_NS;
	try_at(retry, monotonic_ns() + delay);
}

/* FNV-1a */
static uint32_t hash_text(const char *text)
{
	uint32_t hash = 2166136261;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619;
	return hash;
}

static void say_error(struct output_queue *queue)
{
	uint32_t hash = hash_text(queue->output.error);

	for (size_t i = 0; i < queue->n_said; i++) {
		if (queue->said[i] == hash)
			return;
	}
	if (queue->n_said == HOST_SAID_MAX)
		return;
	queue->said[queue->n_said++] = hash;
	log_warning("%s: %s; retrying", queue->label, queue->output.error);
}

/* Publish what a call told, and log it. Returns whether there was an error to tell. */
static bool note_call(struct output_queue *queue, const char *call, ssize_t result)
{
	struct traffic_output *output = &queue->output;

	if (result < 0 && result != -EAGAIN && !*output->error)
		traffic_output_fail(output, (int)result, "%s", call);
	if (!*output->error)
		return false;
	pthread_mutex_lock(&queue->mutex);
	queue->status.errors++;
	memcpy(queue->status.error, output->error, sizeof(output->error));
	pthread_mutex_unlock(&queue->mutex);
	if (!queue->trouble_ns)
		queue->trouble_ns = monotonic_ns();
	say_error(queue);
	*output->error = '\0';
	return true;
}

static void note_loss(struct output_queue *queue)
{
	const struct traffic_output *output = &queue->output;
	bool more;

	pthread_mutex_lock(&queue->mutex);
	more = queue->status.lost_packets != output->lost_packets ||
	       queue->status.lost_bytes != output->lost_bytes;
	queue->status.lost_packets = output->lost_packets;
	queue->status.lost_bytes = output->lost_bytes;
	pthread_mutex_unlock(&queue->mutex);
	if (more)
		log_warning("%s: %llu packets of %llu bytes that it had taken are lost, in all",
			    queue->label, (unsigned long long)output->lost_packets,
			    (unsigned long long)output->lost_bytes);
}

static void end_trouble(struct output_queue *queue)
{
	if (!queue->trouble_ns || queue->write_fails)
		return;
	log_notice("%s: works again after %llu s", queue->label,
		   (unsigned long long)((monotonic_ns() - queue->trouble_ns) / NS_PER_S));
	queue->trouble_ns = 0;
	queue->n_said = 0;
	pthread_mutex_lock(&queue->mutex);
	queue->open.delay_ns = 0;
	*queue->status.error = '\0';
	pthread_mutex_unlock(&queue->mutex);
}

/* Give back the context that host_open() made; init() was called on it or not. */
static void drop_context(struct output_queue *queue)
{
	options_free(queue->output.type->options, queue->output.context);
	free(queue->output.context);
	queue->output.context = NULL;
}

int host_open(struct output_queue *queue)
{
	struct traffic_output *output = &queue->output;
	const struct traffic_output_type *type = output->type;
	char words[sizeof(output->error)];
	int r;

	*output->error = '\0';
	output->context = calloc(1, type->context_size ? type->context_size : 1);
	if (!output->context)
		return traffic_output_fail(output, -ENOMEM, "make the output's context");
	if (type->preset)
		type->preset(output->context);
	r = options_parse_pairs(type->options, output->context, queue->pairs, queue->label);
	if (r < 0) {
		drop_context(queue);
		return r;
	}
	r = type->init(output);
	if (r < 0) {
		if (!*output->error)
			traffic_output_fail(output, r, "open");
		/* What it says in close() is of no interest. */
		memcpy(words, output->error, sizeof(words));
		host_close(queue);
		memcpy(output->error, words, sizeof(words));
		return r;
	}
	queue->is_open = true;
	return 0;
}

void host_close(struct output_queue *queue)
{
	queue->output.type->close(&queue->output);
	*queue->output.error = '\0';
	drop_context(queue);
	queue->is_open = false;
	note_loss(queue);
}

/* Under the mutex. */
static void tell(const struct output_queue *queue)
{
	const uint64_t one = 1;

	if (queue->room_fd >= 0 && write(queue->room_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_warning_errno(errno, "%s: tell how far it came", queue->label);
}

/* Under the mutex, when something may be flushed. */
static void tell_settled(struct output_queue *queue)
{
	if (!queue->settling || !queue_is_settled(queue))
		return;
	queue->settling = false;
	tell(queue);
}

static void reopen_later(struct output_queue *queue)
{
	host_close(queue);
	pthread_mutex_lock(&queue->mutex);
	/* What it had taken was handed on or is lost: it has told. */
	queue->unflushed = (struct output_sum){ 0 };
	tell_settled(queue);
	queue->open.at_ns = NEVER;
	retry_later(queue, &queue->open, OPEN_MIN_NS, OPEN_MAX_NS);
	pthread_mutex_unlock(&queue->mutex);
}

static void do_open(struct output_queue *queue)
{
	int r;

	pthread_mutex_lock(&queue->mutex);
	queue->open.at_ns = NEVER;
	pthread_mutex_unlock(&queue->mutex);

	r = host_open(queue);
	note_call(queue, "open", r);

	pthread_mutex_lock(&queue->mutex);
	if (r < 0)
		retry_later(queue, &queue->open, OPEN_MIN_NS, OPEN_MAX_NS);
	queue->write = (struct retry){ 0 };
	/* With nothing to write an opening is all the proof there is that it works again. */
	queue->flush = (struct retry){ .at_ns = queue->n ? NEVER : 0 };
	queue->flush_wanted = queue->stopping;
	pthread_mutex_unlock(&queue->mutex);
	queue->write_fails = false;
}

void queue_put_sums(struct output_queue *queue)
{
	while (queue->sums.n && queue->n < OUTPUT_QUEUE_BATCHES) {
		struct batch *batch = batch_new(queue->sums_batch, false, NULL);

		if (!batch)
			return; /* again at the next push or the next batch's end */
		batch->n = user_sums_take(&queue->sums, batch->records, BATCH_RECORDS);
		queue->batches[(queue->first + queue->n++) % OUTPUT_QUEUE_BATCHES] = batch;
	}
}

/* Under the mutex. The first batch is written; returns it, to be let go of. */
static struct batch *pop(struct output_queue *queue)
{
	struct batch *batch = queue->batches[queue->first];

	if (queue->n == OUTPUT_QUEUE_BATCHES)
		tell(queue);
	queue->first = (queue->first + 1) % OUTPUT_QUEUE_BATCHES;
	queue->n--;
	queue->taken = 0;
	queue_put_sums(queue);
	if ((queue->stopping || queue->settling) && !queue->n)
		queue->flush = (struct retry){ 0 };
	return batch;
}

/* Under the mutex. */
static void count_taken(struct output_queue *queue, const struct output_sum *sum, size_t n)
{
	add_sum(&queue->status.delivered, sum);
	add_sum(&queue->unflushed, sum);
	subtract_sum(&queue->status.queued, sum);
	queue->taken += n;
	queue->write = (struct retry){ 0 };
	/* A flush() that said -EAGAIN keeps its own time. */
	if (!queue->flush_wanted)
		try_at(&queue->flush, monotonic_ns() + FLUSH_NS);
	queue->flush_wanted = true;
}

static void do_write(struct output_queue *queue)
{
	struct traffic_output *output = &queue->output;
	struct output_sum sum = { 0 };
	struct batch *batch, *done = NULL;
	const struct traffic_record *records;
	ssize_t taken;
	size_t left;

	/* Only this thread takes batches away, so the first one stays what it is. */
	pthread_mutex_lock(&queue->mutex);
	batch = queue->batches[queue->first];
	records = batch->records + queue->taken;
	left = batch->n - queue->taken;
	queue->write.at_ns = NEVER;
	pthread_mutex_unlock(&queue->mutex);

	output->batch = batch->number;
	output->repeated = batch->repeated;
	taken = output->type->write(output, records, left);
	if (taken > (ssize_t)left)
		taken = (ssize_t)left;
	queue->write_fails = note_call(queue, "write", taken);
	note_loss(queue);
	if (taken < 0 && taken != -EAGAIN) {
		reopen_later(queue);
		return;
	}
	if (taken > 0)
		queue_sum(&sum, records, (size_t)taken);

	pthread_mutex_lock(&queue->mutex);
	if (taken > 0)
		count_taken(queue, &sum, (size_t)taken);
	else /* 0 stands for -EAGAIN */
		retry_later(queue, &queue->write, BUSY_MIN_NS, BUSY_MAX_NS);
	if (taken == (ssize_t)left)
		done = pop(queue);
	pthread_mutex_unlock(&queue->mutex);
	batch_unref(done);
}

static void do_flush(struct output_queue *queue)
{
	struct traffic_output *output = &queue->output;
	bool told;
	int r;

	pthread_mutex_lock(&queue->mutex);
	queue->flush.at_ns = NEVER;
	queue->flush_wanted = false;
	pthread_mutex_unlock(&queue->mutex);

	r = output->type->flush(output);
	told = note_call(queue, "flush", r);
	note_loss(queue);
	if (r < 0 && r != -EAGAIN) {
		reopen_later(queue);
		return;
	}
	pthread_mutex_lock(&queue->mutex);
	if (r < 0) {
		queue->flush_wanted = true;
		retry_later(queue, &queue->flush, BUSY_MIN_NS, BUSY_MAX_NS);
	} else {
		queue->flush.delay_ns = 0;
		try_at(&queue->flush, monotonic_ns() + FLUSH_IDLE_NS);
		queue->unflushed = (struct output_sum){ 0 };
		tell_settled(queue);
	}
	pthread_mutex_unlock(&queue->mutex);
	if (r == 0 && !told)
		end_trouble(queue);
}

/* Is it time to try? Else *until is lowered to when it will be. */
static bool is_due(const struct retry *retry, uint64_t now, uint64_t *until)
{
	if (now >= retry->at_ns)
		return true;
	if (retry->at_ns < *until)
		*until = retry->at_ns;
	return false;
}

/* Under the mutex. TASK_WAIT: *ret_until tells how long, at most. */
static enum task choose_task(const struct output_queue *queue, uint64_t *ret_until)
{
	uint64_t now = monotonic_ns();
	bool at_rest = !queue->n && (!queue->is_open || !queue->flush_wanted);

	*ret_until = queue->stopping ? queue->give_up_ns : NEVER;
	if (queue->stopping && (at_rest || now >= queue->give_up_ns))
		return TASK_END;
	if (!queue->is_open)
		return is_due(&queue->open, now, ret_until) ? TASK_OPEN : TASK_WAIT;
	if (is_due(&queue->flush, now, ret_until))
		return TASK_FLUSH;
	if (queue->n && is_due(&queue->write, now, ret_until))
		return TASK_WRITE;
	return TASK_WAIT;
}

static enum task wait_for_task(struct output_queue *queue)
{
	enum task task;
	uint64_t until;

	pthread_mutex_lock(&queue->mutex);
	while ((task = choose_task(queue, &until)) == TASK_WAIT) {
		const struct timespec time = {
			.tv_sec = (time_t)(until / NS_PER_S),
			.tv_nsec = (long)(until % NS_PER_S),
		};

		if (until == NEVER)
			pthread_cond_wait(&queue->work, &queue->mutex);
		else
			pthread_cond_timedwait(&queue->work, &queue->mutex, &time);
	}
	pthread_mutex_unlock(&queue->mutex);
	return task;
}

static void end_thread(struct output_queue *queue)
{
	bool abandoned;

	if (queue->is_open)
		host_close(queue);
	pthread_mutex_lock(&queue->mutex);
	queue->has_ended = true;
	abandoned = queue->abandoned;
	pthread_cond_signal(&queue->ended);
	pthread_mutex_unlock(&queue->mutex);
	if (abandoned)
		queue_free(queue);
}

void *host_thread(void *argument)
{
	struct output_queue *queue = argument;
	char name[16];

	snprintf(name, sizeof(name), "output-%s", queue->kind);
	pthread_setname_np(pthread_self(), name);
	for (;;) {
		switch (wait_for_task(queue)) {
		case TASK_OPEN:
			do_open(queue);
			break;
		case TASK_WRITE:
			do_write(queue);
			break;
		case TASK_FLUSH:
			do_flush(queue);
			break;
		case TASK_WAIT: /* not given */
		case TASK_END:
			end_thread(queue);
			return NULL;
		}
	}
}
