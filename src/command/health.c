// SPDX-License-Identifier: GPL-2.0-or-later
#include "command/health.h"

#include <errno.h>
#include <inttypes.h>

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

static void write_string(const char *text, FILE *file)
{
	fputc('"', file);
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == '"' || *text == '\\')
			fprintf(file, "\\u%04x", (unsigned char)*text);
		else
			fputc(*text, file);
	}
	fputc('"', file);
}

static void write_json_sum(const char *name, const uint64_t packets[2], const uint64_t bytes[2],
			   FILE *file)
{
	fprintf(file,
		"\"%s\":{\"in\":{\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64
		"},\"out\":{\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 "}}",
		name, packets[TRAFFIC_IN], bytes[TRAFFIC_IN], packets[TRAFFIC_OUT],
		bytes[TRAFFIC_OUT]);
}

static void write_json_output(const struct health *health, const struct output_status *output,
			      FILE *file)
{
	fputs("{\"spec\":", file);
	write_string(output->spec, file);
	fputc(',', file);
	write_json_sum("delivered", output->delivered.packets, output->delivered.bytes, file);
	fputc(',', file);
	write_json_sum("queued", output->queued.packets, output->queued.bytes, file);
	fputc(',', file);
	write_json_sum("dropped", output->dropped.packets, output->dropped.bytes, file);
	fprintf(file,
		",\"lost_packets\":%" PRIu64 ",\"lost_bytes\":%" PRIu64 ",\"errors\":%" PRIu64
		",\"unaccounted_bytes\":%" PRId64 ",\"error\":",
		output->lost_packets, output->lost_bytes, output->errors,
		health_unaccounted(health, output));
	write_string(output->error, file);
	fputc('}', file);
}

/* The word for each capability; the number of one that the build has no word for. */
static void write_capabilities(uint64_t capabilities, const char *quote, const char *none,
			       FILE *file)
{
	const char *separator = "";

	for (unsigned int i = 0; i < 64; i++) {
		const char *name = capability_name(i);

		if (!(capabilities >> i & 1))
			continue;
		fprintf(file, "%s%s", separator, quote);
		if (name)
			fputs(name, file);
		else
			fprintf(file, "%u", i);
		fputs(quote, file);
		separator = ",";
	}
	if (!capabilities)
		fputs(none, file);
}

static const char *boolean(bool value)
{
	return value ? "true" : "false";
}

static void write_json_privileges(const struct privileges_held *held, FILE *file)
{
	fprintf(file, ",\"privileges\":{\"uid\":%u,\"gid\":%u,\"capabilities\":[", held->uid,
		held->gid);
	write_capabilities(held->capabilities, "\"", "", file);
	fprintf(file, "],\"no_new_privs\":%s,\"seccomp\":%s,\"landlock\":%s}",
		boolean(held->no_new_privs), boolean(held->seccomp), boolean(held->landlock));
}

void health_write_json(const struct health *health, FILE *file)
{
	fprintf(file, "{\"version\":\"" VERSION "\",\"pid\":%d,\"instance\":", (int)health->pid);
	write_string(health->instance, file);
	fputs(",\"cgroup\":", file);
	write_string(health->cgroup, file);
	fprintf(file,
		",\"records\":\"%s\",\"owner\":\"%s\",\"interval\":%" PRIu64 ",\"uptime\":%" PRIu64
		",\"untracked_networks\":%" PRIu64 ",\"kernel_memory\":%" PRIu64 ",",
		health->records, health->owner, health->interval_s, health->uptime_s,
		health->networks, health->kernel_memory);
	write_json_sum("counted", health->counted.packets, health->counted.bytes, file);
	fputc(',', file);
	write_json_sum("held", health->held.packets, health->held.bytes, file);
	fputs(",\"no_user\":{", file);
	write_json_sum("kernel", health->kernels_packets, health->kernels_bytes, file);
	fprintf(file,
		",\"forwarded\":{\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64
		"}},\"unremembered_packets\":%" PRIu64,
		health->notes.forwarded_packets, health->notes.forwarded_bytes,
		health->notes.unremembered);
	write_json_privileges(&health->held_privileges, file);
	fputs(",\"outputs\":[", file);
	for (size_t i = 0; i < health->n_outputs; i++) {
		if (i)
			fputc(',', file);
		write_json_output(health, &health->outputs[i], file);
	}
	fputs("],\"problems\":[", file);
	if (health->cgroup_is_gone)
		fputs("\"" CGROUP_IS_GONE "\"", file);
	fputs("]}\n", file);
}

static void write_row(const char *name, const uint64_t packets[2], const uint64_t bytes[2],
		      FILE *file)
{
	fprintf(file, "  %-12s %18" PRIu64 " %14" PRIu64 " %18" PRIu64 " %14" PRIu64 "\n", name,
		bytes[TRAFFIC_IN], packets[TRAFFIC_IN], bytes[TRAFFIC_OUT], packets[TRAFFIC_OUT]);
}

static void write_text_output(const struct health *health, const struct output_status *output,
			      FILE *file)
{
	fprintf(file, "output %s%s%s\n", output->spec, *output->error ? ": " : "", output->error);
	write_row("delivered", output->delivered.packets, output->delivered.bytes, file);
	write_row("queued", output->queued.packets, output->queued.bytes, file);
	if (both(output->dropped.packets))
		write_row("dropped", output->dropped.packets, output->dropped.bytes, file);
	if (output->lost_bytes || output->lost_packets)
		fprintf(file, "  lost of these %" PRIu64 " packets, %" PRIu64 " bytes\n",
			output->lost_packets, output->lost_bytes);
	fprintf(file, "  audit: %" PRId64 " bytes unaccounted\n",
		health_unaccounted(health, output));
}

static const char *yes(bool value)
{
	return value ? "yes" : "no";
}

static void write_text_privileges(const struct privileges_held *held, FILE *file)
{
	fprintf(file, "holds uid %u, gid %u, capabilities ", held->uid, held->gid);
	write_capabilities(held->capabilities, "", "none", file);
	fprintf(file, "; no_new_privs %s, seccomp %s, landlock %s\n", yes(held->no_new_privs),
		yes(held->seccomp), yes(held->landlock));
}

void health_write_text(const struct health *health, FILE *file)
{
	fprintf(file,
		"traffic-meter " VERSION ", instance %s, pid %d, up %" PRIu64 " s\n"
		"cgroup %s, %s records, owner by %s, interval %" PRIu64 " s, %" PRIu64
		" untracked networks\n"
		"kernel memory %" PRIu64 " KiB (ring and tables)\n"
		"%-14s %18s %14s %18s %14s\n",
		health->instance, (int)health->pid, health->uptime_s, health->cgroup,
		health->records, health->owner, health->interval_s, health->networks,
		health->kernel_memory >> 10, "", "bytes in", "packets in", "bytes out",
		"packets out");
	if (health->cgroup_is_gone)
		fputs("problem: " CGROUP_IS_GONE "\n", file);
	write_row("counted", health->counted.packets, health->counted.bytes, file);
	write_row("in kernel", health->held.packets, health->held.bytes, file);
	fprintf(file,
		"no user's: the kernel's own in %" PRIu64 " bytes, out %" PRIu64
		" bytes (counted); forwarded %" PRIu64 " bytes (not counted)\n",
		health->kernels_bytes[TRAFFIC_IN], health->kernels_bytes[TRAFFIC_OUT],
		health->notes.forwarded_bytes);
	if (health->notes.unremembered)
		fprintf(file,
			"%" PRIu64 " packets were charged to the socket's creator: the kernel had "
			"no memory to remember an owner in\n",
			health->notes.unremembered);
	write_text_privileges(&health->held_privileges, file);
	for (size_t i = 0; i < health->n_outputs; i++)
		write_text_output(health, &health->outputs[i], file);
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
