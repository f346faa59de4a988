/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A text of networks as lines: comments, line ends, white space around, and where the text came from.
 * What a line means is list.c's and named.c's.
 */
#ifndef NETWORKS_LINES_H
#define NETWORKS_LINES_H

#include "networks/networks.h"

/* A line that holds something, without its comment and the white space around. */
struct network_line {
	const char *text;
	size_t length;
	unsigned int number; /* from 1 */
};

/* Takes a line. Returns 0; -EINVAL: it can't be understood, `why` says why and the line's text and length
 * are what is wrong; or another negative errno, which ends the reading. */
typedef int (*network_line_fn)(void *data, struct network_line *line, char why[NETWORK_WHY_MAX]);

/* Hands each line to `take`; tells each error. Returns 0; -EINVAL after errors that were told; or the error
 * of `take` that ended it. */
int network_lines_parse(const char *data, size_t size, const char *path, network_error_fn on_error,
			void *userdata, network_line_fn take, void *take_data);

#endif
