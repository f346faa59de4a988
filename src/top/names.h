/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of users and hosts, looked up by a thread, as a directory or name server may take long: until it has
 * answered there is none.
 */
#ifndef TOP_NAMES_H
#define TOP_NAMES_H

#include <stdint.h>

struct top_names;

/* NULL: no memory, or no thread. */
struct top_names *top_names_new(void);
void top_names_free(struct top_names *names);

/* The name of a user, of a numeric address; NULL: there is none, or it is not known yet. */
const char *top_names_user(struct top_names *names, uint32_t uid);
const char *top_names_host(struct top_names *names, const char *address);

#endif
