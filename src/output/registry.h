/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of outputs: which kinds of SPEC there are. */
#ifndef OUTPUT_REGISTRY_H
#define OUTPUT_REGISTRY_H

#include <stddef.h>
#include <stdio.h>

#include <traffic_meter/output.h>

/* In the order of help, NULL-terminated. */
extern const struct traffic_output_type *const output_types[];

/* NULL: there is no such kind. */
const struct traffic_output_type *output_type_find(const char *kind);

/* "csv, json", for a message. */
void output_type_list(char *list, size_t size);

/* The table of outputs, for help and --version: "csv:DIRECTORY  help" and their options. */
void output_print_help(FILE *file);

#endif
