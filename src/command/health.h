/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a meter at work, above all its audit: all that the hooks counted has to be with the
 * outputs (which say what of it they had to give up), in a queue, or in the kernel's tables.
 */
#ifndef COMMAND_HEALTH_H
#define COMMAND_HEALTH_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "capture/capture.h"
#include "output/queue.h"

#define HEALTH_OUTPUTS_MAX 16

struct health {
	pid_t pid;
	const char *instance;
	const char *cgroup;
	const char *records; /* "flow" or "packet" */
	const char *owner;   /* the policy in force */
	uint64_t interval_s;
	uint64_t uptime_s;
	uint64_t kernel_memory; /* bytes: ring and tables */
	uint64_t networks;	/* untracked */
	struct capture_audit counted, held;
	struct output_status outputs[HEALTH_OUTPUTS_MAX];
	size_t n_outputs;
};

/* counted - (delivered + queued + held), of one output: 0 when all is well and the meter is at rest;
 * while traffic flows the readings are of different moments. What the output gave up is part of what
 * was delivered to it or queued. */
int64_t health_unaccounted(const struct health *health, const struct output_status *output);

/* One line of JSON; several lines for people. */
void health_write_json(const struct health *health, FILE *file);
void health_write_text(const struct health *health, FILE *file);

#endif
