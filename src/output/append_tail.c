// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads backwards from the end, and bounded: whoever owns the file may have put anything there. */
#include "output/append_tail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"

/* Most lines are a lot shorter than the longest there can be. */
#define FIRST_WINDOW 1024

/* A file system may grow a file before it has the data (power loss): NULs, at most what was written
 * in the seconds before. */
#define NULS_MAX (64 << 20)

/* Read at a time, and at most of a file, when it is walked: seconds at the start of a meter. */
#define WALK_WINDOW ((size_t)256 << 10)
#define WALK_MAX    ((off_t)1 << 30)

/* So much of a piece of a line tells whose it is. */
#define BEGINNING_BYTES 256

#define READ_FLAGS (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)

struct tail {
	char *line;	/* or NULL */
	off_t end;	/* of the last complete line, its newline included; 0: there is none */
	off_t torn_end; /* of the piece of a line behind it: where NULs or the file's end follow */
};

static int read_at(int fd, char *to, size_t n, off_t at)
{
	while (n) {
		ssize_t r = pread(fd, to, n, at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? -errno : -EIO; /* it has shrunk under us */
		to += r;
		at += r;
		n -= (size_t)r;
	}
	return 0;
}

/* *size: where the NULs at the end begin. -EFBIG: they are too many. */
static int skip_nuls(int fd, off_t *size)
{
	const off_t first = *size;
	char block[4096];

	while (*size > 0) {
		size_t n = *size < (off_t)sizeof(block) ? (size_t)*size : sizeof(block);
		int r = read_at(fd, block, n, *size - (off_t)n);

		if (r < 0)
			return r;
		while (n && !block[n - 1]) {
			n--;
			*size -= 1;
		}
		if (n)
			return 0;
		if (first - *size > NULS_MAX)
			return -EFBIG;
	}
	return 0;
}

/* In the last `window` bytes before `end`. -EAGAIN: it takes more of them; but ret->end, if it was
 * found, is right. */
static int find_line(int fd, off_t end, size_t window, struct tail *ret)
{
	_cleanup_free_ char *text = malloc(window);
	char *newline, *before;
	off_t start;
	int r;

	*ret = (struct tail){ 0 };
	if (!text)
		return -ENOMEM;
	if ((off_t)window > end)
		window = (size_t)end;
	start = end - (off_t)window;
	r = read_at(fd, text, window, start);
	if (r < 0)
		return r;
	newline = memrchr(text, '\n', window);
	if (!newline && start > 0)
		return -EAGAIN;
	if (!newline)
		return 0;
	ret->end = start + (newline - text) + 1;
	before = memrchr(text, '\n', (size_t)(newline - text));
	if (!before && start > 0)
		return -EAGAIN;
	before = before ? before + 1 : text;
	*newline = '\0';
	ret->line = strdup(before);
	return ret->line ? 0 : -ENOMEM;
}

/* -EFBIG: the piece behind the last line is longer than any line. */
static int read_tail(int fd, off_t size, size_t line_max, struct tail *ret)
{
	off_t end = size;
	int r = skip_nuls(fd, &end);

	*ret = (struct tail){ 0 };
	if (r < 0)
		return r;
	/* A torn line and a whole one, with its newline and the one before. */
	r = find_line(fd, end, FIRST_WINDOW, ret);
	if (r == -EAGAIN)
		r = find_line(fd, end, 2 * line_max + 2, ret);
	if (r < 0 && r != -EAGAIN)
		return r;
	if (r == 0 && ret->line && strlen(ret->line) > line_max)
		free(steal_pointer(ret->line));
	ret->torn_end = end;
	return end - ret->end > (off_t)line_max ? -EFBIG : 0;
}

/* Returns 0 when the piece behind the last line begins as one of ours, or there is none; -EFBIG when it
 * is somebody else's text; or an error. */
static int judge_torn(int fd, const struct tail *tail, append_tail_begins *begins)
{
	char text[BEGINNING_BYTES];
	size_t n = sizeof(text);
	int r;

	if (tail->torn_end - tail->end < (off_t)n)
		n = (size_t)(tail->torn_end - tail->end);
	if (!n)
		return 0;
	r = read_at(fd, text, n, tail->end);
	if (r < 0)
		return r;
	return begins(text, n) ? 0 : -EFBIG;
}

int append_tail_repair(struct append_file *file, size_t line_max, append_tail_begins *begins,
		       char **ret_line, uint64_t *ret_cut, char *words, size_t words_size)
{
	_cleanup_free_ char *line = NULL;
	struct stat before, now;
	struct tail tail;
	int r;

	if (fstat(file->fd, &before) < 0)
		return -errno;
	r = read_tail(file->fd, before.st_size, line_max, &tail);
	line = tail.line;
	if (r == 0)
		r = judge_torn(file->fd, &tail, begins);
	if (r == -EFBIG) {
		snprintf(words, words_size,
			 "ends in what is no line of the meter's: look at it, and remove it");
		return -EPERM;
	}
	if (r < 0)
		return r;
	/* Somebody who is writing to it at this moment is writing the rest of it, perhaps. */
	if (fstat(file->fd, &now) < 0)
		return -errno;
	*ret_cut = now.st_size == before.st_size ? (uint64_t)(before.st_size - tail.end) : 0;
	if (*ret_cut && ftruncate(file->fd, tail.end) < 0) {
		if (errno != EPERM)
			return -errno;
		snprintf(words, words_size,
			 "ends in half a row that can't be cut off: look at lsattr");
		return -EPERM;
	}
	file->is_empty = now.st_size == (off_t)*ret_cut;
	*ret_line = steal_pointer(line);
	return 0;
}

/* Is it what `name` became when it was rotated? */
static bool is_rotated_name(const char *candidate, const char *name)
{
	static const char *const compressed[] = { ".gz", ".xz", ".zst", ".bz2", ".lz4", ".Z" };
	size_t length = strlen(candidate), n = strlen(name);

	if (strncmp(candidate, name, n) != 0 || (candidate[n] != '.' && candidate[n] != '-'))
		return false;
	for (size_t i = 0; i < sizeof(compressed) / sizeof(*compressed); i++) {
		size_t suffix = strlen(compressed[i]);

		if (length > suffix && strcmp(candidate + length - suffix, compressed[i]) == 0)
			return false;
	}
	return true;
}

static bool is_later(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec != b->st_mtim.tv_sec ? a->st_mtim.tv_sec > b->st_mtim.tv_sec
						      : a->st_mtim.tv_nsec > b->st_mtim.tv_nsec;
}

/* The next one's name; NULL: there is none, and errno says whether that is so. */
static const char *next_rotated(DIR *entries, const char *name, const struct append_policy *policy,
				struct stat *ret_status)
{
	const struct dirent *entry;
	char words[160];

	while (errno = 0, (entry = readdir(entries)))
		if (is_rotated_name(entry->d_name, name) &&
		    fstatat(dirfd(entries), entry->d_name, ret_status, AT_SYMLINK_NOFOLLOW) == 0 &&
		    append_file_judge(ret_status, policy, words, sizeof(words)) == 0)
			return entry->d_name;
	return NULL;
}

/* The newest one's name; empty: there is none. */
static int find_rotated(DIR *entries, const char *name, const struct append_policy *policy,
			char ret_name[NAME_MAX + 1])
{
	struct stat newest = { 0 }, status;
	const char *candidate;

	*ret_name = '\0';
	while ((candidate = next_rotated(entries, name, policy, &status))) {
		if (*ret_name && !is_later(&status, &newest))
			continue;
		newest = status;
		snprintf(ret_name, NAME_MAX + 1, "%s", candidate);
	}
	return -errno;
}

static void close_entries(DIR **entries)
{
	if (*entries)
		closedir(*entries);
}

/* Of the directory that `path` names something in; *ret_name: what it is called there. NULL, and errno. */
static DIR *open_entries(int directory_fd, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *directory =
		slash ? strndup(path, (size_t)(slash + 1 - path)) : strdup(".");
	_cleanup_close_ int fd = -1;
	DIR *entries;

	if (!directory)
		return NULL;
	fd = openat(directory_fd, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	entries = fd < 0 ? NULL : fdopendir(fd);
	if (entries)
		steal_fd(&fd);
	*ret_name = slash ? slash + 1 : path;
	return entries;
}

/* The descriptor of a file that passes for ours; -ENOENT: there is none. */
static int open_ours(int directory_fd, const char *name, const struct append_policy *policy,
		     off_t *ret_size)
{
	_cleanup_close_ int fd = openat(directory_fd, name, READ_FLAGS);
	struct stat status;
	char words[160];

	if (fd < 0)
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -errno : -ENOENT;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (append_file_judge(&status, policy, words, sizeof(words)) < 0)
		return -ENOENT;
	*ret_size = status.st_size;
	return steal_fd(&fd);
}

int append_tail_read(int directory_fd, const char *name, const struct append_policy *policy,
		     size_t line_max, char **ret_line)
{
	off_t size = 0;
	_cleanup_close_ int fd = open_ours(directory_fd, name, policy, &size);
	struct tail tail = { 0 };
	int r;

	*ret_line = NULL;
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = read_tail(fd, size, line_max, &tail);
	if (r < 0 && r != -EFBIG)
		return r;
	*ret_line = tail.line;
	return 0;
}

int append_tail_of_rotated(int directory_fd, const char *path, const struct append_policy *policy,
			   size_t line_max, char **ret_line)
{
	const char *name;
	_cleanup_(close_entries) DIR *entries = open_entries(directory_fd, path, &name);
	char rotated[NAME_MAX + 1];
	int r;

	if (!entries)
		return -errno;
	r = find_rotated(entries, name, policy, rotated);
	if (r < 0)
		return r;
	*ret_line = NULL;
	return *rotated ? append_tail_read(dirfd(entries), rotated, policy, line_max, ret_line) : 0;
}

/* The lines in text[0..n), the last one first, but for a piece in front that may be the end of one. *ret_start:
 * where the first of them began; n: there was none. What `line` says. */
static int walk_lines(char *text, size_t n, bool is_start, append_tail_line *line, void *userdata,
		      size_t *ret_start)
{
	char *newline = memrchr(text, '\n', n), *before;
	int r = 0;

	*ret_start = n;
	for (; newline && r == 0; newline = before) {
		before = memrchr(text, '\n', (size_t)(newline - text));
		if (!before && !is_start)
			break;
		*newline = '\0';
		*ret_start = before ? (size_t)(before + 1 - text) : 0;
		r = line(userdata, text + *ret_start);
	}
	return r;
}

/* Window by window; a line that is longer than one is no line of ours, and is passed over. */
static int walk_file(int fd, off_t end, size_t line_max, append_tail_line *line, void *userdata)
{
	size_t window = line_max + 2 > WALK_WINDOW ? line_max + 2 : WALK_WINDOW;
	_cleanup_free_ char *text = malloc(window);
	off_t lowest = end > WALK_MAX ? end - WALK_MAX : 0;
	int r = 0;

	if (!text)
		return -ENOMEM;
	while (end > lowest && r == 0) {
		size_t n = end < (off_t)window ? (size_t)end : window, start;
		off_t at = end - (off_t)n;

		r = read_at(fd, text, n, at);
		if (r < 0)
			return r;
		r = walk_lines(text, n, at == 0, line, userdata, &start);
		end = start < n && at > 0 ? at + (off_t)start : at;
	}
	if (r == 0 && lowest)
		return -EFBIG;
	return r < 0 ? r : 0;
}

static int walk_name(int directory_fd, const char *name, const struct append_policy *policy,
		     size_t line_max, append_tail_line *line, void *userdata)
{
	off_t size = 0;
	_cleanup_close_ int fd = open_ours(directory_fd, name, policy, &size);
	int r;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = skip_nuls(fd, &size);
	return r < 0 ? r : walk_file(fd, size, line_max, line, userdata);
}

int append_tail_walk(int directory_fd, const char *path, const struct append_policy *policy,
		     size_t line_max, append_tail_line *line, void *userdata)
{
	const char *name, *rotated;
	_cleanup_(close_entries) DIR *entries = open_entries(directory_fd, path, &name);
	struct stat status;
	int r;

	if (!entries)
		return -errno;
	r = walk_name(dirfd(entries), name, policy, line_max, line, userdata);
	while ((r == 0 || r == -EFBIG) &&
	       (rotated = next_rotated(entries, name, policy, &status))) {
		bool is_cut = r == -EFBIG;

		r = walk_name(dirfd(entries), rotated, policy, line_max, line, userdata);
		if (r == 0 && is_cut)
			r = -EFBIG;
	}
	return r ?: -errno;
}
