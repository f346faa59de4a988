// SPDX-License-Identifier: GPL-2.0-or-later
#include "pipeline/outputs.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "util/log.h"
#include "util/monotonic.h"

#define NIC_ID_LENGTH_MAX 127 /* as an interface's alternative name */

/* For an output whose time another one has used up. */
#define STOP_LEAST_NS 2000000000ull

int outputs_verify_nic_id(const char *nic_id)
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

int outputs_open(struct outputs *outputs, const struct traffic_strings *specs, const char *nic_id,
		 int room_fd)
{
	if (specs->n > OUTPUTS_MAX) {
		log_error("%zu outputs; %d are the most", specs->n, OUTPUTS_MAX);
		return -EINVAL;
	}
	while (outputs->n < specs->n) {
		int r = output_queue_new(&outputs->queues[outputs->n], specs->values[outputs->n],
					 nic_id, room_fd);

		if (r < 0)
			return r;
		outputs->n++;
	}
	return 0;
}

unsigned int outputs_needs(const struct outputs *outputs)
{
	unsigned int needs = 0;

	for (size_t i = 0; i < outputs->n; i++)
		needs |= output_queue_needs(outputs->queues[i]);
	return needs;
}

int outputs_totals(const struct outputs *outputs, uint64_t known, traffic_total_tell *tell,
		   void *userdata)
{
	int r = 0;

	for (size_t i = 0; i < outputs->n && r == 0; i++)
		r = output_queue_totals(outputs->queues[i], known, tell, userdata);
	return r;
}

int outputs_start(const struct outputs *outputs)
{
	int r = 0;

	for (size_t i = 0; i < outputs->n && r == 0; i++)
		r = output_queue_start(outputs->queues[i]);
	return r;
}

void outputs_close(struct outputs *outputs)
{
	for (size_t i = 0; i < outputs->n; i++)
		output_queue_stop(outputs->queues[i], 0, NULL);
	outputs->n = 0;
}

/* Each is asked, as each has a time of its own to hold the others. */
bool outputs_have_room(const struct outputs *outputs)
{
	bool has_room = true;

	for (size_t i = 0; i < outputs->n; i++)
		if (output_queue_holds(outputs->queues[i]))
			has_room = false;
	return has_room;
}

void outputs_push(const struct outputs *outputs, struct batch *batch)
{
	for (size_t i = 0; i < outputs->n; i++)
		output_queue_push(outputs->queues[i], batch);
}

bool outputs_settle(const struct outputs *outputs)
{
	bool settled = true;

	for (size_t i = 0; i < outputs->n; i++)
		if (!output_queue_settle(outputs->queues[i]))
			settled = false;
	return settled;
}

void outputs_flush(const struct outputs *outputs)
{
	for (size_t i = 0; i < outputs->n; i++)
		output_queue_flush(outputs->queues[i]);
}

void outputs_status(const struct outputs *outputs, struct output_status *ret)
{
	for (size_t i = 0; i < outputs->n; i++)
		output_queue_status(outputs->queues[i], &ret[i]);
}

void outputs_give_up_stuck(struct outputs *outputs, const struct output_status *since)
{
	for (size_t i = 0; i < outputs->n; i++)
		outputs->given_up[i] = output_queue_give_up_stuck(outputs->queues[i], &since[i]);
}

static int stop_one(struct outputs *outputs, size_t i, uint64_t deadline_ns,
		    struct output_status *ret)
{
	uint64_t now_ns = monotonic_ns();

	if (outputs->given_up[i])
		deadline_ns = now_ns;
	else if (deadline_ns < now_ns + STOP_LEAST_NS)
		deadline_ns = now_ns + STOP_LEAST_NS;
	return output_queue_stop(outputs->queues[i], deadline_ns, ret);
}

int outputs_stop(struct outputs *outputs, uint64_t deadline_ns, struct output_status *ret)
{
	int result = 0;

	for (size_t i = 0; i < outputs->n; i++) {
		int r = stop_one(outputs, i, deadline_ns, &ret[i]);

		result = result < 0 ? result : r;
	}
	outputs->n = 0;
	return result;
}
