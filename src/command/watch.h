/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the clients of the control socket are told of a meter: joins live numbers to the meter's parts. */
#ifndef COMMAND_WATCH_H
#define COMMAND_WATCH_H

#include "account/account.h"
#include "capture/capture.h"
#include "command/health.h"
#include "command/meter.h"
#include "live/live.h"
#include "pipeline/outputs.h"
#include "pipeline/transfer.h"
#include "util/loop.h"

struct watch {
	/* The meter's. */
	const struct meter_settings *settings;
	struct capture *capture;
	struct account *account;
	const struct outputs *outputs;
	const struct transfer *transfer;
	const char *cgroup;
	size_t n_networks;
	uint64_t start_ns; /* CLOCK_MONOTONIC */

	int listen_fd;	   /* until the live has it; -1: none */
	int loop_fd;	   /* the loop's */
	struct live *live; /* NULL: no control socket */
};

/* Listens at the instance's control socket. Without an instance there is none; what fails is logged, as a
 * meter works without its control socket. While root's rights are there. */
void watch_listen(struct watch *watch);

/* Prepares the live numbers, and has the loop serve them. The meter's fields are set by now, but for
 * n_networks. Returns 0 or an error, logged. */
int watch_open(struct watch *watch, struct loop *loop);

/* Starts the thread. Returns 0 or an error, logged. */
int watch_start(struct watch *watch);

/* Returns 0 or an error, logged. */
int watch_read_health(const struct watch *watch, struct health *ret);

/* Nobody is answered any more, and the socket goes. Twice is fine. */
void watch_stop(struct watch *watch);

/* Before the capture is closed. */
void watch_close(struct watch *watch);

#endif
