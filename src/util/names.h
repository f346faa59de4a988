/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of users, remembered for a while. A look-up may ask a directory server and take long, so
 * the event loop never calls this: each output that wants names has a cache of its own.
 */
#ifndef UTIL_NAMES_H
#define UTIL_NAMES_H

#include <stdint.h>

#define NAMES_LIFETIME_S 300

struct names;

struct names *names_new(void);
void names_free(struct names *names);

/* The name of the user, any bytes; NULL: there is none, or the look-up failed and none was known.
 * now_s: of any clock that only goes forward, in seconds. Valid until the next call. */
const char *names_user(struct names *names, uint32_t uid, uint64_t now_s);

#endif
