// SPDX-License-Identifier: GPL-2.0-or-later
/* The list of subcommands. */
#include <stddef.h>
#include <string.h>

#include "command/command.h"

const struct command *const commands[] = {
	&run_command,	&top_command,	   &report_command, &status_command, &detach_command,
	&check_command, &networks_command, &export_command, &serve_command,  NULL,
};

const struct command *command_find(const char *name)
{
	for (const struct command *const *command = commands; *command; command++)
		if (strcmp((*command)->name, name) == 0)
			return *command;
	return NULL;
}
