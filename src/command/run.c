// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `traffic-meter run`: its options, which are also the keys of the configuration file. And `detach`,
 * which has the same ones: it writes what was counted to where `run` would have.
 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "capture/cgroup.h"
#include "command/command.h"
#include "command/control.h"
#include "command/meter.h"
#ifdef HAVE_SQLITE3
#include "history/history.h"
#endif
#include "networks/named.h"
#include "output/registry.h"
#include "pipeline/outputs.h"
#include "privileges/identity.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/options.h"

#define STATE_DEFAULT "/var/lib/traffic-meter"

struct run_settings {
	bool help, persist;
	char *config;
	char *cgroup;
	char *nic_id;
	char *instance;
	char *state_directory;
	char *user, *group;
	struct traffic_strings interfaces, excluded_interfaces;
	int records, owner, match, nested, subuid;
	char *untracked, *networks;
	struct traffic_strings outputs;
	uint64_t interval_s, duration_s;
	uint64_t ring_bytes, flow_entries, user_entries;
	int log_level;
};

static const char *const records_choices[] = { "flow", "packet", NULL };

static const char *const owner_choices[] = { "process", "login", "socket", NULL };
static const char *const match_choices[] = { "both", "either", "remote", NULL };

static const char *const nested_choices[] = { "skip", "count", NULL };
static const char *const subuid_choices[] = { "owner", "raw", NULL };

#define FIELD(field) offsetof(struct run_settings, field)

static const struct traffic_option run_options[] = {
	{ "help", TRAFFIC_OPTION_FLAG, FIELD(help), .help = "print this and exit" },
	{ "config", TRAFFIC_OPTION_STRING, FIELD(config), "FILE",
	  .help = "INI file with these options as keys (" CONFIG_DEFAULT ")" },
	{ "cgroup", TRAFFIC_OPTION_STRING, FIELD(cgroup), "PATH",
	  .help = "cgroup v2 directory to meter (the root: the whole machine)" },
	{ "interface", TRAFFIC_OPTION_STRINGS, FIELD(interfaces), "NAME",
	  .help = "meter these only (all)" },
	{ "exclude-interface", TRAFFIC_OPTION_STRINGS, FIELD(excluded_interfaces), "NAME",
	  .help = "meter all but these" },
	{ "instance", TRAFFIC_OPTION_STRING, FIELD(instance), "NAME",
	  .help = "name for 'traffic-meter status' (default)" },
	{ "state-dir", TRAFFIC_OPTION_STRING, FIELD(state_directory), "DIR",
	  .help = "where totals outlive a restart (" STATE_DEFAULT ")" },
	{ "persist", TRAFFIC_OPTION_FLAG, FIELD(persist),
	  .help = "go on counting in the kernel at the end, for the next run to go on with" },
	{ "user", TRAFFIC_OPTION_STRING, FIELD(user), "NAME",
	  .help = "system user to run as once it meters (who started it)" },
	{ "group", TRAFFIC_OPTION_STRING, FIELD(group), "NAME",
	  .help = "group of new files and of the socket that status asks (the user's)" },
	{ "nic-id", TRAFFIC_OPTION_STRING, FIELD(nic_id), "TEXT",
	  .help = "label in file names (the one --interface, else unknown)" },
	{ "records", TRAFFIC_OPTION_CHOICE, FIELD(records), .choices = records_choices,
	  .help = "a record for each flow and interval, or for each packet (flow)" },
	{ "interval", TRAFFIC_OPTION_NUMBER, FIELD(interval_s), "SECONDS", .minimum = 1,
	  .maximum = 86400, .help = "how long a flow is summed up (10)" },
	{ "owner", TRAFFIC_OPTION_CHOICE, FIELD(owner), .choices = owner_choices,
	  .help = "who is charged: who uses the socket, who logged in, who made it (process)" },
	{ "nested-netns", TRAFFIC_OPTION_CHOICE, FIELD(nested), .choices = nested_choices,
	  .help = "rootless containers' own networks, which a helper carries outside (skip)" },
	{ "subuid", TRAFFIC_OPTION_CHOICE, FIELD(subuid), .choices = subuid_choices,
	  .help = "charge subordinate uids to the user who owns them, or as they are (owner)" },
	{ "untracked", TRAFFIC_OPTION_STRING, FIELD(untracked), "FILE",
	  .help = "list of networks not to count; read again on SIGHUP" },
	{ "untracked-match", TRAFFIC_OPTION_CHOICE, FIELD(match), .choices = match_choices,
	  .help = "which ends have to be in the list (both)" },
	{ "networks", TRAFFIC_OPTION_STRING, FIELD(networks), "FILE",
	  .help = "names of networks, of the other machine's end; read again on SIGHUP" },
	{ "output", TRAFFIC_OPTION_STRINGS, FIELD(outputs), "SPEC",
	  .help = "where records go, see below (csv:/var/log/traffic-meter and "
		  "history:STATE-DIR/history.db)" },
	{ "duration", TRAFFIC_OPTION_NUMBER, FIELD(duration_s), "SECONDS", .minimum = 1,
	  .maximum = 1u << 31, .help = "stop after that time (run until stopped)" },
	{ "ring-size", TRAFFIC_OPTION_SIZE, FIELD(ring_bytes), "BYTES",
	  .minimum = CAPTURE_RING_BYTES_MIN, .maximum = CAPTURE_RING_BYTES_MAX,
	  .help = "of the packet ring, rounded up to a power of two (16M)" },
	{ "flow-entries", TRAFFIC_OPTION_NUMBER, FIELD(flow_entries), "N", .minimum = 1,
	  .maximum = 1u << 26,
	  .help = "flows of an interval that are told apart (262144); twice 140 bytes each" },
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

static int print_help(const char *usage)
{
	printf("%s\noptions, with the defaults in brackets:\n", usage);
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
static int read_arguments(const char *command, int argc, char **argv, struct run_settings *settings)
{
	_cleanup_(run_settings_free) struct run_settings first = { 0 };
	int r, rest;

	r = options_parse_arguments(run_options, &first, command, argc - 1, argv + 1, &rest);
	if (r < 0)
		return r;
	if (rest < argc - 1) {
		log_error("%s: '%s' is not understood: it takes options only, see '%s --help'",
			  argv[0], argv[rest + 1], command);
		return -EINVAL;
	}
	settings->help = first.help;
	if (first.help)
		return 0;
	r = read_config(settings, first.config);
	if (r < 0)
		return r;
	return options_parse_arguments(run_options, settings, command, argc - 1, argv + 1, &rest);
}

static int verify_interfaces(const struct run_settings *settings)
{
	const struct traffic_strings *named =
		settings->interfaces.n ? &settings->interfaces : &settings->excluded_interfaces;

	if (settings->interfaces.n && settings->excluded_interfaces.n) {
		log_error("--interface and --exclude-interface don't go together: the first names "
			  "all that is metered");
		return -EINVAL;
	}
	if (named->n > CAPTURE_INTERFACES_MAX) {
		log_error("%zu interfaces; %d are the most", named->n, CAPTURE_INTERFACES_MAX);
		return -EINVAL;
	}
	for (size_t i = 0; i < named->n; i++)
		if (!*named->values[i] || strlen(named->values[i]) > CAPTURE_INTERFACE_NAME_MAX) {
			log_error("'%s' is no interface's name: it has 1 to %d characters",
				  named->values[i], CAPTURE_INTERFACE_NAME_MAX);
			return -EINVAL;
		}
	return 0;
}

/* Its kind and options. Whether its place can be written to is found out at the start. */
static int verify_output(const char *spec)
{
	_cleanup_free_ char *kind = NULL, *target = NULL;
	_cleanup_free_ void *context = NULL;
	const struct traffic_output_type *type;
	const char *pairs;
	char list[128];
	int r = options_split_spec(spec, &kind, &target, &pairs);

	if (r < 0)
		return r;
	type = output_type_find(kind);
	if (!type) {
		output_type_list(list, sizeof(list));
		log_error("output '%s': there is no kind '%s'; there are: %s", spec, kind, list);
		return -EINVAL;
	}
	context = calloc(1, type->context_size ?: 1);
	if (!context)
		return log_error_errno(-ENOMEM, "check the output '%s'", spec);
	if (type->preset)
		type->preset(context);
	r = options_parse_pairs(type->options, context, pairs, spec);
	options_free(type->options, context);
	return r;
}

static int verify_list(const char *path)
{
	_cleanup_(network_list_free) struct network_list list = { 0 };
	int r = path ? network_list_read(path, network_log_error, NULL, &list) : 0;

	/* Each bad line of it was told. */
	return r < 0 && r != -EINVAL ? log_error_errno(r, "read the untracked list %s", path) : r;
}

static int verify_names(const char *path)
{
	_cleanup_(named_list_free) struct named_list list = { 0 };
	int r = path ? named_list_read(path, network_log_error, NULL, &list) : 0;

	return r < 0 && r != -EINVAL ? log_error_errno(r, "read the names of networks %s", path)
				     : r;
}

/* Tells all that is wrong. */
static int verify_settings(const struct run_settings *settings)
{
	struct identity identity;
	int r = 0;

	r = verify_interfaces(settings) < 0 ? -EINVAL : r;
	r = control_verify_instance(settings->instance ?: "default") < 0 ? -EINVAL : r;
	r = settings->nic_id && outputs_verify_nic_id(settings->nic_id) < 0 ? -EINVAL : r;
	r = settings->cgroup && *settings->cgroup && cgroup_verify(settings->cgroup) < 0 ? -EINVAL
											 : r;
	r = identity_find(&identity, settings->user, settings->group) < 0 ? -EINVAL : r;
	r = verify_list(settings->untracked) < 0 ? -EINVAL : r;
	r = verify_names(settings->networks) < 0 ? -EINVAL : r;
	for (size_t i = 0; i < settings->outputs.n; i++)
		r = verify_output(settings->outputs.values[i]) < 0 ? -EINVAL : r;
	return r;
}

int run_check_configuration(const char *path)
{
	_cleanup_(run_settings_free) struct run_settings settings = { 0 };
	int r = options_read_file(run_options, &settings, path);

	if (r < 0 && r != -EINVAL) {
		log_error_errno(r, "read the configuration %s", path);
		return EXIT_FAILED;
	}
	/* What its good lines say is checked, too. */
	if (verify_settings(&settings) < 0 || r < 0)
		return EXIT_FAILED;
	printf("%s: good\n", path);
	return fflush(stdout) ? EXIT_FAILED : EXIT_DONE;
}

static const char *choose_nic_id(const struct run_settings *settings)
{
	if (settings->nic_id)
		return settings->nic_id;
	return settings->interfaces.n == 1 ? settings->interfaces.values[0] : "unknown";
}

static int add_default_outputs(struct run_settings *settings)
{
	int r = traffic_strings_add(&settings->outputs, "csv:/var/log/traffic-meter");
#ifdef HAVE_SQLITE3
	_cleanup_free_ char *spec = NULL, *path = NULL;

	path = history_default_path(settings->state_directory ?: STATE_DEFAULT, settings->instance);
	if (r < 0 || !path || asprintf(&spec, "history:%s", path) < 0)
		return -ENOMEM;
	r = traffic_strings_add(&settings->outputs, spec);
#endif
	return r;
}

/* 0; or an exit code, and then what is wrong is told. */
static int read_settings(const char *command, int argc, char **argv, struct run_settings *settings)
{
	int r;

	*settings = (struct run_settings){
		.match = CAPTURE_MATCH_BOTH,
		.interval_s = 10,
		.ring_bytes = 16 << 20,
		.flow_entries = 262144,
		.user_entries = 16384,
		.log_level = LOG_LEVEL_NOTICE,
	};
	r = read_arguments(command, argc, argv, settings);
	if (r < 0)
		return r == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	if (settings->help)
		return 0;
	log_set_level((enum log_level)settings->log_level);
	if (verify_interfaces(settings) < 0 ||
	    control_verify_instance(settings->instance ?: "default") < 0)
		return EXIT_USAGE;
	if (!settings->outputs.n && add_default_outputs(settings) < 0)
		return EXIT_FAILED;
	return 0;
}

static struct meter_settings choose_settings(const struct run_settings *settings)
{
	bool only = settings->interfaces.n, except = settings->excluded_interfaces.n;
	const char *instance = settings->instance ?: "default";

	return (struct meter_settings){
		.cgroup = settings->cgroup,
		.instance = instance,
		.state_directory = settings->state_directory ?: STATE_DEFAULT,
		.user = settings->user,
		.group = settings->group,
		.nic_id = choose_nic_id(settings),
		.untracked = settings->untracked,
		.networks = settings->networks,
		.outputs = settings->outputs,
		.capture = {
			.records = (enum capture_records)settings->records,
			.owner = (enum capture_owner)settings->owner,
			.ring_bytes = settings->ring_bytes,
			.flow_entries = (uint32_t)settings->flow_entries,
			.user_entries = (uint32_t)settings->user_entries,
			.match = (enum capture_match)settings->match,
			.networks = settings->untracked != NULL,
			.interfaces_rule = only	  ? CAPTURE_INTERFACES_ONLY :
					   except ? CAPTURE_INTERFACES_EXCEPT :
						    CAPTURE_INTERFACES_ALL,
			.interfaces = only ? settings->interfaces : settings->excluded_interfaces,
			.count_nested = settings->nested != 0,
			.instance = instance,
			.persist = settings->persist,
		},
		.raw_subuids = settings->subuid != 0,
		.interval_s = settings->interval_s,
		.duration_s = settings->duration_s,
	};
}

static int command_run(int argc, char **argv)
{
	_cleanup_(run_settings_free) struct run_settings settings = { 0 };
	struct meter_settings meter;
	int r = read_settings("traffic-meter run", argc, argv, &settings);

	if (r)
		return r;
	if (settings.help)
		return print_help("usage: traffic-meter run [OPTION...]\n\n"
				  "Meters until stopped by SIGINT or SIGTERM. SIGHUP reads the "
				  "lists of networks and opens the files again.\n");
	meter = choose_settings(&settings);
	return meter_run(&meter) < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int command_detach(int argc, char **argv)
{
	_cleanup_(run_settings_free) struct run_settings settings = { 0 };
	struct meter_settings meter;
	int r = read_settings("traffic-meter detach", argc, argv, &settings);

	if (r)
		return r;
	if (settings.help)
		return print_help("usage: traffic-meter detach [OPTION...]\n\n"
				  "Ends what a meter that is gone has left counting in the kernel: "
				  "hands it to the outputs, and removes it.\n"
				  "Takes the options of 'traffic-meter run', and the "
				  "configuration's, which should be those of that meter.\n");
	meter = choose_settings(&settings);
	meter.capture.left_over_only = true;
	meter.capture.persist = false;
	return meter_run(&meter) < 0 ? EXIT_FAILED : EXIT_DONE;
}

const struct command run_command = {
	.name = "run",
	.help = "meter until stopped",
	.run = command_run,
	.options = run_options,
	.outputs = output_types,
};

const struct command detach_command = {
	.name = "detach",
	.help = "write and remove what a killed meter left in the kernel",
	.run = command_detach,
	.options = run_options,
	.outputs = output_types,
};
