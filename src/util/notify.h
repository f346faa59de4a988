/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the service manager is told (sd_notify(3)), by libsystemd where it was built in. Nobody who
 * listens (no NOTIFY_SOCKET) and a manager that is away are no errors: metering goes on.
 */
#ifndef UTIL_NOTIFY_H
#define UTIL_NOTIFY_H

#include "util/loop.h"

/* All is attached, or a reload is over. */
void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);

/* The line that `systemctl status` shows. */
void notify_status(const char *text);

/* Tell from the loop, twice in the time that the manager's watchdog gives, that it goes round. 0, also
 * where there is no watchdog; or an error of the loop's. */
int notify_watch(struct loop *loop);

#endif
