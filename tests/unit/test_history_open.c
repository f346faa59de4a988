// SPDX-License-Identifier: GPL-2.0-or-later
/* A history is opened: made, refused, found damaged, set aside; and read without write permission. */
#include "output_fixture.h"

#ifdef HAVE_SQLITE3

#include <grp.h>
#include <sys/wait.h>

#include "history/history.h"

static char why[HISTORY_WHY_MAX];

static sqlite3 *open_new(const char *path)
{
	const struct history_file file = { .path = path, .mode = 0640, .group = (gid_t)-1 };
	sqlite3 *database = NULL;

	if (history_open_write(&file, &database, why) < 0)
		fail_msg("%s", why);
	return database;
}

static int open_again(const char *path)
{
	const struct history_file file = { .path = path, .mode = 0640, .group = (gid_t)-1 };
	sqlite3 *database = NULL;
	int r = history_open_write(&file, &database, why);

	sqlite3_close(database);
	return r;
}

static void run(sqlite3 *database, const char *statement)
{
	if (sqlite3_exec(database, statement, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", statement, sqlite3_errmsg(database));
}

static void test_new_one_can_be_read(void **state)
{
	const char *path = path_of("history.db");
	struct history_level_state levels[HISTORY_LEVELS];
	sqlite3 *writer = open_new(path), *reader = NULL;
	struct stat status;

	(void)state;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0640);
	assert_int_equal(history_open_read(path, &reader, why), 0);
	assert_int_equal(history_read_levels(reader, levels), 0);
	assert_int_equal(levels[HISTORY_HOUR].rows, 30);
	assert_int_equal(levels[HISTORY_MONTH].keep_s, 0);
	assert_int_equal(history_check(writer, path, why), 0);
	/* Every view is one that SQLite understands. */
	run(reader, "SELECT * FROM usage; SELECT * FROM users; SELECT * FROM usage_month");
	sqlite3_close(reader);
	sqlite3_close(writer);
	assert_int_equal(open_again(path), 0);
}

/* In a process of its own, as a user who may read the files and write nothing: after the writer has
 * closed them, too. */
static void test_reader_without_write_permission(void **state)
{
	const char *path = path_of("history.db");
	sqlite3 *reader = NULL;
	int code = 0;
	pid_t child;

	(void)state;
	if (geteuid() != 0)
		skip();
	sqlite3_close(open_new(path));
	assert_int_equal(chmod(directory, 0755), 0);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(chmod(path_of("history.db-wal"), 0644), 0);
	assert_int_equal(chmod(path_of("history.db-shm"), 0644), 0);
	child = fork();
	if (child == 0) {
		struct history_level_state levels[HISTORY_LEVELS];

		if (setgroups(0, NULL) || setgid(65534) || setuid(65534))
			_exit(2);
		_exit(history_open_read(path, &reader, why) < 0 ||
		      history_read_levels(reader, levels) < 0);
	}
	assert_int_equal(waitpid(child, &code, 0), child);
	assert_int_equal(code, 0);
}

static void test_what_is_none_is_refused(void **state)
{
	const char *path = path_of("history.db");
	sqlite3 *database = NULL;

	(void)state;
	assert_int_equal(history_open_read(path, &database, why), -ENOENT);
	assert_non_null(strstr(why, "there is no history"));
	write_file(path, "");
	assert_int_equal(history_open_read(path, &database, why), -ENODATA);
	assert_int_equal(open_again(path), 0); /* an empty file is taken */

	write_file(path_of("text"), "This is no database at all, but a text of some length.\n");
	assert_int_equal(open_again(path_of("text")), -EBADMSG);
	assert_int_equal(history_open_read(path_of("text"), &database, why), -EBADMSG);

	assert_int_equal(sqlite3_open(path_of("other"), &database), SQLITE_OK);
	run(database, "CREATE TABLE bookmarks (url)");
	sqlite3_close(database);
	assert_int_equal(open_again(path_of("other")), -EMEDIUMTYPE);
	assert_int_equal(history_open_read(path_of("other"), &database, why), -EMEDIUMTYPE);

	assert_int_equal(symlink(path, path_of("link")), 0);
	assert_int_equal(open_again(path_of("link")), -EPERM);
	assert_int_equal(mkdir(path_of("directory"), 0700), 0);
	assert_int_equal(open_again(path_of("directory")), -EPERM);
}

static void test_newer_version_is_refused(void **state)
{
	const char *path = path_of("history.db");
	sqlite3 *database = open_new(path);

	(void)state;
	run(database, "PRAGMA user_version = 2");
	sqlite3_close(database);
	assert_int_equal(open_again(path), -EPROTONOSUPPORT);
	assert_non_null(strstr(why, "is of version 2, made by a newer traffic-meter"));
	assert_int_equal(history_open_read(path, &database, why), -EPROTONOSUPPORT);
}

static void test_locked_one_is_busy(void **state)
{
	const char *path = path_of("history.db");
	sqlite3 *database;

	(void)state;
	assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
	run(database, "BEGIN EXCLUSIVE");
	assert_int_equal(open_again(path), -EBUSY);
	assert_non_null(strstr(why, "is locked by another program"));
	sqlite3_close(database);
	assert_int_equal(open_again(path), 0);
}

static void test_damage_is_found_and_set_aside(void **state)
{
	char junk[4096], name[HISTORY_WHY_MAX], wal[HISTORY_WHY_MAX + 8];
	const char *path = path_of("history.db");
	sqlite3 *database = open_new(path);
	int fd;

	(void)state;
	run(database, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000)"
		      " INSERT INTO user_5min SELECT i, i, 1, 2, 3, 4, 5, 6, 7, 8 FROM n");
	run(database, "PRAGMA wal_checkpoint(TRUNCATE)");
	sqlite3_close(database);
	memset(junk, 0xa5, sizeof(junk));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, junk, sizeof(junk), 60 * 4096), sizeof(junk));
	close(fd);

	database = open_new(path);
	assert_int_equal(history_check(database, path, why), -EBADMSG);
	assert_non_null(strstr(why, "is damaged"));
	assert_null(strchr(why, '\n'));
	sqlite3_close(database);
	assert_int_equal(history_set_aside(path, name), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(access(name, F_OK), 0);
	snprintf(wal, sizeof(wal), "%s-wal", name);
	assert_int_equal(access(wal, F_OK), 0);
	assert_int_equal(open_again(path), 0);
	assert_int_equal(history_set_aside(path, name),
			 0); /* in the same second, by another name */
}

static void test_default_path(void **state)
{
	_cleanup_free_ char *plain = history_default_path("/state", "default");
	_cleanup_free_ char *named = history_default_path("/state", "eth0");

	(void)state;
	assert_string_equal(plain, "/state/history.db");
	assert_string_equal(named, "/state/history-eth0.db");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_new_one_can_be_read),
		TEST(test_reader_without_write_permission),
		TEST(test_what_is_none_is_refused),
		TEST(test_newer_version_is_refused),
		TEST(test_locked_one_is_busy),
		TEST(test_damage_is_found_and_set_aside),
		TEST(test_default_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
	puts("1..0 # SKIP built without sqlite3");
	return 0;
}

#endif
