/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket of an instance, and who may make it: live/ answers there (docs/protocol.md). */
#ifndef COMMAND_CONTROL_H
#define COMMAND_CONTROL_H

#include <stddef.h>
#include <sys/types.h>

#include "live/client.h"

/* 0; or -EINVAL, logged: no name for an instance. */
int control_verify_instance(const char *instance);

/* Be the only one that meters for an instance, for as long as *ret_fd is open, which is the caller's.
 * -EBUSY: the process *ret_pid is. */
int control_lock(const char *instance, int *ret_fd, pid_t *ret_pid);

/* Listen for an instance that is locked: *ret_fd is the caller's. The socket is for its owner and the
 * group of the process. */
int control_listen(const char *instance, int *ret_fd);

/* Takes the socket away again. Who may no longer write in root's directory leaves it behind: nobody
 * answers there, and the next meter takes its place. */
void control_remove(const char *instance);

#endif
