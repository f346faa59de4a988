/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a meter at work, above all its audit: all that the hooks counted has to be with the
 * outputs (which say what of it they had to give up), in a queue, or in the kernel's tables.
 */
#ifndef COMMAND_HEALTH_H
#define COMMAND_HEALTH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "capture/capture.h"
#include "pipeline/outputs.h"
#include "privileges/privileges.h"
#include "util/json_text.h"

struct health {
	pid_t pid;
	const char *instance;
	const char *cgroup;
	bool cgroup_is_gone; /* nothing is metered until it is there again */
	const char *records; /* "flow" or "packet" */
	const char *owner;   /* the policy in force */
	uint64_t interval_s;
	uint64_t uptime_s;
	uint64_t kernel_memory; /* bytes: ring and tables */
	uint64_t networks;	/* untracked */
	bool persists;		/* what the kernel holds at the end is the next run's */
	struct capture_audit counted_before; /* when the reading of the others began */
	struct capture_audit held;
	struct capture_audit held_twice; /* part of it that may have been seen in two places */
	struct capture_audit counted;	 /* when it had ended */
	uint64_t kernels_packets[2]; /* of the kernel's own sockets, part of what was delivered */
	uint64_t kernels_bytes[2];
	struct capture_notes notes;
	struct privileges_held held_privileges;
	struct output_status outputs[OUTPUTS_MAX];
	size_t n_outputs;
};

/* What is missing of an output's share, in bytes: counted - (delivered + queued + dropped +
 * held). What the output gave up is part of what was delivered to it or queued. While traffic flows the readings are
 * of different moments, so what the hooks counted between the first and the last is not missing;
 * at rest the two are the same. Less than 0: there is too much. */
int64_t health_unaccounted(const struct health *health, const struct output_status *output);

/* The audit at the end, as a line of the log. What is missing is said, however it came to that; what
 * the kernel still holds, because the outputs took no more in time, is lost with it. 0; or -EIO:
 * something is missing. */
int health_log_audit(const struct health *health, const struct output_status *output);

/* Appends one line of JSON (docs/status.schema.json). */
void health_write_json(const struct health *health, struct json_text *text);

#endif
