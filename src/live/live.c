// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/live.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "live/thread.h"
#include "util/cleanup.h"
#include "util/log.h"

static void live_closep(struct live **live)
{
	live_close(*live);
}

int live_open(struct live **ret, const struct live_settings *settings)
{
	_cleanup_(live_closep) struct live *live = calloc(1, sizeof(*live));
	int listen_fd = settings->listen_fd;
	int r;

	if (!live) {
		close_fd(&listen_fd);
		return -ENOMEM;
	}
	live->settings = *settings;
	live->wake_fd = -1;
	pthread_mutex_init(&live->lock, NULL);
	live->loop_fd = -1;
	live->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (live->wake_fd < 0)
		return -errno;
	r = look_open(&live->look, settings->capture);
	if (r < 0 && r != -ENOENT)
		return r;
	*ret = steal_pointer(live);
	return 0;
}

int live_start(struct live *live, int loop_fd)
{
	sigset_t all, before;
	int r;

	if (!live)
		return 0;
	live->loop_fd = loop_fd;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	r = pthread_create(&live->thread, NULL, live_thread, live);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r)
		return log_error_errno(r, "start the thread that answers status requests");
	live->started = true;
	return 0;
}

static void wake(int fd)
{
	uint64_t one = 1;

	/* Full: it is awake. */
	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_debug("an eventfd can't be written");
}

void live_ask_loop(struct live *live)
{
	wake(live->loop_fd);
}

static void answer_name(const struct live_calls *calls, struct live_name *name)
{
	const char *path;

	if (name->kind == LIVE_NAME_OWNER) {
		name->owner = calls->owner(calls->userdata, (uint32_t)name->id);
	} else {
		path = calls->cgroup(calls->userdata, name->id);
		name->text = path ? strdup(path) : NULL;
	}
	name->answered = true;
}

/* Look-ups are not made with the lock held, as they may take long. */
static void answer_names(struct live *live)
{
	size_t position = 0;

	for (;;) {
		struct live_name question, *name;

		pthread_mutex_lock(&live->lock);
		name = live_names_next_asked(&live->names, &position);
		if (name)
			question = *name;
		pthread_mutex_unlock(&live->lock);
		if (!name)
			return;
		answer_name(&live->settings.calls, &question);
		pthread_mutex_lock(&live->lock);
		/* The thread may have asked for more, or cleared them all, meanwhile. */
		name = live_names_ask(&live->names, question.kind, question.id);
		if (name && !name->answered) {
			*name = question;
			live->names.n_asked--;
		} else {
			free(question.text);
		}
		pthread_mutex_unlock(&live->lock);
	}
}

void live_serve(struct live *live)
{
	bool wanted;

	if (!live)
		return;
	answer_names(live);
	pthread_mutex_lock(&live->lock);
	wanted = live->status_wanted;
	pthread_mutex_unlock(&live->lock);
	if (wanted) {
		char *status = live->settings.calls.status(live->settings.calls.userdata);

		pthread_mutex_lock(&live->lock);
		free(live->status);
		live->status = status;
		live->status_wanted = false;
		pthread_mutex_unlock(&live->lock);
	}
	wake(live->wake_fd);
}

void live_begin(struct live *live, const struct capture_span *span)
{
	if (!live)
		return;
	pthread_mutex_lock(&live->lock);
	sums_begin(&live->users, span->number);
	sums_begin(&live->interfaces, span->number);
	pthread_mutex_unlock(&live->lock);
	live->in_tables = span->in_tables;
}

/* With the lock. */
static void keep_batch(struct live *live, struct batch *batch)
{
	if (live->n_batches == LIVE_BATCHES_MAX) {
		live->batches_refused++;
		return;
	}
	live->batches[live->n_batches++] = batch_ref(batch);
	if (!live->in_tables)
		live->n_committed = live->n_batches;
}

void live_add(struct live *live, struct batch *batch)
{
	int r = 0;

	if (!live || !batch->n)
		return;
	pthread_mutex_lock(&live->lock);
	for (size_t i = 0; i < batch->n && r == 0; i++) {
		const struct traffic_record *record = &batch->records[i];

		r = sums_add(&live->users, picture_user_of(record), record)
			    ?: sums_add(&live->interfaces, picture_interface_of(record), record);
	}
	if (atomic_load_explicit(&live->detail, memory_order_relaxed))
		keep_batch(live, batch);
	pthread_mutex_unlock(&live->lock);
	if (r < 0)
		log_warning_errno(r, "keep the sums of live numbers; they are too low from now on");
}

void live_moving(struct live *live)
{
	if (live)
		atomic_fetch_add(&live->moves, 1);
}

void live_moved(struct live *live)
{
	live_moving(live);
}

void live_commit(struct live *live)
{
	if (!live)
		return;
	pthread_mutex_lock(&live->lock);
	sums_commit(&live->users);
	sums_commit(&live->interfaces);
	live->n_committed = live->n_batches;
	pthread_mutex_unlock(&live->lock);
}

void live_stop(struct live *live)
{
	if (!live || !live->started)
		return;
	atomic_store(&live->stopping, true);
	wake(live->wake_fd);
	pthread_join(live->thread, NULL);
	live->started = false;
}

void live_close(struct live *live)
{
	if (!live)
		return;
	live_stop(live);
	look_close(live->look);
	close_fd(&live->wake_fd);
	close_fd(&live->settings.listen_fd);
	sums_free(&live->users);
	sums_free(&live->interfaces);
	for (size_t i = 0; i < live->n_batches; i++)
		batch_unref(live->batches[i]);
	free(live->status);
	live_names_clear(&live->names);
	store_free(&live->store);
	picture_free(&live->now);
	picture_free(&live->before);
	pthread_mutex_destroy(&live->lock);
	free(live);
}
