// SPDX-License-Identifier: GPL-2.0-or-later
#include "command/meter.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>

#include "account/account.h"
#include "capture/cgroup.h"
#include "output/batch.h"
#include "output/queue.h"
#include "util/cleanup.h"
#include "util/log.h"

#define OUTPUTS_MAX	  16
#define NIC_ID_LENGTH_MAX 64

/* How long a record may wait in a ring that never fills to a mark. */
#define POLL_INTERVAL_MS 200

/* What a stop may take for the outputs to write what they hold. */
#define STOP_TIMEOUT_S 10

enum event {
	EVENT_SIGNAL,
	EVENT_RING,
	EVENT_POLL,
	EVENT_INTERVAL,
	EVENT_DURATION,
	EVENT_CLOCK,
	EVENT_ROOM,
};

struct meter {
	const struct meter_settings *settings;
	struct capture *capture;
	struct account account;
	struct output_queue *outputs[OUTPUTS_MAX];
	size_t n_outputs;
	struct batch *batch; /* the next one to fill; NULL: none is allocated */
	uint64_t batches;

	/* What was handed to the outputs, for the audit. */
	struct output_sum read;

	int epoll_fd, signal_fd, room_fd, poll_fd, interval_fd, duration_fd;
	bool stopping;
};

int meter_verify_nic_id(const char *nic_id)
{
	size_t length = strlen(nic_id);
	bool good = length > 0 && length <= NIC_ID_LENGTH_MAX && !strstr(nic_id, "..");

	for (size_t i = 0; i < length; i++)
		good = good && isprint((unsigned char)nic_id[i]) && nic_id[i] != '/';
	if (good)
		return 0;
	log_error("nic-id '%.*s': it becomes part of file names, so it can't be empty, longer than "
		  "%d bytes, or hold '/', '..' or unprintable characters",
		  NIC_ID_LENGTH_MAX, nic_id, NIC_ID_LENGTH_MAX);
	return -EINVAL;
}

static int load_networks(struct meter *meter)
{
	_cleanup_(network_list_free) struct network_list list = { 0 };
	const struct meter_settings *settings = meter->settings;
	int r;

	if (!settings->untracked)
		return settings->compiled ? capture_set_networks(meter->capture, settings->compiled)
					  : 0;
	r = network_list_read(settings->untracked, network_log_error, NULL, &list);
	if (r == -EINVAL)
		return r; /* each line of it was told */
	if (r < 0)
		return log_error_errno(r, "read the untracked list %s", settings->untracked);
	r = capture_set_networks(meter->capture, &list);
	if (r == 0)
		log_notice("%zu untracked networks from %s", list.n, settings->untracked);
	return r;
}

static bool outputs_have_room(const struct meter *meter)
{
	for (size_t i = 0; i < meter->n_outputs; i++)
		if (!output_queue_has_room(meter->outputs[i]))
			return false;
	return true;
}

static int fill_batch(struct meter *meter, struct batch *batch)
{
	while (batch->n < BATCH_RECORDS) {
		struct traffic_record *record = &batch->records[batch->n];
		int r = capture_next(meter->capture, record);

		if (r <= 0)
			return r;
		r = account_record(&meter->account, record);
		if (r < 0)
			return log_error_errno(r, "keep the totals of uid %" PRIu32, record->uid);
		meter->read.packets[record->direction] += record->packets;
		meter->read.bytes[record->direction] += record->bytes;
		batch->n++;
	}
	return 0;
}

/* Move what the kernel holds to the outputs, until there is no more or one of them has no room:
 * then the rest waits where it is, and the ladder takes what comes after.
 * 1: no more; 0: no room; or an error. */
static int drain(struct meter *meter)
{
	while (outputs_have_room(meter)) {
		struct batch *batch;
		int r;

		if (!meter->batch)
			meter->batch = batch_new(meter->batches + 1);
		if (!meter->batch)
			return log_error_errno(-ENOMEM, "make a batch of records");
		r = fill_batch(meter, meter->batch);
		if (r < 0)
			return r;
		if (meter->batch->n == 0)
			return 1;
		meter->batches++;
		batch = steal_pointer(meter->batch);
		for (size_t i = 0; i < meter->n_outputs; i++)
			output_queue_push(meter->outputs[i], batch);
		batch_unref(batch);
		capture_release(meter->capture);
	}
	return 0;
}

static void log_interval(struct meter *meter)
{
	struct account_sum sum = account_next_interval(&meter->account);

	log_info("%" PRIu64 " s: in %" PRIu64 " packets, %" PRIu64 " bytes; out %" PRIu64
		 " packets, %" PRIu64 " bytes; %" PRIu32 " users%s",
		 meter->settings->interval_s, sum.packets[TRAFFIC_IN], sum.bytes[TRAFFIC_IN],
		 sum.packets[TRAFFIC_OUT], sum.bytes[TRAFFIC_OUT], sum.users,
		 sum.merged_packets ? "; overloaded: some rows stand for many packets" : "");
}

static int end_interval(struct meter *meter)
{
	int r = capture_retire(meter->capture);

	if (r < 0)
		return r;
	r = drain(meter);
	log_interval(meter);
	return r;
}

static void reload(struct meter *meter)
{
	if (meter->settings->untracked && load_networks(meter) < 0)
		log_warning("the untracked list stays as it was");
	for (size_t i = 0; i < meter->n_outputs; i++)
		output_queue_flush(meter->outputs[i]);
}

static void handle_signal(struct meter *meter)
{
	struct signalfd_siginfo signal;

	if (read(meter->signal_fd, &signal, sizeof(signal)) != sizeof(signal))
		return;
	if (signal.ssi_signo == SIGHUP)
		reload(meter);
	else
		meter->stopping = true;
}

/* Timers and eventfds are level-triggered: reading takes the event off. */
static void take_event(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_debug("read an event: %s", strerror(errno));
}

static int handle_event(struct meter *meter, enum event event)
{
	switch (event) {
	case EVENT_SIGNAL:
		handle_signal(meter);
		return 0;
	case EVENT_RING:
		return drain(meter);
	case EVENT_POLL:
		take_event(meter->poll_fd);
		return drain(meter);
	case EVENT_ROOM:
		take_event(meter->room_fd);
		return drain(meter);
	case EVENT_INTERVAL:
		take_event(meter->interval_fd);
		return end_interval(meter);
	case EVENT_DURATION:
		meter->stopping = true;
		return 0;
	case EVENT_CLOCK: {
		int r = drain(meter);

		clock_was_set(&meter->account.clock);
		return r;
	}
	}
	return 0;
}

static int watch(struct meter *meter, int fd, enum event event, uint32_t events)
{
	struct epoll_event watched = { .events = events, .data.u32 = event };

	return epoll_ctl(meter->epoll_fd, EPOLL_CTL_ADD, fd, &watched) ? -errno : 0;
}

static int open_timer(struct meter *meter, int *ret_fd, enum event event, uint64_t first_ms,
		      uint64_t period_ms)
{
	struct itimerspec timer = {
		.it_value = { (time_t)(first_ms / 1000), (long)(first_ms % 1000) * 1000000 },
		.it_interval = { (time_t)(period_ms / 1000), (long)(period_ms % 1000) * 1000000 },
	};

	*ret_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (*ret_fd < 0 || timerfd_settime(*ret_fd, 0, &timer, NULL))
		return -errno;
	return watch(meter, *ret_fd, event, EPOLLIN);
}

static int open_signals(struct meter *meter)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &signals, NULL))
		return -errno;
	/* A peer that went away is an error of write(), for the output to tell. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	meter->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (meter->signal_fd < 0)
		return -errno;
	return watch(meter, meter->signal_fd, EVENT_SIGNAL, EPOLLIN);
}

static int open_events(struct meter *meter)
{
	int r;

	meter->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (meter->epoll_fd < 0)
		return -errno;
	meter->room_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (meter->room_fd < 0)
		return -errno;
	if ((r = open_signals(meter)) < 0 ||
	    (r = watch(meter, meter->room_fd, EVENT_ROOM, EPOLLIN)) < 0 ||
	    (r = watch(meter, meter->account.clock.fd, EVENT_CLOCK, EPOLLIN)) < 0)
		return r;
	return 0;
}

/* Timers begin when the programs are attached. */
static int open_timers(struct meter *meter)
{
	const struct meter_settings *settings = meter->settings;
	int r;

	if ((r = watch(meter, capture_ring_fd(meter->capture), EVENT_RING, EPOLLIN | EPOLLET)) <
		    0 ||
	    (r = open_timer(meter, &meter->poll_fd, EVENT_POLL, POLL_INTERVAL_MS,
			    POLL_INTERVAL_MS)) < 0 ||
	    (r = open_timer(meter, &meter->interval_fd, EVENT_INTERVAL, settings->interval_s * 1000,
			    settings->interval_s * 1000)) < 0)
		return r;
	if (settings->duration_s)
		return open_timer(meter, &meter->duration_fd, EVENT_DURATION,
				  settings->duration_s * 1000, 0);
	return 0;
}

static int open_outputs(struct meter *meter)
{
	const struct traffic_strings *specs = &meter->settings->outputs;

	if (specs->n > OUTPUTS_MAX) {
		log_error("%zu outputs; %d are the most", specs->n, OUTPUTS_MAX);
		return -EINVAL;
	}
	for (size_t i = 0; i < specs->n; i++) {
		int r = output_queue_new(&meter->outputs[i], specs->values[i],
					 meter->settings->nic_id, meter->room_fd);

		if (r < 0)
			return r;
		meter->n_outputs++;
	}
	return 0;
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* After the detaching: read to the end, waiting for room where an output is slow. */
static int drain_to_the_end(struct meter *meter, uint64_t deadline_ns)
{
	int r = 0;

	/* Twice: a table that retired before the detaching may have had to be read first. */
	for (int i = 0; i < 2; i++) {
		while ((r = drain(meter)) == 0 && monotonic_ns() < deadline_ns) {
			struct epoll_event event;

			epoll_wait(meter->epoll_fd, &event, 1, 100);
			take_event(meter->room_fd);
		}
		if (r <= 0 || (r = capture_retire(meter->capture)) < 0)
			break;
	}
	return r < 0 ? r : drain(meter);
}

/* Counted by the hooks = delivered to the output + given up by it. What is missing on the right is
 * said, however it came to that. */
static int log_audit(const struct capture_audit *counted, const struct output_status *status)
{
	uint64_t counted_bytes = counted->bytes[0] + counted->bytes[1];
	uint64_t delivered = status->delivered.bytes[0] + status->delivered.bytes[1];
	uint64_t delivered_packets = status->delivered.packets[0] + status->delivered.packets[1];
	int64_t unaccounted = (int64_t)(counted_bytes - delivered);

	log_notice("%s: %" PRIu64 " packets, in %" PRIu64 " bytes, out %" PRIu64
		   " bytes; lost %" PRIu64 " bytes; audit: %" PRId64 " bytes unaccounted",
		   status->spec, delivered_packets, status->delivered.bytes[TRAFFIC_IN],
		   status->delivered.bytes[TRAFFIC_OUT], status->lost_bytes, unaccounted);
	return unaccounted || status->lost_bytes ? -EIO : 0;
}

static int stop(struct meter *meter, int result)
{
	uint64_t deadline_ns = monotonic_ns() + STOP_TIMEOUT_S * 1000000000ull;
	struct capture_audit counted = { 0 };
	bool hung = false;
	int r;

	capture_detach(meter->capture);
	r = drain_to_the_end(meter, deadline_ns);
	result = result < 0 ? result : r < 0 ? r : 0;
	r = capture_read_audit(meter->capture, &counted);
	result = result < 0 ? result : r;
	log_interval(meter);
	for (size_t i = 0; i < meter->n_outputs; i++) {
		struct output_status status;

		hung |= output_queue_stop(meter->outputs[i], deadline_ns, &status) == -ETIMEDOUT;
		r = log_audit(&counted, &status);
		result = result < 0 ? result : r;
	}
	meter->n_outputs = 0;
	/* A thread that hangs in a system call can't be ended, only left. */
	if (hung)
		_exit(1);
	return result;
}

static int loop(struct meter *meter)
{
	while (!meter->stopping) {
		struct epoll_event event;
		int r = epoll_wait(meter->epoll_fd, &event, 1, -1);

		if (r < 0 && errno != EINTR)
			return log_error_errno(errno, "wait for events");
		if (r == 1 && (r = handle_event(meter, (enum event)event.data.u32)) < 0)
			return r;
	}
	return 0;
}

static void meter_close(struct meter *meter)
{
	capture_close(meter->capture);
	for (size_t i = 0; i < meter->n_outputs; i++)
		output_queue_stop(meter->outputs[i], 0, NULL);
	batch_unref(meter->batch);
	account_close(&meter->account);
	close_fd(&meter->epoll_fd);
	close_fd(&meter->signal_fd);
	close_fd(&meter->room_fd);
	close_fd(&meter->poll_fd);
	close_fd(&meter->interval_fd);
	close_fd(&meter->duration_fd);
}

int meter_run(const struct meter_settings *settings)
{
	_cleanup_(meter_close) struct meter meter = {
		.settings = settings,
		.account.clock.fd = -1,
		.epoll_fd = -1,
		.signal_fd = -1,
		.room_fd = -1,
		.poll_fd = -1,
		.interval_fd = -1,
		.duration_fd = -1,
	};
	_cleanup_free_ char *cgroup = NULL;
	int r;

	if ((r = meter_verify_nic_id(settings->nic_id)) < 0 ||
	    (r = capture_open(&meter.capture, &settings->capture)) < 0 ||
	    (r = cgroup_choose(settings->cgroup, &cgroup)) < 0 || (r = load_networks(&meter)) < 0 ||
	    (r = account_open(&meter.account)) < 0)
		return r;
	r = open_events(&meter);
	if (r < 0)
		return log_error_errno(r, "set up the event loop");
	r = open_outputs(&meter);
	if (r < 0)
		return r;
	r = capture_attach(meter.capture, cgroup);
	if (r < 0)
		return r;
	r = open_timers(&meter);
	if (r < 0)
		return stop(&meter, log_error_errno(r, "set up the timers"));
	log_notice("metering %s", cgroup);
	for (size_t i = 0; i < settings->outputs.n; i++)
		log_notice("records go to %s", settings->outputs.values[i]);
	return stop(&meter, loop(&meter));
}
