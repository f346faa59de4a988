// SPDX-License-Identifier: GPL-2.0-or-later
#include "command/watch.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command/control.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/monotonic.h"

static const char *const owner_names[] = {
	[CAPTURE_OWNER_PROCESS] = "process",
	[CAPTURE_OWNER_LOGIN] = "login",
	[CAPTURE_OWNER_SOCKET] = "socket",
};

int watch_read_health(const struct watch *watch, struct health *ret)
{
	const struct meter_settings *settings = watch->settings;
	const struct account *account = watch->account;
	int r;

	*ret = (struct health){
		.pid = getpid(),
		.instance = settings->instance ?: "",
		.cgroup = watch->cgroup,
		.records = settings->capture.records == CAPTURE_RECORDS_FLOW ? "flow" : "packet",
		.owner = owner_names[capture_owner_policy(watch->capture)],
		.interval_s = settings->interval_s,
		.uptime_s = (monotonic_ns() - watch->start_ns) / 1000000000,
		.kernel_memory = capture_memory(watch->capture),
		.networks = watch->n_networks,
		.persists = capture_persists(watch->capture),
		.cgroup_is_gone = capture_cgroup_is_gone(watch->capture),
		.n_outputs = watch->outputs->n,
	};
	if ((r = privileges_read(&ret->held_privileges)) < 0)
		return r;
	memcpy(ret->kernels_packets, account->kernels_packets, sizeof(ret->kernels_packets));
	memcpy(ret->kernels_bytes, account->kernels_bytes, sizeof(ret->kernels_bytes));
	if ((r = capture_read_notes(watch->capture, &ret->notes)) < 0 ||
	    (r = capture_read_audit(watch->capture, &ret->counted_before)) < 0)
		return r;
	outputs_status(watch->outputs, ret->outputs);
	if ((r = capture_read_held(watch->capture, &ret->held, &ret->held_twice)) < 0)
		return r;
	transfer_add_waiting(watch->transfer, &ret->held);
	return capture_read_audit(watch->capture, &ret->counted);
}

static char *tell_status(void *userdata)
{
	const struct watch *watch = userdata;
	struct json_text text = { 0 };
	struct health health;

	if (watch_read_health(watch, &health) == 0)
		health_write_json(&health, &text);
	if (text.failed)
		json_text_free(&text);
	return text.data;
}

static uint32_t tell_owner(void *userdata, uint32_t uid)
{
	const struct watch *watch = userdata;

	return account_owner(watch->account, uid);
}

static const char *tell_cgroup(void *userdata, uint64_t id)
{
	const struct watch *watch = userdata;

	return account_cgroup(watch->account, id);
}

static int serve(void *userdata)
{
	struct watch *watch = userdata;

	live_serve(watch->live);
	return 0;
}

void watch_listen(struct watch *watch)
{
	const char *instance = watch->settings->instance;
	int r;

	if (!instance)
		return;
	r = control_listen(instance, &watch->listen_fd);
	if (r < 0)
		log_warning_errno(r,
				  "listen at " CONTROL_DIRECTORY "/%s.sock; there will be no "
				  "status",
				  instance);
}

int watch_open(struct watch *watch, struct loop *loop)
{
	struct live_settings settings = {
		.instance = watch->settings->instance,
		.listen_fd = watch->listen_fd,
		.interval_s = watch->settings->interval_s,
		.calls = { .userdata = watch,
			   .status = tell_status,
			   .owner = watch->settings->raw_subuids ? NULL : tell_owner,
			   .cgroup = tell_cgroup },
		.capture = watch->capture,
	};
	int r;

	if (watch->listen_fd < 0)
		return 0;
	watch->listen_fd = -1;
	r = live_open(&watch->live, &settings);
	if (r == 0)
		r = loop_add_event(loop, &watch->loop_fd, serve, watch);
	return r < 0 ? log_error_errno(r, "prepare for status requests") : 0;
}

int watch_start(struct watch *watch)
{
	return live_start(watch->live, watch->loop_fd);
}

void watch_stop(struct watch *watch)
{
	if (watch->live || watch->listen_fd >= 0)
		control_remove(watch->settings->instance);
	close_fd(&watch->listen_fd);
	watch->listen_fd = -1;
	live_stop(watch->live);
}

void watch_close(struct watch *watch)
{
	watch_stop(watch);
	live_close(watch->live);
	watch->live = NULL;
}
