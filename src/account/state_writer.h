/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes the state to disk in a thread of its own, so that no fsync() holds up the event loop. All
 * calls here are for one thread, and none of them waits for the disk but _open(), which looks at the
 * directory, and _close().
 */
#ifndef ACCOUNT_STATE_WRITER_H
#define ACCOUNT_STATE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "account/state.h"

struct state_writer;

/* Bytes of state_writer_error()'s words, with the NUL. */
#define STATE_WRITER_ERROR_MAX 512

/* Makes the directory (mode 0750) if it is not there. One writer an instance: the caller sees to it.
 * The thread has the credentials and limits of this call's thread. 0; or a negative errno, logged:
 * -EPERM: others may write the directory, -EINVAL: the instance is no part of a file name; others are
 * the system's. */
int state_writer_open(struct state_writer **ret, const char *directory, const char *instance);

/* Have a copy of the state written soon. It takes the place of one that waits. Where writing failed
 * it is tried again at once. 0 or -ENOMEM, unlogged; what waits then stays. */
int state_writer_put(struct state_writer *writer, const struct state *state);

/* The batch of the last state that is safely on disk, written by this writer. False: none yet. */
bool state_writer_written(struct state_writer *writer, uint64_t *ret_batch);

/* The words of the error that lasts; empty: all is well. Returns whether there is one. */
bool state_writer_error(struct state_writer *writer, char words[STATE_WRITER_ERROR_MAX]);

/* Write what waits, with one try, and end the thread, at deadline_ns (CLOCK_MONOTONIC) at the latest.
 * Frees the writer; NULL is no writer. 0; or, logged, why the last state is not on disk; -ETIMEDOUT:
 * perhaps not, and the caller should end the process soon, as the thread hangs. */
int state_writer_close(struct state_writer *writer, uint64_t deadline_ns);

#endif
