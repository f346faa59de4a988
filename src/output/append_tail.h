/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of a file that a meter before this one appended to: its last complete line, which tells
 * how far that one came, and behind it the piece of a line that a kill or a power loss may leave.
 */
#ifndef OUTPUT_APPEND_TAIL_H
#define OUTPUT_APPEND_TAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "output/append_file.h"

/* Can a line of ours begin with these n bytes? There is at least one. */
typedef bool append_tail_begins(const char *text, size_t n);

/* Cut a torn last line off, so that the next one begins at a line's start. What no meter can have
 * left there (a piece longer than line_max, or one that begins as no line of ours) is not touched:
 * -EPERM and words, as append_file_open().
 *
 * *ret_line: the last complete line without its newline, NUL-terminated, the caller's to free; NULL:
 * there is none, or none of at most line_max bytes. *ret_cut: how many bytes were cut off.
 * Other errors are the system's. */
int append_tail_repair(struct append_file *file, size_t line_max, append_tail_begins *begins,
		       char **ret_line, uint64_t *ret_cut, char *words, size_t words_size);

/* The last complete line of a file of that directory, if it passes for ours to append to. Only read. NULL:
 * there is none. */
int append_tail_read(int directory_fd, const char *name, const struct append_policy *policy,
		     size_t line_max, char **ret_line);

/* The last complete line of the file that `path` meant before it was rotated away: of those named
 * so with a point or dash and more behind, not compressed, that pass for ours to append to, the one
 * written last. Only read. NULL: there is none. */
int append_tail_of_rotated(int directory_fd, const char *path, const struct append_policy *policy,
			   size_t line_max, char **ret_line);

/* Takes a complete line, without its newline. 0: go on; 1: no more of this file; or an error. */
typedef int append_tail_line(void *userdata, const char *line);

/* Go through the lines of the file that `path` means, and of those it meant before (as above), of each from
 * the last one on backwards. Only read. 0; -EFBIG: a file's lines were not all read, as there are too many;
 * or an error, `line`'s included. */
int append_tail_walk(int directory_fd, const char *path, const struct append_policy *policy,
		     size_t line_max, append_tail_line *line, void *userdata);

#endif
