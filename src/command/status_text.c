// SPDX-License-Identifier: GPL-2.0-or-later
#include "command/status_text.h"

#include <inttypes.h>
#include <string.h>

static uint64_t number(const struct json_tree *tree, const struct json *object, const char *path)
{
	return json_uint(json_get_path(tree, object, path), 0);
}

/* What a path or an error holds may be meant for the terminal of whoever looks. */
static void write_clean(const char *text, FILE *file)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		bool control = c < ' ' || c == 0x7f || (c == 0xc2 && (unsigned char)text[1] < 0xa0);

		fputc(control ? '?' : c, file);
		text += control && c == 0xc2;
	}
}

static void write_string(const struct json_tree *tree, const struct json *object, const char *name,
			 FILE *file)
{
	write_clean(json_string(json_get(tree, object, name), "?"), file);
}

bool status_is_good(const struct json_tree *status)
{
	const struct json *root = json_root(status);
	const struct json *output = json_first(status, json_get(status, root, "outputs"));

	if (!json_get(status, root, "counted") ||
	    json_first(status, json_get(status, root, "problems")))
		return false;
	for (; output; output = json_next(status, output))
		if (json_int(json_get(status, output, "unaccounted_bytes"), -1) != 0)
			return false;
	return true;
}

static void write_row(const struct json_tree *tree, const char *name, const struct json *sum,
		      FILE *file)
{
	fprintf(file, "  %-12s %18" PRIu64 " %14" PRIu64 " %18" PRIu64 " %14" PRIu64 "\n", name,
		number(tree, sum, "in.bytes"), number(tree, sum, "in.packets"),
		number(tree, sum, "out.bytes"), number(tree, sum, "out.packets"));
}

static void write_output(const struct json_tree *tree, const struct json *output, FILE *file)
{
	const char *error = json_string(json_get(tree, output, "error"), "");

	fputs("output ", file);
	write_string(tree, output, "spec", file);
	fputs(*error ? ": " : "", file);
	write_clean(error, file);
	fputc('\n', file);
	write_row(tree, "delivered", json_get(tree, output, "delivered"), file);
	write_row(tree, "queued", json_get(tree, output, "queued"), file);
	if (number(tree, json_get(tree, json_get(tree, output, "dropped"), "in"), "packets") ||
	    number(tree, json_get(tree, json_get(tree, output, "dropped"), "out"), "packets"))
		write_row(tree, "dropped", json_get(tree, output, "dropped"), file);
	if (number(tree, output, "lost_bytes") || number(tree, output, "lost_packets"))
		fprintf(file, "  lost of these %" PRIu64 " packets, %" PRIu64 " bytes\n",
			number(tree, output, "lost_packets"), number(tree, output, "lost_bytes"));
	fprintf(file, "  audit: %" PRId64 " bytes unaccounted\n",
		json_int(json_get(tree, output, "unaccounted_bytes"), -1));
}

static const char *yes(const struct json_tree *tree, const struct json *object, const char *name)
{
	const struct json *value = json_get(tree, object, name);

	return value && value->type == JSON_TRUE ? "yes" : "no";
}

static void write_privileges(const struct json_tree *tree, const struct json *held, FILE *file)
{
	const struct json *at = json_first(tree, json_get(tree, held, "capabilities"));

	fprintf(file, "holds uid %" PRIu64 ", gid %" PRIu64 ", capabilities %s",
		number(tree, held, "uid"), number(tree, held, "gid"), at ? "" : "none");
	for (; at; at = json_next(tree, at))
		fprintf(file, "%s%s", json_string(at, "?"), json_next(tree, at) ? "," : "");
	fprintf(file, "; no_new_privs %s, seccomp %s, landlock %s\n",
		yes(tree, held, "no_new_privs"), yes(tree, held, "seccomp"),
		yes(tree, held, "landlock"));
}

static void write_head(const struct json_tree *tree, const struct json *root, FILE *file)
{
	fputs("traffic-meter ", file);
	write_string(tree, root, "version", file);
	fputs(", instance ", file);
	write_string(tree, root, "instance", file);
	fprintf(file, ", pid %" PRIu64 ", up %" PRIu64 " s\ncgroup ", number(tree, root, "pid"),
		number(tree, root, "uptime"));
	write_string(tree, root, "cgroup", file);
	fputs(", ", file);
	write_string(tree, root, "records", file);
	fputs(" records, owner by ", file);
	write_string(tree, root, "owner", file);
	fprintf(file,
		", interval %" PRIu64 " s, %" PRIu64 " untracked networks\n"
		"kernel memory %" PRIu64 " KiB (ring and tables)\n",
		number(tree, root, "interval"), number(tree, root, "untracked_networks"),
		number(tree, root, "kernel_memory") >> 10);
}

void status_write_text(const struct json_tree *status, FILE *file)
{
	const struct json *root = json_root(status);
	const struct json *at = json_first(status, json_get(status, root, "problems"));

	write_head(status, root, file);
	for (; at; at = json_next(status, at)) {
		fputs("problem: ", file);
		write_clean(json_string(at, "?"), file);
		fputc('\n', file);
	}
	fprintf(file, "%-14s %18s %14s %18s %14s\n", "", "bytes in", "packets in", "bytes out",
		"packets out");
	write_row(status, "counted", json_get(status, root, "counted"), file);
	write_row(status, "in kernel", json_get(status, root, "held"), file);
	fprintf(file,
		"no user's: the kernel's own in %" PRIu64 " bytes, out %" PRIu64
		" bytes (counted); forwarded %" PRIu64 " bytes (not counted)\n",
		number(status, root, "no_user.kernel.in.bytes"),
		number(status, root, "no_user.kernel.out.bytes"),
		number(status, root, "no_user.forwarded.bytes"));
	if (number(status, root, "unremembered_packets"))
		fprintf(file,
			"%" PRIu64 " packets were charged to the socket's creator: the kernel had "
			"no memory to remember an owner in\n",
			number(status, root, "unremembered_packets"));
	write_privileges(status, json_get(status, root, "privileges"), file);
	for (at = json_first(status, json_get(status, root, "outputs")); at;
	     at = json_next(status, at))
		write_output(status, at, file);
}

int status_write_check(const struct json_tree *status, FILE *file)
{
	const struct json *root = json_root(status);
	const struct json *output, *problem;
	uint64_t lost = 0, queued = 0;
	const char *error = NULL;
	int64_t unaccounted = 0;
	int code;

	problem = json_first(status, json_get(status, root, "problems"));
	output = json_first(status, json_get(status, root, "outputs"));
	for (; output; output = json_next(status, output)) {
		int64_t missing = json_int(json_get(status, output, "unaccounted_bytes"), -1);
		const char *words = json_string(json_get(status, output, "error"), "");

		unaccounted = missing ? missing : unaccounted;
		lost += number(status, output, "lost_bytes");
		queued += number(status, output, "queued.in.bytes") +
			  number(status, output, "queued.out.bytes");
		error = *words ? words : error;
	}
	code = !status_is_good(status) ? 2 : error || lost ? 1 : 0;
	fprintf(file, "TRAFFIC-METER %s - ", code == 2 ? "CRITICAL" : code == 1 ? "WARNING" : "OK");
	if (problem)
		write_clean(json_string(problem, "?"), file);
	else if (unaccounted)
		fprintf(file, "%" PRId64 " bytes unaccounted", unaccounted);
	else if (error)
		write_clean(error, file);
	else if (lost)
		fprintf(file, "outputs have lost %" PRIu64 " bytes since the start", lost);
	else
		fputs("all bytes accounted for", file);
	fprintf(file,
		" | in=%" PRIu64 "c out=%" PRIu64 "c unaccounted=%" PRId64 "B lost=%" PRIu64
		"B queued=%" PRIu64 "B\n",
		number(status, root, "counted.in.bytes"), number(status, root, "counted.out.bytes"),
		unaccounted, lost, queued);
	return code;
}

/* A label's value: backslash, quote and newline are escaped. */
static void write_label(const char *text, FILE *file)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			fputc('\\', file);
		if (*text == '\n')
			fputs("\\n", file);
		else
			fputc(*text, file);
	}
}

static void begin_metric(const char *name, const char *type, const char *help, FILE *file)
{
	fprintf(file, "# HELP traffic_meter_%s %s\n# TYPE traffic_meter_%s %s\n", name, help, name,
		type);
}

static void write_metric(const char *name, const char *type, const char *help, const char *labels,
			 uint64_t value, FILE *file)
{
	begin_metric(name, type, help, file);
	fprintf(file, "traffic_meter_%s%s %" PRIu64 "\n", name, labels, value);
}

/* One number of each output. */
static void write_outputs_metric(const struct json_tree *tree, const char *name, const char *type,
				 const char *help, const char *path_in, const char *path_out,
				 FILE *file)
{
	const struct json *output = json_first(tree, json_get(tree, json_root(tree), "outputs"));

	begin_metric(name, type, help, file);
	for (; output; output = json_next(tree, output)) {
		fprintf(file, "traffic_meter_%s{output=\"", name);
		write_label(json_string(json_get(tree, output, "spec"), ""), file);
		fprintf(file, "\"} %" PRIu64 "\n",
			number(tree, output, path_in) +
				(path_out ? number(tree, output, path_out) : 0));
	}
}

static void write_unaccounted(const struct json_tree *tree, FILE *file)
{
	const struct json *output = json_first(tree, json_get(tree, json_root(tree), "outputs"));

	begin_metric("unaccounted_bytes", "gauge",
		     "Bytes counted by the kernel that are neither delivered, queued nor held.",
		     file);
	for (; output; output = json_next(tree, output)) {
		fputs("traffic_meter_unaccounted_bytes{output=\"", file);
		write_label(json_string(json_get(tree, output, "spec"), ""), file);
		fprintf(file, "\"} %" PRId64 "\n",
			json_int(json_get(tree, output, "unaccounted_bytes"), -1));
	}
}

void status_write_metrics(const struct json_tree *status, FILE *file)
{
	const struct json *root = json_root(status);

	begin_metric("build_info", "gauge", "The meter's version and instance.", file);
	fputs("traffic_meter_build_info{version=\"", file);
	write_label(json_string(json_get(status, root, "version"), ""), file);
	fputs("\",instance=\"", file);
	write_label(json_string(json_get(status, root, "instance"), ""), file);
	fputs("\"} 1\n", file);
	write_metric("healthy", "gauge", "1 when the audit comes out and there is no problem.", "",
		     status_is_good(status), file);
	write_metric("uptime_seconds", "gauge", "Since the meter's start.", "",
		     number(status, root, "uptime"), file);
	write_metric("receive_bytes_total", "counter", "Bytes that the hooks counted.", "",
		     number(status, root, "counted.in.bytes"), file);
	write_metric("transmit_bytes_total", "counter", "Bytes that the hooks counted.", "",
		     number(status, root, "counted.out.bytes"), file);
	write_metric("receive_packets_total", "counter", "Packets that the hooks counted.", "",
		     number(status, root, "counted.in.packets"), file);
	write_metric("transmit_packets_total", "counter", "Packets that the hooks counted.", "",
		     number(status, root, "counted.out.packets"), file);
	write_metric("forwarded_bytes_total", "counter",
		     "Bytes that left without a socket and are not counted.", "",
		     number(status, root, "no_user.forwarded.bytes"), file);
	write_metric("kernel_memory_bytes", "gauge", "Ring and tables in the kernel.", "",
		     number(status, root, "kernel_memory"), file);
	write_outputs_metric(status, "output_delivered_bytes_total", "counter",
			     "Bytes in records that the output has taken.", "delivered.in.bytes",
			     "delivered.out.bytes", file);
	write_outputs_metric(status, "output_queued_bytes", "gauge",
			     "Bytes in records that wait for the output.", "queued.in.bytes",
			     "queued.out.bytes", file);
	write_outputs_metric(status, "output_dropped_bytes_total", "counter",
			     "Bytes in records that the output had to give up.", "lost_bytes", NULL,
			     file);
	write_outputs_metric(status, "output_errors_total", "counter",
			     "Calls of the output that failed.", "errors", NULL, file);
	write_unaccounted(status, file);
}
