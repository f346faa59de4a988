/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whom a uid is charged to, asked in a thread: a directory server may take a minute to answer, and the event
 * loop must not wait for it.
 *
 * The rule for a uid whose owner is not known yet: its records stay in the kernel until the answer is there,
 * OWNERS_HOLD_S at most. After that the uid stands for itself, as one that has no owner does, until there is
 * an answer. Nothing is ever charged to another person on a guess. What was answered once holds, and is asked
 * again in every interval without waiting.
 */
#ifndef ACCOUNT_OWNERS_H
#define ACCOUNT_OWNERS_H

#include <stdint.h>

#include "account/subuid.h"

#define OWNERS_HOLD_S 5

struct owners;

/* Takes subuid over, also when it fails. Until owners_start() look-ups are made by who asks. 0 or -ENOMEM. */
int owners_open(struct owners **ret, struct subuid *subuid);

/* Starts the thread, which alone uses subuid from now on. event_fd: written 1 to for each answer that somebody
 * may wait for. Returns 0 or a negative errno. */
int owners_start(struct owners *owners, int event_fd);

/* The thread is left behind where a look-up hangs. NULL is fine. */
void owners_close(struct owners *owners);

/* *ret: the uid to charge. Returns 0, or -EAGAIN: not known yet, ask again. Then *ret is the uid itself. */
int owners_find(struct owners *owners, uint32_t uid, uint32_t *ret);

/* Has the files read again that changed, and the answers renewed that are asked for. */
void owners_refresh(struct owners *owners);

#endif
