// SPDX-License-Identifier: GPL-2.0-or-later
#include "account/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"

#define OPEN_FLAGS (O_NOFOLLOW | O_CLOEXEC | O_NOCTTY)

/* Put the words, and the system's for the error, if there is one. Returns it. */
static int fail(char words[STATE_WORDS_MAX], int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(char words[STATE_WORDS_MAX], int error, const char *format, ...)
{
	char buffer[128];
	va_list arguments;
	int used;

	va_start(arguments, format);
	used = vsnprintf(words, STATE_WORDS_MAX, format, arguments);
	va_end(arguments);
	if (used >= 0 && used < STATE_WORDS_MAX)
		snprintf(words + used, (size_t)(STATE_WORDS_MAX - used), ": %s",
			 strerror_r(-error, buffer, sizeof(buffer)));
	return error;
}

/* subject: what begins the words; may be empty. */
static int refuse(char words[STATE_WORDS_MAX], const char *subject, const char *why)
{
	snprintf(words, STATE_WORDS_MAX, "%s%s%s", subject, *subject ? " " : "", why);
	return -EPERM;
}

int state_names_init(struct state_names *names, const char *instance, char words[STATE_WORDS_MAX])
{
	const int size = sizeof(names->current);

	if (!*instance || strchr(instance, '/') ||
	    snprintf(names->unread, (size_t)size, "%s.totals.unread", instance) >= size) {
		snprintf(words, STATE_WORDS_MAX, "'%.64s' can't be part of a file's name",
			 instance);
		return -EINVAL;
	}
	/* The longest fits, so the others do. */
	snprintf(names->before, (size_t)size, "%s.totals.before", instance);
	snprintf(names->new, (size_t)size, "%s.totals.new", instance);
	snprintf(names->current, (size_t)size, "%s.totals", instance);
	return 0;
}

static bool is_trusted(uid_t owner)
{
	return owner == 0 || owner == geteuid();
}

static int judge_directory(const struct stat *status, char words[STATE_WORDS_MAX])
{
	if (!S_ISDIR(status->st_mode)) {
		snprintf(words, STATE_WORDS_MAX, "is no directory");
		return -ENOTDIR;
	}
	if (!is_trusted(status->st_uid)) {
		snprintf(words, STATE_WORDS_MAX,
			 "belongs to uid %u, neither to root nor to the meter's uid %u: chown it",
			 status->st_uid, geteuid());
		return -EPERM;
	}
	if (status->st_mode & (S_IWGRP | S_IWOTH))
		return refuse(words, "", "may be written by others than its owner: chmod go-w");
	return 0;
}

/* What is looked at is what is opened: only the link to another place, if it is one that we trust,
 * is followed by the kernel. */
int state_directory_open(const char *path, bool make, int *ret_fd, char words[STATE_WORDS_MAX])
{
	_cleanup_close_ int path_fd = -1, fd = -1;
	bool made = make && mkdir(path, 0700) == 0;
	struct stat status;
	int r;

	if (make && !made && errno != EEXIST)
		return fail(words, -errno, "make it");
	path_fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (path_fd < 0 || fstat(path_fd, &status) < 0)
		return fail(words, -errno, "open it");
	if (S_ISLNK(status.st_mode)) {
		if (!is_trusted(status.st_uid))
			return refuse(words, "", "is a symbolic link of another user's: remove it");
		close(path_fd);
		path_fd = open(path, O_PATH | O_CLOEXEC);
		if (path_fd < 0 || fstat(path_fd, &status) < 0)
			return fail(words, -errno, "open what it is a link to");
	}
	r = judge_directory(&status, words);
	if (r < 0)
		return r;
	fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || (made && fchmod(fd, 0750) < 0))
		return fail(words, -errno, "open it");
	*ret_fd = steal_fd(&fd);
	return 0;
}

static const char *type_words(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFLNK:
		return "is a symbolic link; not followed: remove it";
	case S_IFDIR:
		return "is a directory: remove it";
	case S_IFIFO:
		return "is a FIFO; not opened: remove it";
	case S_IFSOCK:
		return "is a socket: remove it";
	default:
		return "is a device; not opened: remove it";
	}
}

/* Is it a file that nobody but root and we could have written? */
static int judge_file(const struct stat *status, const char *subject, char words[STATE_WORDS_MAX])
{
	if (!S_ISREG(status->st_mode))
		return refuse(words, subject, type_words(status->st_mode));
	if (!is_trusted(status->st_uid))
		return refuse(words, subject, "is another user's: remove it");
	if (status->st_nlink > 1)
		return refuse(words, subject, "has more names than one (hard links): remove it");
	if (status->st_mode & (S_IWGRP | S_IWOTH))
		return refuse(words, subject,
			      "may be written by others than its owner: chmod go-w");
	return 0;
}

/* All of it, by one more byte than it should have, so that a file that grows is found out. */
static int read_text(int fd, size_t size, char **ret_text, size_t *ret_length)
{
	_cleanup_free_ char *text = malloc(size + 1);
	size_t length = 0;

	if (!text)
		return -ENOMEM;
	while (length <= size) {
		ssize_t n = read(fd, text + length, size + 1 - length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		length += (size_t)n;
	}
	if (length > size)
		return -EFBIG;
	*ret_text = steal_pointer(text);
	*ret_length = length;
	return 0;
}

int state_file_read(int directory_fd, const char *name, struct state *ret,
		    char words[STATE_WORDS_MAX])
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	struct stat status;
	size_t length = 0;
	int r;

	/* Opening a device or a FIFO can do things by itself. */
	if (fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(words, -errno, "can't be read");
	r = judge_file(&status, "", words);
	if (r < 0)
		return r;
	fd = openat(directory_fd, name, O_RDONLY | O_NONBLOCK | OPEN_FLAGS);
	if (fd < 0 || fstat(fd, &status) < 0)
		return fail(words, -errno, "can't be read");
	r = judge_file(&status, "", words);
	if (r < 0)
		return r;
	if (status.st_size > (off_t)STATE_TEXT_MAX) {
		snprintf(words, STATE_WORDS_MAX, "has %jd bytes, too many for a file of totals",
			 (intmax_t)status.st_size);
		return -EBADMSG;
	}
	r = read_text(fd, (size_t)status.st_size, &text, &length);
	if (r < 0)
		return fail(words, r, "can't be read");
	return state_text_parse(text, length, ret, words);
}

/* Nothing but files of ours at the four names. *ret_current: the current one; .inode is 0 if there
 * is none. */
static int judge_names(int directory_fd, const struct state_names *names,
		       struct state_file_id *ret_current, char words[STATE_WORDS_MAX])
{
	const char *const all[] = { names->new, names->before, names->unread, names->current };
	struct stat status;
	int r;

	*ret_current = (struct state_file_id){ 0 };
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		if (fstatat(directory_fd, all[i], &status, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno != ENOENT)
				return fail(words, -errno, "look at %s", all[i]);
			continue;
		}
		r = judge_file(&status, all[i], words);
		if (r < 0)
			return r;
		if (all[i] == names->current)
			*ret_current = (struct state_file_id){ status.st_dev, status.st_ino,
							       status.st_size, status.st_mtim };
	}
	return 0;
}

static int write_text(int fd, const char *text, size_t length)
{
	while (length) {
		ssize_t written = write(fd, text, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written < 0 ? -errno : -EIO;
		text += written;
		length -= (size_t)written;
	}
	return 0;
}

static int write_and_sync(int fd, const char *text, size_t length, struct state_file_id *ret)
{
	struct stat status;
	int r = write_text(fd, text, length);

	if (r < 0)
		return r;
	if (fsync(fd) < 0 || fstat(fd, &status) < 0)
		return -errno;
	*ret = (struct state_file_id){ status.st_dev, status.st_ino, status.st_size,
				       status.st_mtim };
	return 0;
}

/* After a failed fsync() the kernel may have forgotten what was not written, so the next try begins
 * with a file of its own. */
static int make_new(int directory_fd, const char *name, const char *text, size_t length,
		    struct state_file_id *ret, char words[STATE_WORDS_MAX])
{
	int fd, r;

	if (unlinkat(directory_fd, name, 0) < 0 && errno != ENOENT)
		return fail(words, -errno, "remove the stale %s", name);
	fd = openat(directory_fd, name, O_WRONLY | O_CREAT | O_EXCL | OPEN_FLAGS, 0600);
	if (fd < 0)
		return fail(words, -errno, "make %s", name);
	r = write_and_sync(fd, text, length, ret);
	/* EINTR: closed all the same on Linux. */
	if (close(fd) < 0 && r == 0 && errno != EINTR)
		r = -errno;
	if (r < 0) {
		unlinkat(directory_fd, name, 0);
		return fail(words, r, "write %s", name);
	}
	return 0;
}

static bool is_same(const struct state_file_id *a, const struct state_file_id *b)
{
	return a->inode == b->inode && a->device == b->device && a->size == b->size &&
	       a->modified.tv_sec == b->modified.tv_sec &&
	       a->modified.tv_nsec == b->modified.tv_nsec;
}

/* One that can't be read must not take the place of one before that can: put it aside. *ret_former:
 * there is a current one still. */
static int put_bad_aside(int directory_fd, const struct state_names *names,
			 const struct state_file_id *current, const struct state_file_id *known,
			 bool *ret_former, char words[STATE_WORDS_MAX])
{
	_cleanup_(state_free) struct state state = { 0 };
	int r = 0;

	if (current->inode && !is_same(current, known))
		r = state_file_read(directory_fd, names->current, &state, words);
	/* That says nothing of the file; another time will. */
	if (r == -ENOMEM || r == -EMFILE || r == -ENFILE || r == -EPERM)
		return r;
	if (r < 0 && renameat(directory_fd, names->current, directory_fd, names->unread) < 0)
		return fail(words, -errno, "rename %s to %s", names->current, names->unread);
	*ret_former = current->inode && r == 0;
	return 0;
}

static int move(int directory_fd, const char *from, const char *to, unsigned int flags,
		char words[STATE_WORDS_MAX])
{
	if (renameat2(directory_fd, from, directory_fd, to, flags) == 0)
		return 0;
	return fail(words, -errno, "rename %s to %s", from, to);
}

/* The new one and the former change names at once, so that readers always find a current one. Where
 * the file system can't, there is none for a moment, and the one before is the former. */
static int exchange(int directory_fd, const struct state_names *names, char words[STATE_WORDS_MAX])
{
	int r = move(directory_fd, names->new, names->current, RENAME_EXCHANGE, words);

	if (r == 0)
		return move(directory_fd, names->new, names->before, 0, words);
	if (r != -EINVAL && r != -ENOSYS)
		return r;
	r = move(directory_fd, names->current, names->before, 0, words);
	if (r < 0)
		return r;
	return move(directory_fd, names->new, names->current, 0, words);
}

int state_file_replace(int directory_fd, const struct state_names *names, const char *text,
		       size_t length, struct state_file_id *known, char words[STATE_WORDS_MAX])
{
	struct state_file_id current, new;
	bool former = false;
	int r;

	r = judge_names(directory_fd, names, &current, words);
	if (r < 0)
		return r;
	r = make_new(directory_fd, names->new, text, length, &new, words);
	if (r < 0)
		return r;
	r = put_bad_aside(directory_fd, names, &current, known, &former, words);
	if (r < 0)
		return r;
	r = former ? exchange(directory_fd, names, words)
		   : move(directory_fd, names->new, names->current, 0, words);
	if (r < 0)
		return r;
	*known = new;
	if (fsync(directory_fd) < 0)
		return fail(words, -errno, "write the directory");
	return 0;
}
