// SPDX-License-Identifier: GPL-2.0-or-later
#include "command/top.h"

#include <stddef.h>

#include "command/command.h"

#define FIELD(field) offsetof(struct top_settings, field)

static const char *const view_choices[] = { "users",   "workloads",  "networks",
					    "remotes", "interfaces", NULL };

const struct traffic_option top_options[] = {
	{ "help", TRAFFIC_OPTION_FLAG, FIELD(help), .help = "print this and exit", .letter = 'h' },
	{ "instance", TRAFFIC_OPTION_STRING, FIELD(instance), "NAME",
	  .help = "of the meter (default; without one root's top starts one of its own)" },
	{ "view", TRAFFIC_OPTION_CHOICE, FIELD(view), .choices = view_choices,
	  .help = "to begin with (users)" },
	{ "user", TRAFFIC_OPTION_STRING, FIELD(user), "NAME",
	  .help = "begin with this user's connections", .letter = 'u' },
	{ "filter", TRAFFIC_OPTION_STRING, FIELD(filter), "WORDS",
	  .help = "show what matches, as 'user:ann port:443'" },
	{ "delay", TRAFFIC_OPTION_NUMBER, FIELD(delay_s), "SECONDS", .minimum = 1, .maximum = 3600,
	  .help = "between two screens (1)", .letter = 'd' },
	{ "batch", TRAFFIC_OPTION_FLAG, FIELD(batch),
	  .help = "print screens one after the other, for scripts", .letter = 'b' },
	{ "rounds", TRAFFIC_OPTION_NUMBER, FIELD(rounds), "N", .minimum = 1, .maximum = 1u << 31,
	  .help = "end after so many screens", .letter = 'n' },
	{ "json", TRAFFIC_OPTION_FLAG, FIELD(json),
	  .help = "print the meter's answers, a line each (docs/protocol.md)" },
	{ "bytes", TRAFFIC_OPTION_FLAG, FIELD(bytes), .help = "rates in bytes, not bits" },
	{ "wire", TRAFFIC_OPTION_FLAG, FIELD(wire),
	  .help = "with the headers of each segment on the wire" },
	{ "monochrome", TRAFFIC_OPTION_FLAG, FIELD(monochrome), .help = "no colours",
	  .letter = 'C' },
	{ 0 },
};

const struct command top_command = {
	.name = "top",
	.help = "live screen: who moves how much at this moment",
	.options = top_options,
};
