// SPDX-License-Identifier: GPL-2.0-or-later
#include "account/owners.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/log.h"

#define NS_PER_S UINT64_C(1000000000)

/* Answers are forgotten when there are more: a bound, not a size that is met. */
#define SLOTS	    65536
#define ANSWERS_MAX (SLOTS / 2)

/* A question that finds the queue full is asked again with the next record. */
#define QUEUE 4096

/* What a stop waits for a look-up that is under way. */
#define CLOSE_NS (NS_PER_S / 5)

struct answer {
	uint32_t uid, owner;
	uint32_t generation; /* in which it was asked last; 0: the slot is free */
	bool known;
	uint64_t since_ns; /* the first question */
};

struct owners {
	struct subuid *subuid; /* the thread's, once there is one */
	pthread_t thread;
	bool has_thread;
	int event_fd;

	pthread_mutex_t mutex; /* guards all that follows */
	pthread_cond_t work, ended;
	struct answer *answers; /* by uid, open addressing */
	size_t n;
	uint32_t generation;
	uint32_t queue[QUEUE];
	size_t first, n_queued;
	bool refresh, stopping, has_ended, abandoned;
	bool hangs;	  /* was said */
	uint64_t busy_ns; /* since when the thread looks something up; 0: it does not */
	uint32_t busy_uid;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void owners_free(struct owners *owners)
{
	pthread_cond_destroy(&owners->ended);
	pthread_cond_destroy(&owners->work);
	pthread_mutex_destroy(&owners->mutex);
	subuid_close(owners->subuid);
	free(owners->answers);
	free(owners);
}

int owners_open(struct owners **ret, struct subuid *subuid)
{
	struct owners *owners = calloc(1, sizeof(*owners));
	struct answer *answers = calloc(SLOTS, sizeof(*answers));
	pthread_condattr_t attributes;

	if (!owners || !answers) {
		free(answers);
		free(owners);
		subuid_close(subuid);
		return -ENOMEM;
	}
	owners->subuid = subuid;
	owners->answers = answers;
	owners->generation = 1;
	owners->event_fd = -1;
	pthread_mutex_init(&owners->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&owners->work, &attributes);
	pthread_cond_init(&owners->ended, &attributes);
	pthread_condattr_destroy(&attributes);
	*ret = owners;
	return 0;
}

/* The uid's slot, or the free one that it would get. */
static struct answer *find_slot(struct owners *owners, uint32_t uid)
{
	size_t slot = (uid * 2654435761u) % SLOTS;

	while (owners->answers[slot].generation && owners->answers[slot].uid != uid)
		slot = (slot + 1) % SLOTS;
	return &owners->answers[slot];
}

static void forget(struct owners *owners)
{
	memset(owners->answers, 0, SLOTS * sizeof(*owners->answers));
	owners->n = 0;
}

static void keep_answer(struct owners *owners, uint32_t uid, uint32_t owner)
{
	struct answer *answer = find_slot(owners, uid);

	/* Forgotten between: whoever still wants it asks again. */
	if (!answer->generation)
		return;
	answer->owner = owner;
	answer->known = true;
}

static void tell(const struct owners *owners)
{
	uint64_t one = 1;

	if (write(owners->event_fd, &one, sizeof(one)) < 0)
		return; /* it is readable already */
}

/* Under the mutex, which is not held over a look-up. */
static void look_up_next(struct owners *owners)
{
	uint32_t uid = owners->queue[owners->first], owner;

	owners->first = (owners->first + 1) % QUEUE;
	owners->n_queued--;
	owners->busy_ns = now_ns();
	owners->busy_uid = uid;
	pthread_mutex_unlock(&owners->mutex);
	owner = subuid_owner(owners->subuid, uid);
	pthread_mutex_lock(&owners->mutex);
	owners->busy_ns = 0;
	keep_answer(owners, uid, owner);
	if (owners->hangs)
		log_notice("the look-up of users and their subordinate uids works again");
	owners->hangs = false;
	if (!owners->stopping)
		tell(owners);
}

static void refresh(struct owners *owners)
{
	bool changed;

	owners->refresh = false;
	pthread_mutex_unlock(&owners->mutex);
	changed = subuid_refresh(owners->subuid);
	pthread_mutex_lock(&owners->mutex);
	if (changed)
		forget(owners);
	owners->generation = owners->generation == UINT32_MAX ? 1 : owners->generation + 1;
}

static void *owners_thread(void *userdata)
{
	struct owners *owners = userdata;
	bool abandoned;

	pthread_mutex_lock(&owners->mutex);
	while (!owners->stopping) {
		if (owners->refresh)
			refresh(owners);
		else if (owners->n_queued)
			look_up_next(owners);
		else
			pthread_cond_wait(&owners->work, &owners->mutex);
	}
	owners->has_ended = true;
	abandoned = owners->abandoned;
	pthread_cond_signal(&owners->ended);
	pthread_mutex_unlock(&owners->mutex);
	if (abandoned)
		owners_free(owners);
	return NULL;
}

/* Signals are the event loop's. */
int owners_start(struct owners *owners, int event_fd)
{
	sigset_t all, before;
	int r;

	owners->event_fd = event_fd;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&owners->thread, NULL, owners_thread, owners);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r)
		return -r;
	pthread_setname_np(owners->thread, "owners");
	owners->has_thread = true;
	return 0;
}

void owners_close(struct owners *owners)
{
	uint64_t until_ns = now_ns() + CLOSE_NS;
	struct timespec until = { .tv_sec = (time_t)(until_ns / NS_PER_S),
				  .tv_nsec = (long)(until_ns % NS_PER_S) };
	bool has_ended;
	int r = 0;

	if (!owners)
		return;
	if (!owners->has_thread) {
		owners_free(owners);
		return;
	}
	pthread_mutex_lock(&owners->mutex);
	owners->stopping = true;
	pthread_cond_signal(&owners->work);
	while (!owners->has_ended && r == 0)
		r = pthread_cond_timedwait(&owners->ended, &owners->mutex, &until);
	has_ended = owners->has_ended;
	owners->abandoned = !has_ended;
	if (!has_ended)
		pthread_detach(owners->thread);
	pthread_mutex_unlock(&owners->mutex);
	if (!has_ended)
		return; /* the thread frees it, should it ever end */
	pthread_join(owners->thread, NULL);
	owners_free(owners);
}

static void ask(struct owners *owners, struct answer *answer)
{
	if (owners->n_queued == QUEUE)
		return;
	answer->generation = owners->generation;
	owners->queue[(owners->first + owners->n_queued++) % QUEUE] = answer->uid;
	pthread_cond_signal(&owners->work);
}

/* One look-up that hangs is enough: who comes later does not wait as long again. */
static bool is_too_long(struct owners *owners, const struct answer *answer)
{
	uint64_t limit_ns = OWNERS_HOLD_S * NS_PER_S, now = now_ns();
	bool hangs = owners->busy_ns && now - owners->busy_ns >= limit_ns;

	if (hangs && !owners->hangs)
		log_warning(
			"the look-up of uid %u has taken %d s and goes on (a directory server of "
			"nsswitch.conf?); until it answers, subordinate uids that are new "
			"stand for themselves",
			owners->busy_uid, OWNERS_HOLD_S);
	owners->hangs |= hangs;
	return hangs || now - answer->since_ns >= limit_ns;
}

static int find(struct owners *owners, uint32_t uid, uint32_t *ret)
{
	struct answer *answer = find_slot(owners, uid);

	if (!answer->generation) {
		if (owners->n == ANSWERS_MAX) {
			forget(owners);
			answer = find_slot(owners, uid);
		}
		if (owners->n_queued == QUEUE)
			return -EAGAIN;
		*answer = (struct answer){ .uid = uid, .owner = uid, .since_ns = now_ns() };
		owners->n++;
		ask(owners, answer);
	} else if (answer->generation != owners->generation) {
		ask(owners, answer);
	}
	*ret = answer->owner;
	return answer->known || is_too_long(owners, answer) ? 0 : -EAGAIN;
}

int owners_find(struct owners *owners, uint32_t uid, uint32_t *ret)
{
	int r;

	*ret = uid;
	if (uid < SUBUID_FIRST)
		return 0;
	if (!owners->has_thread) {
		*ret = subuid_owner(owners->subuid, uid);
		return 0;
	}
	pthread_mutex_lock(&owners->mutex);
	r = find(owners, uid, ret);
	pthread_mutex_unlock(&owners->mutex);
	return r;
}

void owners_refresh(struct owners *owners)
{
	if (!owners->has_thread) {
		(void)subuid_refresh(owners->subuid);
		return;
	}
	pthread_mutex_lock(&owners->mutex);
	owners->refresh = true;
	pthread_cond_signal(&owners->work);
	pthread_mutex_unlock(&owners->mutex);
}
