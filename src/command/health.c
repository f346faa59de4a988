// SPDX-License-Identifier: GPL-2.0-or-later
#include "command/health.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "privileges/capabilities.h"
#include "util/log.h"

#define CGROUP_IS_GONE "the metered cgroup is gone; nothing is metered until it is there again"

static uint64_t both(const uint64_t by_direction[2])
{
	return by_direction[TRAFFIC_IN] + by_direction[TRAFFIC_OUT];
}

int64_t health_unaccounted(const struct health *health, const struct output_status *output)
{
	uint64_t least = both(health->counted_before.bytes);
	uint64_t most = both(health->counted.bytes) + both(health->held_twice.bytes);
	uint64_t sum = both(output->delivered.bytes) + both(output->queued.bytes) +
		       both(output->dropped.bytes) + both(health->held.bytes);

	if (sum < least)
		return (int64_t)(least - sum);
	return sum > most ? -(int64_t)(sum - most) : 0;
}

static void put_sum(struct json_text *text, const char *name, const uint64_t packets[2],
		    const uint64_t bytes[2])
{
	json_text_printf(text,
			 "\"%s\":{\"in\":{\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64
			 "},\"out\":{\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 "}}",
			 name, packets[TRAFFIC_IN], bytes[TRAFFIC_IN], packets[TRAFFIC_OUT],
			 bytes[TRAFFIC_OUT]);
}

static void put_output(struct json_text *text, const struct health *health,
		       const struct output_status *output)
{
	json_text_put(text, "{\"spec\":");
	json_text_put_string(text, output->spec);
	json_text_put(text, ",");
	put_sum(text, "delivered", output->delivered.packets, output->delivered.bytes);
	json_text_put(text, ",");
	put_sum(text, "queued", output->queued.packets, output->queued.bytes);
	json_text_put(text, ",");
	put_sum(text, "dropped", output->dropped.packets, output->dropped.bytes);
	json_text_printf(text,
			 ",\"lost_packets\":%" PRIu64 ",\"lost_bytes\":%" PRIu64
			 ",\"errors\":%" PRIu64 ",\"unaccounted_bytes\":%" PRId64 ",\"error\":",
			 output->lost_packets, output->lost_bytes, output->errors,
			 health_unaccounted(health, output));
	json_text_put_string(text, output->error);
	json_text_put(text, "}");
}

/* The word for each capability; the number of one that the build has no word for. */
static void put_capabilities(struct json_text *text, uint64_t capabilities)
{
	const char *separator = "";

	for (unsigned int i = 0; i < 64; i++) {
		const char *name = capability_name(i);

		if (!(capabilities >> i & 1))
			continue;
		json_text_put(text, separator);
		if (name)
			json_text_put_string(text, name);
		else
			json_text_printf(text, "\"%u\"", i);
		separator = ",";
	}
}

static const char *boolean(bool value)
{
	return value ? "true" : "false";
}

static void put_privileges(struct json_text *text, const struct privileges_held *held)
{
	json_text_printf(text, ",\"privileges\":{\"uid\":%u,\"gid\":%u,\"capabilities\":[",
			 held->uid, held->gid);
	put_capabilities(text, held->capabilities);
	json_text_printf(text, "],\"no_new_privs\":%s,\"seccomp\":%s,\"landlock\":%s}",
			 boolean(held->no_new_privs), boolean(held->seccomp),
			 boolean(held->landlock));
}

static void put_notes(struct json_text *text, const struct health *health)
{
	json_text_put(text, ",\"no_user\":{");
	put_sum(text, "kernel", health->kernels_packets, health->kernels_bytes);
	json_text_printf(text,
			 ",\"forwarded\":{\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64
			 "}},\"unremembered_packets\":%" PRIu64,
			 health->notes.forwarded_packets, health->notes.forwarded_bytes,
			 health->notes.unremembered);
}

void health_write_json(const struct health *health, struct json_text *text)
{
	json_text_printf(text,
			 "{\"version\":\"" VERSION "\",\"pid\":%d,\"instance\":", (int)health->pid);
	json_text_put_string(text, health->instance);
	json_text_put(text, ",\"cgroup\":");
	json_text_put_string(text, health->cgroup);
	json_text_printf(text,
			 ",\"records\":\"%s\",\"owner\":\"%s\",\"interval\":%" PRIu64
			 ",\"uptime\":%" PRIu64 ",\"untracked_networks\":%" PRIu64
			 ",\"kernel_memory\":%" PRIu64 ",",
			 health->records, health->owner, health->interval_s, health->uptime_s,
			 health->networks, health->kernel_memory);
	put_sum(text, "counted", health->counted.packets, health->counted.bytes);
	json_text_put(text, ",");
	put_sum(text, "held", health->held.packets, health->held.bytes);
	put_notes(text, health);
	put_privileges(text, &health->held_privileges);
	json_text_put(text, ",\"outputs\":[");
	for (size_t i = 0; i < health->n_outputs; i++) {
		if (i)
			json_text_put(text, ",");
		put_output(text, health, &health->outputs[i]);
	}
	json_text_put(text, "],\"problems\":[");
	if (health->cgroup_is_gone)
		json_text_put_string(text, CGROUP_IS_GONE);
	json_text_put(text, "]}\n");
}

int health_log_audit(const struct health *health, const struct output_status *output)
{
	int64_t unaccounted = health_unaccounted(health, output);
	uint64_t held = both(health->held.bytes);
	uint64_t lost =
		output->lost_bytes + both(output->dropped.bytes) + (health->persists ? 0 : held);
	char kept[80] = "";

	if (health->persists)
		snprintf(kept, sizeof(kept),
			 " %" PRIu64 " bytes are in the kernel for the next run;", held);
	log_notice("%s: %" PRIu64 " packets, in %" PRIu64 " bytes, out %" PRIu64
		   " bytes; lost %" PRIu64 " bytes;%s audit: %" PRId64 " bytes unaccounted",
		   output->spec, both(output->delivered.packets),
		   output->delivered.bytes[TRAFFIC_IN], output->delivered.bytes[TRAFFIC_OUT], lost,
		   kept, unaccounted);
	return unaccounted || lost ? -EIO : 0;
}
