// SPDX-License-Identifier: GPL-2.0-or-later
/* `traffic-meter status`: what a running meter says of itself, and whether its audit comes out. */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command/command.h"
#include "command/control.h"
#include "command/status_text.h"
#include "live/client.h"
#include "util/cleanup.h"
#include "util/json_text.h"
#include "util/log.h"
#include "util/options.h"

/* An audit that does not come out may be one that was read while packets were under way. */
#define TRIES		10
#define TRY_INTERVAL_US 100000

/* A meter that is stuck is not waited for longer. */
#define ANSWER_TIMEOUT_MS 5000

/* Exit codes of --check, as Nagios has them. */
#define CHECK_CRITICAL 2
#define CHECK_UNKNOWN  3

struct status_settings {
	bool help, json, check;
	char *metrics;
	char *instance;
};

static const struct traffic_option status_options[] = {
	{ "help", TRAFFIC_OPTION_FLAG, offsetof(struct status_settings, help),
	  .help = "print this and exit" },
	{ "json", TRAFFIC_OPTION_FLAG, offsetof(struct status_settings, json),
	  .help = "one object on one line" },
	{ "check", TRAFFIC_OPTION_FLAG, offsetof(struct status_settings, check),
	  .help = "one line and exit code for Nagios: 0 good, 1 warning, 2 critical, 3 unknown" },
	{ "metrics", TRAFFIC_OPTION_STRING, offsetof(struct status_settings, metrics), "FILE",
	  .help = "Prometheus text, as for node_exporter's textfile collector; '-': print it" },
	{ "instance", TRAFFIC_OPTION_STRING, offsetof(struct status_settings, instance), "NAME",
	  .help = "of the meter (default)" },
	{ 0 },
};

static void status_settings_free(struct status_settings *settings)
{
	options_free(status_options, settings);
}

static int print_help(void)
{
	printf("usage: traffic-meter status [OPTION...]\n\n"
	       "Tells the health of a running meter. Exit code 1: none runs, its audit does not "
	       "come out at 0, or its cgroup is gone.\n\n");
	options_print_help(status_options, stdout);
	return fflush(stdout) ? EXIT_FAILED : EXIT_DONE;
}

/* Ask until the audit comes out, a few times. */
static int ask(const char *instance, struct json_tree *ret)
{
	int r = 0;

	for (int i = 0; i < TRIES; i++) {
		if (i)
			usleep(TRY_INTERVAL_US);
		json_tree_free(ret);
		r = client_ask(instance, "status", ANSWER_TIMEOUT_MS, ret);
		if (r < 0 || status_is_good(ret))
			return r;
	}
	return r;
}

static int write_json(const struct json_tree *status, FILE *file)
{
	_cleanup_(json_text_free) struct json_text text = { 0 };

	json_tree_write(status, json_root(status), &text);
	if (text.failed)
		return -ENOMEM;
	fprintf(file, "%s\n", text.data);
	return 0;
}

/* By a rename, so that who reads the file never sees half of it. */
static int write_metrics_file(const struct json_tree *status, const char *path)
{
	_cleanup_free_ char *temporary = NULL;
	_cleanup_fclose_ FILE *file = NULL;

	if (asprintf(&temporary, "%s.%d", path, (int)getpid()) < 0) {
		temporary = NULL;
		return log_error_errno(ENOMEM, "write metrics");
	}
	file = fopen(temporary, "wxe");
	if (!file)
		return log_error_errno(errno, "make the file %s for metrics", temporary);
	if (status)
		status_write_metrics(status, file);
	else
		fputs("# TYPE traffic_meter_healthy gauge\ntraffic_meter_healthy 0\n", file);
	if (fflush(file) || rename(temporary, path)) {
		int r = log_error_errno(errno, "write metrics to %s", path);

		unlink(temporary);
		return r;
	}
	return 0;
}

static int write_metrics(const struct json_tree *status, const char *path)
{
	if (strcmp(path, "-") != 0)
		return write_metrics_file(status, path);
	status_write_metrics(status, stdout);
	return 0;
}

static int print(const struct status_settings *settings, const struct json_tree *status)
{
	int r = 0;

	if (settings->check) {
		int code = status_write_check(status, stdout);

		return fflush(stdout) ? CHECK_UNKNOWN : code;
	}
	if (settings->metrics)
		r = write_metrics(status, settings->metrics);
	else if (settings->json)
		r = write_json(status, stdout);
	else
		status_write_text(status, stdout);
	if (r < 0 || fflush(stdout))
		return EXIT_FAILED;
	return status_is_good(status) ? EXIT_DONE : EXIT_FAILED;
}

/* No meter, or none that answers. */
static int fail(const struct status_settings *settings, const char *instance, int error)
{
	bool none = error == -ENOENT || error == -ECONNREFUSED;

	if (settings->check) {
		if (none)
			printf("TRAFFIC-METER CRITICAL - no meter of the instance '%s' is "
			       "running\n",
			       instance);
		else
			printf("TRAFFIC-METER UNKNOWN - the meter of the instance '%s' can't be "
			       "asked: %s\n",
			       instance, strerror(-error)); /* NOLINT(concurrency-mt-unsafe) */
		(void)fflush(stdout);
		return none ? CHECK_CRITICAL : CHECK_UNKNOWN;
	}
	if (settings->metrics && strcmp(settings->metrics, "-") != 0)
		write_metrics_file(NULL, settings->metrics);
	if (none)
		log_error("no meter of the instance '%s' is running; start one with "
			  "'traffic-meter run'",
			  instance);
	else if (error != -EPROTO) /* told */
		log_error_errno(error, "ask the meter of the instance '%s'", instance);
	return EXIT_FAILED;
}

static int verify(const struct status_settings *settings, const char *instance)
{
	if (!!settings->check + !!settings->metrics + settings->json > 1) {
		log_error("status: --json, --check and --metrics are three forms of one answer: "
			  "choose one");
		return -EINVAL;
	}
	return control_verify_instance(instance);
}

static int command_status(int argc, char **argv)
{
	_cleanup_(status_settings_free) struct status_settings settings = { 0 };
	_cleanup_(json_tree_free) struct json_tree status = { 0 };
	const char *instance;
	int r, rest;

	r = options_parse_arguments(status_options, &settings, "traffic-meter status", argc - 1,
				    argv + 1, &rest);
	if (r < 0)
		return EXIT_USAGE;
	if (rest < argc - 1) {
		log_error("status: '%s' is not understood: it takes options only", argv[rest + 1]);
		return EXIT_USAGE;
	}
	if (settings.help)
		return print_help();
	instance = settings.instance ?: "default";
	if (verify(&settings, instance) < 0)
		return EXIT_USAGE;
	r = ask(instance, &status);
	return r < 0 ? fail(&settings, instance, r) : print(&settings, &status);
}

const struct command status_command = {
	.name = "status",
	.help = "health of a running meter, and its audit",
	.run = command_status,
	.options = status_options,
};
