// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading an INI file by an option table, with inih. All commands share one file; each reads the
 * sections that it owns and passes the others' by.
 *
 * Distributions build inih with different switches (multi-line values, inline comments, length of
 * a line), and it tells the first bad line only. So inih gets its lines from next_line(), which
 * hands it those alone that it understands one way, tells the others, and knows the line number:
 * - spaces in front are taken off: inih would take the line for more of the value before;
 * - `;` or `#` behind a space begins a comment, without the space it is part of the value;
 * - a line that inih would cut in two is refused.
 */
#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/log.h"
#include "util/options.h"

/* All sections that there are. A line of a section that another command reads is not looked at. */
static const struct {
	const char *kind;
	bool named; /* [kind NAME] */
} sections[] = {
	{ "traffic-meter", false },
	{ "export", true },
	{ "serve", false },
	{ "alert", true },
};

#define N_SECTIONS (sizeof(sections) / sizeof(sections[0]))

struct config_reader {
	const struct traffic_option *options;
	void *base;
	const char *path;
	const char *kind; /* of the sections that are read */
	options_begin_section_fn begin;
	void *userdata;
	FILE *file;
	char *line; /* of getline() */
	size_t line_size;
	unsigned int line_number;
	bool skip; /* the section is another command's, or unknown: its lines are not looked at */
	bool bad_lines;
	int error; /* negative errno of what failed beside the lines; 0 */
};

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Takes spaces and comments off, in place. */
static char *trim(char *line)
{
	size_t length;

	while (is_space(*line))
		line++;
	if (*line == ';' || *line == '#')
		*line = '\0';
	for (char *c = line; *c; c++)
		if (is_space(*c) && (c[1] == ';' || c[1] == '#'))
			*c = '\0';
	length = strlen(line);
	while (length && is_space(line[length - 1]))
		line[--length] = '\0';
	return line;
}

/* Why inih can't have the line; NULL: it can. hidden: bytes behind a NUL. size: inih's room. */
static const char *find_fault(const char *line, size_t hidden, int size)
{
	size_t length = strlen(line), name = strcspn(line, "=:");

	if (hidden)
		return "there is a zero byte in the line";
	if (length > (size_t)size - 2)
		return "the line is too long";
	if (*line == '[')
		return line[length - 1] == ']' ? NULL : "']' is missing";
	if (*line && (name == 0 || line[name] != '='))
		return "this is not NAME = VALUE";
	return NULL;
}

static void complain(struct config_reader *reader, const char *fault, const char *line, int size)
{
	reader->bad_lines = true;
	if (strlen(line) > (size_t)size - 2)
		log_error("%s:%u: %s; %d characters at most", reader->path, reader->line_number,
			  fault, size - 2);
	else
		log_error("%s:%u: %s: '%s'", reader->path, reader->line_number, fault, line);
}

static int complain_section(const struct config_reader *reader, const char *line)
{
	char known[128] = "";
	size_t used = 0;

	for (size_t i = 0; i < N_SECTIONS; i++)
		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s[%s%s]",
					 i ? ", " : "", sections[i].kind,
					 sections[i].named ? " NAME" : "");
	log_error("%s:%u: unknown section '%s'; there are %s", reader->path, reader->line_number,
		  line, known);
	return -EINVAL;
}

/* Takes "[kind]" or "[kind NAME]" apart, in place. name: NULL where the kind has none. */
static int split_section(char *line, const char **ret_kind, const char **ret_name)
{
	char *kind = line + 1, *name;
	size_t length = strlen(kind);

	kind[length - 1] = '\0';
	kind = trim(kind);
	name = kind + strcspn(kind, " \t");
	if (*name)
		*name++ = '\0';
	name = trim(name);
	for (size_t i = 0; i < N_SECTIONS; i++) {
		if (strcmp(kind, sections[i].kind) == 0 && sections[i].named == (*name != '\0')) {
			*ret_kind = sections[i].kind;
			*ret_name = sections[i].named ? name : NULL;
			return 0;
		}
	}
	return -ENOENT;
}

/* Sees a section's line before inih does, which says nothing of a section without values. */
static int enter_section(struct config_reader *reader, const char *line)
{
	_cleanup_free_ char *copy = strdup(line);
	_cleanup_free_ char *where = NULL;
	const char *kind, *name;

	reader->skip = true;
	if (!copy || asprintf(&where, "%s:%u", reader->path, reader->line_number) < 0) {
		where = NULL;
		return reader->error = -ENOMEM;
	}
	if (split_section(copy, &kind, &name) < 0)
		return complain_section(reader, line);
	if (strcmp(kind, reader->kind) != 0)
		return 0;
	reader->skip = false;
	return reader->begin ? reader->begin(reader->userdata, name, where, &reader->base) : 0;
}

/* fgets() as inih wants it: one line into buffer, NULL at the end. */
static char *next_line(char *buffer, int size, void *stream)
{
	struct config_reader *reader = stream;
	const char *fault;
	size_t hidden;
	ssize_t length;
	char *line;

	errno = 0;
	length = getline(&reader->line, &reader->line_size, reader->file);
	if (length < 0) {
		if (!feof(reader->file))
			reader->error = errno ? -errno : -EIO;
		return NULL;
	}
	reader->line_number++;
	hidden = (size_t)length - strlen(reader->line);
	line = reader->line;
	if (reader->line_number == 1 && strncmp(line, "\xEF\xBB\xBF", 3) == 0)
		line += 3;
	line = trim(line);

	buffer[0] = '\0';
	fault = find_fault(line, hidden, size);
	if (fault && !(reader->skip && *line != '['))
		complain(reader, fault, line, size);
	else if (*line == '[' && enter_section(reader, line) < 0)
		reader->bad_lines = reader->skip = true;
	if (!fault && *line != '[' && !reader->skip)
		snprintf(buffer, (size_t)size, "%s", line);
	/* An empty line keeps inih going: an empty buffer is one. */
	return buffer;
}

static int take_value(void *user, const char *section, const char *name, const char *value)
{
	struct config_reader *reader = user;
	_cleanup_free_ char *where = NULL;
	int r;

	(void)section;
	if (asprintf(&where, "%s:%u", reader->path, reader->line_number) < 0) {
		where = NULL;
		reader->error = -ENOMEM;
		return 1;
	}
	r = options_set_by_name(reader->options, reader->base, name, value, where);
	if (r < 0)
		reader->bad_lines = true;
	return 1; /* 0 would make some builds of inih stop here */
}

static int read_config(struct config_reader *reader)
{
	_cleanup_fclose_ FILE *file = fopen(reader->path, "re");
	int r;

	if (!file)
		return -errno;
	reader->file = file;
	r = ini_parse_stream(next_line, reader, take_value, reader);
	free(reader->line);
	if (reader->error)
		return reader->error;
	if (r == -2)
		return -ENOMEM;
	if (r > 0 && !reader->bad_lines) {
		/* Never seen: next_line() has a fault less than this build of inih. */
		log_error("%s:%d: this is not NAME = VALUE", reader->path, r);
		return -EINVAL;
	}
	return reader->bad_lines ? -EINVAL : 0;
}

int options_read_file(const struct traffic_option *options, void *base, const char *path)
{
	struct config_reader reader = {
		.options = options, .base = base, .path = path, .kind = sections[0].kind
	};

	return read_config(&reader);
}

int options_read_sections(const struct traffic_option *options, const char *kind, const char *path,
			  options_begin_section_fn begin, void *userdata)
{
	struct config_reader reader = {
		.options = options,
		.path = path,
		.kind = kind,
		.begin = begin,
		.userdata = userdata,
		.skip = true, /* lines before the first section are run's */
	};

	return read_config(&reader);
}
