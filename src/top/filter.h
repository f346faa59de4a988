/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The filter of top: words with spaces between, all of which have to fit. `user:ann`, `port:443`,
 * `dst:10.`, `net:internet`, `prog:ssh`, `if:eth0`, `work:slurm`, `proto:udp`, or a word that is part of the
 * row's name; `!` before a word turns it around. A word on what a view does not show hides nothing.
 */
#ifndef TOP_FILTER_H
#define TOP_FILTER_H

#include <stdbool.h>

#include "top/model.h"

#define FILTER_MAX 120

/* `user` is the name of the row's user; NULL: it is not known. */
bool filter_matches(const char *filter, enum view view, const struct row *row, const char *user);

/* NULL, or words about what in the filter is not understood. */
const char *filter_error(const char *filter);

#endif
