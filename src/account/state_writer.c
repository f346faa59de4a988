// SPDX-License-Identifier: GPL-2.0-or-later
#include "account/state_writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "account/state_file.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/monotonic.h"

/* Between tries: doubled from the first to the second. */
#define RETRY_MIN_NS NS_PER_S
#define RETRY_MAX_NS (30 * NS_PER_S)

struct state_writer {
	/* set before the thread starts */
	char *directory;
	struct state_names names;
	pthread_t thread; /* the caller's */

	/* the thread's own */
	struct state_file_id known;
	uint64_t trouble_ns; /* since when it fails; 0: all is well */
	uint64_t delay_ns;   /* before the next try */
	char said[STATE_WRITER_ERROR_MAX];

	pthread_mutex_t mutex; /* guards all that follows */
	pthread_cond_t work;
	pthread_cond_t ended;
	struct state *waiting; /* NULL: nothing to do */
	uint64_t retry_ns;     /* not before, what waits; 0: at once */
	bool is_written;
	uint64_t written; /* batch */
	int result;	  /* of the last try */
	char error[STATE_WRITER_ERROR_MAX];
	bool stopping;
	bool has_ended;
	bool abandoned; /* nobody waits: the thread frees the writer, should it ever end */
};

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_S),
				  .tv_nsec = (long)(ns % NS_PER_S) };
}

static void state_destroy(struct state **state)
{
	if (*state)
		state_free(*state);
	free(*state);
	*state = NULL;
}

static struct state *state_copy(const struct state *state)
{
	_cleanup_(state_destroy) struct state *copy = malloc(sizeof(*copy));

	if (!copy)
		return NULL;
	*copy = *state;
	copy->totals = NULL;
	if (copy->n) {
		copy->totals = malloc(copy->n * sizeof(*copy->totals));
		if (!copy->totals)
			return NULL;
		memcpy(copy->totals, state->totals, copy->n * sizeof(*copy->totals));
	}
	return steal_pointer(copy);
}

static void writer_free(struct state_writer *writer)
{
	state_destroy(&writer->waiting);
	pthread_cond_destroy(&writer->ended);
	pthread_cond_destroy(&writer->work);
	pthread_mutex_destroy(&writer->mutex);
	free(writer->directory);
	free(writer);
}

static void free_writer(struct state_writer **writer)
{
	if (*writer)
		writer_free(*writer);
}

static struct state_writer *writer_alloc(const char *directory)
{
	struct state_writer *writer = calloc(1, sizeof(*writer));
	pthread_condattr_t attributes;

	if (!writer)
		return NULL;
	pthread_mutex_init(&writer->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&writer->work, &attributes);
	pthread_cond_init(&writer->ended, &attributes);
	pthread_condattr_destroy(&attributes);
	writer->directory = strdup(directory);
	if (!writer->directory) {
		writer_free(writer);
		return NULL;
	}
	return writer;
}

/* The directory anew each time: it may have been removed, and made again. */
static int write_state(struct state_writer *writer, struct state *state,
		       char words[STATE_WORDS_MAX])
{
	_cleanup_close_ int directory_fd = -1;
	_cleanup_free_ char *text = NULL;
	size_t length = 0;
	int r;

	r = state_text_format(state, &text, &length);
	if (r < 0) {
		snprintf(words, STATE_WORDS_MAX, "%zu users: %s", state->n,
			 r == -EFBIG ? "too many for a file" : "no memory");
		return r;
	}
	r = state_directory_open(writer->directory, true, &directory_fd, words);
	if (r < 0)
		return r;
	return state_file_replace(directory_fd, &writer->names, text, length, &writer->known,
				  words);
}

/* Each error once, until it works again or is another one. */
static void tell(struct state_writer *writer, int result, const char *error)
{
	if (result < 0) {
		if (!writer->trouble_ns)
			writer->trouble_ns = monotonic_ns();
		if (strcmp(writer->said, error) != 0)
			log_warning(
				"%s; retrying: until then the totals would go back at a restart",
				error);
		memcpy(writer->said, error, sizeof(writer->said));
	} else if (writer->trouble_ns) {
		log_notice("totals are written to %s again after %llu s", writer->directory,
			   (unsigned long long)((monotonic_ns() - writer->trouble_ns) / NS_PER_S));
		writer->trouble_ns = 0;
		*writer->said = '\0';
	}
}

/* Under the mutex. Takes the state. */
static void note(struct state_writer *writer, int result, const char *error, struct state *state)
{
	writer->result = result;
	memcpy(writer->error, error, sizeof(writer->error));
	if (result < 0) {
		writer->delay_ns = writer->delay_ns ? 2 * writer->delay_ns : RETRY_MIN_NS;
		if (writer->delay_ns > RETRY_MAX_NS)
			writer->delay_ns = RETRY_MAX_NS;
		if (!writer->waiting) {
			writer->waiting = state;
			writer->retry_ns = monotonic_ns() + writer->delay_ns;
			return;
		}
	} else {
		writer->delay_ns = 0;
		writer->is_written = true;
		writer->written = state->batch;
	}
	state_destroy(&state);
}

/* Under the mutex. The state to write now; NULL: stop. */
static struct state *wait_for_work(struct state_writer *writer)
{
	while (!writer->stopping && (!writer->waiting || writer->retry_ns > monotonic_ns())) {
		const struct timespec until = timespec_of(writer->retry_ns);

		if (writer->waiting)
			pthread_cond_timedwait(&writer->work, &writer->mutex, &until);
		else
			pthread_cond_wait(&writer->work, &writer->mutex);
	}
	return steal_pointer(writer->waiting);
}

static void *writer_thread(void *userdata)
{
	struct state_writer *writer = userdata;
	bool last = false, abandoned;

	pthread_mutex_lock(&writer->mutex);
	while (!last) {
		struct state *state = wait_for_work(writer);
		char words[STATE_WORDS_MAX], error[STATE_WRITER_ERROR_MAX] = "";
		int r;

		if (!state)
			break;
		/* After the request to stop nothing is put any more. */
		last = writer->stopping;
		pthread_mutex_unlock(&writer->mutex);
		r = write_state(writer, state, words);
		if (r < 0)
			snprintf(error, sizeof(error), "write totals to %.128s: %s",
				 writer->directory, words);
		tell(writer, r, error);
		pthread_mutex_lock(&writer->mutex);
		note(writer, r, error, state);
	}
	writer->has_ended = true;
	abandoned = writer->abandoned;
	pthread_cond_signal(&writer->ended);
	pthread_mutex_unlock(&writer->mutex);
	if (abandoned)
		writer_free(writer);
	return NULL;
}

/* Signals are the event loop's; SIGXFSZ becomes the error EFBIG. */
static int start_thread(struct state_writer *writer)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&writer->thread, NULL, writer_thread, writer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r)
		return -r;
	pthread_setname_np(writer->thread, "totals");
	return 0;
}

int state_writer_open(struct state_writer **ret, const char *directory, const char *instance)
{
	_cleanup_(free_writer) struct state_writer *writer = writer_alloc(directory);
	_cleanup_close_ int directory_fd = -1;
	char words[STATE_WORDS_MAX];
	int r;

	if (!writer)
		return log_error_errno(-ENOMEM, "write totals to %s", directory);
	r = state_names_init(&writer->names, instance, words);
	if (r < 0) {
		log_error("instance %s", words);
		return r;
	}
	r = state_directory_open(directory, true, &directory_fd, words);
	if (r < 0) {
		log_error("state directory %s: %s", directory, words);
		return r;
	}
	r = start_thread(writer);
	if (r < 0)
		return log_error_errno(r, "start a thread to write totals to %s", directory);
	*ret = steal_pointer(writer);
	return 0;
}

int state_writer_put(struct state_writer *writer, const struct state *state)
{
	struct state *copy = state_copy(state);

	if (!copy)
		return -ENOMEM;
	pthread_mutex_lock(&writer->mutex);
	state_destroy(&writer->waiting);
	writer->waiting = copy;
	writer->retry_ns = 0;
	pthread_cond_signal(&writer->work);
	pthread_mutex_unlock(&writer->mutex);
	return 0;
}

bool state_writer_written(struct state_writer *writer, uint64_t *ret_batch)
{
	bool is_written;

	pthread_mutex_lock(&writer->mutex);
	is_written = writer->is_written;
	if (is_written)
		*ret_batch = writer->written;
	pthread_mutex_unlock(&writer->mutex);
	return is_written;
}

bool state_writer_error(struct state_writer *writer, char words[STATE_WRITER_ERROR_MAX])
{
	pthread_mutex_lock(&writer->mutex);
	memcpy(words, writer->error, sizeof(writer->error));
	pthread_mutex_unlock(&writer->mutex);
	return *words;
}

/* Under the mutex. */
static int stop(struct state_writer *writer, uint64_t deadline_ns)
{
	const struct timespec deadline = timespec_of(deadline_ns);

	writer->stopping = true;
	pthread_cond_signal(&writer->work);
	while (!writer->has_ended) {
		if (pthread_cond_timedwait(&writer->ended, &writer->mutex, &deadline) == ETIMEDOUT)
			break;
	}
	if (writer->has_ended)
		return writer->result;
	writer->abandoned = true;
	return -ETIMEDOUT;
}

int state_writer_close(struct state_writer *writer, uint64_t deadline_ns)
{
	pthread_t thread;
	int r;

	if (!writer)
		return 0;
	thread = writer->thread;
	pthread_mutex_lock(&writer->mutex);
	r = stop(writer, deadline_ns);
	if (r == -ETIMEDOUT && writer->abandoned)
		log_warning("the totals could not be written to %s in time: after a restart they "
			    "may go on from an earlier state",
			    writer->directory);
	else if (r < 0)
		log_warning("stopped with totals not written: %s: after a restart they go on from "
			    "an earlier state",
			    writer->error);
	if (writer->abandoned) {
		pthread_mutex_unlock(&writer->mutex);
		pthread_detach(thread);
		return r;
	}
	pthread_mutex_unlock(&writer->mutex);
	/* Its last step, so this does not wait to speak of. */
	pthread_join(thread, NULL);
	writer_free(writer);
	return r;
}
