// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cgroups.c sees a cgroup as a directory with an inode number, so most tests give it one of tmpfs,
 * where numbers are not used twice. The last ones make real cgroups.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "account/cgroup_table.h"
#include "account/cgroups.h"
#include "capture/cgroup.h"
#include "util/cleanup.h"

/* Before the C library's, so that watches can run out, and somebody can be in between. */
static unsigned int watches_left = UINT_MAX;
static unsigned int watches_tried;
static int made_before_watch_fd = -1; /* -1: nothing; "below" is made there */

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	watches_tried++;
	if (made_before_watch_fd >= 0) {
		mkdirat(made_before_watch_fd, "below", 0755);
		made_before_watch_fd = -1;
	}
	if (!watches_left) {
		errno = ENOSPC;
		return -1;
	}
	watches_left--;
	return (int)syscall(SYS_inotify_add_watch, fd, path, mask);
}

struct fixture {
	char mount[256];
	int fd;
	struct cgroups *cgroups;
};

static void remove_tree(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    unlinkat(fd, entry->d_name, 0) < 0)
			remove_tree(fd, entry->d_name);
	if (directory)
		closedir(directory);
	unlinkat(parent, name, AT_REMOVEDIR);
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct statfs status;
	int tmpfs = statfs("/dev/shm", &status) == 0 && status.f_type == TMPFS_MAGIC;

	watches_left = UINT_MAX;
	watches_tried = 0;
	snprintf(fixture->mount, sizeof(fixture->mount), "%s/traffic-meter-test-XXXXXX",
		 tmpfs ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(fixture->mount));
	fixture->fd = open(fixture->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fixture->fd >= 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	cgroups_close(fixture->cgroups);
	close(fixture->fd);
	remove_tree(AT_FDCWD, fixture->mount);
	free(fixture);
	return 0;
}

static void open_cgroups(struct fixture *fixture)
{
	assert_int_equal(cgroups_open(&fixture->cgroups, fixture->mount), 0);
}

/* Name of the directory relative to the mount; the id. */
static uint64_t make(const struct fixture *fixture, const char *name)
{
	struct stat status;

	assert_int_equal(mkdirat(fixture->fd, name, 0755), 0);
	assert_int_equal(fstatat(fixture->fd, name, &status, 0), 0);
	return status.st_ino;
}

static void removes(const struct fixture *fixture, const char *name)
{
	assert_int_equal(unlinkat(fixture->fd, name, AT_REMOVEDIR), 0);
}

static uint64_t id_of(const struct fixture *fixture, const char *name)
{
	struct stat status;

	assert_int_equal(fstatat(fixture->fd, name, &status, AT_SYMLINK_NOFOLLOW), 0);
	return status.st_ino;
}

static void assert_path(struct cgroups *cgroups, uint64_t id, const char *expected)
{
	const char *path = cgroups_path(cgroups, id);

	assert_non_null(path);
	assert_string_equal(path, expected);
}

/* From now on for 10 s, only events can tell anything: the walk for an unknown id has been. */
static void use_up_the_walk(struct fixture *fixture)
{
	assert_null(cgroups_path(fixture->cgroups, 1ull << 60));
}

/* As the event loop does. */
static void wait_and_read(struct cgroups *cgroups)
{
	struct pollfd poll_fd = { .fd = cgroups_fd(cgroups), .events = POLLIN };

	assert_int_equal(poll(&poll_fd, 1, 10000), 1);
	cgroups_changed(cgroups);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void test_what_was_there_before(void **state)
{
	struct fixture *fixture = *state;
	uint64_t slice = make(fixture, "user.slice");
	uint64_t scope = make(fixture, "user.slice/session-3.scope");
	uint64_t odd = make(fixture, "a b\\x2d\xff");
	int file = openat(fixture->fd, "user.slice/cgroup.procs", O_CREAT | O_WRONLY, 0644);

	assert_true(file >= 0);
	close(file);
	open_cgroups(fixture);
	assert_true(cgroups_fd(fixture->cgroups) >= 0);
	assert_path(fixture->cgroups, id_of(fixture, "."), "/");
	assert_path(fixture->cgroups, slice, "/user.slice");
	assert_path(fixture->cgroups, scope, "/user.slice/session-3.scope");
	assert_path(fixture->cgroups, odd, "/a b\\x2d\xff");
	assert_null(cgroups_path(fixture->cgroups, id_of(fixture, "user.slice/cgroup.procs")));
	assert_null(cgroups_path(fixture->cgroups, 0));
}

static void test_no_such_mount(void **state)
{
	struct fixture *fixture = *state;
	char path[512];

	snprintf(path, sizeof(path), "%s/none", fixture->mount);
	assert_int_equal(cgroups_open(&fixture->cgroups, path), -ENOENT);
	assert_int_equal(cgroups_open(&fixture->cgroups, "/proc/self/status"), -ENOTDIR);
	assert_null(fixture->cgroups);
	cgroups_close(NULL);
}

static void test_nested_right_away(void **state)
{
	struct fixture *fixture = *state;
	uint64_t a, b, c, d, again;

	open_cgroups(fixture);
	a = make(fixture, "a");
	b = make(fixture, "a/b");
	c = make(fixture, "a/b/c");
	wait_and_read(fixture->cgroups);
	d = make(fixture, "a/b/c/d"); /* of which there is a watch now */
	wait_and_read(fixture->cgroups);
	removes(fixture, "a/b/c/d");
	removes(fixture, "a/b/c");
	removes(fixture, "a/b");
	removes(fixture, "a");
	wait_and_read(fixture->cgroups);
	assert_path(fixture->cgroups, a, "/a");
	assert_path(fixture->cgroups, b, "/a/b");
	assert_path(fixture->cgroups, c, "/a/b/c");
	assert_path(fixture->cgroups, d, "/a/b/c/d");

	/* The same name again is another cgroup, and the old one is not forgotten. */
	again = make(fixture, "a");
	wait_and_read(fixture->cgroups);
	assert_path(fixture->cgroups, again, "/a");
	assert_path(fixture->cgroups, a, "/a");
}

static void test_events_read_late(void **state)
{
	struct fixture *fixture = *state;
	uint64_t last, below;

	open_cgroups(fixture);
	use_up_the_walk(fixture);
	make(fixture, "a");
	removes(fixture, "a");
	make(fixture, "a");
	removes(fixture, "a");
	last = make(fixture, "a");
	below = make(fixture, "a/below");
	assert_path(fixture->cgroups, below, "/a/below"); /* reads the pending events itself */
	assert_path(fixture->cgroups, last, "/a");
	last = make(fixture, "a/later"); /* "a" is still watched */
	removes(fixture, "a/below");
	wait_and_read(fixture->cgroups);
	removes(fixture, "a/later");
	assert_path(fixture->cgroups, last, "/a/later");
}

static void test_made_just_before_the_watch(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_close_ int fd = -1;

	open_cgroups(fixture);
	use_up_the_walk(fixture);
	make(fixture, "a");
	fd = openat(fixture->fd, "a", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	made_before_watch_fd = fd;
	wait_and_read(fixture->cgroups);
	assert_int_equal(made_before_watch_fd, -1);
	assert_path(fixture->cgroups, id_of(fixture, "a/below"), "/a/below");
}

/* While another process makes them, as deep as it can before the watch is there. */
static void test_nested_while_watching(void **state)
{
	enum { CHAINS = 1000, DEPTH = 5 };
	struct fixture *fixture = *state;
	int ends[2], status, n = 0;
	char path[64], byte;
	pid_t child;

	open_cgroups(fixture);
	use_up_the_walk(fixture);
	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		for (int i = 0; i < CHAINS; i++) {
			int length = snprintf(path, sizeof(path), "%d", i);

			for (int depth = 0; depth < DEPTH; depth++) {
				if (mkdirat(fixture->fd, path, 0755) < 0)
					_exit(1);
				length += snprintf(path + length, sizeof(path) - (size_t)length,
						   "/%d", depth);
			}
		}
		_exit(0);
	}
	close(ends[1]);
	while (n == 0) {
		struct pollfd fds[] = {
			{ .fd = cgroups_fd(fixture->cgroups), .events = POLLIN },
			{ .fd = ends[0], .events = POLLIN },
		};

		assert_true(poll(fds, 2, 10000) > 0);
		cgroups_changed(fixture->cgroups);
		n = fds[1].revents && read(ends[0], &byte, 1) == 0;
	}
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	cgroups_changed(fixture->cgroups);
	for (int i = 0; i < CHAINS; i++) {
		snprintf(path, sizeof(path), "/%d/0/1/2/3", i);
		assert_path(fixture->cgroups, id_of(fixture, path + 1), path);
	}
	/* Nothing was left to a walk: they are all watched, by a watch each. */
	assert_int_equal(watches_tried, 1 + CHAINS * DEPTH);
}

static unsigned int count_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(directory))
		n++;
	closedir(directory);
	return n;
}

/* What the kernel holds for us. */
static unsigned int count_watches(const struct cgroups *cgroups)
{
	char path[64], line[256];
	unsigned int n = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", cgroups_fd(cgroups));
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		n += strncmp(line, "inotify ", 8) == 0;
	fclose(file);
	return n;
}

static void test_many_made_and_removed(void **state)
{
	enum { N = 2000 };
	struct fixture *fixture = *state;
	_cleanup_free_ uint64_t *ids = calloc(N, sizeof(*ids));
	unsigned int fds;
	char name[32];

	open_cgroups(fixture);
	fds = count_fds();
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "job-%d", i);
		ids[i] = make(fixture, name);
	}
	wait_and_read(fixture->cgroups);
	assert_int_equal(count_watches(fixture->cgroups), 1 + N);
	assert_int_equal(count_fds(), fds);
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "job-%d", i);
		removes(fixture, name);
	}
	wait_and_read(fixture->cgroups);
	assert_int_equal(count_watches(fixture->cgroups), 1);
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "/job-%d", i);
		assert_path(fixture->cgroups, ids[i], name);
	}
	assert_int_equal(watches_tried, 1 + N);
}

static void test_oldest_gone_are_forgotten(void **state)
{
	enum { N = CGROUPS_GONE_MAX + 1000, BATCH = 1000 };
	struct fixture *fixture = *state;
	_cleanup_free_ uint64_t *ids = calloc(N, sizeof(*ids));
	uint64_t alive;
	struct statfs status;
	char name[32];

	if (fstatfs(fixture->fd, &status) < 0 || status.f_type != TMPFS_MAGIC)
		skip(); /* other file systems use the numbers again */
	alive = make(fixture, "alive");
	open_cgroups(fixture);
	for (int first = 0; first < N; first += BATCH) {
		for (int i = first; i < first + BATCH && i < N; i++) {
			snprintf(name, sizeof(name), "%d", i);
			ids[i] = make(fixture, name);
		}
		cgroups_changed(fixture->cgroups);
		for (int i = first; i < first + BATCH && i < N; i++) {
			snprintf(name, sizeof(name), "%d", i);
			removes(fixture, name);
		}
		cgroups_changed(fixture->cgroups);
	}
	assert_null(cgroups_path(fixture->cgroups, ids[0]));
	assert_null(cgroups_path(fixture->cgroups, ids[N - CGROUPS_GONE_MAX - 1]));
	for (int i = N - CGROUPS_GONE_MAX; i < N; i++) {
		snprintf(name, sizeof(name), "/%d", i);
		assert_path(fixture->cgroups, ids[i], name);
	}
	assert_path(fixture->cgroups, alive, "/alive");
}

static void test_unknown_is_cheap(void **state)
{
	enum { TREE = 2000, ASKED = 100000 };
	struct fixture *fixture = *state;
	double start_s;
	char name[32];

	for (int i = 0; i < TREE; i++) {
		snprintf(name, sizeof(name), "%d", i);
		make(fixture, name);
	}
	open_cgroups(fixture);
	start_s = now_s();
	for (uint64_t i = 0; i < ASKED; i++)
		assert_null(cgroups_path(fixture->cgroups, (1ull << 60) + i));
	/* With a walk for each it would be many minutes. */
	assert_true(now_s() - start_s < 20);
}

static void test_newer_path_wins(void **state)
{
	struct fixture *fixture = *state;
	uint64_t id = make(fixture, "old");

	/* No event tells this, and cgroups are not renamed: but the walk for an unknown id sees it.
	 */
	open_cgroups(fixture);
	assert_path(fixture->cgroups, id, "/old");
	assert_int_equal(renameat(fixture->fd, "old", fixture->fd, "new"), 0);
	use_up_the_walk(fixture);
	assert_path(fixture->cgroups, id, "/new");
	assert_int_equal(count_watches(fixture->cgroups), 2);
}

/* What went without an event, here by a move out of the mount, is gone after a walk. */
static void test_walk_finds_what_went(void **state)
{
	struct fixture *fixture = *state;
	uint64_t id = make(fixture, "a");
	unsigned int watches;
	char path[512];

	open_cgroups(fixture);
	assert_int_equal(count_watches(fixture->cgroups), 2);
	snprintf(path, sizeof(path), "%s-moved", fixture->mount);
	assert_int_equal(renameat(fixture->fd, "a", AT_FDCWD, path), 0);
	use_up_the_walk(fixture);
	watches = count_watches(fixture->cgroups);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(watches, 1);
	assert_path(fixture->cgroups, id, "/a");
}

static void test_table(void **state)
{
	struct cgroup_table table;
	struct cgroup *cgroup;

	(void)state;
	assert_int_equal(cgroup_table_init(&table), 0);
	cgroup_table_set_gone(&table, cgroup_table_add(&table, 5, "/old"));
	assert_null(cgroup_table_find_path(&table, "/old"));
	assert_string_equal(cgroup_table_find_id(&table, 5)->path, "/old");
	cgroup = cgroup_table_add(&table, 5, "/newer");
	assert_ptr_equal(cgroup_table_find_path(&table, "/newer"), cgroup);
	assert_int_equal(table.n_gone, 0);
	assert_int_equal(table.gone_bytes, 0);
	cgroup_table_set_watch(&table, cgroup, 7);
	assert_ptr_equal(cgroup_table_find_watch(&table, 7), cgroup);
	assert_int_equal(cgroup_table_clear_watch(&table, cgroup), 7);
	assert_null(cgroup_table_find_watch(&table, 7));

	/* By bytes, too. */
	cgroup_table_set_gone(&table, cgroup_table_add(&table, 6, "/12345678"));
	cgroup_table_set_gone(&table, cgroup_table_add(&table, 7, "/12345678"));
	assert_int_equal(table.gone_bytes, 20);
	cgroup_table_forget(&table, 10, 19);
	assert_null(cgroup_table_find_id(&table, 6));
	assert_non_null(cgroup_table_find_id(&table, 7));
	assert_non_null(cgroup_table_find_id(&table, 5));
	cgroup_table_free(&table);
}

static unsigned int read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned int number = 0;

	if (!file || fscanf(file, "%u", &number) != 1)
		number = 0;
	if (file)
		fclose(file);
	return number;
}

static void test_queue_overflows(void **state)
{
	unsigned int max = read_number("/proc/sys/fs/inotify/max_queued_events");
	struct fixture *fixture = *state;
	uint64_t before, lost, below;

	if (!max || max > 200000)
		skip();
	before = make(fixture, "before");
	open_cgroups(fixture);
	for (unsigned int i = 0; i < max / 2 + 10; i++) {
		make(fixture, "x");
		removes(fixture, "x");
	}
	removes(fixture, "before");
	lost = make(fixture, "lost");
	below = make(fixture, "lost/below");
	/* More than one call may read at once. */
	for (int i = 0; i < 10; i++)
		cgroups_changed(fixture->cgroups);
	assert_int_equal(count_watches(fixture->cgroups), 3);
	removes(fixture, "lost/below");
	removes(fixture, "lost");
	assert_path(fixture->cgroups, lost, "/lost");
	assert_path(fixture->cgroups, below, "/lost/below");
	assert_path(fixture->cgroups, before, "/before");
	wait_and_read(fixture->cgroups);
	assert_int_equal(count_watches(fixture->cgroups), 1);
}

/* Standard error of the code between, as a string. */
static int stderr_saved;

static FILE *catch_stderr(void)
{
	FILE *file = tmpfile();

	assert_non_null(file);
	stderr_saved = dup(STDERR_FILENO);
	dup2(fileno(file), STDERR_FILENO);
	return file;
}

static unsigned int count_caught_lines(FILE *file)
{
	unsigned int n = 0;
	int c;

	dup2(stderr_saved, STDERR_FILENO);
	close(stderr_saved);
	rewind(file);
	while ((c = fgetc(file)) != EOF)
		n += c == '\n';
	fclose(file);
	return n;
}

static void test_no_watches_at_all(void **state)
{
	struct fixture *fixture = *state;
	uint64_t old = make(fixture, "old"), new;
	unsigned int lines;
	FILE *caught;

	watches_left = 0;
	caught = catch_stderr();
	open_cgroups(fixture);
	new = make(fixture, "new");
	removes(fixture, "old");
	make(fixture, "other");
	assert_int_equal(cgroups_fd(fixture->cgroups), -1);
	cgroups_changed(fixture->cgroups);
	assert_path(fixture->cgroups, new, "/new"); /* by a walk */
	assert_path(fixture->cgroups, old, "/old"); /* which saw that this is gone */
	lines = count_caught_lines(caught);
	assert_int_equal(lines, 1);
}

static void test_too_few_watches(void **state)
{
	enum { TREE = 20, ASKED = 200000 };
	struct fixture *fixture = *state;
	unsigned int tried, walks, lines;
	double start_s, passed_s;
	uint64_t below;
	char name[32];
	FILE *caught;

	for (int i = 0; i < TREE; i++) {
		snprintf(name, sizeof(name), "%d", i);
		make(fixture, name);
	}
	watches_left = 5;
	caught = catch_stderr();
	open_cgroups(fixture);
	for (int i = 0; i < TREE; i++) {
		snprintf(name, sizeof(name), "%d/below", i);
		below = make(fixture, name);
	}
	assert_path(fixture->cgroups, below, "/19/below");
	lines = count_caught_lines(caught);
	assert_int_equal(lines, 1);
	assert_true(cgroups_fd(fixture->cgroups) >= 0);
	assert_int_equal(count_watches(fixture->cgroups), 5);

	/* A flood of unknown ids: each walk tries the same 36 watches again. */
	tried = watches_tried;
	start_s = now_s();
	for (uint64_t i = 0; i < ASKED; i++)
		assert_null(cgroups_path(fixture->cgroups, (1ull << 60) + i));
	passed_s = now_s() - start_s;
	walks = (watches_tried - tried) / (1 + 2 * TREE - 5);
	assert_true(walks <= 1 + passed_s / 0.1);
}

static void test_symlinks_are_not_followed(void **state)
{
	struct fixture *fixture = *state, outside;
	char target[512];
	void *other;
	uint64_t id, inside;

	setup(&other);
	outside = *(struct fixture *)other;
	/* Relative, so that it crosses no mount: only the link itself is the reason to refuse. */
	snprintf(target, sizeof(target), "..%s", strrchr(outside.mount, '/'));
	id = make(&outside, "outside");
	inside = make(fixture, "inside");
	assert_int_equal(symlinkat(target, fixture->fd, "link"), 0);
	assert_int_equal(symlinkat("inside", fixture->fd, "alias"), 0);
	open_cgroups(fixture);
	use_up_the_walk(fixture);
	assert_null(cgroups_path(fixture->cgroups, id));
	assert_path(fixture->cgroups, inside, "/inside");

	/* A directory that is replaced by a link before its event is read. */
	make(fixture, "swapped");
	removes(fixture, "swapped");
	assert_int_equal(symlinkat(target, fixture->fd, "swapped"), 0);
	cgroups_changed(fixture->cgroups);
	assert_null(cgroups_path(fixture->cgroups, id));
	assert_int_equal(count_watches(fixture->cgroups), 2);

	/* Its parent is. */
	make(fixture, "parent");
	cgroups_changed(fixture->cgroups);
	make(fixture, "parent/outside");
	assert_int_equal(renameat(fixture->fd, "parent", fixture->fd, "parent-moved"), 0);
	assert_int_equal(symlinkat(target, fixture->fd, "parent"), 0);
	cgroups_changed(fixture->cgroups);
	assert_null(cgroups_path(fixture->cgroups, id));
	teardown(&other);
}

/* In a mount namespace of its own, which ends with it. 0: as it should be; 77: not possible. */
static int with_a_mount_inside(const struct fixture *fixture)
{
	struct cgroups *cgroups;
	char path[512];
	int result;

	snprintf(path, sizeof(path), "%s/sub", fixture->mount);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", path, "tmpfs", 0, NULL) < 0)
		return 77;
	strcat(path, "/inner");
	if (mkdir(path, 0755) < 0 || cgroups_open(&cgroups, fixture->mount) < 0)
		return 1;
	result = count_watches(cgroups) == 1 ? 0 : 2; /* the root; not what is covered */
	cgroups_close(cgroups);
	return result;
}

static void test_mounts_are_not_entered(void **state)
{
	struct fixture *fixture = *state;
	int status;
	pid_t child;

	make(fixture, "sub");
	child = fork();
	if (child == 0)
		_exit(with_a_mount_inside(fixture));
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

static void test_long_paths(void **state)
{
	enum { DEPTH = 20, NAME = 250 };
	struct fixture *fixture = *state;
	char name[NAME + 1], path[DEPTH * (NAME + 1) + 1] = "";
	uint64_t ids[DEPTH];
	struct stat status;
	int fd = dup(fixture->fd), next;

	memset(name, 'n', NAME);
	name[NAME] = '\0';
	open_cgroups(fixture);
	for (int i = 0; i < DEPTH; i++) {
		assert_int_equal(mkdirat(fd, name, 0755), 0);
		next = openat(fd, name, O_RDONLY | O_DIRECTORY);
		assert_true(next >= 0);
		close(fd);
		fd = next;
		assert_int_equal(fstat(fd, &status), 0);
		ids[i] = status.st_ino;
		if (i % 2) /* some by event, some by scan */
			cgroups_changed(fixture->cgroups);
	}
	close(fd);
	for (int i = 0; i < DEPTH; i++) {
		snprintf(path + strlen(path), sizeof(path) - strlen(path), "/%s", name);
		if (strlen(path) < PATH_MAX)
			assert_path(fixture->cgroups, ids[i], path);
		else
			assert_null(cgroups_path(fixture->cgroups, ids[i]));
	}
}

static void test_vanishing_during_the_walk(void **state)
{
	struct fixture *fixture = *state;
	uint64_t stays = make(fixture, "stays");
	int status;
	pid_t child;

	child = fork();
	if (child == 0)
		for (prctl(PR_SET_PDEATHSIG, SIGKILL);;) { /* also if this test fails */
			mkdirat(fixture->fd, "stays/a", 0755);
			mkdirat(fixture->fd, "stays/a/b", 0755);
			unlinkat(fixture->fd, "stays/a/b", AT_REMOVEDIR);
			unlinkat(fixture->fd, "stays/a", AT_REMOVEDIR);
		}
	for (int i = 0; i < 100; i++) {
		open_cgroups(fixture);
		cgroups_changed(fixture->cgroups);
		assert_path(fixture->cgroups, stays, "/stays");
		cgroups_close(fixture->cgroups);
	}
	open_cgroups(fixture);
	/* The child may be the faster one: there is no end of events then. */
	for (double end_s = now_s() + 1; now_s() < end_s;)
		cgroups_changed(fixture->cgroups);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	remove_tree(fixture->fd, "stays");
	for (int i = 0; i < 100; i++)
		cgroups_changed(fixture->cgroups);
	assert_int_equal(count_watches(fixture->cgroups), 1);
	assert_path(fixture->cgroups, stays, "/stays");
}

/* A real cgroup as the mount, so that others' do not show; mount[0] == 0: there can be none. */
static int setup_real(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	_cleanup_free_ char *mount = NULL;

	watches_left = UINT_MAX;
	watches_tried = 0;
	fixture->fd = -1;
	*state = fixture;
	if (geteuid() != 0 || cgroup_find_root(&mount) < 0)
		return 0;
	snprintf(fixture->mount, sizeof(fixture->mount), "%s/traffic-meter-test-unit-%d", mount,
		 (int)getpid());
	if (mkdir(fixture->mount, 0755) < 0)
		fixture->mount[0] = '\0'; /* mounted read-only, as in containers */
	else
		fixture->fd = open(fixture->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return 0;
}

static int teardown_real(void **state)
{
	struct fixture *fixture = *state;

	cgroups_close(fixture->cgroups);
	if (fixture->mount[0]) {
		close(fixture->fd);
		remove_tree(AT_FDCWD, fixture->mount);
	}
	free(fixture);
	return 0;
}

/* By the way that asks kernfs for the id itself, which is what BPF programs see. */
static uint64_t kernfs_id_of(const struct fixture *fixture, const char *name)
{
	struct {
		struct file_handle head;
		uint64_t id;
	} handle = { .head.handle_bytes = sizeof(handle.id) };
	int mount_id;

	assert_int_equal(name_to_handle_at(fixture->fd, name, &handle.head, &mount_id, 0), 0);
	return handle.id;
}

static void test_real_cgroups(void **state)
{
	struct fixture *fixture = *state;
	uint64_t job, below, later;

	if (!fixture->mount[0])
		skip();
	open_cgroups(fixture);
	make(fixture, "job");
	make(fixture, "job/below");
	wait_and_read(fixture->cgroups);
	assert_int_equal(count_watches(fixture->cgroups), 3);
	job = kernfs_id_of(fixture, "job");
	below = kernfs_id_of(fixture, "job/below");
	removes(fixture, "job/below");
	removes(fixture, "job");
	assert_path(fixture->cgroups, job, "/job");
	assert_path(fixture->cgroups, below, "/job/below");
	wait_and_read(fixture->cgroups);
	assert_path(fixture->cgroups, job, "/job");
	assert_path(fixture->cgroups, below, "/job/below");
	/* kernfs itself would keep the watches. */
	assert_int_equal(count_watches(fixture->cgroups), 1);

	later = make(fixture, "job");
	assert_int_not_equal(later, job);
	assert_path(fixture->cgroups, later, "/job");
	assert_path(fixture->cgroups, job, "/job");
}

static void test_real_mount(void **state)
{
	struct fixture *fixture = *state;
	char *mount, *name;
	uint64_t id;

	if (!fixture->mount[0])
		skip();
	id = kernfs_id_of(fixture, ".");
	assert_int_equal(cgroup_find_root(&mount), 0);
	assert_int_equal(cgroups_open(&fixture->cgroups, mount), 0);
	free(mount);
	name = strrchr(fixture->mount, '/');
	assert_path(fixture->cgroups, id, name);
	assert_int_equal(rmdir(fixture->mount), 0);
	wait_and_read(fixture->cgroups);
	assert_path(fixture->cgroups, id, name);
}

/* A job of some milliseconds in a cgroup of its own, as a batch system makes them. */
static void test_real_short_jobs(void **state)
{
	enum { N = 200 };
	struct fixture *fixture = *state;
	uint64_t ids[N];
	char name[32];

	if (!fixture->mount[0])
		skip();
	open_cgroups(fixture);
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "job-%d", i);
		ids[i] = make(fixture, name);
		wait_and_read(fixture->cgroups);
		removes(fixture, name);
	}
	wait_and_read(fixture->cgroups);
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "/job-%d", i);
		assert_path(fixture->cgroups, ids[i], name);
	}
	assert_int_equal(count_watches(fixture->cgroups), 1);
}

#define test(function)	    cmocka_unit_test_setup_teardown(function, setup, teardown)
#define test_real(function) cmocka_unit_test_setup_teardown(function, setup_real, teardown_real)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_what_was_there_before),
		test(test_no_such_mount),
		test(test_nested_right_away),
		test(test_events_read_late),
		test(test_made_just_before_the_watch),
		test(test_nested_while_watching),
		test(test_many_made_and_removed),
		test(test_oldest_gone_are_forgotten),
		test(test_unknown_is_cheap),
		test(test_newer_path_wins),
		test(test_walk_finds_what_went),
		cmocka_unit_test(test_table),
		test(test_queue_overflows),
		test(test_no_watches_at_all),
		test(test_too_few_watches),
		test(test_symlinks_are_not_followed),
		test(test_mounts_are_not_entered),
		test(test_long_paths),
		test(test_vanishing_during_the_walk),
		test_real(test_real_cgroups),
		test_real(test_real_mount),
		test_real(test_real_short_jobs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
