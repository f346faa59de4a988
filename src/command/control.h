/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: a UNIX stream socket by which a running meter tells its health. Whoever
 * connects is sent one line of JSON, then text for people, and the connection is closed.
 */
#ifndef COMMAND_CONTROL_H
#define COMMAND_CONTROL_H

#include <stddef.h>
#include <sys/types.h>

#define CONTROL_DIRECTORY "/run/traffic-meter"

/* 0; or -EINVAL, logged: no name for an instance. */
int control_verify_instance(const char *instance);

/* Be the only one that meters for an instance, for as long as *ret_fd is open, which is the caller's.
 * -EBUSY: the process *ret_pid is. */
int control_lock(const char *instance, int *ret_fd, pid_t *ret_pid);

/* Listen for an instance that is locked: *ret_fd is the caller's. */
int control_listen(const char *instance, int *ret_fd);

/* Take the socket away again. */
void control_close(const char *instance, int *fd);

/* Accept one connection, send it the text, close it. A peer that does not read is not waited for. */
void control_answer(int fd, const char *text, size_t size);

/* The client's side: all that the meter of an instance says, allocated. -ENOENT, -ECONNREFUSED: none
 * runs. */
int control_ask(const char *instance, char **ret_text);

#endif
