// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Events are hints: each says only that the directory of a name is to be looked at again, and the
 * file system says what is there now. So it does not matter how late an event is read, nor whether
 * a directory is found by its event or by the scan of its parent.
 */
#include "account/cgroups.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "account/cgroup_table.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/monotonic.h"

#ifndef SYS_openat2 /* glibc before 2.32; the number is the same everywhere */
#define SYS_openat2 437
#endif

#define MISSED_SLOTS 1024
#define EVENT_BYTES  (32 * 1024)
#define READS_MAX    32 /* of EVENT_BYTES: a full queue of the kernel's, by default 16,384 events */

/* After a walk: no other for so many times as long as it took, and at least so long. While all is
 * watched the events tell everything, and a walk is there only to be sure. */
#define WALK_REST_FACTOR       19
#define WALK_REST_WATCHED_NS   10000000000ull
#define WALK_REST_UNWATCHED_NS 100000000ull

struct cgroups {
	int root_fd;
	int inotify_fd;
	struct cgroup_table table;
	SLIST_HEAD(, cgroup) to_scan;
	uint64_t walk; /* number of the last one; they start with 1 */
	uint64_t walk_end_ns;
	uint64_t walk_duration_ns;
	bool behind;	/* something was missed that only a walk finds */
	bool unwatched; /* a directory has no watch: changes in it are not told */
	bool warned;
	uint64_t missed[MISSED_SLOTS]; /* ids that a walk did not find: direct-mapped, 0: empty */
	char events[EVENT_BYTES] __attribute__((aligned(__alignof__(struct inotify_event))));
};

/* A descriptor of the directory, or -errno. The kernel itself refuses to leave the mount, at
 * whichever part of the path. */
static int open_below(const struct cgroups *cgroups, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	long fd =
		syscall(SYS_openat2, cgroups->root_fd, path[1] ? path + 1 : ".", &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* Says nothing of the directory, only of us; all other errors mean that there is none for us. */
static bool is_transient(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -EAGAIN ||
	       error == -EINTR;
}

static int look_up_id(const struct cgroups *cgroups, const char *path, uint64_t *ret_id)
{
	_cleanup_close_ int fd = open_below(cgroups, path, O_PATH);
	struct stat status;

	if (fd < 0)
		return fd;
	if (fstat(fd, &status) < 0)
		return -errno;
	*ret_id = status.st_ino;
	return 0;
}

static void set_unwatched(struct cgroups *cgroups, int error)
{
	cgroups->unwatched = true;
	if (cgroups->warned)
		return;
	cgroups->warned = true;
	log_warning_errno(error, "not all cgroups can be watched, so that paths of short-lived "
				 "ones may be missing; raise fs.inotify.max_user_watches or "
				 "fs.inotify.max_user_instances");
}

static void watch(struct cgroups *cgroups, struct cgroup *cgroup, int fd)
{
	const uint32_t mask = IN_CREATE | IN_DELETE | IN_ONLYDIR | IN_EXCL_UNLINK;
	char path[sizeof("/proc/self/fd/") + 3 * sizeof(fd)];
	int descriptor;

	if (cgroup->watched)
		return;
	if (cgroups->inotify_fd < 0) {
		cgroups->unwatched = true;
		return;
	}
	/* inotify takes only paths: this one is the directory that was opened, and no other. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	descriptor = inotify_add_watch(cgroups->inotify_fd, path, mask);
	if (descriptor < 0)
		set_unwatched(cgroups, errno);
	else
		cgroup_table_set_watch(&cgroups->table, cgroup, descriptor);
}

static void unwatch(struct cgroups *cgroups, struct cgroup *cgroup)
{
	/* kernfs keeps the watch of a removed directory, and with it the inode. Other file systems
	 * dropped it, and this fails. */
	if (cgroup->watched)
		inotify_rm_watch(cgroups->inotify_fd,
				 cgroup_table_clear_watch(&cgroups->table, cgroup));
}

static void set_gone(struct cgroups *cgroups, struct cgroup *cgroup)
{
	unwatch(cgroups, cgroup);
	cgroup_table_set_gone(&cgroups->table, cgroup);
}

/* The path has that id now. */
static int add(struct cgroups *cgroups, uint64_t id, const char *path)
{
	struct cgroup *cgroup = cgroup_table_find_id(&cgroups->table, id);

	if (!cgroup || !cgroup->live || strcmp(cgroup->path, path) != 0) {
		/* An id turns up with another path: the newer one wins. */
		if (cgroup && cgroup->live)
			set_gone(cgroups, cgroup);
		cgroup = cgroup_table_add(&cgroups->table, id, path);
		if (!cgroup)
			return -ENOMEM;
		cgroup->walk = 0;
	}
	if (cgroup->walk == cgroups->walk)
		return 0; /* its directory was read in this walk, and events came since */
	cgroup->walk = cgroups->walk;
	if (!cgroup->is_to_scan)
		SLIST_INSERT_HEAD(&cgroups->to_scan, cgroup, to_scan);
	cgroup->is_to_scan = true;
	return 0;
}

/* Look what there is of that path now. */
static void refresh(struct cgroups *cgroups, const char *path)
{
	struct cgroup *cgroup = cgroup_table_find_path(&cgroups->table, path);
	uint64_t id = 0;
	int r = look_up_id(cgroups, path, &id);

	if (is_transient(r)) {
		cgroups->behind = true;
		return;
	}
	if (cgroup && (r < 0 || cgroup->key[CGROUP_BY_ID] != id))
		set_gone(cgroups, cgroup);
	if (r == 0 && add(cgroups, id, path) < 0)
		cgroups->behind = true;
}

static void refresh_child(struct cgroups *cgroups, const char *parent, const char *name)
{
	char path[PATH_MAX];
	int length = snprintf(path, sizeof(path), "%s/%s", parent[1] ? parent : "", name);

	/* No system call takes a longer one: it stays unknown, and all below it. */
	if (length > 0 && (size_t)length < sizeof(path))
		refresh(cgroups, path);
}

static void close_directory(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

static int scan(struct cgroups *cgroups, struct cgroup *cgroup)
{
	_cleanup_close_ int fd = open_below(cgroups, cgroup->path, O_RDONLY);
	_cleanup_(close_directory) DIR *directory = NULL;
	const struct dirent *entry;
	struct stat status;

	if (fd < 0)
		return fd;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (status.st_ino != cgroup->key[CGROUP_BY_ID])
		return 0; /* replaced in between, of which the parent has an event */
	/* First the watch: what is made after it has an event, what was made before is read here. */
	watch(cgroups, cgroup, fd);
	directory = fdopendir(fd);
	if (!directory)
		return -errno;
	steal_fd(&fd);
	while ((errno = 0, entry = readdir(directory)))
		if ((entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN) &&
		    strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			refresh_child(cgroups, cgroup->path, entry->d_name);
	return -errno;
}

/* Empty the list. Only then something may be forgotten: it might stand in the list. */
static void scan_all(struct cgroups *cgroups)
{
	struct cgroup *cgroup;
	int r;

	while ((cgroup = SLIST_FIRST(&cgroups->to_scan))) {
		SLIST_REMOVE_HEAD(&cgroups->to_scan, to_scan);
		cgroup->is_to_scan = false;
		if (!cgroup->live)
			continue;
		/* It may vanish meanwhile, as its parent's events will say. */
		r = scan(cgroups, cgroup);
		if (is_transient(r))
			cgroups->behind = true;
		else if (r == -EACCES)
			cgroups->unwatched = true;
	}
	cgroup_table_forget(&cgroups->table, CGROUPS_GONE_MAX, CGROUPS_GONE_BYTES_MAX);
}

static void set_unseen_gone(struct cgroups *cgroups)
{
	const struct cgroup_index *index = &cgroups->table.index[CGROUP_BY_PATH];
	struct cgroup *cgroup, *next;

	for (size_t i = 0; i < index->n_buckets; i++)
		for (cgroup = index->buckets[i]; cgroup; cgroup = next) {
			next = cgroup->chain[CGROUP_BY_PATH];
			if (cgroup->walk != cgroups->walk)
				set_gone(cgroups, cgroup);
		}
	cgroup_table_forget(&cgroups->table, CGROUPS_GONE_MAX, CGROUPS_GONE_BYTES_MAX);
}

static void walk(struct cgroups *cgroups)
{
	uint64_t start_ns = monotonic_ns();

	cgroups->walk++;
	cgroups->behind = false;
	cgroups->unwatched = false;
	refresh(cgroups, "/");
	scan_all(cgroups);
	if (!cgroups->behind)
		set_unseen_gone(cgroups);
	cgroups->walk_end_ns = monotonic_ns();
	cgroups->walk_duration_ns = cgroups->walk_end_ns - start_ns;
}

/* Whoever may make cgroups can make the kernel's queue overflow, and anybody's traffic can have
 * unknown ids: neither may keep us walking. */
static bool walk_if_due(struct cgroups *cgroups)
{
	uint64_t rest_ns = cgroups->behind || cgroups->unwatched ? WALK_REST_UNWATCHED_NS
								 : WALK_REST_WATCHED_NS;

	if (rest_ns < cgroups->walk_duration_ns * WALK_REST_FACTOR)
		rest_ns = cgroups->walk_duration_ns * WALK_REST_FACTOR;
	if (cgroups->walk_end_ns && monotonic_ns() - cgroups->walk_end_ns < rest_ns)
		return false;
	walk(cgroups);
	return true;
}

static void handle_event(struct cgroups *cgroups, const struct inotify_event *event)
{
	struct cgroup *cgroup;

	if (event->mask & IN_Q_OVERFLOW) {
		cgroups->behind = true;
		return;
	}
	cgroup = cgroup_table_find_watch(&cgroups->table, event->wd);
	if (!cgroup)
		return; /* of a directory that we know to be gone */
	if (event->mask & IN_IGNORED) {
		/* The kernel dropped the watch: another directory may have the id by now, which
		 * then needs one. */
		unwatch(cgroups, cgroup);
		cgroup->walk = 0;
		refresh(cgroups, cgroup->path);
	} else if (event->mask & IN_ISDIR && event->len) {
		refresh_child(cgroups, cgroup->path, event->name);
	}
	scan_all(cgroups);
}

void cgroups_changed(struct cgroups *cgroups)
{
	const struct inotify_event *event;
	ssize_t length;

	for (int i = 0; i < READS_MAX && cgroups->inotify_fd >= 0; i++) {
		length = read(cgroups->inotify_fd, cgroups->events, sizeof(cgroups->events));
		if (length <= 0)
			break;
		for (ssize_t at = 0; at < length; at += (ssize_t)(sizeof(*event) + event->len)) {
			event = (const struct inotify_event *)(cgroups->events + at);
			handle_event(cgroups, event);
		}
	}
	if (cgroups->behind)
		walk_if_due(cgroups);
}

const char *cgroups_path(struct cgroups *cgroups, uint64_t id)
{
	const struct cgroup *cgroup = cgroup_table_find_id(&cgroups->table, id);
	uint64_t *missed = &cgroups->missed[id % MISSED_SLOTS];

	if (!cgroup && id) {
		cgroups_changed(cgroups);
		cgroup = cgroup_table_find_id(&cgroups->table, id);
	}
	/* An id is heard of only after its cgroup was made: what one walk does not find, the next
	 * would not find either. */
	if (!cgroup && id && *missed != id && walk_if_due(cgroups)) {
		cgroup = cgroup_table_find_id(&cgroups->table, id);
		if (!cgroup && !cgroups->behind)
			*missed = id;
	}
	return cgroup ? cgroup->path : NULL;
}

int cgroups_fd(const struct cgroups *cgroups)
{
	return cgroups->inotify_fd;
}

static void close_cgroups(struct cgroups **cgroups)
{
	cgroups_close(*cgroups);
}

int cgroups_open(struct cgroups **ret, const char *mount)
{
	_cleanup_(close_cgroups) struct cgroups *cgroups = calloc(1, sizeof(*cgroups));
	uint64_t id;
	int r;

	if (!cgroups)
		return -ENOMEM;
	SLIST_INIT(&cgroups->to_scan);
	cgroups->inotify_fd = -1;
	cgroups->root_fd = open(mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (cgroups->root_fd < 0)
		return -errno;
	r = look_up_id(cgroups, "/", &id);
	if (r < 0)
		return r;
	r = cgroup_table_init(&cgroups->table);
	if (r < 0)
		return r;
	cgroups->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (cgroups->inotify_fd < 0)
		set_unwatched(cgroups, errno);
	walk(cgroups);
	if (!cgroups->table.index[CGROUP_BY_WATCH].n) {
		close_fd(&cgroups->inotify_fd);
		cgroups->inotify_fd = -1;
	}
	cgroups->walk_end_ns = 0; /* the first unknown id need not wait */
	*ret = steal_pointer(cgroups);
	return 0;
}

void cgroups_close(struct cgroups *cgroups)
{
	if (!cgroups)
		return;
	cgroup_table_free(&cgroups->table);
	close_fd(&cgroups->inotify_fd);
	close_fd(&cgroups->root_fd);
	free(cgroups);
}
