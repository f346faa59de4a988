/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paths of cgroups by id, remembered for a while after the cgroup was removed: what a short job
 * moved is read when the job is long over.
 *
 * An id is what bpf_sk_cgroup_id() gives: on 64-bit kernels the inode number of the directory. The
 * hierarchy is walked once and then watched with inotify, a watch for each directory and no open
 * file. A cgroup must live until its creation was noticed: so poll cgroups_fd(), and call
 * cgroups_changed() as soon as it is readable.
 */
#ifndef ACCOUNT_CGROUPS_H
#define ACCOUNT_CGROUPS_H

#include <stdint.h>

/* How many removed cgroups are remembered, and how many bytes of paths of such; the one removed
 * first is forgotten first. Those that exist are always known. */
#define CGROUPS_GONE_MAX       65536
#define CGROUPS_GONE_BYTES_MAX (32u << 20)

struct cgroups;

/* mount: the mount point of a cgroup2 hierarchy, or a directory below it, which is then "/".
 * Negative errno on failure, unlogged. Too few inotify watches are no failure: a warning is logged,
 * once, and what is not watched is found by walking when asked for. */
int cgroups_open(struct cgroups **ret, const char *mount);
void cgroups_close(struct cgroups *cgroups);

/* For poll: readable when cgroups_changed() has something to do. -1: nothing is watched. */
int cgroups_fd(const struct cgroups *cgroups);

/* Read what happened; does not block, and is bounded: the rest of a flood is left for the next
 * call. */
void cgroups_changed(struct cgroups *cgroups);

/* The path below the mount, any bytes but NUL, as in /proc/PID/cgroup: "/" or "/a.slice/b.scope".
 * NULL: not known, among these each path of 4096 bytes and more. Valid until the next call.
 *
 * For an id not known pending events are read, and then the hierarchy may be walked: once for an
 * id, and at most a twentieth of the time for all. */
const char *cgroups_path(struct cgroups *cgroups, uint64_t id);

#endif
