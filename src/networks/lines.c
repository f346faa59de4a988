// SPDX-License-Identifier: GPL-2.0-or-later
#include "networks/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"

#define LINE_MAX_BYTES 4096
#define ERROR_TEXT_MAX 64

/* Millions of networks. Who hands us /dev/zero gets an error, not the machine's memory. */
#define FILE_MAX_BYTES (64u << 20)

/* Bytes of a file go to a terminal: only the harmless ones do so as they are. */
static void printable_text(const char *text, size_t length, char ret[ERROR_TEXT_MAX + 1])
{
	if (length > ERROR_TEXT_MAX)
		length = ERROR_TEXT_MAX;
	for (size_t i = 0; i < length; i++)
		ret[i] = (char)(text[i] >= ' ' && text[i] <= '~' ? text[i] : '?');
	ret[length] = '\0';
}

/* Narrow a line to its network: without comment, white space around, and the CR of a CRLF. */
static void strip_line(const char **text, size_t *length)
{
	const char *start = *text, *end = start + *length;
	const char *comment;

	if (end > start && end[-1] == '\r')
		end--;
	comment = memchr(start, '#', (size_t)(end - start));
	if (comment)
		end = comment;
	while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	while (start < end && (*start == ' ' || *start == '\t'))
		start++;
	*text = start;
	*length = (size_t)(end - start);
}

/* Returns 1: the line is narrowed to what it holds; 0: it holds nothing; or -EINVAL. */
static int strip(struct network_line *line, char why[NETWORK_WHY_MAX])
{
	if (memchr(line->text, '\0', line->length)) {
		snprintf(why, NETWORK_WHY_MAX, "holds a NUL byte; save the list as plain text");
		return -EINVAL;
	}
	if (line->length > LINE_MAX_BYTES) {
		snprintf(why, NETWORK_WHY_MAX, "is a line of %zu bytes; at most %d are read",
			 line->length, LINE_MAX_BYTES);
		return -EINVAL;
	}
	strip_line(&line->text, &line->length);
	return line->length > 0;
}

int network_lines_parse(const char *data, size_t size, const char *path, network_error_fn on_error,
			void *userdata, network_line_fn take, void *take_data)
{
	struct network_line line = { 0 };
	unsigned int number = 0;
	bool failed = false;

	while (size) {
		const char *newline = memchr(data, '\n', size);
		size_t step = newline ? (size_t)(newline - data) + 1 : size;
		char printable[ERROR_TEXT_MAX + 1], why[NETWORK_WHY_MAX];
		int r;

		line = (struct network_line){ data, newline ? step - 1 : step, ++number };
		data += step;
		size -= step;
		r = strip(&line, why);
		if (r > 0)
			r = take(take_data, &line, why);
		if (r == -EINVAL) {
			printable_text(line.text, line.length, printable);
			on_error(userdata, path, number, printable, why);
			failed = true;
		} else if (r < 0) {
			return r;
		}
	}
	return failed ? -EINVAL : 0;
}

/* Read to the end. *ret is allocated, the caller's. */
static int read_all(int fd, char **ret, size_t *ret_size)
{
	_cleanup_free_ char *data = NULL;
	size_t size = 0, allocated = 0;
	struct stat status;

	/* The size is a hint only: a pipe has none, and a file may grow meanwhile. One byte more
	 * lets the read that finds the end do so without growing the buffer. */
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size < FILE_MAX_BYTES)
		allocated = (size_t)status.st_size + 1;
	if (allocated < 4096)
		allocated = 4096;
	data = malloc(allocated);
	if (!data)
		return -ENOMEM;
	for (;;) {
		ssize_t n;

		if (size == allocated) {
			char *grown = realloc(data, allocated * 2);

			if (!grown)
				return -ENOMEM;
			data = grown;
			allocated *= 2;
		}
		n = read(fd, data + size, allocated - size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) /* -EINVAL would mean a list with errors that were told */
			return errno == EINVAL ? -EIO : -errno;
		if (n == 0)
			break;
		size += (size_t)n;
		if (size > FILE_MAX_BYTES)
			return -EFBIG;
	}
	*ret = steal_pointer(data);
	*ret_size = size;
	return 0;
}

int network_text_read(const char *path, char **ret, size_t *ret_size)
{
	_cleanup_close_ int opened = -1;
	bool is_stdin = strcmp(path, "-") == 0;

	if (!is_stdin) {
		opened = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (opened < 0)
			return errno == EINVAL ? -EIO : -errno;
	}
	return read_all(is_stdin ? STDIN_FILENO : opened, ret, ret_size);
}

const char *network_text_name(const char *path)
{
	return strcmp(path, "-") == 0 ? "standard input" : path;
}
