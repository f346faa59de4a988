/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `traffic-meter export`: its options, and the parts of the command. */
#ifndef EXPORT_COMMAND_H
#define EXPORT_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include <traffic_meter/option.h>

struct export_settings {
	char *spool, *state_directory, *config, *name, *from;
	struct traffic_strings outputs; /* SPECs */
	bool once, dry_run, status, metrics;
	int log_level;
	bool help;
};

/* Rows for struct export_settings, of the command line and of [export NAME]. */
extern const struct traffic_option export_options[];

/* Returns the exit code. */
int export_main(int argc, char **argv);

/* --status and --metrics, from the cursors in the state directory. Returns the exit code. */
int export_print_status(const struct export_settings *settings);

#endif
