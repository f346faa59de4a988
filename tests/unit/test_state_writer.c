// SPDX-License-Identifier: GPL-2.0-or-later
/* The state file written: by its thread, with the machine stopping at each step, on a disk that is
 * full, read-only, slow or broken, and with other things at its names. */
#include "output_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "account/state.h"
#include "account/state_writer.h"

#define CURRENT "default.totals"
#define BEFORE	"default.totals.before"
#define NEW	"default.totals.new"
#define UNREAD	"default.totals.unread"

#define NS_PER_S UINT64_C(1000000000)

/* The system calls by which a file takes another's place: found before libc's functions. */
static struct {
	_Atomic int die_at; /* the process ends before this one; 0: never */
	_Atomic int n;	    /* so far */
	_Atomic int n_synced;
	_Atomic int sync_error;
	_Atomic bool no_exchange; /* as on a file system that can't */
	_Atomic bool no_sync;
	_Atomic bool blocks; /* fsync() says that it was entered and waits */
	sem_t entered, go;
} host;

static bool is_last_step(void)
{
	return ++host.n == host.die_at;
}

static void step(void)
{
	if (is_last_step())
		_exit(99);
}

ssize_t write(int fd, const void *data, size_t n)
{
	if (fd > STDERR_FILENO && host.die_at && is_last_step()) {
		syscall(SYS_write, fd, data, n / 2);
		_exit(99);
	}
	return syscall(SYS_write, fd, data, n);
}

int fsync(int fd)
{
	step();
	host.n_synced++;
	if (host.blocks) {
		sem_post(&host.entered);
		while (sem_wait(&host.go) < 0)
			;
	}
	if (host.sync_error) {
		errno = host.sync_error;
		return -1;
	}
	return host.no_sync ? 0 : (int)syscall(SYS_fsync, fd);
}

int unlinkat(int fd, const char *name, int flags)
{
	step();
	return (int)syscall(SYS_unlinkat, fd, name, flags);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned int flags)
{
	step();
	if (flags && host.no_exchange) {
		errno = EINVAL;
		return -1;
	}
	return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	return renameat2(from_fd, from, to_fd, to, 0);
}

static uint64_t seconds_from_now(unsigned int seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return ((uint64_t)now.tv_sec + seconds) * NS_PER_S + (uint64_t)now.tv_nsec;
}

static int set_up(void **state)
{
	host.die_at = host.n = host.n_synced = host.sync_error = 0;
	host.no_exchange = host.no_sync = host.blocks = false;
	sem_init(&host.entered, 0, 0);
	sem_init(&host.go, 0, 0);
	return make_directory(state);
}

static struct state_writer *open_writer(void)
{
	struct state_writer *writer;

	assert_int_equal(state_writer_open(&writer, directory, "default"), 0);
	return writer;
}

static void put(struct state_writer *writer, uint64_t batch)
{
	struct state_total totals[] = { { 1001, batch, 2 }, { 1000, batch, batch } };
	struct state state = { .batch = batch, .totals = totals, .n = 2 };

	assert_int_equal(state_writer_put(writer, &state), 0);
	memset(totals, 0xff, sizeof(totals));
}

static void write_once(uint64_t batch)
{
	struct state_writer *writer = open_writer();

	put(writer, batch);
	assert_int_equal(state_writer_close(writer, seconds_from_now(60)), 0);
}

static struct state read_state(void)
{
	struct state state = { 0 };
	int r;

	capture_begin();
	r = state_read(directory, "default", &state);
	capture_end();
	assert_int_equal(r, 0);
	return state;
}

static uint64_t read_batch(void)
{
	struct state state = read_state();
	uint64_t batch = state.batch;

	if (state.n) {
		assert_int_equal(state.n, 2);
		assert_int_equal(state.totals[0].uid, 1000);
		assert_int_equal(state.totals[0].in, batch);
	}
	state_free(&state);
	return batch;
}

static mode_t mode_of(const char *path)
{
	struct stat status;

	assert_int_equal(lstat(path, &status), 0);
	return status.st_mode;
}

static void wait_until_written(struct state_writer *writer, uint64_t batch)
{
	uint64_t deadline = seconds_from_now(30), written = 0;

	while (!state_writer_written(writer, &written) || written != batch) {
		assert_true(seconds_from_now(0) < deadline);
		usleep(1000);
	}
}

static void wait_for_error(struct state_writer *writer, const char *part)
{
	uint64_t deadline = seconds_from_now(30);
	char words[STATE_WRITER_ERROR_MAX];

	while (!state_writer_error(writer, words) || !strstr(words, part)) {
		assert_true(seconds_from_now(0) < deadline);
		usleep(1000);
	}
}

static void writes(void **unused)
{
	struct state_writer *writer;
	char words[STATE_WRITER_ERROR_MAX];
	mode_t before = umask(077);
	uint64_t batch;

	(void)unused;
	assert_int_equal(state_writer_open(&writer, path_of("made"), "default"), 0);
	umask(before);
	assert_int_equal(mode_of(path_of("made")), S_IFDIR | 0750);
	assert_false(state_writer_written(writer, &batch));
	put(writer, 1);
	wait_until_written(writer, 1);
	put(writer, 2);
	wait_until_written(writer, 2);
	assert_false(state_writer_error(writer, words));
	assert_string_equal(words, "");
	assert_int_equal(state_writer_close(writer, seconds_from_now(60)), 0);

	assert_int_equal(mode_of(path_of("made/" CURRENT)), S_IFREG | 0600);
	assert_non_null(strstr(read_file(path_of("made/" CURRENT)), "batch 2\n"));
	assert_non_null(strstr(read_file(path_of("made/" BEFORE)), "batch 1\n"));
	assert_int_not_equal(access(path_of("made/" NEW), F_OK), 0);
	assert_int_not_equal(access(path_of("made/" UNREAD), F_OK), 0);
}

static void nothing_to_write(void **unused)
{
	(void)unused;
	assert_int_equal(state_writer_close(open_writer(), seconds_from_now(60)), 0);
	assert_int_equal(state_writer_close(NULL, 0), 0);
	assert_int_not_equal(access(path_of(CURRENT), F_OK), 0);
}

/* Many puts while one is written: the last one wins, none waits for the disk. */
static void slow_disk(void **unused)
{
	struct state_writer *writer = open_writer();

	(void)unused;
	host.blocks = true;
	put(writer, 1);
	sem_wait(&host.entered);
	for (uint64_t batch = 2; batch <= 1000; batch++)
		put(writer, batch);
	for (int i = 0; i < 4; i++)
		sem_post(&host.go);
	assert_int_equal(state_writer_close(writer, seconds_from_now(60)), 0);
	assert_int_equal(host.n_synced, 4);
	assert_int_equal(read_batch(), 1000);
	assert_non_null(strstr(read_file(path_of(BEFORE)), "batch 1\n"));
}

/* The close is bounded, and the thread gives back what it has when it comes to an end after all. */
static void hanging_disk(void **unused)
{
	struct state_writer *writer = open_writer();
	uint64_t deadline;
	int left;

	(void)unused;
	host.blocks = true;
	put(writer, 1);
	sem_wait(&host.entered);
	capture_begin();
	assert_int_equal(state_writer_close(writer, seconds_from_now(0) + NS_PER_S / 20),
			 -ETIMEDOUT);
	capture_end();
	assert_said("in time");
	sem_post(&host.go);
	sem_wait(&host.entered);
	sem_post(&host.go);
	/* The last that can be seen of it. */
	for (deadline = seconds_from_now(30), left = 1; left; usleep(1000)) {
		assert_true(seconds_from_now(0) < deadline);
		assert_int_equal(sem_getvalue(&host.go, &left), 0);
	}
	assert_int_equal(read_batch(), 1);
}

/* Write as another process, which ends at step `at`. Returns whether it did. */
static bool write_dying(uint64_t batch, int at)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct state_total total[] = { { 1000, batch, 0 }, { 1001, batch, 0 } };
		struct state state = { .batch = batch, .totals = total, .n = 2 };
		struct state_writer *writer;

		host.die_at = at;
		host.n = 0;
		if (state_writer_open(&writer, directory, "default") < 0 ||
		    state_writer_put(writer, &state) < 0 ||
		    state_writer_close(writer, seconds_from_now(60)) < 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 99);
	return WEXITSTATUS(status) == 99;
}

static void remove_files(void)
{
	unlink(path_of(CURRENT));
	unlink(path_of(BEFORE));
	unlink(path_of(NEW));
	unlink(path_of(UNREAD));
}

static void start_from_nothing(void)
{
}

static void start_from_one(void)
{
	write_once(1);
}

static void start_from_two(void)
{
	write_once(1);
	write_once(2);
}

static void start_from_damage(void)
{
	start_from_two();
	write_file(path_of(CURRENT), "torn");
}

/* After a crash at each step, and another one at each step of the next write, there is what was, or
 * what was written then: never less. Returns how many steps there are. */
static int crash_everywhere(void (*start)(void))
{
	bool dies = true;
	int first;

	for (first = 1; dies; first++) {
		bool dies_again = true;

		for (int second = 1; dies_again; second++) {
			uint64_t was, is;

			remove_files();
			start();
			was = read_batch();
			dies = write_dying(10, first);
			is = read_batch();
			assert_true(is == 10 || (dies && is == was));
			was = is;
			dies_again = write_dying(20, second);
			is = read_batch();
			assert_true(is == 20 || (dies_again && is == was));
			write_once(30);
			assert_int_equal(read_batch(), 30);
			assert_string_equal(said, "");
			assert_int_not_equal(access(path_of(NEW), F_OK), 0);
		}
	}
	return first - 1;
}

static UNUSED void crash(void **unused)
{
	(void)unused;
	/* Power loss is not what this shows. */
	host.no_sync = true;
	for (int i = 0; i < 2; i++) {
		host.no_exchange = i == 1;
		assert_true(crash_everywhere(start_from_nothing) >= 5);
		assert_true(crash_everywhere(start_from_one) >= 6);
		assert_true(crash_everywhere(start_from_two) >= 6);
		assert_true(crash_everywhere(start_from_damage) >= 6);
	}
}

/* A bad current file does not take the good one's place, and is there to be mended. */
static void keeps_what_is_damaged(void **unused)
{
	(void)unused;
	start_from_damage();
	write_once(5);
	assert_string_equal(read_file(path_of(UNREAD)), "torn");
	assert_non_null(strstr(read_file(path_of(BEFORE)), "batch 1\n"));
	assert_int_equal(read_batch(), 5);
}

/* Changed by somebody while the meter runs. */
static void changed_meanwhile(void **unused)
{
	struct state_writer *writer = open_writer();

	(void)unused;
	put(writer, 1);
	wait_until_written(writer, 1);
	put(writer, 2);
	wait_until_written(writer, 2);
	write_file(path_of(CURRENT), "broken");
	put(writer, 3);
	wait_until_written(writer, 3);
	assert_string_equal(read_file(path_of(UNREAD)), "broken");
	assert_non_null(strstr(read_file(path_of(BEFORE)), "batch 1\n"));
	assert_int_equal(state_writer_close(writer, seconds_from_now(60)), 0);
}

/* Errors: said once, tried again by itself, and said when it works. */
static void broken_disk(void **unused)
{
	struct state_writer *writer;

	(void)unused;
	write_once(1);
	writer = open_writer();
	capture_begin();
	host.sync_error = EIO;
	put(writer, 2);
	wait_for_error(writer, "Input/output error");
	put(writer, 3);
	put(writer, 4);
	while (host.n_synced < 4)
		usleep(1000);
	host.sync_error = 0;
	wait_until_written(writer, 4);
	assert_int_equal(state_writer_close(writer, seconds_from_now(60)), 0);
	capture_end();
	assert_int_equal(count_said("Input/output error"), 1);
	assert_int_equal(count_said("again after"), 1);
	assert_int_equal(count_said("\n"), 2);
	assert_int_equal(read_batch(), 4);
}

static void close_says_what_is_lost(void **unused)
{
	struct state_writer *writer;

	(void)unused;
	write_once(1);
	writer = open_writer();
	host.sync_error = EIO;
	capture_begin();
	put(writer, 2);
	assert_int_equal(state_writer_close(writer, seconds_from_now(60)), -EIO);
	capture_end();
	assert_said("stopped with totals not written");
	assert_int_equal(read_batch(), 1);
	assert_int_not_equal(access(path_of(NEW), F_OK), 0);
}

/* A directory that vanishes is made again. */
static void vanished_directory(void **unused)
{
	struct state_writer *writer = open_writer();

	(void)unused;
	put(writer, 1);
	wait_until_written(writer, 1);
	assert_int_equal(remove_directory(NULL), 0);
	put(writer, 2);
	wait_until_written(writer, 2);
	assert_int_equal(state_writer_close(writer, seconds_from_now(60)), 0);
	assert_int_equal(read_batch(), 2);
}

static void mount_small(const char *options, unsigned long flags)
{
	assert_int_equal(mount("test", directory, "tmpfs", flags, options), 0);
}

static void put_many(struct state_writer *writer, uint64_t batch)
{
	struct state state = { .batch = batch, .n = 10000 };

	state.totals = calloc(state.n, sizeof(*state.totals));
	assert_non_null(state.totals);
	for (uint32_t i = 0; i < state.n; i++)
		state.totals[i].uid = i;
	assert_int_equal(state_writer_put(writer, &state), 0);
	state_free(&state);
}

static void full_and_read_only_disk(void **unused)
{
	struct state_writer *writer;

	(void)unused;
	if (unshare(CLONE_NEWNS) < 0)
		skip();
	assert_int_equal(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	mount_small("size=16k,mode=0700", 0);
	writer = open_writer();
	put(writer, 1);
	wait_until_written(writer, 1);
	capture_begin();
	put_many(writer, 2);
	wait_for_error(writer, "No space left");
	capture_end();
	assert_said("until then the totals would go back");
	assert_int_equal(read_batch(), 1);
	assert_int_not_equal(access(path_of(NEW), F_OK), 0);

	/* Tried again by itself. */
	capture_begin();
	mount_small("size=1m", MS_REMOUNT);
	wait_until_written(writer, 2);
	mount_small("size=1m", MS_REMOUNT | MS_RDONLY);
	put(writer, 3);
	wait_for_error(writer, "Read-only");
	mount_small("size=1m", MS_REMOUNT);
	wait_until_written(writer, 3);
	assert_int_equal(state_writer_close(writer, seconds_from_now(60)), 0);
	capture_end();
	assert_int_equal(count_said("again after"), 2);
	assert_int_equal(read_batch(), 3);
	assert_int_equal(umount(directory), 0);
}

static void make_symlink(const char *path)
{
	assert_int_equal(symlink(path_of("victim"), path), 0);
}

static void make_dangling_symlink(const char *path)
{
	assert_int_equal(symlink(path_of("nowhere"), path), 0);
}

static void make_hard_link(const char *path)
{
	assert_int_equal(link(path_of("victim"), path), 0);
}

static void make_plain_directory(const char *path)
{
	assert_int_equal(mkdir(path, 0777), 0);
}

static void make_fifo(const char *path)
{
	assert_int_equal(mkfifo(path, 0666), 0);
}

static void make_foreign_file(const char *path)
{
	write_file(path, "precious\n");
	if (chown(path, 12345, (gid_t)-1) < 0)
		assert_int_equal(chmod(path, 0622), 0);
}

/* Nothing is written while something is in the way, nothing of it is touched, and it goes on when the
 * name is free. */
static void assert_refused(const char *name, void (*make)(const char *path))
{
	struct state_writer *writer;
	struct stat before, after;
	char path[512];

	snprintf(path, sizeof(path), "%s", path_of(name));
	remove_files();
	start_from_two();
	unlink(path);
	write_file(path_of("victim"), "precious\n");
	make(path);
	assert_int_equal(lstat(path, &before), 0);
	writer = open_writer();
	capture_begin();
	put(writer, 3);
	wait_for_error(writer, name);
	assert_int_equal(lstat(path, &after), 0);
	assert_memory_equal(&before.st_ctim, &after.st_ctim, sizeof(before.st_ctim));
	assert_int_equal(before.st_ino, after.st_ino);
	assert_string_equal(read_file(path_of("victim")), "precious\n");
	assert_int_not_equal(access(path_of("nowhere"), F_OK), 0);
	assert_int_equal(remove(path), 0);
	put(writer, 4);
	assert_int_equal(state_writer_close(writer, seconds_from_now(60)), 0);
	capture_end();
	assert_int_equal(read_batch(), 4);
}

static void refused(void **unused)
{
	static const char *const names[] = { CURRENT, BEFORE, NEW, UNREAD };
	static void (*const kinds[])(const char *path) = {
		make_symlink, make_dangling_symlink, make_hard_link, make_plain_directory,
		make_fifo,    make_foreign_file,
	};

	(void)unused;
	host.no_sync = true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		for (size_t j = 0; j < sizeof(kinds) / sizeof(*kinds); j++)
			assert_refused(names[i], kinds[j]);
}

static void bad_directory(void **unused)
{
	struct state_writer *writer;

	(void)unused;
	capture_begin();
	assert_int_equal(state_writer_open(&writer, path_of("no/parent"), "x"), -ENOENT);
	assert_int_equal(state_writer_open(&writer, directory, "../x"), -EINVAL);
	assert_int_equal(chmod(directory, 01777), 0);
	assert_int_equal(state_writer_open(&writer, directory, "x"), -EPERM);
	capture_end();
	assert_said("make it: No such file");
	assert_said("written by others");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifndef __SANITIZE_THREAD__
		/* TSan lets no child of a process that had threads make its own. */
		TEST(crash),
#endif
		TEST(writes),
		TEST(nothing_to_write),
		TEST(slow_disk),
		TEST(hanging_disk),
		TEST(keeps_what_is_damaged),
		TEST(changed_meanwhile),
		TEST(broken_disk),
		TEST(close_says_what_is_lost),
		TEST(vanished_directory),
		TEST(refused),
		TEST(bad_directory),
		/* Last: it changes what the process sees of the file system. */
		TEST(full_and_read_only_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
