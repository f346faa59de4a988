// SPDX-License-Identifier: GPL-2.0-or-later
/* traffic-meter: the table of subcommands. */
#include <stdio.h>
#include <string.h>

#include "command/command.h"
#include "output/queue.h"
#include "util/log.h"

static const struct {
	const char *name;
	int (*function)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "run", command_run, "meter until stopped" },
	{ "status", command_status, "health of a running meter, and its audit" },
	{ "detach", command_detach, "write and remove what a killed meter left in the kernel" },
	{ "check", command_check, "can this machine run it, and what is missing" },
	{ "networks", command_networks, "check an untracked list and print what it means" },
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int print_help(void)
{
	printf("usage: traffic-meter COMMAND [OPTION...]\n\n"
	       "Who moved how many bytes, to and from where, on a machine that many people "
	       "share.\n\n"
	       "commands:\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].help);
	printf("\n'traffic-meter COMMAND --help' tells a command's options.\n");
	return fflush(stdout) ? EXIT_FAILED : EXIT_DONE;
}

static int print_version(void)
{
	printf("traffic-meter " VERSION "\noutputs:\n");
	output_print_help(stdout);
	if (*NOT_BUILT)
		printf("not built: " NOT_BUILT "\n");
	return fflush(stdout) ? EXIT_FAILED : EXIT_DONE;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		log_error("no command given; see 'traffic-meter --help'");
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
		return print_help();
	if (strcmp(argv[1], "--version") == 0)
		return print_version();
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].function(argc - 1, argv + 1);
	log_error("'%s' is not a command; see 'traffic-meter --help'", argv[1]);
	return EXIT_USAGE;
}
