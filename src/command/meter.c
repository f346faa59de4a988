// SPDX-License-Identifier: GPL-2.0-or-later
#include "command/meter.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>

#include "account/account.h"
#include "capture/cgroup.h"
#include "capture/features.h"
#include "command/accounts.h"
#include "command/confine.h"
#include "command/control.h"
#include "command/health.h"
#include "command/interval.h"
#include "command/watch.h"
#include "pipeline/output_queue.h"
#include "pipeline/outputs.h"
#include "pipeline/transfer.h"
#include "util/cleanup.h"
#include "util/descriptors.h"
#include "util/log.h"
#include "util/loop.h"
#include "util/monotonic.h"
#include "util/notify.h"

/* How long a record may wait in a ring that never fills to a mark. */
#define POLL_INTERVAL_MS 200

/* What a stop may take for the outputs to write what they hold. */
#define STOP_TIMEOUT_S 10

/* Then, when one of them is given up, for the others to get what it has kept from them. */
#define STOP_REST_S 5
struct meter {
	const struct meter_settings *settings;
	struct capture *capture;
	struct capture_settings capture_settings;
	struct account account;
	struct loop loop;
	struct outputs outputs;
	struct transfer transfer;
	struct watch watch;
	char *cgroup;
	uint64_t interval_start_ns;
	int signal_fd, room_fd; /* the loop's */
	int lock_fd;
};

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
	if (r < 0)
		return r;
	meter->watch.n_networks = list.n;
	log_notice("%zu untracked networks from %s", list.n, settings->untracked);
	return 0;
}

static int drain(void *userdata)
{
	struct meter *meter = userdata;

	return transfer_drain(&meter->transfer);
}

static int on_poll(void *userdata)
{
	struct meter *meter = userdata;

	capture_go_on(meter->capture);
	return drain(meter);
}

static void tell_interval(struct meter *meter)
{
	struct account_sum sum = account_next_interval(&meter->account);
	uint64_t now_ns = monotonic_ns();

	interval_tell(&sum, now_ns - meter->interval_start_ns, meter->settings->capture.records);
	meter->interval_start_ns = now_ns;
}

static int retire(struct meter *meter)
{
	int r;

	live_moving(meter->watch.live);
	r = capture_retire(meter->capture);
	live_moved(meter->watch.live);
	return r;
}

static int on_interval(void *userdata)
{
	struct meter *meter = userdata;
	int r = retire(meter);

	if (r < 0)
		return r;
	capture_check_cgroup(meter->capture);
	r = drain(meter);
	account_write_state(&meter->account);
	tell_interval(meter);
	return r;
}

static int on_duration(void *userdata)
{
	struct meter *meter = userdata;

	meter->loop.stopping = true;
	return 0;
}

/* What was captured before the clock was set is read first, and keeps its time. */
static int on_clock_set(void *userdata)
{
	struct meter *meter = userdata;
	int r = drain(meter);

	clock_was_set(&meter->account.clock);
	return r;
}

static int on_interfaces(void *userdata)
{
	struct meter *meter = userdata;

	capture_interfaces_changed(meter->capture);
	return 0;
}

static int on_metered_cgroup(void *userdata)
{
	struct meter *meter = userdata;

	capture_check_cgroup(meter->capture);
	return 0;
}

static int on_cgroups(void *userdata)
{
	struct meter *meter = userdata;

	cgroups_changed(meter->account.cgroups);
	return 0;
}

static void reload(struct meter *meter)
{
	notify_reloading();
	if (meter->settings->untracked && load_networks(meter) < 0)
		log_warning("the untracked list stays as it was");
	if (accounts_load_networks(&meter->account, meter->settings) < 0)
		log_warning("the names of networks stay as they were");
	account_reload(&meter->account);
	outputs_flush(&meter->outputs);
	notify_ready();
}

static int on_signal(void *userdata)
{
	struct meter *meter = userdata;
	struct signalfd_siginfo signal;

	if (read(meter->signal_fd, &signal, sizeof(signal)) != sizeof(signal))
		return 0;
	if (signal.ssi_signo == SIGHUP)
		reload(meter);
	else
		meter->loop.stopping = true;
	return 0;
}

static int open_signals(struct meter *meter)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	/* A peer that went away, a file at its limit: errors of write(), for the output to tell. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return loop_add_signals(&meter->loop, &signals, &meter->signal_fd, on_signal, meter);
}

static int open_events(struct meter *meter)
{
	int r;

	if ((r = loop_open(&meter->loop)) < 0 || (r = open_signals(meter)) < 0 ||
	    (r = loop_add_event(&meter->loop, &meter->room_fd, drain, meter)) < 0 ||
	    (r = loop_add(&meter->loop, meter->account.clock.fd, EPOLLIN, on_clock_set, meter)) < 0)
		return log_error_errno(r, "set up the event loop");
	r = capture_interfaces_fd(meter->capture) < 0
		    ? 0
		    : loop_add(&meter->loop, capture_interfaces_fd(meter->capture), EPOLLIN,
			       on_interfaces, meter);
	if (r == 0 && meter->account.cgroups && cgroups_fd(meter->account.cgroups) >= 0)
		r = loop_add(&meter->loop, cgroups_fd(meter->account.cgroups), EPOLLIN, on_cgroups,
			     meter);
	return r < 0 ? log_error_errno(r, "watch interfaces and cgroups") : 0;
}

/* Timers begin when the programs are attached. */
static int open_timers(struct meter *meter)
{
	const struct meter_settings *settings = meter->settings;
	struct loop *loop = &meter->loop;
	int r;

	if ((r = loop_add(loop, capture_ring_fd(meter->capture), EPOLLIN | EPOLLET, drain, meter)) <
		    0 ||
	    (r = loop_add_timer(loop, POLL_INTERVAL_MS, POLL_INTERVAL_MS, on_poll, meter)) < 0 ||
	    (r = loop_add_timer(loop, settings->interval_s * 1000, settings->interval_s * 1000,
				on_interval, meter)) < 0 ||
	    (capture_cgroup_fd(meter->capture) >= 0 &&
	     (r = loop_add(loop, capture_cgroup_fd(meter->capture), EPOLLIN, on_metered_cgroup,
			   meter)) < 0) ||
	    (r = notify_watch(loop)) < 0)
		return log_error_errno(r, "set up the timers");
	if (!settings->duration_s)
		return 0;
	r = loop_add_timer(loop, settings->duration_s * 1000, 0, on_duration, meter);
	return r < 0 ? log_error_errno(r, "set up the timer of the duration") : 0;
}

/* After the detaching: read to the end, waiting for room where an output is slow. 1; 0: it is not to be
 * had until the deadline; or an error. */
static int drain_to_the_end(struct meter *meter, uint64_t deadline_ns)
{
	int r;

	/* Twice: a table that retired before the detaching may have had to be read first. */
	for (int retired = 0;; retired++) {
		while ((r = drain(meter)) == 0 && monotonic_ns() < deadline_ns) {
			struct pollfd room = { .fd = meter->room_fd, .events = POLLIN };
			uint64_t count;

			if (poll(&room, 1, 100) > 0 &&
			    read(meter->room_fd, &count, sizeof(count)) < 0)
				break;
		}
		if (r <= 0 || retired == 2)
			return r;
		r = retire(meter);
		if (r < 0)
			return r;
	}
}

static int stop(struct meter *meter, int result)
{
	uint64_t deadline_ns = monotonic_ns() + STOP_TIMEOUT_S * 1000000000ull;
	struct health health = { 0 };
	bool hung, failed;
	int r;

	notify_stopping();
	watch_stop(&meter->watch);
	capture_detach(meter->capture);
	meter->transfer.has_last = capture_persists(meter->capture);
	meter->transfer.spans_left = TRANSFER_LAST_SPANS;
	outputs_status(&meter->outputs, health.outputs);
	r = drain_to_the_end(meter, deadline_ns);
	if (r == 0) {
		meter->transfer.in_a_hurry = true;
		outputs_give_up_stuck(&meter->outputs, health.outputs);
		r = drain_to_the_end(meter, monotonic_ns() + STOP_REST_S * 1000000000ull);
	}
	failed = r < 0; /* the next meter goes on with what is left */
	result = result < 0 ? result : r < 0 ? r : 0;
	r = watch_read_health(&meter->watch, &health);
	result = result < 0 ? result : r;
	tell_interval(meter);
	hung = outputs_stop(&meter->outputs, deadline_ns, health.outputs) == -ETIMEDOUT;
	r = account_close_state(&meter->account, monotonic_ns() + STOP_REST_S * 1000000000ull);
	hung = hung || r == -ETIMEDOUT;
	result = result < 0 ? result : r;
	for (size_t i = 0; i < health.n_outputs; i++) {
		r = health_log_audit(&health, &health.outputs[i]);
		result = result < 0 ? result : r;
	}
	if (!failed)
		capture_remove(meter->capture);
	/* A thread that hangs in a system call can't be ended, only left. */
	if (hung) {
		_exit(1);
	}
	return result;
}

static void meter_close(struct meter *meter)
{
	watch_close(&meter->watch);
	capture_close(meter->capture);
	outputs_close(&meter->outputs);
	loop_close(&meter->loop);
	account_close(&meter->account);
	close_fd(&meter->lock_fd);
	free(meter->cgroup);
}

/* Nobody else meters for the instance, from here to the end of the process. */
static int open_instance(struct meter *meter)
{
	pid_t pid;
	int r;

	if (!meter->settings->instance)
		return 0;
	r = control_lock(meter->settings->instance, &meter->lock_fd, &pid);
	if (r == -EBUSY) {
		log_error("the instance '%s' is metered by process %d already; give this one a "
			  "name of its own with --instance",
			  meter->settings->instance, (int)pid);
		return r;
	}
	if (r < 0)
		log_warning_errno(r,
				  "lock " CONTROL_DIRECTORY "/%s.lock; a second meter of this "
				  "instance would not be refused",
				  meter->settings->instance);
	return 0;
}

static int open_capture(struct meter *meter, const struct identity *identity)
{
	meter->capture_settings = meter->settings->capture;
	meter->capture_settings.user = identity->user ? identity->uid : geteuid();
	return capture_open(&meter->capture, &meter->capture_settings);
}

static int open_watch(struct meter *meter)
{
	struct watch *watch = &meter->watch;

	watch->capture = meter->capture;
	watch->account = &meter->account;
	watch->outputs = &meter->outputs;
	watch->transfer = &meter->transfer;
	watch->cgroup = meter->cgroup;
	return watch_open(watch, &meter->loop);
}

/* The order is confine.h's: each right is given up when it is needed no more. */
static int open_all(struct meter *meter)
{
	const struct meter_settings *settings = meter->settings;
	struct identity identity;
	int r;

	descriptors_raise_limit();
	if ((r = outputs_verify_nic_id(settings->nic_id)) < 0 || (r = features_require()) < 0 ||
	    (r = open_instance(meter)) < 0 || (r = confine_join(settings, &identity)) < 0 ||
	    (r = open_capture(meter, &identity)) < 0 ||
	    (r = cgroup_choose(settings->cgroup, &meter->cgroup)) < 0)
		return r;
	watch_listen(&meter->watch);
	if ((r = confine_give(settings, meter->capture, &identity)) < 0 ||
	    (r = confine_become(&identity)) < 0 || (r = load_networks(meter)) < 0 ||
	    (r = accounts_open(&meter->account, meter->capture, settings)) < 0 ||
	    (r = open_events(meter)) < 0 ||
	    (r = outputs_open(&meter->outputs, &settings->outputs, settings->nic_id,
			      meter->room_fd)) < 0 ||
	    (r = accounts_open_state(&meter->account, meter->capture, &meter->outputs, settings)) <
		    0)
		return r;
	r = open_watch(meter);
	if (r < 0)
		return r;
	meter->transfer = (struct transfer){
		.capture = meter->capture,
		.account = &meter->account,
		.outputs = &meter->outputs,
		.live = meter->watch.live,
	};
	return capture_attach(meter->capture, meter->cgroup);
}

/* From here on there is something to stop. */
static int start(struct meter *meter)
{
	const struct meter_settings *settings = meter->settings;
	int r;

	if ((r = confine_lock(settings, meter->capture, &meter->outputs)) < 0 ||
	    (r = accounts_start(&meter->account, settings, meter->room_fd)) < 0 ||
	    (r = outputs_start(&meter->outputs)) < 0 || (r = watch_start(&meter->watch)) < 0 ||
	    (r = confine_calls()) < 0)
		return r;
	return settings->capture.left_over_only ? 0 : open_timers(meter);
}

static int run_loop(struct meter *meter)
{
	const struct meter_settings *settings = meter->settings;

	if (settings->capture.left_over_only)
		return 0;
	log_notice("metering %s", meter->cgroup);
	for (size_t i = 0; i < settings->outputs.n; i++)
		log_notice("records go to %s", settings->outputs.values[i]);
	notify_status("metering");
	notify_ready();
	return loop_run(&meter->loop);
}

int meter_run(const struct meter_settings *settings)
{
	_cleanup_(meter_close) struct meter meter = {
		.settings = settings,
		.account.clock.fd = -1,
		.loop.epoll_fd = -1,
		.lock_fd = -1,
		.watch = { .settings = settings,
			   .start_ns = monotonic_ns(),
			   .listen_fd = -1,
			   .loop_fd = -1 },
	};
	int r = open_all(&meter);

	if (r < 0)
		return r;
	meter.interval_start_ns = monotonic_ns();
	r = start(&meter);
	if (r < 0 && capture_give_up(meter.capture))
		return r;
	return stop(&meter, r < 0 ? r : run_loop(&meter));
}
