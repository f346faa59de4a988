/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answers to requests, as lines of JSON, from the last look. */
#ifndef LIVE_ANSWER_H
#define LIVE_ANSWER_H

#include <stddef.h>

#include "live/request.h"
#include "live/thread.h"

/* Writes the answer of all requests but status. The text is allocated and ends with a newline. Returns 0 or
 * -ENOMEM. */
int answer_write(struct live *live, const struct request *request, char **ret_text,
		 size_t *ret_size);

/* The answer to a request that can't be served; `error` has no character that JSON escapes. */
int answer_write_error(const char *error, char **ret_text, size_t *ret_size);

/* Makes the meter's health, one JSON object, the answer to `status`. Takes `status` over. */
int answer_write_status(char *status, char **ret_text, size_t *ret_size);

#endif
