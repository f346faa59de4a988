// SPDX-License-Identifier: GPL-2.0-or-later
/* traffic-meter: finds the subcommand and runs it. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command/command.h"
#include "output/registry.h"
#include "util/descriptors.h"
#include "util/log.h"

static int print_help(void)
{
	printf("usage: traffic-meter COMMAND [OPTION...]\n\n"
	       "Who moved how many bytes, to and from where, on a machine that many people "
	       "share.\n\n"
	       "commands:\n");
	for (const struct command *const *command = commands; *command; command++)
		printf("  %-10s %s\n", (*command)->name, (*command)->help);
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

/* A command that brings its own libraries is a program of its own, so that this one needs none of them.
 * It is looked for beside this program, as in a build tree, then where `make install` puts it. */
static int run_program(const struct command *command, char **argv)
{
	char self[PATH_MAX], path[PATH_MAX + 32];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = '\0';
		*strrchr(self, '/') = '\0';
		snprintf(path, sizeof(path), "%s/traffic-meter-%s", self, command->name);
		execv(path, argv);
	}
	snprintf(path, sizeof(path), LIBEXECDIR "/traffic-meter-%s", command->name);
	execv(path, argv);
	log_error_errno(errno, "run %s; the command '%s' is in the package traffic-meter-%s", path,
			command->name, command->name);
	return EXIT_FAILED;
}

int main(int argc, char **argv)
{
	const struct command *command;

	if (descriptors_open_standard() < 0)
		return EXIT_FAILED;
	if (argc < 2) {
		log_error("no command given; see 'traffic-meter --help'");
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0)
		return print_help();
	if (strcmp(argv[1], "--version") == 0)
		return print_version();
	command = command_find(argv[1]);
	if (!command) {
		log_error("'%s' is not a command; see 'traffic-meter --help'", argv[1]);
		return EXIT_USAGE;
	}
	return command->run ? command->run(argc - 1, argv + 1) : run_program(command, argv + 1);
}
