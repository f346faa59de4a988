/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The system calls that are left: a seccomp filter, for all threads of the process. */
#ifndef PRIVILEGES_SECCOMP_H
#define PRIVILEGES_SECCOMP_H

/* Has all other system calls fail with EPERM from now on, for good: no thread and no process can be
 * started, and no socket of IPv4 or IPv6 made. Needs no_new_privs. Returns 0, -EOPNOTSUPP when the build
 * or the kernel has no seccomp, or another negative errno. */
int calls_restrict(void);

#endif
