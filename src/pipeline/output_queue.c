// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The bounded queue of one output, and the event loop's side of it: making, pushing, asking,
 * stopping. The thread at the other end is output_thread.c's.
 *
 * A queue that is full holds its pusher, who has other outputs to serve, for the time of hold= and no longer.
 */
#include "pipeline/output_queue.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "output/registry.h"
#include "pipeline/output_thread.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/monotonic.h"
#include "util/options.h"

/* Of the time until the deadline the thread gives up trying a little earlier, to close in. */
#define CLOSE_NS (200 * NS_PER_MS)

static struct output_queue *queue_alloc(void)
{
	struct output_queue *queue = calloc(1, sizeof(*queue));
	pthread_condattr_t attributes;

	if (!queue)
		return NULL;
	pthread_mutex_init(&queue->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&queue->work, &attributes);
	pthread_cond_init(&queue->ended, &attributes);
	pthread_condattr_destroy(&attributes);
	queue->flush.at_ns = NEVER;
	return queue;
}

void queue_free(struct output_queue *queue)
{
	if (!queue)
		return;
	for (size_t i = 0; i < queue->n; i++)
		batch_unref(queue->batches[(queue->first + i) % OUTPUT_QUEUE_BATCHES]);
	pthread_cond_destroy(&queue->ended);
	pthread_cond_destroy(&queue->work);
	pthread_mutex_destroy(&queue->mutex);
	free(queue->label);
	free(queue->kind);
	free(queue->target);
	free(queue->nic_id);
	free(queue->pairs);
	free(queue->spec);
	user_sums_free(&queue->sums);
	free(queue);
}

static void free_queue(struct output_queue **queue)
{
	queue_free(*queue);
}

#define HOLD_DEFAULT_S 60
#define HOLD_MAX_S     (365 * 24 * 3600ull)

static int read_hold(struct output_queue *queue, const char *value)
{
	char *end;
	unsigned long long seconds = strtoull(value, &end, 10);

	if (strcmp(value, "forever") == 0) {
		queue->hold_ns = NEVER;
		return 0;
	}
	if (*value < '0' || *value > '9' || *end || seconds > HOLD_MAX_S) {
		log_error("output %s: hold '%s' is neither a number of seconds (0 to %llu) nor "
			  "'forever'",
			  queue->spec, value, HOLD_MAX_S);
		return -EINVAL;
	}
	queue->hold_ns = seconds * NS_PER_S;
	return 0;
}

/* Of the SPEC's options those that all outputs have are read here; the others are left for the output. */
static int read_pairs(struct output_queue *queue, const char *pairs)
{
	_cleanup_free_ char *copy = strdup(pairs);
	char *next = copy, *pair, *end;
	int r;

	queue->hold_ns = HOLD_DEFAULT_S * NS_PER_S;
	queue->pairs = end = calloc(1, strlen(pairs) + 1);
	if (!copy || !queue->pairs)
		return log_error_errno(-ENOMEM, "output %s", queue->spec);
	while ((pair = strsep(&next, ","))) {
		if (strncmp(pair, "hold=", 5) == 0) {
			r = read_hold(queue, pair + 5);
			if (r < 0)
				return r;
			continue;
		}
		if (end > queue->pairs)
			*end++ = ',';
		end = stpcpy(end, pair);
	}
	return 0;
}

static int name_queue(struct output_queue *queue, const char *spec, const char *nic_id)
{
	const char *pairs;
	int r;

	queue->status.spec = spec;
	queue->spec = strdup(spec);
	queue->nic_id = strdup(nic_id);
	if (!queue->spec || !queue->nic_id)
		return log_error_errno(-ENOMEM, "output %s", spec);
	r = options_split_spec(queue->spec, &queue->kind, &queue->target, &pairs);
	if (r < 0 || (r = read_pairs(queue, pairs)) < 0)
		return r;
	if (asprintf(&queue->label, "output %s:%s", queue->kind, queue->target) < 0) {
		queue->label = NULL;
		return log_error_errno(-ENOMEM, "output %s", spec);
	}
	return 0;
}

/* Signals are the event loop's; SIGPIPE and SIGXFSZ become the errors EPIPE and EFBIG. */
int output_queue_start(struct output_queue *queue)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&queue->thread, NULL, host_thread, queue);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	queue->has_thread = r == 0;
	return r ? log_error_errno(r, "%s: start a thread", queue->label) : 0;
}

int output_queue_new_type(struct output_queue **ret, const struct traffic_output_type *type,
			  const char *spec, const char *nic_id, int room_fd)
{
	_cleanup_(free_queue) struct output_queue *queue = queue_alloc();
	int r;

	if (!queue)
		return log_error_errno(-ENOMEM, "output %s", spec);
	r = name_queue(queue, spec, nic_id);
	if (r < 0)
		return r;
	queue->room_fd = room_fd;
	queue->output.type = type;
	queue->output.target = queue->target;
	queue->output.nic_id = queue->nic_id;

	r = host_open(queue);
	if (r < 0) {
		/* The SPEC's own errors are told already. */
		if (*queue->output.error)
			log_error("%s: %s", queue->label, queue->output.error);
		return r;
	}
	*ret = steal_pointer(queue);
	return 0;
}

int output_queue_new(struct output_queue **ret, const char *spec, const char *nic_id, int room_fd)
{
	_cleanup_free_ char *kind = NULL, *target = NULL;
	const struct traffic_output_type *type;
	const char *pairs;
	char known[256];
	int r;

	r = options_split_spec(spec, &kind, &target, &pairs);
	if (r < 0)
		return r;
	type = output_type_find(kind);
	if (type)
		return output_queue_new_type(ret, type, spec, nic_id, room_fd);
	output_type_list(known, sizeof(known));
	log_error("output %s: there is no output '%s'; known: %s", spec, kind, known);
	return -EINVAL;
}

unsigned int output_queue_needs(const struct output_queue *queue)
{
	return queue->output.needs;
}

int output_queue_totals(struct output_queue *queue, uint64_t known, traffic_total_tell *tell,
			void *userdata)
{
	struct traffic_output *output = &queue->output;
	int r;

	if (!output->type->totals)
		return 0;
	r = output->type->totals(output, known, tell, userdata);
	if (r == 0 || r == -ENOMEM)
		return r;
	log_warning("%s: %s; totals may go back to those of the last interval", queue->label,
		    output->error);
	*output->error = '\0';
	return 0;
}

/* Under the mutex. Whether the others, for whom it would be time to go on, are to wait for this output. */
static bool may_hold(struct output_queue *queue)
{
	uint64_t now_ns = monotonic_ns();

	if (queue->let_go)
		return false;
	if (!queue->waiting_ns)
		queue->waiting_ns = now_ns;
	if (queue->held_ns + (now_ns - queue->waiting_ns) < queue->hold_ns)
		return true;
	queue->let_go = true;
	return false;
}

static void end_waiting(struct output_queue *queue)
{
	if (queue->waiting_ns)
		queue->held_ns += monotonic_ns() - queue->waiting_ns;
	queue->waiting_ns = 0;
}

bool output_queue_holds(struct output_queue *queue)
{
	bool holds = false;

	pthread_mutex_lock(&queue->mutex);
	/* Nothing may overtake what was summed up. */
	if (queue->n < OUTPUT_QUEUE_BATCHES && !queue->sums.n)
		end_waiting(queue);
	else
		holds = may_hold(queue);
	pthread_mutex_unlock(&queue->mutex);
	return holds;
}

static void say_let_go(struct output_queue *queue)
{
	if (queue->let_go_said)
		return;
	queue->let_go_said = true;
	log_warning(
		"%s: can't keep up and holds the other outputs no longer; what it can't take is %s",
		queue->label,
		queue->output.type->sums_up ? "summed up by user until it works again"
					    : "dropped and counted");
}

/* Under the mutex: there is no room, and the others do not wait for any. */
static void push_less(struct output_queue *queue, const struct batch *batch)
{
	struct output_status *status = &queue->status;

	say_let_go(queue);
	queue->sums_batch = batch->number;
	for (size_t i = 0; i < batch->n; i++) {
		const struct traffic_record *record = &batch->records[i];
		bool kept = queue->output.type->sums_up && user_sums_add(&queue->sums, record) == 0;

		queue_sum(kept ? &status->queued : &status->dropped, record, 1);
	}
}

void output_queue_push(struct output_queue *queue, struct batch *batch)
{
	if (!batch->n)
		return;
	pthread_mutex_lock(&queue->mutex);
	queue_put_sums(queue);
	if (queue->n < OUTPUT_QUEUE_BATCHES && !queue->sums.n && !queue->given_up) {
		queue->batches[(queue->first + queue->n++) % OUTPUT_QUEUE_BATCHES] =
			batch_ref(batch);
		queue_sum(&queue->status.queued, batch->records, batch->n);
		pthread_cond_signal(&queue->work);
	} else {
		push_less(queue, batch);
	}
	pthread_mutex_unlock(&queue->mutex);
}

/* Under the mutex: all that was pushed is written. */
static void end_letting_go(struct output_queue *queue)
{
	const struct output_sum *dropped = &queue->status.dropped;

	queue->let_go = queue->given_up;
	if (!queue->let_go_said)
		return;
	queue->let_go_said = false;
	log_notice("%s: keeps up again; dropped so far: %llu packets of %llu bytes", queue->label,
		   (unsigned long long)(dropped->packets[0] + dropped->packets[1]),
		   (unsigned long long)(dropped->bytes[0] + dropped->bytes[1]));
}

bool output_queue_settle(struct output_queue *queue)
{
	bool settled;

	pthread_mutex_lock(&queue->mutex);
	settled = queue_is_settled(queue);
	queue->settling = !settled;
	/* A flush() that failed keeps its own time. */
	if (!settled && !queue->n && !queue->flush.delay_ns) {
		queue->flush.at_ns = 0;
		pthread_cond_signal(&queue->work);
	}
	if (settled)
		end_letting_go(queue);
	else
		settled = !may_hold(queue);
	if (settled)
		queue->held_ns = queue->waiting_ns = 0;
	pthread_mutex_unlock(&queue->mutex);
	return settled;
}

bool output_queue_give_up_stuck(struct output_queue *queue, const struct output_status *since)
{
	const struct output_sum *delivered = &queue->status.delivered;
	bool stuck;

	pthread_mutex_lock(&queue->mutex);
	stuck = queue->n == OUTPUT_QUEUE_BATCHES ||
		(!queue_is_settled(queue) &&
		 memcmp(delivered, &since->delivered, sizeof(*delivered)) == 0);
	if (stuck)
		queue->let_go = queue->given_up = true;
	pthread_mutex_unlock(&queue->mutex);
	return stuck;
}

void output_queue_flush(struct output_queue *queue)
{
	pthread_mutex_lock(&queue->mutex);
	/* Whatever is waited for: whoever asks may just have mended it. */
	queue->flush = queue->write = queue->open = (struct retry){ 0 };
	queue->flush_wanted = true;
	pthread_cond_signal(&queue->work);
	pthread_mutex_unlock(&queue->mutex);
}

void output_queue_status(struct output_queue *queue, struct output_status *ret)
{
	pthread_mutex_lock(&queue->mutex);
	*ret = queue->status;
	pthread_mutex_unlock(&queue->mutex);
}

/* Under the mutex. */
static void request_stop(struct output_queue *queue, uint64_t deadline_ns)
{
	uint64_t now = monotonic_ns();
	uint64_t left = deadline_ns > now ? deadline_ns - now : 0;

	queue->stopping = true;
	queue->give_up_ns = deadline_ns - (left / 4 < CLOSE_NS ? left / 4 : CLOSE_NS);
	queue->write = queue->open = (struct retry){ 0 };
	/* Else at once when the last record is taken. */
	if (!queue->n)
		queue->flush = (struct retry){ 0 };
	queue->flush_wanted = true;
	pthread_cond_signal(&queue->work);
}

static void wait_for_end(struct output_queue *queue, uint64_t deadline_ns)
{
	const struct timespec deadline = {
		.tv_sec = (time_t)(deadline_ns / NS_PER_S),
		.tv_nsec = (long)(deadline_ns % NS_PER_S),
	};

	while (!queue->has_ended) {
		if (pthread_cond_timedwait(&queue->ended, &queue->mutex, &deadline) == ETIMEDOUT)
			return;
	}
}

static uint64_t both(const uint64_t by_direction[2])
{
	return by_direction[0] + by_direction[1];
}

/* What nobody will write any more: what waits in the queue, and what the output has taken since
 * its last flush(), if it can't say itself. */
static void count_rest(const struct output_queue *queue, struct output_status *status, bool hangs)
{
	uint64_t packets = both(status->queued.packets), bytes = both(status->queued.bytes);

	if (hangs) {
		packets += both(queue->unflushed.packets);
		bytes += both(queue->unflushed.bytes);
	}
	status->lost_packets += packets;
	status->lost_bytes += bytes;
	if (hangs)
		log_warning("%s: does not come to an end and is given up; %llu packets of %llu "
			    "bytes may not be written",
			    queue->label, (unsigned long long)packets, (unsigned long long)bytes);
	else if (packets)
		log_warning("%s: stopped with %llu packets of %llu bytes not written: lost here",
			    queue->label, (unsigned long long)packets, (unsigned long long)bytes);
}

int output_queue_stop(struct output_queue *queue, uint64_t deadline_ns, struct output_status *ret)
{
	pthread_t thread = queue->thread;
	struct output_status status;
	bool has_ended;

	if (!queue->has_thread) {
		host_close(queue);
		status = queue->status;
		count_rest(queue, &status, false);
		if (ret)
			*ret = status;
		queue_free(queue);
		return 0;
	}
	pthread_mutex_lock(&queue->mutex);
	request_stop(queue, deadline_ns);
	wait_for_end(queue, deadline_ns);
	has_ended = queue->has_ended;
	if (!has_ended) {
		queue->abandoned = true;
		queue->room_fd = -1;
	}
	status = queue->status;
	count_rest(queue, &status, !has_ended);
	pthread_mutex_unlock(&queue->mutex);

	if (ret)
		*ret = status;
	if (!has_ended) {
		pthread_detach(thread);
		return -ETIMEDOUT;
	}
	/* Its last step, so this does not wait to speak of. */
	pthread_join(thread, NULL);
	queue_free(queue);
	return 0;
}
