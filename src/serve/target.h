/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The target of a request ("/api/v1/usage?user=ann&by=day"), taken apart. It comes from anybody: what is not
 * plain is refused, never mended.
 */
#ifndef SERVE_TARGET_H
#define SERVE_TARGET_H

#include <stddef.h>

#define TARGET_LENGTH_MAX     4096
#define TARGET_PARAMETERS_MAX 32

struct target {
	char text[TARGET_LENGTH_MAX + 1]; /* what the pointers point into */
	const char *path;
	const char *query; /* as it came, percent-encoded; "" */
	struct target_parameter {
		const char *name, *value; /* decoded */
	} parameters[TARGET_PARAMETERS_MAX];
	size_t n;
	char raw_query[TARGET_LENGTH_MAX + 1];
};

/* Takes `raw` apart. NULL: fine; or what is wrong with it, for the client. */
const char *target_parse(struct target *ret, const char *raw);

/* The first value of a name; NULL: there is none. */
const char *target_get(const struct target *target, const char *name);

#endif
