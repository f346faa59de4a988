// SPDX-License-Identifier: GPL-2.0-or-later
/* The live thread's look at the tables: which sums are added to what was drained, and when it is no good. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "live/thread.h"
#include "util/log.h"

#define TRIES 5

/* Tables move for so long at most in one go: emptying a full one. */
#define MOVE_WAIT_NS 500000000ull

/* Uids below are never in somebody's subordinate range. */
#define OWN_UIDS 65536

struct seeing {
	struct live *live;
	bool detail, unknown, no_memory;
};

uint64_t live_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint32_t owner_of(struct seeing *seeing, uint32_t uid)
{
	struct live *live = seeing->live;
	struct live_name *name;

	if (uid < OWN_UIDS || uid == TRAFFIC_NO_UID || !live->settings.calls.owner)
		return uid;
	pthread_mutex_lock(&live->lock);
	name = live_names_ask(&live->names, LIVE_NAME_OWNER, uid);
	if (name && name->answered)
		uid = name->owner;
	else
		seeing->unknown = true;
	pthread_mutex_unlock(&live->lock);
	return uid;
}

static void see(void *userdata, const struct traffic_record *found)
{
	struct seeing *seeing = userdata;
	struct live *live = seeing->live;
	struct traffic_record record = *found;
	struct amounts *user, *interface;

	record.uid = owner_of(seeing, record.uid);
	user = sums_get(&live->now.users, picture_user_of(&record));
	if (user)
		amounts_add_record(user, &record);
	interface = sums_get(&live->now.interfaces, picture_interface_of(&record));
	if (interface)
		amounts_add_record(interface, &record);
	seeing->no_memory = seeing->no_memory || !user || !interface;
	if (seeing->detail && record.family != TRAFFIC_FAMILY_NONE)
		store_find(&live->store, &record, record.uid);
}

/* Copies what was drained, and takes the batches that have left the tables. Returns 0 or -ENOMEM. */
static int take_drained(struct live *live, bool detail)
{
	struct batch *batches[LIVE_BATCHES_MAX];
	size_t n;
	int r;

	pthread_mutex_lock(&live->lock);
	r = sums_copy(&live->now.users, &live->users);
	if (r == 0)
		r = sums_copy(&live->now.interfaces, &live->interfaces);
	n = live->n_committed;
	/* NOLINTBEGIN(bugprone-sizeof-expression): they are pointers */
	memcpy(batches, live->batches, n * sizeof(batches[0]));
	live->n_batches -= n;
	live->n_committed = 0;
	memmove(live->batches, live->batches + n, live->n_batches * sizeof(batches[0]));
	/* NOLINTEND(bugprone-sizeof-expression) */
	pthread_mutex_unlock(&live->lock);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; detail && k < batches[i]->n; k++)
			if (batches[i]->records[k].family != TRAFFIC_FAMILY_NONE)
				store_drain(&live->store, &batches[i]->records[k]);
		batch_unref(batches[i]);
	}
	return r;
}

/* Even: the tables stand still. */
static unsigned int wait_for_still_tables(struct live *live)
{
	uint64_t until_ns = live_now_ns() + MOVE_WAIT_NS;
	unsigned int moves;

	while ((moves = atomic_load(&live->moves)) & 1 && live_now_ns() < until_ns)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){ .tv_nsec = 1000000 }, NULL);
	return moves;
}

/* The event loop is quick to answer, unless it is stuck. */
static void wait_for_names(struct live *live)
{
	live_ask_loop(live);
	for (int i = 0; i < 100; i++) {
		size_t asked;

		pthread_mutex_lock(&live->lock);
		asked = live->names.n_asked;
		pthread_mutex_unlock(&live->lock);
		if (!asked)
			return;
		clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){ .tv_nsec = 2000000 }, NULL);
	}
}

/* Returns 1, 0: the tables moved meanwhile, or a negative errno. */
static int try_look(struct live *live, struct seeing *seeing)
{
	unsigned int moves = wait_for_still_tables(live);
	int r = take_drained(live, seeing->detail);

	if (r < 0)
		return r;
	store_begin_look(&live->store);
	seeing->unknown = seeing->no_memory = false;
	if (live->look)
		r = look_at_tables(live->look, see, seeing);
	if (seeing->no_memory)
		r = -ENOMEM;
	if (r < 0)
		return r;
	return !(moves & 1) && atomic_load(&live->moves) == moves;
}

int live_look(struct live *live)
{
	struct picture before = live->before;
	struct seeing seeing = { .live = live, .detail = atomic_load(&live->detail) };
	int r = 0;

	live->before = live->now;
	live->now = before;
	for (int i = 0; i < TRIES; i++) {
		r = try_look(live, &seeing);
		if (r < 0)
			break;
		if (r > 0 && !seeing.unknown)
			break;
		if (seeing.unknown)
			wait_for_names(live);
	}
	if (r <= 0) {
		before = live->before;
		live->before = live->now;
		live->now = before;
		return r < 0 ? log_error_errno(r, "look at the tables for live numbers") : -EAGAIN;
	}
	live->now.time_ns = live_now_ns();
	if (seeing.detail)
		store_end_look(&live->store, live->now.time_ns);
	return 0;
}
