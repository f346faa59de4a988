/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where top's numbers come from: a running meter, or one of its own that leaves nothing. */
#ifndef TOP_SOURCE_H
#define TOP_SOURCE_H

#include <stdbool.h>
#include <sys/types.h>

#include "live/client.h"

struct source {
	struct client_connection connection;
	char instance[80];
	pid_t own; /* the meter of top's own; 0: none */
	char own_directory[64];
	double next_try_s; /* while there is no connection */
};

/* Finds a meter: of the instance, or of the default one; as root without that one starts its own. What fails is
 * logged, with what to do. Returns 0 or a negative errno. */
int source_open(struct source *source, const char *instance);

/* Ends the own meter, too, and removes what it made. */
void source_close(struct source *source);

/* Sends a request; the connection is made anew if it was lost. Returns 0 or a negative errno. */
int source_ask(struct source *source, const char *request);

bool source_is_connected(const struct source *source);

/* The connection is of no use any more. */
void source_lose(struct source *source);

#endif
