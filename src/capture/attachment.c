// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Watched are all cgroups above the metered one, from the root down: what is made below one of them after
 * its watch was added is told, so nothing is missed between two of them. They may go and come, too.
 */
#include "capture/attachment.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "util/cleanup.h"
#include "util/log.h"

#define EVENTS_BYTES 4096

static bool is_cgroup(const char *path)
{
	struct statfs filesystem;

	return statfs(path, &filesystem) == 0 && filesystem.f_type == CGROUP2_SUPER_MAGIC;
}

/* Opens the watch with the first cgroup above; the hierarchy's root has none. */
static int watch_above(struct attachment *attachment)
{
	_cleanup_free_ char *path = strdup(attachment->path);
	int r = 0;

	if (!path)
		return -ENOMEM;
	for (char *slash = strchr(path + 1, '/'); slash && r == 0; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (is_cgroup(path)) {
			if (attachment->inotify_fd < 0)
				attachment->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
			if (attachment->inotify_fd < 0 ||
			    (inotify_add_watch(attachment->inotify_fd, path,
					       IN_CREATE | IN_DELETE | IN_ONLYDIR) < 0 &&
			     errno != ENOENT))
				r = -errno;
		}
		*slash = '/';
	}
	return r;
}

static int attach(struct attachment *attachment, int cgroup_fd)
{
	uint32_t slot = 0;
	struct stat status;
	int r;

	if (fstat(cgroup_fd, &status) ||
	    bpf_map_update_elem(attachment->frames_cgroup_fd, &slot, &cgroup_fd, BPF_ANY))
		return log_error_errno(errno, "name the cgroup %s to the frames' hook",
				       attachment->path);
	hooks_close(&attachment->hooks);
	r = hooks_attach(&attachment->hooks, attachment->pins, attachment->path, cgroup_fd,
			 attachment->program_fd);
	if (r == 0)
		attachment->cgroup_id = status.st_ino;
	return r;
}

int attachment_open(struct attachment *attachment, const char *path, int cgroup_fd)
{
	int r;

	attachment->path = realpath(path, NULL);
	if (!attachment->path)
		return log_error_errno(errno, "find the cgroup %s", path);
	r = attach(attachment, cgroup_fd);
	if (r < 0)
		return r;
	r = watch_above(attachment);
	if (r < 0)
		log_warning_errno(r,
				  "watch for the cgroup %s (fs.inotify.max_user_instances and "
				  "max_user_watches are the limits); when it goes and comes again, "
				  "that is noticed an interval later",
				  attachment->path);
	return 0;
}

static void lose(struct attachment *attachment)
{
	if (attachment->cgroup_id)
		log_warning("the cgroup %s is gone; nothing is metered until it is there again",
			    attachment->path);
	attachment->cgroup_id = 0;
}

void attachment_check(struct attachment *attachment)
{
	char events[EVENTS_BYTES];
	_cleanup_close_ int fd = -1;
	struct stat status;

	if (attachment->inotify_fd < 0)
		return;
	while (read(attachment->inotify_fd, events, sizeof(events)) > 0)
		;
	(void)watch_above(attachment);
	fd = open(attachment->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status)) {
		lose(attachment);
		return;
	}
	if (status.st_ino == attachment->cgroup_id)
		return;
	lose(attachment);
	/* Tried again at each interval, and at each event. */
	if (attach(attachment, fd) == 0)
		log_notice("the cgroup %s is there again: metering it", attachment->path);
}

static void end_watch(struct attachment *attachment)
{
	close_fd(&attachment->inotify_fd);
	attachment->inotify_fd = -1;
	free(attachment->path);
	attachment->path = NULL;
}

void attachment_detach(struct attachment *attachment)
{
	hooks_detach(&attachment->hooks, attachment->pins);
	end_watch(attachment);
}

void attachment_close(struct attachment *attachment)
{
	hooks_close(&attachment->hooks);
	end_watch(attachment);
}
