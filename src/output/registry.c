// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of outputs, and what help says of it. Owns no output: each is a file of its own. */
#include "output/registry.h"

#include <stdio.h>
#include <string.h>

#ifdef HAVE_SQLITE3
#define OUTPUT_HISTORY(OUTPUT) OUTPUT(history)
#else
#define OUTPUT_HISTORY(OUTPUT)
#endif

/* One line an output. OUTPUT(csv) means: src/output/csv.c defines csv_output. */
#define OUTPUTS(OUTPUT) \
	OUTPUT(csv)     \
	OUTPUT(json)    \
	OUTPUT(spool)   \
	OUTPUT_HISTORY(OUTPUT)

#define DECLARE(name) extern const struct traffic_output_type name##_output;
#define ENTRY(name)   &name##_output,

OUTPUTS(DECLARE)

const struct traffic_output_type *const output_types[] = { OUTPUTS(ENTRY) NULL };

const struct traffic_output_type *output_type_find(const char *kind)
{
	for (size_t i = 0; output_types[i]; i++) {
		if (strcmp(output_types[i]->kind, kind) == 0)
			return output_types[i];
	}
	return NULL;
}

void output_type_list(char *list, size_t size)
{
	size_t used = 0;

	*list = '\0';
	for (size_t i = 0; output_types[i] && used < size; i++)
		used += (size_t)snprintf(list + used, size - used, "%s%s", i ? ", " : "",
					 output_types[i]->kind);
}

/* What may stand behind `name=`, for a row of help. */
static void format_values(const struct traffic_option *option, char *values, size_t size)
{
	size_t used;

	if (option->type != TRAFFIC_OPTION_CHOICE) {
		snprintf(values, size, "%s=%s", option->name,
			 option->type == TRAFFIC_OPTION_FLAG ? "yes|no"
			 : option->metavar		     ? option->metavar
							     : "VALUE");
		return;
	}
	used = (size_t)snprintf(values, size, "%s=", option->name);
	for (size_t i = 0; option->choices[i] && used < size; i++)
		used += (size_t)snprintf(values + used, size - used, "%s%s", i ? "|" : "",
					 option->choices[i]);
}

void output_print_help(FILE *file)
{
	fprintf(file, "  %-26s %s\n", "each, ,hold=SECONDS|forever",
		"how long it may hold the other outputs when it can't keep up (60)");
	for (size_t i = 0; output_types[i]; i++) {
		const struct traffic_output_type *type = output_types[i];
		const struct traffic_option *option = type->options;
		char label[128];

		snprintf(label, sizeof(label), "%s:%s", type->kind, type->target);
		fprintf(file, "  %-26s %s\n", label, type->help);
		for (; option && option->name; option++) {
			format_values(option, label, sizeof(label));
			fprintf(file, "      ,%-21s %s\n", label, option->help);
		}
	}
}
