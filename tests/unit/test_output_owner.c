// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * csv with owner=user: a user's file is theirs to read, and nothing they can do to it as its owner
 * makes us write elsewhere or holds up the others. As root.
 */
#include <signal.h>
#include <sys/wait.h>

#include "output_fixture.h"

extern const struct traffic_output_type csv_output;

#define USER  4601
#define OTHER 4602
#define THIRD 4603

static struct traffic_output output;

static int prepare(void **state)
{
	return make_directory(state) || chmod(directory, 0755);
}

static const char *file_of(unsigned int uid)
{
	char name[64];

	snprintf(name, sizeof(name), "traffic_user_eth0_%u.log", uid);
	return path_of(name);
}

static void open_csv(const char *pairs)
{
	if (geteuid() != 0)
		skip();
	if (open_output(&output, &csv_output, directory, pairs) < 0)
		fail_msg("%s", output.error);
}

static void write_row(uint32_t uid)
{
	struct traffic_record record = make_record(uid, TRAFFIC_OUT, 52);

	write_one(&output, &record);
}

static void assert_owned(const char *path, uid_t owner, mode_t mode)
{
	struct stat status;

	assert_int_equal(lstat(path, &status), 0);
	assert_int_equal(status.st_uid, owner);
	assert_int_equal(status.st_mode, S_IFREG | mode);
}

/* Run by a user, in a process of its own: true when it succeeds. */
static bool can(uid_t uid, int (*act)(const char *path), const char *path)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(setgid(uid) < 0 || setuid(uid) < 0 || act(path) < 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status == 0;
}

static int read_it(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int replace_it(const char *path)
{
	return unlink(path) == 0 ? symlink("/etc/passwd", path) : -1;
}

static void files_are_their_users(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) { /* found again, too */
		open_csv("owner=user");
		write_row(USER);
		write_row(OTHER);
		write_row(0);
		write_row(TRAFFIC_NO_UID);
		close_output(&output);
	}
	assert_owned(file_of(USER), USER, 0400);
	assert_owned(file_of(OTHER), OTHER, 0400);
	assert_owned(file_of(0), 0, 0400);
	assert_owned(path_of("traffic_user_eth0_none.log"), 0, 0400);
	assert_int_equal(count_lines_of(read_file(file_of(USER))), 2);
	assert_true(can(USER, read_it, file_of(USER)));
	assert_false(can(OTHER, read_it, file_of(USER)));
	assert_false(can(USER, replace_it, file_of(USER)));
}

static void mode_and_group(void **state)
{
	struct stat status;

	(void)state;
	open_csv("owner=user,mode=0440,group=daemon");
	write_row(USER);
	close_output(&output);
	assert_owned(file_of(USER), USER, 0440);
	assert_int_equal(stat(file_of(USER), &status), 0);
	assert_int_not_equal(status.st_gid, 0);
}

/* logrotate's `create` makes an empty file of root's; one with rows stays as it is. */
static void files_of_before(void **state)
{
	const char *row = "out,52,1.1.1.1,2.2.2.2,1.000000000,0,52\n";

	(void)state;
	write_file(file_of(USER), "");
	write_file(file_of(OTHER), row);
	assert_int_equal(chmod(file_of(USER), 0600), 0);
	assert_int_equal(chmod(file_of(OTHER), 0640), 0);
	open_csv("owner=user");
	write_row(USER);
	write_row(OTHER);
	close_output(&output);
	assert_owned(file_of(USER), USER, 0600);
	assert_owned(file_of(OTHER), 0, 0640);
	assert_int_equal(count_lines_of(read_file(file_of(OTHER))), 2);
}

/* What USER did to their file is refused; OTHER's is written. */
static void refused(const char *words)
{
	capture_begin();
	open_csv("owner=user");
	write_row(USER);
	write_row(OTHER);
	flush_output(&output);
	capture_end();
	assert_said(words);
	assert_int_equal(count_lines_of(read_file(file_of(OTHER))), 1);
	capture_begin();
	close_output(&output);
	capture_end();
	assert_int_equal(output.lost_records, 1);
}

static void file_of_a_third(void **state)
{
	(void)state;
	write_file(file_of(USER), "precious\n");
	if (chown(file_of(USER), OTHER, 0) < 0)
		skip();
	refused("belongs to uid 4602, not to the meter's uid 0");
	assert_string_equal(read_file(file_of(USER)), "precious\n");
}

static void hard_link_of_theirs(void **state)
{
	(void)state;
	write_file(file_of(USER), "precious\n");
	if (chown(file_of(USER), USER, 0) < 0)
		skip();
	assert_int_equal(link(file_of(USER), path_of("second")), 0);
	refused("has 2 names (hard links)");
	assert_string_equal(read_file(path_of("second")), "precious\n");
}

/* As long as a file may be: nothing can be appended. */
static void endless_file(void **state)
{
	(void)state;
	write_file(file_of(USER), "");
	if (chown(file_of(USER), USER, 0) < 0)
		skip();
	for (int bits = 62; bits > 40 && truncate(file_of(USER), (1L << bits) - 1) < 0; bits--)
		;
	refused("ends in what is no line of the meter's");
}

/* The same while it is open. */
static void endless_while_open(void **state)
{
	struct stat status;

	(void)state;
	capture_begin();
	open_csv("owner=user");
	write_row(USER);
	flush_output(&output);
	for (off_t size = INT64_MAX, step = size / 2; step; step /= 2)
		size = truncate(file_of(USER), size) == 0 ? size + step : size - step;
	assert_int_equal(stat(file_of(USER), &status), 0);
	assert_true(status.st_size > 1L << 40);
	write_row(USER);
	write_row(OTHER);
	flush_output(&output);
	capture_end();
	assert_said("can't be written to (File too large)");
	assert_int_equal(count_lines_of(read_file(file_of(OTHER))), 1);
	capture_begin();
	close_output(&output);
	capture_end();
	assert_int_equal(output.lost_records, 1);
}

/* A program that runs can't be written to. */
static void running_file(void **state)
{
	char path[512];
	pid_t pid;
	int status, ends[2];
	char byte;

	(void)state;
	snprintf(path, sizeof(path), "cp \"$(command -v sleep)\" %s && chown %d %s && chmod 500 %s",
		 file_of(USER), USER, file_of(USER), file_of(USER));
	if (geteuid() != 0 || system(path) != 0)
		skip();
	snprintf(path, sizeof(path), "%s", file_of(USER));
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		execl(path, "sleep", "60", (char *)NULL);
		_exit(127);
	}
	/* Its end closes when the program has taken the place of this one. */
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 0);
	close(ends[0]);
	refused("can't be opened to write and read (Text file busy)");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

/* A lease makes who opens the file wait for its holder, who is told and does nothing. */
static void leased_file(void **state)
{
	int fd;

	(void)state;
	write_file(file_of(USER), "");
	if (chown(file_of(USER), USER, 0) < 0)
		skip();
	signal(SIGIO, SIG_IGN);
	fd = open(file_of(USER), O_RDONLY | O_CLOEXEC);
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
		skip();
	refused("changes while it is looked at");
	close(fd);
}

static uint64_t told_out;

static int tell(void *userdata, const struct traffic_total *total)
{
	(void)userdata;
	assert_int_equal(total->uid, OTHER);
	told_out = total->out;
	return 0;
}

/* A user may write any totals into their own file: it is not asked. One of the meter's is. */
static void totals_of_their_own(void **state)
{
	(void)state;
	open_csv("owner=user");
	write_file(file_of(USER), "out,52,1.1.1.1,2.2.2.2,1.000000000,0,900000\n");
	assert_int_equal(chown(file_of(USER), USER, 0), 0);
	/* Nor does it raise another's, by a name. */
	write_file(file_of(THIRD), "out,52,1.1.1.1,2.2.2.2,1.000000000,0,900000\n");
	assert_int_equal(chown(file_of(THIRD), USER, 0), 0);
	write_file(file_of(OTHER), "out,52,1.1.1.1,2.2.2.2,1.000000000,0,52\n");
	assert_int_equal(csv_output.totals(&output, 0, tell, NULL), 0);
	assert_int_equal(told_out, 52);
	close_output(&output);
}

static void open_fails(const char *words)
{
	assert_true(open_output(&output, &csv_output, directory, "owner=user") < 0);
	if (!strstr(output.error, words))
		fail_msg("no '%s' in: %s", words, output.error);
	close_output(&output);
}

static void directories_of_others(void **state)
{
	static const mode_t modes[] = { 0777, 01777, 0775 };

	(void)state;
	if (geteuid() != 0)
		skip();
	for (int i = 0; i < 3; i++) {
		assert_int_equal(chmod(directory, modes[i]), 0);
		open_fails("the directory has to be the meter's, and writable for nobody else");
	}
	assert_int_equal(chmod(directory, 0755), 0);
	assert_int_equal(chown(directory, USER, 0), 0);
	open_fails("chown 0 ");
}

/* The one it was is gone, and another stands there that users can write to: not taken. */
static void directory_changed(void **state)
{
	char away[128];

	(void)state;
	snprintf(away, sizeof(away), "%s.away", directory);
	open_csv("owner=user");
	write_row(USER);
	flush_output(&output);
	assert_int_equal(rename(directory, away), 0);
	assert_int_equal(mkdir(directory, 0755), 0);
	assert_int_equal(chmod(directory, 0777), 0);
	flush_output(&output);
	write_row(OTHER);
	flush_output(&output);
	assert_int_not_equal(access(file_of(OTHER), F_OK), 0);
	assert_int_equal(chmod(directory, 0755), 0);
	flush_output(&output);
	write_row(OTHER);
	close_output(&output);
	assert_owned(file_of(OTHER), OTHER, 0400);
	assert_int_equal(nftw(away, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static int open_as_user(const char *path)
{
	(void)path;
	return open_output(&output, &csv_output, directory, "owner=user") < 0 &&
			       strstr(output.error, "owner=user gives files to other users")
		       ? 0
		       : -1;
}

static void not_root(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(directory, USER, 0), 0);
	assert_true(can(USER, open_as_user, ""));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, prepare, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(files_are_their_users), TEST(mode_and_group),	TEST(files_of_before),
		TEST(file_of_a_third),	     TEST(hard_link_of_theirs), TEST(endless_file),
		TEST(endless_while_open),    TEST(running_file),	TEST(leased_file),
		TEST(directories_of_others), TEST(directory_changed),	TEST(not_root),
		TEST(totals_of_their_own),
	};

	return cmocka_run_group_tests_name("output_owner", tests, NULL, NULL);
}
