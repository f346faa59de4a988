/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The system calls that are left: a seccomp filter, for all threads of the process. */
#ifndef PRIVILEGES_CALLS_H
#define PRIVILEGES_CALLS_H

#include <stdbool.h>

/* From now on all others fail with EPERM, for good; no thread and no process is started any
 * more. network: sockets of IPv4 and IPv6 may be made. 0, or -errno; -EOPNOTSUPP: the build or the kernel can't. Needs no_new_privs. */
int calls_restrict(bool network);

#endif
