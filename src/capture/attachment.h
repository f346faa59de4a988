/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The metered cgroup: the hooks on it, its name in the frames' hook, and a watch for the day on which it goes
 * and comes again (a service that restarts, a new session), when the hooks are put on the new one.
 */
#ifndef CAPTURE_ATTACHMENT_H
#define CAPTURE_ATTACHMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/hooks.h"
#include "capture/pins.h"

struct attachment {
	const struct pins *pins; /* the caller's, as are the next two */
	int program_fd, frames_cgroup_fd;
	struct hooks hooks;
	char *path;	    /* without symbolic links; NULL: not attached yet */
	uint64_t cgroup_id; /* the inode of the directory that the hooks are on; 0: it is gone */
	int inotify_fd;	    /* for epoll; -1: the root of the hierarchy, which can't go */
};

#define ATTACHMENT_NONE ((struct attachment){ .hooks = HOOKS_NONE, .inotify_fd = -1 })

/* Attaches to the cgroup at that path, whose descriptor is given, and begins to watch it. pins, program_fd
 * and frames_cgroup_fd are set by the caller. Returns 0 or an error, logged. */
int attachment_open(struct attachment *attachment, const char *path, int cgroup_fd);

/* To be called when inotify_fd is readable, and now and then: attaches to a new cgroup of that path. Says
 * when it is gone and when it is there again. */
void attachment_check(struct attachment *attachment);

/* The cgroup is gone, or could not be attached to when it came again. */
static inline bool attachment_is_gone(const struct attachment *attachment)
{
	return attachment->path && !attachment->cgroup_id;
}

/* Takes the programs off, pinned or not, and ends the watch. */
void attachment_detach(struct attachment *attachment);

/* Ends the watch and lets go of the links: what is pinned stays attached. */
void attachment_close(struct attachment *attachment);

#endif
