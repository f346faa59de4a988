// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Values by option tables: turning words into values, and the two places that words come from on
 * a command line, its arguments and the SPEC of an output. config.c reads the INI file.
 */
#include "util/options.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/log.h"
#include "util/text.h"

#define complain(...) (log_error(__VA_ARGS__), -EINVAL)

static void *value_of(const struct traffic_option *option, void *base)
{
	return (char *)base + option->offset;
}

static int out_of_memory(void)
{
	return log_error_errno(-ENOMEM, "store an option");
}

int traffic_strings_add(struct traffic_strings *strings, const char *value)
{
	_cleanup_free_ char *copy = strdup(value);
	char **values;

	if (!copy)
		return -ENOMEM;
	values = reallocarray(strings->values, strings->n + 1, sizeof(*values));
	if (!values)
		return -ENOMEM;
	values[strings->n++] = steal_pointer(copy);
	strings->values = values;
	return 0;
}

static void strings_clear(struct traffic_strings *strings)
{
	for (size_t i = 0; i < strings->n; i++)
		free(strings->values[i]);
	free(strings->values);
	*strings = (struct traffic_strings){ 0 };
}

void options_free(const struct traffic_option *options, void *base)
{
	for (const struct traffic_option *option = options; option && option->name; option++) {
		if (option->type == TRAFFIC_OPTION_STRINGS) {
			strings_clear(value_of(option, base));
		} else if (option->type == TRAFFIC_OPTION_STRING) {
			char **string = value_of(option, base);

			free(*string);
			*string = NULL;
		}
	}
}

static int set_string(char **target, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return out_of_memory();
	free(*target);
	*target = copy;
	return 0;
}

static int set_strings(struct traffic_strings *target, const char *value)
{
	return traffic_strings_add(target, value) < 0 ? out_of_memory() : 0;
}

static int set_flag(bool *target, const char *value, const char *where)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(value, words[i]) == 0) {
			*target = i % 2;
			return 0;
		}
	}
	return complain("%s: '%s' is not yes or no", where, value);
}

static int set_choice(const struct traffic_option *option, int *target, const char *value,
		      const char *where)
{
	char known[512] = "";
	size_t used = 0;

	for (int i = 0; option->choices[i]; i++) {
		if (strcmp(value, option->choices[i]) == 0) {
			*target = i;
			return 0;
		}
		if (used < sizeof(known))
			used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
						 i ? ", " : "", option->choices[i]);
	}
	return complain("%s: '%s' is not one of: %s", where, value, known);
}

/* Digits of the base only: strtoull() would let a sign and spaces pass. Goes on to the end of
 * the digits when they are too many, so that the caller can tell "12x" from a number too large. */
static int parse_digits(const char **text, unsigned int number_base, uint64_t *ret_number)
{
	const char *c = *text;
	bool overflow = false;
	uint64_t number = 0;

	for (; *c >= '0' && *c < (char)('0' + number_base); c++)
		overflow |= __builtin_mul_overflow(number, number_base, &number) ||
			    __builtin_add_overflow(number, (uint64_t)(*c - '0'), &number);
	if (c == *text)
		return -EINVAL;
	*text = c;
	if (overflow)
		return -ERANGE;
	*ret_number = number;
	return 0;
}

static int scale_size(const char **text, uint64_t *size_bytes)
{
	static const char units[] = "KkMmGgTt";
	const char *unit = **text ? strchr(units, **text) : NULL;

	if (!unit)
		return 0;
	(*text)++;
	return __builtin_mul_overflow(*size_bytes, UINT64_C(1) << (10 * ((unit - units) / 2 + 1)),
				      size_bytes)
		       ? -ERANGE
		       : 0;
}

static const char *format_bound(const struct traffic_option *option, uint64_t number, char *buffer,
				size_t buffer_size)
{
	static const char *const units[] = { "", "K", "M", "G", "T" };
	size_t unit = 0;

	if (option->type == TRAFFIC_OPTION_SIZE)
		for (; unit < 4 && number && number % 1024 == 0; unit++)
			number /= 1024;
	snprintf(buffer, buffer_size, "%ju%s", (uintmax_t)number, units[unit]);
	return buffer;
}

static int complain_number(const struct traffic_option *option, int error, const char *value,
			   const char *where)
{
	bool size = option->type == TRAFFIC_OPTION_SIZE;
	char from[32], to[32], range[80];
	uint64_t maximum = option->maximum ? option->maximum : UINT64_MAX;

	if (option->maximum || error == -ERANGE)
		snprintf(range, sizeof(range), "from %s to %s",
			 format_bound(option, option->minimum, from, sizeof(from)),
			 format_bound(option, maximum, to, sizeof(to)));
	else
		snprintf(range, sizeof(range), "of at least %s",
			 format_bound(option, option->minimum, from, sizeof(from)));
	if (error == -ERANGE)
		return complain("%s: '%s' is out of range; give a %s %s", where, value,
				size ? "size" : "number", range);
	return complain("%s: '%s' is not a %s; give %s %s", where, value,
			size ? "size" : "whole number",
			size ? "bytes, or a number with K, M, G or T behind it," : "one", range);
}

static int set_number(const struct traffic_option *option, uint64_t *target, const char *value,
		      const char *where)
{
	const char *rest = value;
	uint64_t number = 0;
	int r;

	r = parse_digits(&rest, 10, &number);
	if (r != -EINVAL && option->type == TRAFFIC_OPTION_SIZE) {
		int scaled = scale_size(&rest, &number);

		r = r ? r : scaled;
	}
	if (r == -EINVAL || *rest)
		return complain_number(option, -EINVAL, value, where);
	if (!r && (number < option->minimum || (option->maximum && number > option->maximum)))
		r = -ERANGE;
	if (r)
		return complain_number(option, r, value, where);
	*target = number;
	return 0;
}

static int set_mode(uint32_t *target, const char *value, const char *where)
{
	const char *rest = value;
	uint64_t mode = 0;
	int r = parse_digits(&rest, 8, &mode);

	if (r || *rest || mode > 0777)
		return complain("%s: '%s' is not a file mode; give octal digits up to 0777, as in "
				"0640",
				where, value);
	*target = (uint32_t)mode;
	return 0;
}

int options_set(const struct traffic_option *option, void *base, const char *value,
		const char *where)
{
	void *target = value_of(option, base);

	switch (option->type) {
	case TRAFFIC_OPTION_STRING:
		return set_string(target, value);
	case TRAFFIC_OPTION_STRINGS:
		return set_strings(target, value);
	case TRAFFIC_OPTION_FLAG:
		return set_flag(target, value, where);
	case TRAFFIC_OPTION_CHOICE:
		return set_choice(option, target, value, where);
	case TRAFFIC_OPTION_NUMBER:
	case TRAFFIC_OPTION_SIZE:
		return set_number(option, target, value, where);
	case TRAFFIC_OPTION_MODE:
		return set_mode(target, value, where);
	}
	return complain("%s: an option of an unknown type, %d", where, (int)option->type);
}

static const struct traffic_option *find_option(const struct traffic_option *options,
						const char *name, size_t name_length)
{
	for (const struct traffic_option *option = options; option && option->name; option++)
		if (strlen(option->name) == name_length &&
		    memcmp(option->name, name, name_length) == 0)
			return option;
	return NULL;
}

static const char *nearest_option(const struct traffic_option *options, const char *name)
{
	const char *nearest = NULL;
	unsigned int best = UINT_MAX;

	for (const struct traffic_option *option = options; option && option->name; option++)
		if (text_resembles(name, option->name, &best))
			nearest = option->name;
	return nearest;
}

static int complain_unknown(const struct traffic_option *options, const char *name,
			    const char *where)
{
	const char *nearest = nearest_option(options, name);
	char known[1024] = "";
	size_t used = 0;

	if (nearest)
		return complain("%s: unknown option '%s'; did you mean '%s'?", where, name,
				nearest);
	if (!options || !options->name)
		return complain("%s: unknown option '%s'; there are none here", where, name);
	for (const struct traffic_option *option = options; option->name; option++)
		if (used < sizeof(known))
			used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
						 option == options ? "" : ", ", option->name);
	return complain("%s: unknown option '%s'; there are: %s", where, name, known);
}

int options_set_by_name(const struct traffic_option *options, void *base, const char *name,
			const char *value, const char *where)
{
	const struct traffic_option *option = find_option(options, name, strlen(name));
	_cleanup_free_ char *where_name = NULL;

	if (!option)
		return complain_unknown(options, name, where);
	if (asprintf(&where_name, "%s: %s", where, name) < 0) {
		where_name = NULL;
		return out_of_memory();
	}
	return options_set(option, base, value, where_name);
}

static int complain_unknown_argument(const struct traffic_option *options, const char *argument,
				     const char *command)
{
	_cleanup_free_ char *name = strndup(argument, strcspn(argument, "="));
	const char *nearest;

	if (!name)
		return out_of_memory();
	nearest = nearest_option(options, name + strspn(name, "-"));
	if (nearest)
		return complain("unknown option '%s'; did you mean '--%s'? See '%s --help'", name,
				nearest, command);
	return complain("unknown option '%s'; see '%s --help'", name, command);
}

/* What help and messages call the value: its metavar, or the choices as a|b|c. */
static void print_metavar(const struct traffic_option *option, FILE *file)
{
	if (option->type == TRAFFIC_OPTION_FLAG)
		return;
	fputc(' ', file);
	if (option->metavar)
		fputs(option->metavar, file);
	else if (option->type != TRAFFIC_OPTION_CHOICE)
		fputs("VALUE", file);
	else
		for (int i = 0; option->choices[i]; i++)
			fprintf(file, "%s%s", i ? "|" : "", option->choices[i]);
	if (option->type == TRAFFIC_OPTION_STRINGS)
		fputs("...", file);
}

static const struct traffic_option *find_letter(const struct traffic_option *options, char letter)
{
	for (const struct traffic_option *option = options; option && option->name; option++)
		if (option->letter == letter)
			return option;
	return NULL;
}

/* Find the value of the option at argv[*index]: behind '=', or the next word, which *index is
 * moved to. A next word that is itself an option means that the value was forgotten; such a value
 * can still be given with '='. */
static int argument_value(const struct traffic_option *option, const char *command, int argc,
			  char **argv, int *index, const char **ret_value)
{
	const char *equals = strchr(argv[*index], '=');

	if (equals) {
		*ret_value = equals + 1;
	} else if (option->type == TRAFFIC_OPTION_FLAG) {
		*ret_value = "yes";
	} else if (*index + 1 < argc && strncmp(argv[*index + 1], "--", 2) != 0) {
		*ret_value = argv[++*index];
	} else {
		return complain("option '--%s' needs a value; see '%s --help'", option->name,
				command);
	}
	return 0;
}

static size_t count_options(const struct traffic_option *options)
{
	size_t n = 0;

	while (options && options[n].name)
		n++;
	return n;
}

int options_parse_arguments(const struct traffic_option *options, void *base, const char *command,
			    int argc, char **argv, int *ret_rest)
{
	_cleanup_free_ bool *seen = calloc(count_options(options) + 1, sizeof(*seen));
	int i, r;

	if (!seen)
		return out_of_memory();

	for (i = 0; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		const struct traffic_option *option = NULL;
		const char *name = argv[i] + 2, *value;
		char where[128];

		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (argv[i][1] == '-')
			option = find_option(options, name, strcspn(name, "="));
		else if (argv[i][2] == '\0')
			option = find_letter(options, argv[i][1]);
		if (!option && strcmp(argv[i], "-h") == 0)
			option = find_option(options, "help", strlen("help"));
		if (!option)
			return complain_unknown_argument(options, argv[i], command);
		r = argument_value(option, command, argc, argv, &i, &value);
		if (r < 0)
			return r;

		/* What the file or a default said is not to be added to, but replaced. */
		if (option->type == TRAFFIC_OPTION_STRINGS && !seen[option - options])
			strings_clear(value_of(option, base));
		seen[option - options] = true;

		snprintf(where, sizeof(where), "--%s", option->name);
		r = options_set(option, base, value, where);
		if (r < 0)
			return r;
	}
	*ret_rest = i;
	return 0;
}

int options_split_spec(const char *spec, char **ret_kind, char **ret_target, const char **ret_rest)
{
	_cleanup_free_ char *kind = NULL, *target = NULL;
	size_t kind_length = strcspn(spec, ":,"), target_length;
	const char *behind;

	if (kind_length == 0 || spec[kind_length] != ':' ||
	    strcspn(spec + kind_length + 1, ",") == 0)
		return complain("'%s': an output is KIND:TARGET[,NAME=VALUE...], as in "
				"csv:/var/log/traffic-meter",
				spec);
	behind = spec + kind_length + 1;
	target_length = strcspn(behind, ",");
	kind = strndup(spec, kind_length);
	target = strndup(behind, target_length);
	if (!kind || !target)
		return out_of_memory();
	behind += target_length;
	*ret_kind = steal_pointer(kind);
	*ret_target = steal_pointer(target);
	*ret_rest = behind + (*behind == ',');
	return 0;
}

int options_parse_pairs(const struct traffic_option *options, void *base, const char *pairs,
			const char *where)
{
	_cleanup_free_ char *copy = strdup(pairs);
	char *next = copy, *pair;

	if (!copy)
		return out_of_memory();
	while (next && *next) {
		char *equals;
		int r;

		pair = strsep(&next, ",");
		equals = strchr(pair, '=');
		if (!equals || equals == pair)
			return complain("%s: '%s' is not NAME=VALUE", where, pair);
		*equals = '\0';
		r = options_set_by_name(options, base, pair, equals + 1, where);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The left column of help, "--name METAVAR", allocated; NULL without memory. */
static char *help_label(const struct traffic_option *option)
{
	char *label = NULL;
	size_t size;
	FILE *file = open_memstream(&label, &size);

	if (!file)
		return NULL;
	if (option->letter)
		fprintf(file, "-%c, ", option->letter);
	fprintf(file, "--%s", option->name);
	print_metavar(option, file);
	if (fclose(file) == 0)
		return label;
	free(label);
	return NULL;
}

void options_print_help(const struct traffic_option *options, FILE *file)
{
	int width = 0;

	for (const struct traffic_option *option = options; option && option->name; option++) {
		_cleanup_free_ char *label = help_label(option);

		if (label && (int)strlen(label) > width)
			width = (int)strlen(label);
	}
	for (const struct traffic_option *option = options; option && option->name; option++) {
		_cleanup_free_ char *label = help_label(option);

		fprintf(file, "  %-*s   %s\n", width, label ? label : option->name,
			option->help ? option->help : "");
	}
}
