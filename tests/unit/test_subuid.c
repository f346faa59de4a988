// SPDX-License-Identifier: GPL-2.0-or-later
/* Owners of subordinate uids: by a file, and by libsubid with a source of the test's. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "account/libsubid.h"
#include "account/subuid.h"
#include "account/uid_ranges.h"

#ifdef HAVE_LIBSUBID
#include <shadow/subid.h>
#endif

#define NO_USER "no-such-user-here"

/* The users of these tests, in place of the machine's: found before libc's function. */
static struct {
	int n_asked;
	bool late_is_there;
	int n_opendir;
} host;

int getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size,
	       struct passwd **found)
{
	(void)buffer;
	host.n_asked++;
	*found = NULL;
	if (strcmp(name, "broken") == 0)
		return EIO;
	if (strcmp(name, "large") == 0 && size < 10000)
		return ERANGE;
	if (strcmp(name, "alice") == 0 || strcmp(name, "large") == 0 ||
	    (strcmp(name, "late") == 0 && host.late_is_there)) {
		entry->pw_uid = *name == 'a' ? 1000 : 1001;
		*found = entry;
	}
	return 0;
}

/* A person whose uid a directory server has handed out. Low ones are the machine's own. */
#define ANNA	   108472
#define LATE_COMER 108473

int getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size, struct passwd **found)
{
	struct passwd *of_the_machine;

	(void)buffer, (void)size;
	*found = NULL;
	if (uid == ANNA) {
		*entry = (struct passwd){ .pw_name = (char *)"anna", .pw_uid = uid };
		*found = entry;
		return 0;
	}
	if (uid == LATE_COMER)
		return EIO;
	of_the_machine = uid < SUBUID_FIRST ? getpwuid(uid) : NULL;
	if (of_the_machine) {
		*entry = *of_the_machine;
		*found = entry;
	}
	return 0;
}

/* Counts the walks through /proc. */
DIR *opendir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	host.n_opendir++;
	return fd < 0 ? NULL : fdopendir(fd);
}

/* A folder with the file, and standard error in another while it is read. */
struct fixture {
	char folder[32];
	char path[64];
	char log_path[64];
	char log[4096];
	int saved_stderr;
	struct subuid *subuid;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	strcpy(fixture->folder, "/tmp/test_subuid.XXXXXX");
	assert_non_null(mkdtemp(fixture->folder));
	snprintf(fixture->path, sizeof(fixture->path), "%s/subuid", fixture->folder);
	snprintf(fixture->log_path, sizeof(fixture->log_path), "%s/log", fixture->folder);
	unsetenv("JOURNAL_STREAM");
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	subuid_close(fixture->subuid);
	unlink(fixture->path);
	unlink(fixture->log_path);
	assert_int_equal(rmdir(fixture->folder), 0);
	free(fixture);
	return 0;
}

static void begin_log(struct fixture *fixture)
{
	int fd = open(fixture->log_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	fixture->saved_stderr = dup(STDERR_FILENO);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	close(fd);
}

/* What was logged is in fixture->log; the number of lines. */
static int end_log(struct fixture *fixture)
{
	ssize_t length = pread(STDERR_FILENO, fixture->log, sizeof(fixture->log) - 1, 0);
	int n = 0;

	dup2(fixture->saved_stderr, STDERR_FILENO);
	close(fixture->saved_stderr);
	assert_true(length >= 0);
	fixture->log[length] = '\0';
	for (const char *c = fixture->log; (c = strchr(c, '\n')); c++)
		n++;
	return n;
}

static void assert_logged(const struct fixture *fixture, const char *words)
{
	if (!strstr(fixture->log, words))
		fail_msg("not in the log: %s\n%s", words, fixture->log);
}

/* As useradd does: a new file in the place of the old. */
static void write_bytes(const struct fixture *fixture, const char *bytes, size_t length)
{
	char path[80];
	FILE *file;

	snprintf(path, sizeof(path), "%s.new", fixture->path);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(path, fixture->path), 0);
}

static void write_file(const struct fixture *fixture, const char *text)
{
	write_bytes(fixture, text, strlen(text));
}

/* *fixture->log has what the file's lines were told; the number of messages. */
static int open_file(struct fixture *fixture)
{
	int r;

	begin_log(fixture);
	r = subuid_open(&fixture->subuid, fixture->path);
	assert_int_equal(r, 0);
	return end_log(fixture);
}

static int refresh(struct fixture *fixture)
{
	begin_log(fixture);
	subuid_refresh(fixture->subuid);
	return end_log(fixture);
}

static void assert_owner(struct fixture *fixture, uint32_t uid, uint32_t owner)
{
	uint32_t found = subuid_owner(fixture->subuid, uid);

	if (found != owner)
		fail_msg("uid %u is charged to %u, not %u", uid, found, owner);
}

static void test_edges(void **state)
{
	struct fixture *fixture = *state;

	write_file(fixture, "1000:100000:65536\n"
			    "1001:165536:65536\n"
			    "1002:300000:1\n");
	assert_int_equal(open_file(fixture), 0);
	assert_owner(fixture, 0, 0);
	assert_owner(fixture, 1000, 1000);
	assert_owner(fixture, 99999, 99999);
	assert_owner(fixture, 100000, 1000);
	assert_owner(fixture, 165535, 1000);
	assert_owner(fixture, 165536, 1001);
	assert_owner(fixture, 231071, 1001);
	assert_owner(fixture, 231072, 231072);
	assert_owner(fixture, 299999, 299999);
	assert_owner(fixture, 300000, 1002);
	assert_owner(fixture, 300001, 300001);
	assert_owner(fixture, UINT32_MAX, UINT32_MAX);
}

static void test_names(void **state)
{
	struct fixture *fixture = *state;

	memset(&host, 0, sizeof(host));
	write_file(fixture, "alice:100000:10\nlarge:200000:10\n42:300000:10");
	assert_int_equal(open_file(fixture), 0);
	assert_int_equal(host.n_asked, 0); /* nobody has been met */
	assert_owner(fixture, 100005, 1000);
	assert_owner(fixture, 100006, 1000);
	assert_int_equal(host.n_asked, 1);
	assert_owner(fixture, 200000, 1001);
	assert_owner(fixture, 300009, 42);
	subuid_refresh(fixture->subuid);
	host.n_asked = 0;
	assert_owner(fixture, 100005, 1000);
	assert_int_equal(host.n_asked, 0);
}

/* Whatever range holds the uid. */
static void test_a_person_in_a_range(void **state)
{
	struct fixture *fixture = *state;

	write_file(fixture, "1000:100000:65536\n");
	assert_int_equal(open_file(fixture), 0);
	assert_owner(fixture, ANNA, ANNA);
	assert_owner(fixture, ANNA - 1, 1000);
	assert_owner(fixture, ANNA, ANNA);
	/* Where the directory server does not answer nothing is known of it. */
	assert_owner(fixture, LATE_COMER, 1000);
}

/* Told when traffic comes, once a line; asked again after a refresh. */
static void test_unknown_names(void **state)
{
	struct fixture *fixture = *state;

	memset(&host, 0, sizeof(host));
	write_file(fixture, "late:100000:10\n" NO_USER ":200000:10\nbroken:300000:10\n");
	assert_int_equal(open_file(fixture), 0);
	begin_log(fixture);
	for (uint32_t i = 0; i < 10; i++) {
		assert_owner(fixture, 100000 + i, 100000 + i);
		assert_owner(fixture, 200000 + i, 200000 + i);
		assert_owner(fixture, 300000 + i, 300000 + i);
	}
	assert_int_equal(host.n_asked, 3);
	host.late_is_there = true;
	assert_owner(fixture, 100000, 100000);
	subuid_refresh(fixture->subuid);
	assert_owner(fixture, 100000, 1001);
	assert_owner(fixture, 200000, 200000);
	assert_int_equal(end_log(fixture), 3);
	assert_logged(fixture, "/subuid:1: no user 'late' found; uids of the range stand for");
	assert_logged(fixture, "/subuid:2: no user '" NO_USER "' found");
	assert_logged(fixture, "/subuid:3: no user 'broken' found; uids of the range stand for "
			       "themselves: Input/output error");
}

static void test_low_uids_are_left_alone(void **state)
{
	struct fixture *fixture = *state;

	write_file(fixture, "1000:0:4294967296\n");
	assert_int_equal(open_file(fixture), 0);
	assert_owner(fixture, 0, 0);
	assert_owner(fixture, 1001, 1001);
	assert_owner(fixture, 65535, 65535);
	assert_owner(fixture, 65536, 1000);
	write_file(fixture, "70000:65536:10000\n");
	assert_int_equal(refresh(fixture), 0);
	assert_owner(fixture, 70000, 70000);
	assert_owner(fixture, 70001, 70000);
}

static void test_comments_and_broken_lines(void **state)
{
	static const char text[] = "# a comment: of:1:2\n"
				   "\n"
				   "  \t\n"
				   " # indented\n"
				   "1000\n"
				   "1000:100000\n"
				   ":100000:65536\n"
				   "1000:start:65536\n"
				   "1000:100000:\n"
				   "1000:100000:65536:\n"
				   "1000:-1:65536\n"
				   "1000:100000:65536\r\n"
				   "1000:4294967296:1\n"
				   "1000:100000:0\n"
				   "1000:1000:64536\n"
				   "1000:100000:65536\0:\n"
				   "1001:200000:65536\n";
	static const char *const told[] = {
		"/subuid:5: is not name:start:count; the line is left out",
		"/subuid:6: is not name:start:count",
		"/subuid:7: is not name:start:count",
		"/subuid:8: the start is not a number",
		"/subuid:9: the count is not a number",
		"/subuid:10: the count is not a number",
		"/subuid:11: the start is not a number",
		"/subuid:12: the count is not a number",
		"/subuid:13: the start is past the last uid",
		"/subuid:14: the count is 0",
		"/subuid:15: uids below 65536 are never charged to another",
		"/subuid:16: has a NUL byte",
	};
	const size_t n = sizeof(told) / sizeof(*told);
	struct fixture *fixture = *state;

	write_bytes(fixture, text, sizeof(text) - 1);
	assert_int_equal(open_file(fixture), n);
	for (size_t i = 0; i < n; i++)
		assert_logged(fixture, told[i]);
	assert_owner(fixture, 100000, 100000);
	assert_owner(fixture, 200000, 1001);
	/* Not told again while the file stays as it is. */
	assert_int_equal(refresh(fixture), 0);
}

static void test_the_first_line_wins(void **state)
{
	struct fixture *fixture = *state;

	write_file(fixture, "1000:200000:10\n"
			    "1001:400000:10\n"
			    "1002:199990:20\n"	     /* ends within the first */
			    "1003:200000:10\n"	     /* the same once more */
			    "1004:100000:500000\n"); /* around all of them */
	assert_int_equal(open_file(fixture), 0);
	assert_owner(fixture, 99999, 99999);
	assert_owner(fixture, 100000, 1004);
	assert_owner(fixture, 199989, 1004);
	assert_owner(fixture, 199990, 1002);
	assert_owner(fixture, 199999, 1002);
	assert_owner(fixture, 200000, 1000);
	assert_owner(fixture, 200009, 1000);
	assert_owner(fixture, 200010, 1004);
	assert_owner(fixture, 399999, 1004);
	assert_owner(fixture, 400000, 1001);
	assert_owner(fixture, 400009, 1001);
	assert_owner(fixture, 400010, 1004);
	assert_owner(fixture, 599999, 1004);
	assert_owner(fixture, 600000, 600000);
}

static void test_the_last_uid(void **state)
{
	struct fixture *fixture = *state;

	write_file(fixture, "1000:4294901760:65536\n"
			    "1001:4294901750:99999999999999999999999\n");
	assert_int_equal(open_file(fixture), 0);
	assert_owner(fixture, 4294901749, 4294901749);
	assert_owner(fixture, 4294901750, 1001);
	assert_owner(fixture, 4294901759, 1001);
	assert_owner(fixture, 4294901760, 1000);
	assert_owner(fixture, UINT32_MAX, 1000);
	write_file(fixture, "1002:4294967295:1\n");
	assert_int_equal(refresh(fixture), 0);
	assert_owner(fixture, UINT32_MAX - 1, UINT32_MAX - 1);
	assert_owner(fixture, UINT32_MAX, 1002);
}

static void test_refresh(void **state)
{
	struct fixture *fixture = *state;
	FILE *file;

	/* No file is fine; it may come, change, be appended to, and go. */
	assert_int_equal(open_file(fixture), 0);
	assert_owner(fixture, 100000, 100000);
	assert_int_equal(refresh(fixture), 0);
	write_file(fixture, "1000:100000:10\n");
	assert_owner(fixture, 100000, 100000);
	assert_int_equal(refresh(fixture), 0);
	assert_owner(fixture, 100000, 1000);

	write_file(fixture, "1001:100000:10\n");
	assert_owner(fixture, 100000, 1000);
	assert_int_equal(refresh(fixture), 0);
	assert_owner(fixture, 100000, 1001);

	file = fopen(fixture->path, "ae");
	assert_non_null(file);
	fputs("1002:200000:10\n", file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(refresh(fixture), 0);
	assert_owner(fixture, 100000, 1001);
	assert_owner(fixture, 200000, 1002);

	assert_int_equal(unlink(fixture->path), 0);
	assert_int_equal(refresh(fixture), 0);
	assert_owner(fixture, 100000, 100000);
	assert_owner(fixture, 200000, 200000);
}

static void test_same_size_and_time(void **state)
{
	const struct timespec times[2] = { { .tv_sec = 1000000 }, { .tv_sec = 1000000 } };
	struct fixture *fixture = *state;

	write_file(fixture, "1000:100000:10\n");
	assert_int_equal(utimensat(AT_FDCWD, fixture->path, times, 0), 0);
	assert_int_equal(open_file(fixture), 0);
	write_file(fixture, "1001:100000:10\n");
	assert_int_equal(utimensat(AT_FDCWD, fixture->path, times, 0), 0);
	assert_int_equal(refresh(fixture), 0);
	assert_owner(fixture, 100000, 1001);
}

static void test_unreadable_keeps_what_was_known(void **state)
{
	struct fixture *fixture = *state;

	write_file(fixture, "1000:100000:10\n");
	assert_int_equal(open_file(fixture), 0);
	assert_int_equal(unlink(fixture->path), 0);
	assert_int_equal(mkdir(fixture->path, 0700), 0);
	assert_int_equal(refresh(fixture), 1);
	assert_logged(fixture, "/subuid, for the owners of subordinate uids: Is a directory");
	assert_int_equal(refresh(fixture), 0);
	assert_owner(fixture, 100000, 1000);
	assert_int_equal(rmdir(fixture->path), 0);
	write_file(fixture, "1001:100000:10\n");
	assert_int_equal(refresh(fixture), 0);
	assert_owner(fixture, 100000, 1001);
}

/* Of this process alone: other work on the machine shall not matter. */
static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* In the order that costs most. */
static void test_many(void **state)
{
	enum { N = 10000, COUNT = 65536, LOOK_UPS = 1000000 };
	struct fixture *fixture = *state;
	double begun = seconds(), opened;
	uint64_t sum = 0;
	FILE *file;

	file = fopen(fixture->path, "we");
	assert_non_null(file);
	for (uint32_t i = N; i-- > 0;) {
		fprintf(file, NO_USER "%u:%u:%d\n", i, 1000000 + i * 100000, 34464);
		fprintf(file, "%u:%u:%d\n", i, 1034464 + i * 100000, COUNT);
	}
	assert_int_equal(fclose(file), 0);
	assert_int_equal(open_file(fixture), 0);
	opened = seconds();
	for (uint32_t i = 0; i < N; i++)
		assert_owner(fixture, 1034464 + i * 100000, i);
	for (uint32_t i = 0; i < LOOK_UPS; i++)
		sum += subuid_owner(fixture->subuid, 1034464 + i % N * 100000 + i % COUNT);
	assert_int_equal(sum, (uint64_t)LOOK_UPS / N * ((uint64_t)N * (N - 1) / 2));
	/* Far above what it takes, far below what a line's look-up or a linear search would. */
	assert_true(opened - begun < 2);
	assert_true(seconds() - opened < 5);
}

/* Against the obvious: a table of all uids, filled by who comes first. */
static void test_ranges_at_random(void **state)
{
	enum { UIDS = 200, ROUNDS = 300 };

	(void)state;
	srandom(1);
	for (int round = 0; round < ROUNDS; round++) {
		struct uid_ranges ranges = { 0 };
		uint32_t expected[UIDS] = { 0 };

		for (uint32_t value = 1; value <= 20; value++) {
			uint32_t first = (uint32_t)random() % UIDS;
			uint32_t last = first + (uint32_t)random() % (UIDS - first) / 4;

			assert_int_equal(uid_ranges_add(&ranges, first, last, value), 0);
			for (uint32_t uid = first; uid <= last; uid++)
				expected[uid] = expected[uid] ? expected[uid] : value;
		}
		for (uint32_t uid = 0; uid < UIDS; uid++) {
			const struct uid_range *range = uid_ranges_find(&ranges, uid);

			assert_int_equal(range ? range->value : 0, expected[uid]);
		}
		uid_ranges_free(&ranges);
	}
}

static void test_nsswitch_files(void **state)
{
	static const char *const files[] = {
		"",
		"passwd: sss\n",
		"subid: files\n",
		"SUBID:\tfiles sss\n",
		"#subid: sss\n",
		"subid:\n",
		"subid: # sss\n",
	};
	struct fixture *fixture = *state;
	struct libsubid *libsubid;

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		int r;

		write_file(fixture, files[i]);
		begin_log(fixture);
		r = libsubid_open(&libsubid, fixture->path);
		assert_int_equal(end_log(fixture), 0);
		assert_int_equal(r, 0);
		assert_null(libsubid);
	}
}

static void test_nsswitch_other(void **state)
{
	struct fixture *fixture = *state;
	struct libsubid *libsubid;
	int r, n;

	write_file(fixture, "passwd: files\nsubid:\t sss files\n");
	begin_log(fixture);
	r = libsubid_open(&libsubid, fixture->path);
	n = end_log(fixture);
	assert_int_equal(r, 0);
	/* With its header here the library may still be missing: then it is told as well. */
	if (libsubid) {
		assert_int_equal(n, 0);
		libsubid_close(libsubid);
		return;
	}
	assert_int_equal(n, 1);
	assert_logged(fixture,
		      "names 'sss' as the source of subordinate uids, but libsubid is not");
}

#ifdef HAVE_LIBSUBID

/* cmocka's values can't be used: who is asked depends on who has processes here. */
static struct {
	char user[64];
	int n_all;
	int n_user;
} source;

static int source_ranges(const char *user, struct subid_range **ret)
{
	static const struct subid_range ranges[] = { { 3000000000, 65536 },
						     { 4294967290, 100 },
						     { 4294967296, 1 },
						     { 3100000000, 0 },
						     { 100000, 65536 } };

	source.n_all++;
	if (strcmp(user, source.user) != 0)
		return source.n_all % 2 ? -1 : 0;
	source.n_user++;
	*ret = malloc(sizeof(ranges));
	assert_non_null(*ret);
	memcpy(*ret, ranges, sizeof(ranges));
	return sizeof(ranges) / sizeof(*ranges);
}

static void test_libsubid(void **state)
{
	const struct passwd *self = getpwuid(geteuid());
	struct libsubid *libsubid;
	int n_all;

	(void)state;
	if (!self)
		skip();
	memset(&source, 0, sizeof(source));
	snprintf(source.user, sizeof(source.user), "%s", self->pw_name);
	libsubid = libsubid_new(source_ranges);
	assert_non_null(libsubid);

	/* Those that need no question. */
	assert_int_equal(libsubid_owner(libsubid, 0), 0);
	assert_int_equal(libsubid_owner(libsubid, 65535), 65535);
	assert_int_equal(source.n_all, 0);

	assert_int_equal(libsubid_owner(libsubid, 3000000000), geteuid());
	assert_int_equal(libsubid_owner(libsubid, 3000065535), geteuid());
	assert_int_equal(libsubid_owner(libsubid, 4294967290), geteuid());
	assert_int_equal(libsubid_owner(libsubid, UINT32_MAX), geteuid());
	assert_int_equal(source.n_user, 1);

	/* In a range, and a person all the same: before the range is known, and after. */
	assert_int_equal(libsubid_owner(libsubid, ANNA - 1), geteuid());
	assert_int_equal(libsubid_owner(libsubid, ANNA), ANNA);

	/* Nobody's: everybody is asked, once. */
	assert_int_equal(libsubid_owner(libsubid, 3000065536), 3000065536);
	assert_int_equal(libsubid_owner(libsubid, 2999999999), 2999999999);
	assert_int_equal(libsubid_owner(libsubid, 3100000000), 3100000000);
	n_all = source.n_all;
	host.n_opendir = 0;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(libsubid_owner(libsubid, 3000065536), 3000065536);
	assert_int_equal(source.n_user, 1);
	assert_int_equal(source.n_all, n_all);
	assert_int_equal(host.n_opendir, 0);

	libsubid_expire(libsubid);
	assert_int_equal(libsubid_owner(libsubid, 3000000000), geteuid());
	assert_int_equal(source.n_user, 1);
	libsubid_forget(libsubid);
	assert_int_equal(libsubid_owner(libsubid, 3000000000), geteuid());
	assert_int_equal(source.n_user, 2);
	libsubid_close(libsubid);
}

#else

static void test_libsubid(void **state)
{
	(void)state;
	skip();
}

#endif

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_edges),
		TEST(test_names),
		TEST(test_a_person_in_a_range),
		TEST(test_unknown_names),
		TEST(test_low_uids_are_left_alone),
		TEST(test_comments_and_broken_lines),
		TEST(test_the_first_line_wins),
		TEST(test_the_last_uid),
		TEST(test_refresh),
		TEST(test_same_size_and_time),
		TEST(test_unreadable_keeps_what_was_known),
		TEST(test_many),
		cmocka_unit_test(test_ranges_at_random),
		TEST(test_nsswitch_files),
		TEST(test_nsswitch_other),
		cmocka_unit_test(test_libsubid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
