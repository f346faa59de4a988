/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of `traffic-meter top`, which is a program of its own (src/top/). */
#ifndef COMMAND_TOP_H
#define COMMAND_TOP_H

#include <stdbool.h>
#include <stdint.h>

#include <traffic_meter/option.h>

struct top_settings {
	bool help, batch, json, bytes, wire, monochrome;
	char *instance; /* NULL: the default one, or one of top's own */
	char *filter;
	char *user; /* opened at the start */
	int view;
	uint64_t rounds; /* 0: no end */
	uint64_t delay_s;
};

extern const struct traffic_option top_options[];

#endif
