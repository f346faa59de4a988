// SPDX-License-Identifier: GPL-2.0-or-later
/* `export --status` and `--metrics`: how far the outputs have come, by their cursors and the spool. */
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "command/command.h"
#include "export/command.h"
#include "export/cursor.h"
#include "util/log.h"

static void print_sums(const char *what, const struct spool_sums *sums)
{
	printf("  %-10s %12" PRIu64 " records  in %" PRIu64 " bytes, %" PRIu64
	       " packets  out %" PRIu64 " bytes, %" PRIu64 " packets\n",
	       what, sums->records, sums->bytes[TRAFFIC_IN], sums->packets[TRAFFIC_IN],
	       sums->bytes[TRAFFIC_OUT], sums->packets[TRAFFIC_OUT]);
}

static void print_cursor(const struct export_cursor *cursor, const struct spool_extent *extent,
			 bool spool_known)
{
	struct spool_sums left;

	printf("%s\n", cursor->spec);
	print_sums("delivered", &cursor->delivered);
	print_sums("missed", &cursor->missed);
	print_sums("repeated", &cursor->repeated);
	if (spool_known && extent->id == cursor->place.id) {
		left = spool_sums_difference(&extent->end, &cursor->place.sums);
		print_sums("waiting", &left);
	}
	printf("  %-10s %s\n", "error", *cursor->error ? cursor->error : "none");
}

/* A label's value: backslash, quote and newline are escaped. */
static void print_label(const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			putchar('\\');
		putchar((unsigned char)*text < ' ' ? '?' : *text);
	}
}

static void print_metric(const char *what, const char *unit, const char *spec, uint64_t number)
{
	printf("traffic_meter_export_%s_%s_total{output=\"", what, unit);
	print_label(spec);
	printf("\"} %" PRIu64 "\n", number);
}

static void print_metrics_of(const struct export_cursor *cursor, const char *what,
			     const struct spool_sums *sums)
{
	print_metric(what, "records", cursor->spec, sums->records);
	print_metric(what, "receive_bytes", cursor->spec, sums->bytes[TRAFFIC_IN]);
	print_metric(what, "transmit_bytes", cursor->spec, sums->bytes[TRAFFIC_OUT]);
}

static void print_metrics(const struct export_cursor *cursor)
{
	print_metrics_of(cursor, "delivered", &cursor->delivered);
	print_metrics_of(cursor, "missed", &cursor->missed);
	print_metrics_of(cursor, "repeated", &cursor->repeated);
	printf("traffic_meter_export_up{output=\"");
	print_label(cursor->spec);
	printf("\"} %d\n", !*cursor->error);
}

static void print_spool(const struct export_settings *settings, const struct spool_extent *extent)
{
	uint64_t age_s =
		extent->oldest_ns ? (uint64_t)time(NULL) - extent->oldest_ns / 1000000000 : 0;

	if (settings->metrics)
		printf("traffic_meter_spool_bytes %" PRIu64
		       "\ntraffic_meter_spool_age_seconds %" PRIu64 "\n",
		       extent->bytes, age_s);
	else
		printf("spool %s: %" PRIu64 " segments, %" PRIu64 " bytes, the oldest %" PRIu64
		       " s old\n",
		       settings->spool, extent->segments, extent->bytes, age_s);
}

int export_print_status(const struct export_settings *settings)
{
	char pattern[PATH_MAX];
	struct spool_extent extent = { 0 };
	glob_t paths = { 0 };
	int code = EXIT_DONE, r;

	if (!settings->state_directory) {
		log_error("where are the cursors? --state-dir DIRECTORY");
		return EXIT_USAGE;
	}
	r = settings->spool ? spool_measure(settings->spool, &extent) : -ENOENT;
	if (settings->spool && r == 0)
		print_spool(settings, &extent);
	else if (settings->spool)
		log_error_errno(r, "read the spool %s", settings->spool);
	snprintf(pattern, sizeof(pattern), "%s/*.cursor", settings->state_directory);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
	if (glob(pattern, 0, NULL, &paths) != 0) {
		log_error("no cursor is in %s: no export has run there", settings->state_directory);
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < paths.gl_pathc; i++) {
		struct export_cursor cursor;
		int read = export_cursor_read(&cursor, paths.gl_pathv[i]);

		export_cursor_close(&cursor);
		if (read == 0) /* an output that has just begun */
			continue;
		if (read < 0) {
			log_error_errno(read, "read %s", paths.gl_pathv[i]);
			code = EXIT_FAILED;
		} else if (settings->metrics) {
			print_metrics(&cursor);
		} else {
			print_cursor(&cursor, &extent, r == 0);
			code = *cursor.error ? EXIT_FAILED : code;
		}
	}
	globfree(&paths);
	return fflush(stdout) ? EXIT_FAILED : code;
}
