/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file that rows are appended to, in a directory where others may put things in our way: opened
 * without following or touching what is not ours, and written whole pieces at a time.
 */
#ifndef OUTPUT_APPEND_FILE_H
#define OUTPUT_APPEND_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

struct stat;
struct traffic_output;

/* Of a file that we make. A file that is there keeps what it has, but an empty one of ours goes to
 * the owner, too. */
struct append_policy {
	mode_t mode; /* exactly this, whatever the umask */
	gid_t group; /* (gid_t)-1: as the system has it */
	uid_t owner; /* (uid_t)-1: us. Else their files are taken for ours: only for a directory that
		      * they can't write to */
};

struct append_file {
	int fd; /* -1: not open */
	dev_t device;
	ino_t inode;
	bool is_empty;	     /* was, when it was opened or looked at last */
	bool is_dirty;	     /* written to since its write-back was begun */
	time_t write_back_s; /* when that was, by CLOCK_MONOTONIC */
};

#define APPEND_FILE_CLOSED ((struct append_file){ .fd = -1 })

/* Look the group up, and whether we may give files to it. NULL: none is asked for.
 * An error is told to `output`. */
int append_policy_init(struct append_policy *policy, struct traffic_output *output, mode_t mode,
		       const char *group);

/* May this process give files to other users, and append to them then? */
bool append_policy_may_give(void);

/* Is this a file that we may append to? 0, or -EPERM and the words for why not. */
int append_file_judge(const struct stat *status, const struct append_policy *policy, char *words,
		      size_t size);

/* Open `name` in the directory `directory_fd` (or AT_FDCWD), or make it: to append, and to read its
 * end (append_tail.h).
 *
 * -EPERM means that something is there that we don't write to: a symbolic link, a directory, FIFO,
 * socket or device, another owner's file, a file with a second name. Nothing was followed or
 * opened, and `words` says what it is and what to do. All other errors are the system's. */
int append_file_open(struct append_file *file, int directory_fd, const char *name,
		     const struct append_policy *policy, char *words, size_t words_size);

/* Append all n bytes. On an error what got out is taken back, so that no reader sees half a row
 * for long and the caller may simply try again with all of it. Where that can't be done,
 * *ret_written is how much stays written, and the caller goes on behind it; else 0. */
int append_file_write(struct append_file *file, const char *data, size_t n, size_t *ret_written);

/* Begin to write to the disk what was appended, if that was not done in the last seconds; does not wait.
 * The kernel itself would begin after half a minute, which is what a power loss would cost then. */
void append_file_write_back(struct append_file *file);

/* Does the name still mean this file? */
bool append_file_is_named(const struct append_file *file, int directory_fd, const char *name);

/* Has the file no name left at all? What is written to it now is gone with it. Also says anew whether it
 * is empty: logrotate's copytruncate empties a file that is open. */
bool append_file_is_deleted(struct append_file *file);

/* Begins the write-back, too. The error of close(), by which a network file system tells of earlier writes. */
int append_file_close(struct append_file *file);

#endif
