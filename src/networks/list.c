// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The untracked list as lines of a text: comments, line ends, where a network stood, and the file
 * it came from. What one network means is parse.c's.
 */
#include "networks/networks.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"
#include "util/log.h"

#define LINE_MAX_BYTES 4096
#define ERROR_TEXT_MAX 64

/* Millions of networks. Who hands us /dev/zero gets an error, not the machine's memory. */
#define FILE_MAX_BYTES (64u << 20)

int network_list_add(struct network_list *list, const struct network *network)
{
	if (list->n == list->n_allocated) {
		size_t n = list->n_allocated ? list->n_allocated * 2 : 64;
		struct network *grown = reallocarray(list->networks, n, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		list->networks = grown;
		list->n_allocated = n;
	}
	list->networks[list->n++] = *network;
	return 0;
}

void network_list_free(struct network_list *list)
{
	free(list->networks);
	*list = (struct network_list){ 0 };
}

void network_log_error(void *userdata, const char *path, unsigned int line, const char *text,
		       const char *why)
{
	(void)userdata;
	log_error("%s:%u: `%s`: %s", path, line, text, why);
}

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

/* 1: *ret is the line's network; 0: the line holds none; -EINVAL: *text is what is wrong. */
static int parse_line(const char **text, size_t *length, struct network *ret,
		      char why[NETWORK_WHY_MAX])
{
	int r;

	if (memchr(*text, '\0', *length)) {
		snprintf(why, NETWORK_WHY_MAX, "holds a NUL byte; save the list as plain text");
		return -EINVAL;
	}
	if (*length > LINE_MAX_BYTES) {
		snprintf(why, NETWORK_WHY_MAX, "is a line of %zu bytes; at most %d are read",
			 *length, LINE_MAX_BYTES);
		return -EINVAL;
	}
	strip_line(text, length);
	if (!*length)
		return 0;
	r = network_parse(*text, *length, ret, why);
	return r < 0 ? r : 1;
}

int network_list_parse(const char *data, size_t size, const char *path, network_error_fn on_error,
		       void *userdata, struct network_list *ret_list)
{
	_cleanup_(network_list_free) struct network_list list = { 0 };
	unsigned int line = 0;
	bool failed = false;

	while (size) {
		const char *newline = memchr(data, '\n', size), *text = data;
		size_t length = newline ? (size_t)(newline - data) : size;
		size_t step = newline ? length + 1 : length;
		char printable[ERROR_TEXT_MAX + 1], why[NETWORK_WHY_MAX];
		struct network network;
		int r;

		data += step;
		size -= step;
		line++;
		r = parse_line(&text, &length, &network, why);
		if (r < 0) {
			printable_text(text, length, printable);
			on_error(userdata, path, line, printable, why);
			failed = true;
		}
		if (r <= 0 || failed)
			continue;
		network.line = line;
		r = network_list_add(&list, &network);
		if (r < 0)
			return r;
	}
	if (failed)
		return -EINVAL;
	*ret_list = list;
	list = (struct network_list){ 0 };
	return 0;
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

int network_list_read(const char *path, network_error_fn on_error, void *userdata,
		      struct network_list *ret_list)
{
	_cleanup_close_ int opened = -1;
	_cleanup_free_ char *data = NULL;
	bool is_stdin = strcmp(path, "-") == 0;
	size_t size = 0;
	int r;

	if (!is_stdin) {
		opened = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (opened < 0)
			return errno == EINVAL ? -EIO : -errno;
	}
	r = read_all(is_stdin ? STDIN_FILENO : opened, &data, &size);
	if (r < 0)
		return r;
	return network_list_parse(data, size, is_stdin ? "standard input" : path, on_error,
				  userdata, ret_list);
}
