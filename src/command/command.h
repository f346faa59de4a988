/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The subcommands. Each file of a subcommand ends with its `struct command`; commands.c lists them.
 * Help, manual pages and shell completion are all made from this list.
 */
#ifndef COMMAND_COMMAND_H
#define COMMAND_COMMAND_H

#include <traffic_meter/option.h>

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_OVER = 3, /* a threshold is passed */
};

struct traffic_output_type;

struct command {
	const char *name;
	const char *help; /* one line */

	/* Takes its own argv (argv[0] is its name) and returns the exit code. NULL: the command is a
	 * program of its own, traffic-meter-NAME, which may be in another package. */
	int (*run)(int argc, char **argv);

	const struct traffic_option *options; /* ends with a NULL name; NULL: none */
	const char *operands; /* what follows the options, as "FILE"; NULL: nothing */

	/* The outputs whose SPECs it takes, as in output/registry.h; NULL: none. */
	const struct traffic_output_type *const *outputs;
};

#define CONFIG_DEFAULT "/etc/traffic-meter.conf"

/* Checks a configuration of `run` without starting: tells all that is wrong, or that it is good. Returns the exit
 * code. */
int run_check_configuration(const char *path);

/* All subcommands in the order of the help text. Ends with NULL. */
extern const struct command *const commands[];

/* Returns NULL when there is no such command. */
const struct command *command_find(const char *name);

extern const struct command run_command;
extern const struct command top_command;
extern const struct command report_command;
extern const struct command status_command;
extern const struct command detach_command;
extern const struct command check_command;
extern const struct command networks_command;
extern const struct command export_command;
extern const struct command serve_command;

#endif
