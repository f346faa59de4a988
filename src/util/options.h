/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading values by option tables (traffic_meter/option.h): from the command line, from an INI
 * file, from the SPEC of an output. The tables end with a NULL name. Values are stored in `base`;
 * strings there are allocated and freed with options_free().
 *
 * An error is one line, logged here with what, where, why and what to do (for an unknown name the
 * nearest known one), and -EINVAL is returned.
 */
#ifndef UTIL_OPTIONS_H
#define UTIL_OPTIONS_H

#include <stdio.h>

#include <traffic_meter/option.h>

/* Store one value. where: "--ring-size" or "FILE:LINE: ring-size", for the message. */
int options_set(const struct traffic_option *option, void *base, const char *value,
		const char *where);

/* Find the option of that name and store one value. where: "FILE:LINE" or an output's SPEC. */
int options_set_by_name(const struct traffic_option *options, void *base, const char *name,
			const char *value, const char *where);

/* Read --name VALUE, --name=VALUE, -L VALUE and, for a flag, --name and -L, until "--" or the first word that is
 * no option. A STRINGS value given here replaces what `base` held before.
 * command: named in messages, as "traffic-meter run". *ret_rest: index of the first word left. */
int options_parse_arguments(const struct traffic_option *options, void *base, const char *command,
			    int argc, char **argv, int *ret_rest);

/* Read `name = value` lines of an INI file (inih; `#` and `;` comments), those before any section
 * and in [traffic-meter]. Every line there is looked at, each error is told with its number. The
 * other sections belong to other commands; one that no command knows is an error.
 * -errno of opening or reading the file is returned unlogged. */
int options_read_file(const struct traffic_option *options, void *base, const char *path);

/* Called at the line "[kind NAME]": sets *ret_base to where the values of the section go.
 * name: NULL for a kind without names. where: "FILE:LINE", for messages.
 * An error, which the function has logged, makes the file a bad one; its other lines are still
 * looked at. */
typedef int (*options_begin_section_fn)(void *userdata, const char *name, const char *where,
					void **ret_base);

/* Read the sections of one kind ("alert", "export", "serve") and nothing else. Errors as above. */
int options_read_sections(const struct traffic_option *options, const char *kind, const char *path,
			  options_begin_section_fn begin, void *userdata);

/* Split "kind:target[,key=value...]" and store the key=value pairs by `options` in `base`.
 * options_split_spec(): *ret_kind and *ret_target are allocated, the caller's; *ret_rest points
 * into spec, behind the target's comma or at the end. */
int options_split_spec(const char *spec, char **ret_kind, char **ret_target, const char **ret_rest);
int options_parse_pairs(const struct traffic_option *options, void *base, const char *pairs,
			const char *where);

/* Append a copy. 0 or -ENOMEM. */
int traffic_strings_add(struct traffic_strings *strings, const char *value);

void options_free(const struct traffic_option *options, void *base);

/* One row an option: "  --name METAVAR   help", aligned, at most 100 columns. */
void options_print_help(const struct traffic_option *options, FILE *file);

#endif
