// SPDX-License-Identifier: GPL-2.0-or-later
#include "command/serve.h"

#include <stddef.h>

#include "command/command.h"
#include "util/log.h"

#define FIELD(field) offsetof(struct serve_settings, field)

const struct traffic_option serve_options[] = {
	{ "help", TRAFFIC_OPTION_FLAG, FIELD(help), .help = "print this and exit", .letter = 'h' },
	{ "config", TRAFFIC_OPTION_STRING, FIELD(config), "FILE",
	  .help = "read the section [serve] of this file first (" CONFIG_DEFAULT ")" },
	{ "instance", TRAFFIC_OPTION_STRING, FIELD(instance), "NAME",
	  .help = "the meter whose numbers are shown (default)" },
	{ "history", TRAFFIC_OPTION_STRING, FIELD(history), "FILE",
	  .help = "the history to read (the instance's, in /var/lib/traffic-meter)" },
	{ "socket", TRAFFIC_OPTION_STRING, FIELD(socket), "PATH",
	  .help = "the unix socket that everybody may connect to "
		  "(/run/traffic-meter/serve.sock)" },
	{ "listen", TRAFFIC_OPTION_STRINGS, FIELD(listen), "ADDRESS:PORT",
	  .help = "listen on TCP, too, for who has the token; may be given several times" },
	{ "token-file", TRAFFIC_OPTION_STRING, FIELD(token_file), "FILE",
	  .help = "whose first line is the token; who sends it sees everything" },
	{ "host", TRAFFIC_OPTION_STRINGS, FIELD(hosts), "NAME",
	  .help = "a further name of this machine that a request may have in Host:" },
	{ "user", TRAFFIC_OPTION_STRING, FIELD(user), "NAME",
	  .help = "become this user; started as root it should not stay root" },
	{ "group", TRAFFIC_OPTION_STRING, FIELD(group), "NAME",
	  .help = "its members see everything (the group of the meter's control socket)" },
	{ "metrics-users", TRAFFIC_OPTION_NUMBER, FIELD(metrics_users), "N", .minimum = 1,
	  .maximum = 100000,
	  .help = "users with series of their own in /metrics; the rest is username=\"other\" "
		  "(1000)" },
	{ "log-level", TRAFFIC_OPTION_CHOICE, FIELD(log_level), .choices = log_level_names,
	  .help = "(notice)" },
	{ 0 },
};

const struct command serve_command = {
	.name = "serve",
	.help = "HTTP: a page, /metrics, a JSON API; each user sees their own traffic",
	.options = serve_options,
};
