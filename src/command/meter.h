/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A meter at work: capture and account on one event loop, the outputs behind their queues. What
 * `traffic-meter run` and `traffic_meter_user` have in common.
 */
#ifndef COMMAND_METER_H
#define COMMAND_METER_H

#include <stdbool.h>
#include <stdint.h>

#include <traffic_meter/option.h>

#include "capture/capture.h"
#include "networks/networks.h"

struct meter_settings {
	const char *instance;	     /* names the control socket; NULL: none */
	const char *state_directory; /* where totals are kept; NULL: they are not */
	const char *cgroup;	     /* NULL or empty: the root of the hierarchy */
	const char *user;	     /* to run as; NULL: who it is */
	const char *group;	     /* of its files and its socket; NULL: the user's */
	const char *nic_id;
	const char *untracked; /* path of the list; NULL: `compiled` is the list */
	const struct network_list *compiled;
	const char *networks;		/* path of the file of networks with names, or NULL */
	struct traffic_strings outputs; /* SPECs, at least one */
	struct capture_settings capture;
	bool raw_subuids; /* subordinate uids stay as they are */
	uint64_t interval_s;
	uint64_t duration_s; /* 0: until stopped */
};

/* Meter until SIGINT, SIGTERM or the end of the duration. SIGHUP reads the lists of networks
 * again and has the outputs open their files again. 0 or an error, logged. */
int meter_run(const struct meter_settings *settings);

#endif
