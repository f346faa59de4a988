/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The subcommands: each takes its own argv (argv[0] is its name) and returns the exit code. */
#ifndef COMMAND_COMMAND_H
#define COMMAND_COMMAND_H

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

int command_run(int argc, char **argv);
int command_detach(int argc, char **argv);
int command_check(int argc, char **argv);
int command_status(int argc, char **argv);
int command_networks(int argc, char **argv);

#endif
