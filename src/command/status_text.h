/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answer to `status` (docs/protocol.md), as the three forms that are made of it and not shown as JSON. */
#ifndef COMMAND_STATUS_TEXT_H
#define COMMAND_STATUS_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include "util/json_tree.h"

/* All outputs' audits come out at 0, and the meter names no problem. */
bool status_is_good(const struct json_tree *status);

/* Several lines for people. */
void status_write_text(const struct json_tree *status, FILE *file);

/* One line for Nagios and its like. Returns their exit code: 0 good, 1 warning, 2 critical. */
int status_write_check(const struct json_tree *status, FILE *file);

/* Prometheus text for node_exporter's textfile collector. */
void status_write_metrics(const struct json_tree *status, FILE *file);

#endif
