// SPDX-License-Identifier: GPL-2.0-or-later
/* `traffic-meter status`: what a running meter says of itself, and whether its audit comes out. */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "command/command.h"
#include "command/control.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/options.h"

/* An audit that does not come out may be one that was read while packets were under way. */
#define TRIES		10
#define TRY_INTERVAL_US 100000

struct status_settings {
	bool help, json;
	char *instance;
};

static const struct traffic_option status_options[] = {
	{ "help", TRAFFIC_OPTION_FLAG, offsetof(struct status_settings, help),
	  .help = "print this and exit" },
	{ "json", TRAFFIC_OPTION_FLAG, offsetof(struct status_settings, json),
	  .help = "one object on one line" },
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
	       "Tells the health of a running meter. Exit code 1: none runs, or its audit does not "
	       "come out at 0.\n\n");
	options_print_help(status_options, stdout);
	return fflush(stdout) ? EXIT_FAILED : EXIT_DONE;
}

/* The text holds a line "audit: N bytes unaccounted" for each output. */
static bool is_accounted(const char *text)
{
	static const char audit[] = "\n  audit: ";

	for (const char *at = strstr(text, audit); at; at = strstr(at + 1, audit))
		if (strncmp(at + strlen(audit), "0 ", 2) != 0)
			return false;
	return true;
}

static int ask(const char *instance, char **ret_text)
{
	int r = 0;

	for (int i = 0; i < TRIES; i++) {
		if (i)
			usleep(TRY_INTERVAL_US);
		free(*ret_text);
		*ret_text = NULL;
		r = control_ask(instance, ret_text);
		if (r < 0 || is_accounted(*ret_text))
			return r;
	}
	return r;
}

static int command_status(int argc, char **argv)
{
	_cleanup_(status_settings_free) struct status_settings settings = { 0 };
	_cleanup_free_ char *answer = NULL;
	const char *instance;
	char *text;
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
	if (control_verify_instance(instance) < 0)
		return EXIT_USAGE;
	r = ask(instance, &answer);
	if (r == -ENOENT || r == -ECONNREFUSED) {
		log_error("no meter of the instance '%s' is running; start one with "
			  "'traffic-meter run'",
			  instance);
		return EXIT_FAILED;
	}
	text = r < 0 ? NULL : strchr(answer, '\n');
	if (!text) {
		log_error_errno(r, "ask the meter of the instance '%s'", instance);
		return EXIT_FAILED;
	}
	if (settings.json)
		printf("%.*s\n", (int)(text - answer), answer);
	else
		printf("%s", text + 1);
	if (fflush(stdout))
		return EXIT_FAILED;
	return is_accounted(text) ? EXIT_DONE : EXIT_FAILED;
}

const struct command status_command = {
	.name = "status",
	.help = "health of a running meter, and its audit",
	.run = command_status,
	.options = status_options,
};
