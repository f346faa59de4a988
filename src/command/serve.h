/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of `traffic-meter serve`, which is a program of its own (src/serve/). */
#ifndef COMMAND_SERVE_H
#define COMMAND_SERVE_H

#include <stdbool.h>
#include <stdint.h>

#include <traffic_meter/option.h>

struct serve_settings {
	bool help;
	char *config;
	char *instance; /* NULL: "default" */
	char *history;	/* NULL: the instance's */
	char *socket;	/* NULL: the instance's */
	struct traffic_strings listen;
	char *token_file;
	struct traffic_strings hosts;
	char *user, *group;
	uint64_t metrics_users;
	int log_level;
};

extern const struct traffic_option serve_options[];

#endif
