/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * State files on disk: in which directory, which files are taken for ours, and how one takes the
 * place of another. All errors are told in `words` (STATE_WORDS_MAX bytes), none is logged.
 */
#ifndef ACCOUNT_STATE_FILE_H
#define ACCOUNT_STATE_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "account/state.h"
#include "account/state_text.h"

struct state_names {
	char current[NAME_MAX + 1];
	char before[NAME_MAX + 1];
	char new[NAME_MAX + 1];
	char unread[NAME_MAX + 1];
};

/* Which file is it, and as it was when? */
struct state_file_id {
	dev_t device;
	ino_t inode; /* 0: none */
	off_t size;
	struct timespec modified;
};

/* -EINVAL: the instance is no part of a file name. */
int state_names_init(struct state_names *names, const char *instance, char words[STATE_WORDS_MAX]);

/* The directory, that must be root's or our euid's and that nobody else may write (-EPERM). A
 * symbolic link to it is followed when it is root's or ours. make: if it is not there, with mode
 * 0750; its parent must be. */
int state_directory_open(const char *path, bool make, int *ret_fd, char words[STATE_WORDS_MAX]);

/* -ENOENT: there is none; -EPERM: not a file of ours; -EBADMSG, -ENOTSUP: state_text_parse(); -ENOMEM;
 * others are the system's. */
int state_file_read(int directory_fd, const char *name, struct state *ret,
		    char words[STATE_WORDS_MAX]);

/* Write the text to disk as the current file; the one that was becomes the one before, or, if it
 * can't be read, the unread one. At every moment, also if the machine stops in it, either of the
 * first two can be read, if one could. One writer an instance.
 *
 * *known: the last file that was written so, updated; spares reading it again. 0 or an error, -EPERM:
 * something that is no file of ours has one of the four names, and is not touched. */
int state_file_replace(int directory_fd, const struct state_names *names, const char *text,
		       size_t length, struct state_file_id *known, char words[STATE_WORDS_MAX]);

#endif
