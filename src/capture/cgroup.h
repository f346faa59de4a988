/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where cgroup v2 is: found in /proc/self/mountinfo, never assumed (hybrid mounts have it aside). */
#ifndef CAPTURE_CGROUP_H
#define CAPTURE_CGROUP_H

/* The mount point of the cgroup2 hierarchy, allocated. -ENOENT: none is mounted. */
int cgroup_find_root(char **ret_path);

/* Why there is no mount, and what to do about it. */
const char *cgroup_explain_lack(void);

/* 0; or an error, logged: the path does not exist, or is no cgroup2 directory. */
int cgroup_verify(const char *path);

/* The cgroup to meter: `wanted`, or where that is NULL or empty the hierarchy's root; verified,
 * allocated. An error is logged. */
int cgroup_choose(const char *wanted, char **ret_path);

#endif
