// SPDX-License-Identifier: GPL-2.0-or-later
#include "account/subuid_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account/subuid.h"
#include "util/cleanup.h"
#include "util/log.h"

_Static_assert(SUBUID_FIRST == 65536, "a message names it");

void subuid_file_free(struct subuid_file *file)
{
	for (size_t i = 0; i < file->n_lines; i++)
		free(file->lines[i].name);
	free(file->lines);
	uid_ranges_free(&file->ranges);
	*file = (struct subuid_file){ 0 };
}

/* Decimal digits and nothing else; what is too large becomes UINT64_MAX. */
static bool parse_number(const char *text, uint64_t *ret)
{
	if (!*text || text[strspn(text, "0123456789")])
		return false;
	*ret = strtoull(text, NULL, 10);
	return true;
}

/* Cut a line into its fields and check them. NULL, or what is wrong. */
static const char *parse_line(char *line, char **ret_name, uint64_t *ret_start, uint64_t *ret_count)
{
	char *start, *count;

	*ret_name = line;
	start = strchr(line, ':');
	count = start ? strchr(start + 1, ':') : NULL;
	if (!count || start == line)
		return "is not name:start:count";
	*start++ = '\0';
	*count++ = '\0';
	if (!parse_number(start, ret_start))
		return "the start is not a number";
	if (!parse_number(count, ret_count))
		return "the count is not a number";
	if (*ret_start > UINT32_MAX)
		return "the start is past the last uid";
	if (*ret_count == 0)
		return "the count is 0";
	if (*ret_start < SUBUID_FIRST && *ret_count <= SUBUID_FIRST - *ret_start)
		return "uids below 65536 are never charged to another";
	return NULL;
}

static int add_owner(struct subuid_file *file, const char *name, unsigned int number)
{
	struct subuid_line *line;
	uint64_t uid;

	if (file->n_lines == file->n_allocated) {
		size_t n = file->n_allocated ? file->n_allocated * 2 : 16;
		struct subuid_line *grown = realloc(file->lines, n * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		file->lines = grown;
		file->n_allocated = n;
	}
	line = &file->lines[file->n_lines];
	*line = (struct subuid_line){ .number = number };
	if (parse_number(name, &uid) && uid <= UINT32_MAX) {
		line->uid = (uint32_t)uid;
		line->known = true;
	} else {
		line->name = strdup(name);
		if (!line->name)
			return -ENOMEM;
	}
	file->n_lines++;
	return 0;
}

/* length: with what stands behind a NUL byte. */
static int add_line(struct subuid_file *file, const char *path, unsigned int number, char *line,
		    size_t length)
{
	uint64_t start, count;
	const char *wrong;
	char *name;
	int r;

	wrong = strlen(line) != length ? "has a NUL byte" : NULL;
	line[strcspn(line, "\n")] = '\0';
	name = line + strspn(line, " \t");
	if (!wrong && (!*name || *name == '#'))
		return 0;
	if (!wrong)
		wrong = parse_line(line, &name, &start, &count);
	if (wrong) {
		log_warning("%s:%u: %s; the line is left out", path, number, wrong);
		return 0;
	}
	if (count > UINT32_MAX - start)
		count = UINT32_MAX - start + 1;
	r = add_owner(file, name, number);
	if (r < 0)
		return r;
	return uid_ranges_add(&file->ranges, (uint32_t)start, (uint32_t)(start + count - 1),
			      (uint32_t)(file->n_lines - 1));
}

static int read_lines(struct subuid_file *file, const char *path, FILE *stream)
{
	_cleanup_free_ char *line = NULL;
	unsigned int number = 0;
	size_t size = 0;
	ssize_t length;

	errno = 0;
	while ((length = getline(&line, &size, stream)) >= 0) {
		int r = add_line(file, path, ++number, line, (size_t)length);

		if (r < 0)
			return r;
		errno = 0;
	}
	return feof(stream) ? 0 : errno ? -errno : -EIO;
}

int subuid_file_read(struct subuid_file *ret, const char *path)
{
	_cleanup_(subuid_file_free) struct subuid_file file = { 0 };
	_cleanup_fclose_ FILE *stream = fopen(path, "re");
	int r;

	if (!stream && errno != ENOENT)
		return -errno;
	if (stream) {
		if (fstat(fileno(stream), &file.stat) < 0)
			return -errno;
		r = read_lines(&file, path, stream);
		if (r < 0)
			return r;
	}
	*ret = file;
	file = (struct subuid_file){ 0 };
	return 0;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool subuid_file_has_changed(const struct subuid_file *file, const char *path)
{
	const struct stat *old = &file->stat;
	struct stat new;

	if (stat(path, &new) < 0)
		return errno != ENOENT || old->st_ino;
	/* The time of the inode too: an editor may set the other back. */
	return new.st_ino != old->st_ino || new.st_dev != old->st_dev ||
	       new.st_size != old->st_size || !same_time(new.st_mtim, old->st_mtim) ||
	       !same_time(new.st_ctim, old->st_ctim);
}
