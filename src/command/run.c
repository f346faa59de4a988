// SPDX-License-Identifier: GPL-2.0-or-later
/* `traffic-meter run`: its options, which are also the keys of the configuration file. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "command/command.h"
#include "command/meter.h"
#include "output/queue.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/options.h"

#define CONFIG_DEFAULT "/etc/traffic-meter.conf"

struct run_settings {
	bool help;
	char *config;
	char *cgroup;
	char *nic_id;
	int records, owner, match;
	char *untracked;
	struct traffic_strings outputs;
	uint64_t interval_s, duration_s;
	uint64_t ring_bytes, user_entries;
	int log_level;
};

/* The other choices of these two come with the ladder and the owner policies. */
static const char *const records_choices[] = { "packet", NULL };
static const char *const owner_choices[] = { "socket", NULL };
static const char *const match_choices[] = { "both", "either", "remote", NULL };

#define FIELD(field) offsetof(struct run_settings, field)

static const struct traffic_option run_options[] = {
	{ "help", TRAFFIC_OPTION_FLAG, FIELD(help), .help = "print this and exit" },
	{ "config", TRAFFIC_OPTION_STRING, FIELD(config), "FILE",
	  .help = "INI file with these options as keys (" CONFIG_DEFAULT ")" },
	{ "cgroup", TRAFFIC_OPTION_STRING, FIELD(cgroup), "PATH",
	  .help = "cgroup v2 directory to meter (the root: the whole machine)" },
	{ "nic-id", TRAFFIC_OPTION_STRING, FIELD(nic_id), "TEXT",
	  .help = "label in file names (unknown)" },
	{ "records", TRAFFIC_OPTION_CHOICE, FIELD(records), .choices = records_choices,
	  .help = "one record for each packet (packet)" },
	{ "interval", TRAFFIC_OPTION_NUMBER, FIELD(interval_s), "SECONDS", .minimum = 1,
	  .maximum = 86400, .help = "how often merged records are written (10)" },
	{ "owner", TRAFFIC_OPTION_CHOICE, FIELD(owner), .choices = owner_choices,
	  .help = "who is charged: the creator of the socket (socket)" },
	{ "untracked", TRAFFIC_OPTION_STRING, FIELD(untracked), "FILE",
	  .help = "list of networks not to count; read again on SIGHUP" },
	{ "untracked-match", TRAFFIC_OPTION_CHOICE, FIELD(match), .choices = match_choices,
	  .help = "which ends have to be in the list (both)" },
	{ "output", TRAFFIC_OPTION_STRINGS, FIELD(outputs), "SPEC",
	  .help = "where records go, see below (csv:/var/log/traffic-meter)" },
	{ "duration", TRAFFIC_OPTION_NUMBER, FIELD(duration_s), "SECONDS", .minimum = 1,
	  .maximum = 1u << 31, .help = "stop after that time (run until stopped)" },
	{ "ring-size", TRAFFIC_OPTION_SIZE, FIELD(ring_bytes), "BYTES",
	  .minimum = CAPTURE_RING_BYTES_MIN, .maximum = CAPTURE_RING_BYTES_MAX,
	  .help = "of the packet ring, rounded up to a power of two (16M)" },
	{ "user-entries", TRAFFIC_OPTION_NUMBER, FIELD(user_entries), "N", .minimum = 1,
	  .maximum = 1u << 24, .help = "users that overload can be told apart for (16384)" },
	{ "log-level", TRAFFIC_OPTION_CHOICE, FIELD(log_level), .choices = log_level_names,
	  .help = "info: a line per interval (notice)" },
	{ 0 },
};

static void run_settings_free(struct run_settings *settings)
{
	options_free(run_options, settings);
}

static int print_help(void)
{
	printf("usage: traffic-meter run [OPTION...]\n\n"
	       "Meters until stopped by SIGINT or SIGTERM. SIGHUP reads the untracked list and "
	       "opens "
	       "the files again.\n\n"
	       "options, with the defaults in brackets:\n");
	options_print_help(run_options, stdout);
	printf("\noutputs, as KIND:TARGET[,NAME=VALUE...]:\n");
	output_print_help(stdout);
	return fflush(stdout) ? EXIT_FAILED : EXIT_DONE;
}

/* A file named on the command line has to be there; the default one may be missing. */
static int read_config(struct run_settings *settings, const char *named)
{
	int r = options_read_file(run_options, settings, named ?: CONFIG_DEFAULT);

	if (r == -EINVAL || r == 0 || (r == -ENOENT && !named))
		return r == -ENOENT ? 0 : r;
	return log_error_errno(r, "read the configuration %s", named ?: CONFIG_DEFAULT);
}

/* The file is named on the command line and comes before it in rank: so the command line is read
 * twice, first for the name alone. */
static int read_settings(int argc, char **argv, struct run_settings *settings)
{
	_cleanup_(run_settings_free) struct run_settings first = { 0 };
	int r, rest;

	r = options_parse_arguments(run_options, &first, "traffic-meter run", argc - 1, argv + 1,
				    &rest);
	if (r < 0)
		return r;
	if (rest < argc - 1) {
		log_error("run: '%s' is not understood: it takes options only, see "
			  "'traffic-meter run --help'",
			  argv[rest + 1]);
		return -EINVAL;
	}
	settings->help = first.help;
	if (first.help)
		return 0;
	r = read_config(settings, first.config);
	if (r < 0)
		return r;
	return options_parse_arguments(run_options, settings, "traffic-meter run", argc - 1,
				       argv + 1, &rest);
}

int command_run(int argc, char **argv)
{
	_cleanup_(run_settings_free) struct run_settings settings = {
		.match = CAPTURE_MATCH_BOTH,
		.interval_s = 10,
		.ring_bytes = 16 << 20,
		.user_entries = 16384,
		.log_level = LOG_LEVEL_NOTICE,
	};
	struct meter_settings meter;
	int r;

	r = read_settings(argc, argv, &settings);
	if (r < 0)
		return r == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	if (settings.help)
		return print_help();
	log_set_level((enum log_level)settings.log_level);
	if (!settings.outputs.n &&
	    traffic_strings_add(&settings.outputs, "csv:/var/log/traffic-meter"))
		return EXIT_FAILED;
	meter = (struct meter_settings){
		.cgroup = settings.cgroup,
		.nic_id = settings.nic_id ?: "unknown",
		.untracked = settings.untracked,
		.outputs = settings.outputs,
		.capture = { settings.ring_bytes, (uint32_t)settings.user_entries,
			     (enum capture_match)settings.match },
		.interval_s = settings.interval_s,
		.duration_s = settings.duration_s,
	};
	return meter_run(&meter) < 0 ? EXIT_FAILED : EXIT_DONE;
}
