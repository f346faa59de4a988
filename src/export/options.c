// SPDX-License-Identifier: GPL-2.0-or-later
/* The options of `traffic-meter export`, for the command itself, help, manuals and completion. */
#include <stddef.h>

#include "command/command.h"
#include "export/command.h"
#include "util/log.h"

#define FIELD(field) offsetof(struct export_settings, field)

const struct traffic_option export_options[] = {
	{ "help", TRAFFIC_OPTION_FLAG, FIELD(help), .help = "print this and exit" },
	{ "spool", TRAFFIC_OPTION_STRING, FIELD(spool), "DIRECTORY",
	  .help = "that a meter's spool: writes" },
	{ "state-dir", TRAFFIC_OPTION_STRING, FIELD(state_directory), "DIRECTORY",
	  .help = "for cursors, which say how far each output has come" },
	{ "output", TRAFFIC_OPTION_STRINGS, FIELD(outputs), "SPEC",
	  .help = "as on the command line; may be given several times" },
	{ "from", TRAFFIC_OPTION_STRING, FIELD(from), "oldest|newest|TIME",
	  .help = "where an output without a cursor begins; TIME: seconds since 1970, or "
		  "2026-11-25T08:00:00Z (oldest)" },
	{ "once", TRAFFIC_OPTION_FLAG, FIELD(once),
	  .help = "end when the spool is read; an error is not tried again" },
	{ "dry-run", TRAFFIC_OPTION_FLAG, FIELD(dry_run),
	  .help = "print what would be sent, from --from on; no cursor is read or moved" },
	{ "status", TRAFFIC_OPTION_FLAG, FIELD(status),
	  .help = "print how far each output in --state-dir has come, and exit" },
	{ "metrics", TRAFFIC_OPTION_FLAG, FIELD(metrics),
	  .help = "the same as Prometheus text, for node_exporter's textfile collector" },
	{ "config", TRAFFIC_OPTION_STRING, FIELD(config), "FILE",
	  .help = "read the section [export NAME] of this file first" },
	{ "name", TRAFFIC_OPTION_STRING, FIELD(name), "NAME", .help = "of that section" },
	{ "log-level", TRAFFIC_OPTION_CHOICE, FIELD(log_level), .choices = log_level_names,
	  .help = "(notice)" },
	{ 0 },
};

/* A program of its own, as it brings libraries that the meter does without. */
const struct command export_command = {
	.name = "export",
	.help = "hand a spool's batches on to network outputs",
	.options = export_options,
	.operands = "SPEC...",
};
