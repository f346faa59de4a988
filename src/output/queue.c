// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The bounded queue of one output, and the event loop's side of it: making, pushing, asking,
 * stopping. The thread at the other end is host.c's.
 *
 * Nothing is dropped here but at the stop: a queue that is full says so, and its pusher waits.
 */
#include "output/queue.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "output/host.h"
#include "output/registry.h"
#include "util/cleanup.h"
#include "util/log.h"
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
	free(queue->spec);
	free(queue);
}

static void free_queue(struct output_queue **queue)
{
	queue_free(*queue);
}

static int name_queue(struct output_queue *queue, const char *spec, const char *nic_id)
{
	int r;

	queue->status.spec = spec;
	queue->spec = strdup(spec);
	queue->nic_id = strdup(nic_id);
	if (!queue->spec || !queue->nic_id)
		return log_error_errno(-ENOMEM, "output %s", spec);
	r = options_split_spec(queue->spec, &queue->kind, &queue->target, &queue->pairs);
	if (r < 0)
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

bool output_queue_has_room(struct output_queue *queue)
{
	bool has_room;

	pthread_mutex_lock(&queue->mutex);
	has_room = queue->n < OUTPUT_QUEUE_BATCHES;
	pthread_mutex_unlock(&queue->mutex);
	return has_room;
}

void output_queue_push(struct output_queue *queue, struct batch *batch)
{
	if (!batch->n)
		return;
	pthread_mutex_lock(&queue->mutex);
	queue->batches[(queue->first + queue->n++) % OUTPUT_QUEUE_BATCHES] = batch_ref(batch);
	queue_sum(&queue->status.queued, batch->records, batch->n);
	pthread_cond_signal(&queue->work);
	pthread_mutex_unlock(&queue->mutex);
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
	pthread_mutex_unlock(&queue->mutex);
	return settled;
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
	uint64_t now = host_now_ns();
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
