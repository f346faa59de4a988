/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The work that a cgroup is for (a job, a container, a login session, a unit), from its path. */
#ifndef ACCOUNT_WORKLOAD_H
#define ACCOUNT_WORKLOAD_H

#include <stddef.h>

#define WORKLOAD_SIZE 128 /* with the NUL; longer names are cut */

/*
 * The workload of a cgroup, "slurm:1234", by its path below the cgroup2 mount, any bytes. Writes at
 * most `size` bytes and WORKLOAD_SIZE, the NUL included.
 * Returns 1 when the path is a known one, 0 when it is not (ret is an empty text then), or -EINVAL
 * when size is 0.
 */
int workload_of(const char *cgroup_path, char *ret, size_t size);

#endif
