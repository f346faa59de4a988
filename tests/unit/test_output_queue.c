// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host of an output: order, counts, room, errors and the stop, with an output of the test's own
 * that does what it is told. Also run under ThreadSanitizer.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>

#include "output_fixture.h"
#include "pipeline/batch.h"
#include "pipeline/output_queue.h"

#define SECOND UINT64_C(1000000000)

/* What the output does, and what it has seen. All under the mutex. */
static struct {
	pthread_mutex_t mutex;
	pthread_cond_t changed;

	ssize_t take;		    /* of write(): at most so many; negative: the error */
	int init, flush;	    /* results */
	unsigned int init_works_at; /* from so many inits on; 0: as it says */
	const char *words;	    /* told with an error; NULL: none */
	unsigned int words_kinds;   /* different ones in turn, with a number behind */
	bool hangs;		    /* write() does not come back before this is false again */
	bool is_in_write;
	uint64_t lost_at_close; /* packets of a byte each */

	unsigned int inits, writes, flushes, closes;
	uint64_t next; /* the number that the next record has to have */
	bool in_order;
	uint64_t bytes[2];
	int number;   /* the option, as init() found it */
	bool was_new; /* the context was zero but for preset() and the options */
	bool signals_blocked;
} seen;

struct context {
	int preset;
	uint64_t number;
	int dirt;
};

static const struct traffic_option fake_options[] = {
	{ .name = "number",
	  .type = TRAFFIC_OPTION_NUMBER,
	  .offset = offsetof(struct context, number),
	  .help = "a number" },
	{ .name = NULL },
};

static void fake_preset(void *context)
{
	((struct context *)context)->preset = 42;
}

/* Under the mutex. */
static int tell(struct traffic_output *output, int r)
{
	static unsigned int turn;

	if (r < 0 && seen.words && seen.words_kinds)
		traffic_output_fail(output, -EIO, "%s %u", seen.words, turn++ % seen.words_kinds);
	else if (r < 0 && seen.words)
		traffic_output_fail(output, -EIO, "%s", seen.words);
	pthread_cond_broadcast(&seen.changed);
	return r;
}

static int fake_init(struct traffic_output *output)
{
	struct context *context = output->context;
	int r;

	pthread_mutex_lock(&seen.mutex);
	seen.inits++;
	if (seen.inits == seen.init_works_at)
		seen.init = 0;
	seen.number = (int)context->number;
	seen.was_new = context->preset == 42 && context->dirt == 0;
	context->dirt = 1;
	r = tell(output, seen.init);
	pthread_mutex_unlock(&seen.mutex);
	return r;
}

static bool all_signals_blocked(void)
{
	sigset_t blocked;

	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	return sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGPIPE) == 1 &&
	       sigismember(&blocked, SIGHUP) == 1 && sigismember(&blocked, SIGXFSZ) == 1;
}

static ssize_t fake_write(struct traffic_output *output, const struct traffic_record *records,
			  size_t n)
{
	ssize_t taken;

	pthread_mutex_lock(&seen.mutex);
	seen.writes++;
	seen.signals_blocked = all_signals_blocked();
	seen.is_in_write = true;
	pthread_cond_broadcast(&seen.changed);
	while (seen.hangs)
		pthread_cond_wait(&seen.changed, &seen.mutex);
	seen.is_in_write = false;
	taken = seen.take < (ssize_t)n ? seen.take : (ssize_t)n;
	for (ssize_t i = 0; i < taken; i++) {
		if (records[i].total_in != seen.next++)
			seen.in_order = false;
		seen.bytes[records[i].direction] += records[i].bytes;
	}
	taken = taken < 0 ? tell(output, (int)taken) : taken;
	pthread_cond_broadcast(&seen.changed);
	pthread_mutex_unlock(&seen.mutex);
	return taken;
}

static int fake_flush(struct traffic_output *output)
{
	int r;

	pthread_mutex_lock(&seen.mutex);
	seen.flushes++;
	r = tell(output, seen.flush);
	pthread_mutex_unlock(&seen.mutex);
	return r;
}

static void fake_close(struct traffic_output *output)
{
	pthread_mutex_lock(&seen.mutex);
	seen.closes++;
	if (seen.lost_at_close)
		traffic_output_lost(output, 1, seen.lost_at_close, seen.lost_at_close);
	pthread_cond_broadcast(&seen.changed);
	pthread_mutex_unlock(&seen.mutex);
}

static const struct traffic_output_type fake_output = {
	.kind = "fake",
	.target = "ANYTHING",
	.help = "does what the test says",
	.context_size = sizeof(struct context),
	.options = fake_options,
	.preset = fake_preset,
	.init = fake_init,
	.write = fake_write,
	.flush = fake_flush,
	.close = fake_close,
};

static struct output_queue *queue;
static struct output_status status;
static int room_fd = -1;
static uint64_t pushed; /* records so far */
static struct output_sum sum;

static int begin(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof(seen));
	pthread_mutex_init(&seen.mutex, NULL);
	pthread_cond_init(&seen.changed, NULL);
	seen.take = BATCH_RECORDS;
	seen.in_order = true;
	memset(&status, 0, sizeof(status));
	memset(&sum, 0, sizeof(sum));
	pushed = 0;
	room_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	capture_begin();
	return room_fd < 0 ? -1 : 0;
}

static int end(void **state)
{
	(void)state;
	if (capture_fd >= 0)
		capture_end();
	capture_fd = -1;
	close(room_fd);
	return 0;
}

/* What is set while the thread looks on is set under the mutex. */
#define TELL(statement)                                \
	do {                                           \
		pthread_mutex_lock(&seen.mutex);       \
		statement;                             \
		pthread_cond_broadcast(&seen.changed); \
		pthread_mutex_unlock(&seen.mutex);     \
	} while (0)

/* Wait for the event, for ten seconds at most. */
#define WAIT_FOR(condition)                                                                     \
	do {                                                                                    \
		struct timespec wait_until;                                                     \
		int late = 0;                                                                   \
		clock_gettime(CLOCK_REALTIME, &wait_until);                                     \
		wait_until.tv_sec += 10;                                                        \
		pthread_mutex_lock(&seen.mutex);                                                \
		while (!(condition) && !late)                                                   \
			late = pthread_cond_timedwait(&seen.changed, &seen.mutex, &wait_until); \
		pthread_mutex_unlock(&seen.mutex);                                              \
		if (late)                                                                       \
			fail_msg("never came: %s", #condition);                                 \
	} while (0)

static void start(void)
{
	assert_int_equal(output_queue_new_type(&queue, &fake_output, "fake:x", "eth0", room_fd), 0);
	assert_int_equal(output_queue_start(queue), 0);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static void push(size_t n)
{
	struct batch *batch = batch_new(1, false, NULL);

	assert_non_null(batch);
	for (batch->n = 0; batch->n < n; batch->n++) {
		struct traffic_record record =
			make_record(1000, pushed % 3 ? TRAFFIC_IN : TRAFFIC_OUT, pushed % 1000);

		record.total_in = pushed++;
		record.packets = 2;
		sum.packets[record.direction] += record.packets;
		sum.bytes[record.direction] += record.bytes;
		batch->records[batch->n] = record;
	}
	output_queue_push(queue, batch);
	batch_unref(batch);
}

static void wait_for_room(void)
{
	struct pollfd ready = { .fd = room_fd, .events = POLLIN };
	uint64_t value;

	while (output_queue_holds(queue)) {
		assert_int_equal(poll(&ready, 1, 10000), 1);
		assert_int_equal(read(room_fd, &value, sizeof(value)), sizeof(value));
	}
}

/* Stop, with the words that were logged since the begin in `said`. */
static int stop(uint64_t timeout_ns)
{
	int r = output_queue_stop(queue, now_ns() + timeout_ns, &status);

	capture_end();
	capture_fd = -1;
	return r;
}

static void assert_all_delivered(void)
{
	assert_memory_equal(&status.delivered, &sum, sizeof(sum));
	assert_int_equal(status.queued.packets[0] + status.queued.packets[1], 0);
	assert_int_equal(status.lost_packets, 0);
	assert_int_equal(seen.next, pushed);
	assert_true(seen.in_order);
	assert_int_equal(seen.bytes[0], sum.bytes[0]);
	assert_int_equal(seen.bytes[1], sum.bytes[1]);
	assert_int_equal(seen.inits, seen.closes);
}

static void order_and_counts(void **state)
{
	(void)state;
	start();
	srandom(1);
	for (int i = 0; i < 200; i++) {
		TELL(seen.take = 1 + random() % BATCH_RECORDS);
		wait_for_room();
		push((size_t)random() % (BATCH_RECORDS + 1)); /* none, now and then */
	}
	assert_int_equal(stop(10 * SECOND), 0);
	assert_all_delivered();
	assert_int_equal(status.errors, 0);
	assert_string_equal(status.error, "");
	assert_string_equal(status.spec, "fake:x");
	assert_true(seen.signals_blocked);
	assert_string_equal(said, "");
}

static void full_queue_says_so(void **state)
{
	struct pollfd ready = { .fd = room_fd, .events = POLLIN };
	uint64_t value;

	(void)state;
	start();
	TELL(seen.hangs = true);
	for (int i = 0; i < OUTPUT_QUEUE_BATCHES; i++) {
		assert_false(output_queue_holds(queue));
		push(10);
	}
	WAIT_FOR(seen.is_in_write);
	assert_true(output_queue_holds(queue));
	assert_int_equal(read(room_fd, &value, sizeof(value)), -1);

	/* Status does not wait for the call that hangs. */
	output_queue_status(queue, &status);
	assert_memory_equal(&status.queued, &sum, sizeof(sum));
	assert_int_equal(status.delivered.packets[0], 0);

	TELL(seen.hangs = false);
	assert_int_equal(poll(&ready, 1, 10000), 1);
	assert_false(output_queue_holds(queue));
	WAIT_FOR(seen.next == pushed);
	/* Once for the queue that was full, not for each batch. */
	assert_int_equal(read(room_fd, &value, sizeof(value)), sizeof(value));
	assert_int_equal(value, 1);
	assert_int_equal(stop(10 * SECOND), 0);
	assert_all_delivered();
}

/* Nothing taken, without words: no error, no noise, and no record lost or taken twice. */
static void is_busy(ssize_t take)
{
	uint64_t begin_ns = now_ns();

	seen.take = take;
	start();
	push(10);
	WAIT_FOR(seen.writes >= 4);
	assert_true(now_ns() - begin_ns >= 7 * SECOND / 10); /* 0.1 s, 0.2 s, 0.4 s */
	TELL(seen.take = 3);
	WAIT_FOR(seen.next == pushed);
	assert_int_equal(stop(10 * SECOND), 0);
	assert_all_delivered();
	assert_int_equal(status.errors, 0);
	assert_string_equal(said, "");
}

static void busy(void **state)
{
	(void)state;
	is_busy(-EAGAIN);
}

static void takes_none(void **state)
{
	(void)state;
	is_busy(0);
}

/* -EAGAIN with words: an error that is said once, counted, shown while it lasts, and over after
 * the first flush that ends well. */
static void sits_an_error_out(void **state)
{
	(void)state;
	seen.take = -EAGAIN;
	seen.words = "write x";
	start();
	push(10);
	WAIT_FOR(seen.writes >= 4);
	output_queue_status(queue, &status);
	assert_string_equal(status.error, "write x: Input/output error");
	assert_true(status.errors >= 3);
	TELL(seen.take = BATCH_RECORDS);
	WAIT_FOR(seen.next == pushed);
	WAIT_FOR(seen.flushes >= 1);
	assert_int_equal(stop(10 * SECOND), 0);
	assert_all_delivered();
	assert_int_equal(seen.inits, 1);
	assert_string_equal(status.error, "");
	assert_int_equal(count_said("output fake:x: write x: Input/output error; retrying\n"), 1);
	assert_int_equal(count_said("output fake:x: works again after "), 1);
	assert_int_equal(count_said("\n"), 2);
}

/* A flush that goes well says nothing of a write() that does not. */
static void fails_in_write_only(void **state)
{
	(void)state;
	start();
	push(10);
	WAIT_FOR(seen.next == 10);
	TELL(seen.words = "no room"; seen.take = -EAGAIN);
	push(10);
	for (unsigned int i = 1; i <= 3; i++) {
		WAIT_FOR(seen.writes >= 1 + i);
		output_queue_flush(queue);
		WAIT_FOR(seen.flushes >= i);
	}
	output_queue_status(queue, &status);
	assert_string_equal(status.error, "no room: Input/output error");
	TELL(seen.take = BATCH_RECORDS);
	assert_int_equal(stop(10 * SECOND), 0);
	assert_all_delivered();
	assert_int_equal(count_said("no room: Input/output error"), 1);
	assert_int_equal(count_said("works again"), 1);
}

static void fails_in_flush(void **state)
{
	(void)state;
	seen.flush = -EAGAIN;
	seen.words = "full";
	start();
	push(10);
	WAIT_FOR(seen.flushes >= 3);
	/* Records are taken on meanwhile. */
	push(10);
	WAIT_FOR(seen.next == pushed);
	output_queue_status(queue, &status);
	assert_string_equal(status.error, "full: Input/output error");
	TELL(seen.flush = 0);
	assert_int_equal(stop(10 * SECOND), 0);
	assert_all_delivered();
	assert_string_equal(status.error, "");
	assert_int_equal(count_said("full: Input/output error"), 1);
	assert_int_equal(count_said("works again"), 1);
}

/* Any other error: closed, and opened again with a context made new; the rest comes again. */
static void opens_again(void **state)
{
	(void)state;
	assert_int_equal(
		output_queue_new_type(&queue, &fake_output, "fake:x,number=7", "eth0", room_fd), 0);
	assert_int_equal(output_queue_start(queue), 0);
	TELL(seen.take = 4);
	push(10);
	WAIT_FOR(seen.next == 10);
	TELL(seen.take = -EIO);
	push(10);
	WAIT_FOR(seen.closes == 1);
	TELL(seen.take = 4);
	TELL(seen.number = 0);
	/* Without a request it would be a second. */
	output_queue_flush(queue);
	WAIT_FOR(seen.next == pushed);
	assert_int_equal(seen.number, 7);
	assert_true(seen.was_new);
	WAIT_FOR(seen.flushes >= 1);
	assert_int_equal(stop(10 * SECOND), 0);
	assert_all_delivered();
	assert_int_equal(seen.inits, 2);
	assert_int_equal(status.errors, 1);
	assert_int_equal(count_said("output fake:x: write: Input/output error; retrying\n"), 1);
	assert_int_equal(count_said("works again"), 1);
}

static void opening_fails_for_a_while(void **state)
{
	uint64_t begin_ns = now_ns();

	(void)state;
	start();
	TELL(seen.flush = -EIO);
	TELL(seen.init = -ECONNREFUSED);
	push(10);
	WAIT_FOR(seen.inits >= 3); /* after 1 s and 2 s */
	assert_true(now_ns() - begin_ns >= 3 * SECOND);
	push(10);
	TELL(seen.init = 0);
	TELL(seen.flush = 0);
	assert_int_equal(stop(10 * SECOND), 0);
	assert_all_delivered();
	assert_string_equal(status.error, "");
	assert_int_equal(count_said("flush: Input/output error"), 1);
	assert_int_equal(count_said("open: Connection refused"), 1);
	assert_int_equal(count_said("works again after "), 1);
}

/* Errors that differ each time are not a line each time. */
static void many_different_errors(void **state)
{
	(void)state;
	seen.flush = -EAGAIN;
	seen.words = "error";
	seen.words_kinds = 100;
	start();
	for (unsigned int i = 1; i < 30; i++) {
		output_queue_flush(queue);
		WAIT_FOR(seen.flushes >= i);
	}
	TELL(seen.flush = 0);
	assert_int_equal(stop(10 * SECOND), 0);
	assert_true(status.errors >= 29);
	assert_int_equal(count_said("; retrying\n"), 8);
	assert_int_equal(count_said("works again"), 1);
}

/* About a second after records came, in spite of more that come; and every few seconds. */
static void flushes_in_time(void **state)
{
	uint64_t begin_ns = now_ns();

	(void)state;
	start();
	while (now_ns() - begin_ns < 5 * SECOND / 2) {
		wait_for_room();
		push(1);
	}
	TELL(assert_in_range(seen.flushes, 1, 3));
	WAIT_FOR(seen.next == pushed);
	WAIT_FOR(seen.flushes >= 4);
	assert_int_equal(stop(10 * SECOND), 0);
	assert_all_delivered();
}

static void flushes_on_request(void **state)
{
	uint64_t begin_ns = now_ns();

	(void)state;
	start();
	for (unsigned int i = 1; i <= 5; i++) {
		output_queue_flush(queue);
		WAIT_FOR(seen.flushes == i);
	}
	/* Not by the five seconds of an idle output. */
	assert_true(now_ns() - begin_ns < 4 * SECOND);
	assert_int_equal(stop(10 * SECOND), 0);
	assert_int_equal(seen.flushes, 6);
}

static void refuses_at_start(void **state)
{
	(void)state;
	seen.init = -ENOENT;
	seen.words = "no such thing";
	assert_int_equal(output_queue_new_type(&queue, &fake_output, "fake:x", "eth0", room_fd),
			 -ENOENT);
	assert_int_equal(seen.closes, 1);
	assert_int_equal(
		output_queue_new_type(&queue, &fake_output, "fake:x,numbr=1", "eth0", room_fd),
		-EINVAL);
	assert_int_equal(seen.inits, 1);
	assert_int_equal(output_queue_new(&queue, "cvs:/tmp", "eth0", room_fd), -EINVAL);
	assert_int_equal(output_queue_new(&queue, "nonsense", "eth0", room_fd), -EINVAL);
	capture_end();
	capture_fd = -1;
	assert_said("error: output fake:x: no such thing: Input/output error\n");
	assert_said("numbr");
	assert_said("there is no output 'cvs'; known: csv, json");
	assert_int_equal(count_said("\n"), 4);
}

/* What the output gives up is counted and said. */
static void losses_of_the_output(void **state)
{
	(void)state;
	seen.lost_at_close = 5;
	start();
	push(10);
	assert_int_equal(stop(10 * SECOND), 0);
	assert_int_equal(status.lost_packets, 5);
	assert_int_equal(status.lost_bytes, 5);
	assert_memory_equal(&status.delivered, &sum, sizeof(sum));
	assert_int_equal(count_said("output fake:x: 5 packets of 5 bytes that it had taken are "
				    "lost"),
			 1);
}

/* An output that takes nothing until the deadline: given up in time, what waits is lost. */
static void stop_of_a_busy_output(void **state)
{
	uint64_t begin_ns = now_ns();

	(void)state;
	start();
	push(10);
	WAIT_FOR(seen.next == 10);
	TELL(seen.take = -EAGAIN);
	push(10);
	push(10);
	assert_int_equal(stop(SECOND), 0);
	assert_true(now_ns() - begin_ns < 4 * SECOND);
	assert_int_equal(seen.closes, 1);
	assert_int_equal(status.delivered.packets[0] + status.delivered.packets[1], 20);
	assert_int_equal(status.queued.packets[0] + status.queued.packets[1], 40);
	assert_int_equal(status.lost_packets, 40);
	assert_int_equal(status.lost_bytes, status.queued.bytes[0] + status.queued.bytes[1]);
	assert_said("stopped with 40 packets of ");
}

/* Trouble that ends while it is being stopped costs nothing. */
static void stop_gives_another_chance(void **state)
{
	(void)state;
	start();
	TELL(seen.take = -EIO);
	push(10);
	WAIT_FOR(seen.closes == 1);
	TELL(seen.take = BATCH_RECORDS);
	assert_int_equal(stop(10 * SECOND), 0);
	assert_all_delivered();
	assert_int_equal(seen.inits, 2);
}

/* However long the wait was going to be: at the stop it is tried at once, and often. */
static void stop_does_not_wait_for_a_retry(void **state)
{
	(void)state;
	start();
	TELL(seen.init = -ECONNREFUSED; seen.take = -EIO);
	push(10);
	WAIT_FOR(seen.inits >= 3); /* the next one comes in 4 s */
	TELL(seen.take = BATCH_RECORDS; seen.init_works_at = seen.inits + 3);
	assert_int_equal(stop(2 * SECOND), 0);
	assert_all_delivered();
}

/* A call that hangs does not hold up the stop, and may still come back later. */
static void stop_of_a_hanging_output(void **state)
{
	uint64_t begin_ns = now_ns();

	(void)state;
	seen.flush = -EAGAIN;
	start();
	push(10);
	WAIT_FOR(seen.next == 10);
	TELL(seen.hangs = true);
	push(10);
	push(10);
	WAIT_FOR(seen.is_in_write);
	assert_int_equal(stop(SECOND), -ETIMEDOUT);
	assert_true(now_ns() - begin_ns < 5 * SECOND);
	assert_int_equal(status.delivered.packets[0] + status.delivered.packets[1], 20);
	assert_int_equal(status.queued.packets[0] + status.queued.packets[1], 40);
	/* Nobody knows of the first ten whether they got out: no flush went well. */
	assert_int_equal(status.lost_packets, 60);
	assert_said("given up; 60 packets of ");
	TELL(seen.hangs = false);
	WAIT_FOR(seen.closes == 1);
}

static uint64_t packets_of(const struct output_sum *of)
{
	return of->packets[0] + of->packets[1];
}

static void start_as(const struct traffic_output_type *type, const char *spec)
{
	assert_int_equal(output_queue_new_type(&queue, type, spec, "eth0", room_fd), 0);
	assert_int_equal(output_queue_start(queue), 0);
}

static void fill(void)
{
	TELL(seen.hangs = true);
	for (int i = 0; i < OUTPUT_QUEUE_BATCHES; i++) {
		assert_false(output_queue_holds(queue));
		push(10);
	}
	WAIT_FOR(seen.is_in_write);
}

/* While standard error is captured. */
static bool was_said(const char *part)
{
	ssize_t length = pread(capture_fd, said, sizeof(said) - 1, 0);

	said[length < 0 ? 0 : length] = '\0';
	return strstr(said, part);
}

/* For its second the others wait; what comes later is dropped, to the byte; then it works again. */
static void holds_for_its_time_only(void **state)
{
	uint64_t begin_ns = now_ns();
	struct output_sum before;
	unsigned int flushes;

	(void)state;
	start_as(&fake_output, "fake:x,hold=1");
	fill();
	assert_false(output_queue_settle(queue));
	while (output_queue_holds(queue))
		poll(NULL, 0, 10);
	assert_true(now_ns() - begin_ns >= SECOND);
	assert_true(now_ns() - begin_ns < 5 * SECOND);
	assert_true(output_queue_settle(queue)); /* a span may be committed without it */

	before = sum;
	push(100);
	output_queue_status(queue, &status);
	assert_memory_equal(&status.queued, &before, sizeof(before));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(status.dropped.packets[i], sum.packets[i] - before.packets[i]);
		assert_int_equal(status.dropped.bytes[i], sum.bytes[i] - before.bytes[i]);
	}
	assert_false(output_queue_holds(queue));

	TELL(seen.hangs = false);
	WAIT_FOR(seen.next == 10 * OUTPUT_QUEUE_BATCHES);
	TELL(flushes = seen.flushes);
	assert_true(output_queue_settle(queue)); /* which hurries the flush */
	WAIT_FOR(seen.flushes > flushes);
	/* The thread has yet to count it. */
	while (output_queue_settle(queue) && !was_said("keeps up again"))
		poll(NULL, 0, 10);
	TELL(seen.next = pushed);
	push(5);
	assert_int_equal(stop(10 * SECOND), 0);
	assert_int_equal(packets_of(&status.delivered), packets_of(&before) + 10);
	assert_int_equal(packets_of(&status.dropped), 200);
	assert_int_equal(status.lost_packets, 0);
	assert_said("can't keep up");
	assert_said("keeps up again; dropped so far: 200 packets of ");
}

/* It may do without the detail: then nothing is dropped. */
static void sums_up_what_it_can_not_take(void **state)
{
	struct traffic_output_type type = fake_output;

	(void)state;
	type.sums_up = true;
	start_as(&type, "fake:x,hold=0");
	fill();
	for (int i = 0; i < 50; i++) {
		assert_false(output_queue_holds(queue));
		assert_true(output_queue_settle(queue));
		push(BATCH_RECORDS);
	}
	output_queue_status(queue, &status);
	assert_memory_equal(&status.queued, &sum, sizeof(sum));
	assert_int_equal(packets_of(&status.dropped), 0);
	TELL(seen.hangs = false);
	/* Two records: one user, two directions. */
	WAIT_FOR(seen.bytes[0] + seen.bytes[1] == sum.bytes[0] + sum.bytes[1]);
	assert_int_equal(stop(10 * SECOND), 0);
	assert_memory_equal(&status.delivered, &sum, sizeof(sum));
	assert_int_equal(seen.bytes[0], sum.bytes[0]);
	assert_int_equal(status.lost_packets, 0);
	assert_said("summed up by user");
}

static void holds_for_ever(void **state)
{
	(void)state;
	start_as(&fake_output, "fake:x,number=7,hold=forever");
	assert_int_equal(seen.number, 7);
	fill();
	assert_true(output_queue_holds(queue));
	assert_false(output_queue_settle(queue));
	TELL(seen.hangs = false);
	assert_int_equal(stop(10 * SECOND), 0);
	assert_all_delivered();
}

static void hold_has_to_be_a_time(void **state)
{
	static const char *const specs[] = { "fake:x,hold=soon", "fake:x,hold=", "fake:x,hold=-1",
					     "fake:x,hold=99999999999999999999" };

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(output_queue_new_type(&queue, &fake_output, specs[i], "eth0", -1),
				 -EINVAL);
	capture_end();
	capture_fd = -1;
	assert_said("hold 'soon' is neither a number of seconds");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(order_and_counts),
		TEST(full_queue_says_so),
		TEST(busy),
		TEST(takes_none),
		TEST(sits_an_error_out),
		TEST(fails_in_write_only),
		TEST(fails_in_flush),
		TEST(opens_again),
		TEST(opening_fails_for_a_while),
		TEST(many_different_errors),
		TEST(flushes_in_time),
		TEST(flushes_on_request),
		TEST(refuses_at_start),
		TEST(losses_of_the_output),
		TEST(stop_of_a_busy_output),
		TEST(stop_gives_another_chance),
		TEST(stop_does_not_wait_for_a_retry),
		TEST(stop_of_a_hanging_output),
		TEST(holds_for_its_time_only),
		TEST(sums_up_what_it_can_not_take),
		TEST(holds_for_ever),
		TEST(hold_has_to_be_a_time),
	};

	return cmocka_run_group_tests_name("output_queue", tests, NULL, NULL);
}
