// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The csv output without its host: rows byte for byte, which files there are, and that what was
 * taken is written once and whole whatever happens to a file. test_output_csv_refused.c has the
 * files that are not ours.
 */
#include <dirent.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "output/append_file.h"
#include "output/csv_row.h"
#include "output_fixture.h"

extern const struct traffic_output_type csv_output;

#define FILE_OF(uid) path_of("traffic_user_eth0_" #uid ".log")

static struct traffic_output output;

static void open_csv(const char *pairs)
{
	if (open_output(&output, &csv_output, directory, pairs) < 0)
		fail_msg("%s", output.error);
}

static void assert_file(const char *path, const char *expected)
{
	assert_string_equal(read_file(path), expected);
}

/* The rows of the original's README. */
static void rows_of_the_original(void **state)
{
	struct traffic_record records[3] = {
		make_record(1000, TRAFFIC_OUT, 52),
		make_record(1000, TRAFFIC_IN, 84),
		make_record(1000, TRAFFIC_IN, 1280),
	};

	(void)state;
	records[0].total_out = 52;
	set_address(&records[1], "8.8.8.8", "192.168.1.100");
	records[1].end_ns = 1732985432234567890;
	records[1].total_in = 84;
	records[1].total_out = 52;
	set_address(&records[2], "2607:f8b0:4004:800::200e", "2001:db8::1");
	records[2].end_ns = 1732985434678901234;
	records[2].total_in = 2864;
	records[2].total_out = 1632;

	open_csv("columns=original");
	write_all(&output, records, 3);
	close_output(&output);
	assert_file(
		FILE_OF(1000),
		"out,52,192.168.1.100,8.8.8.8,1732985432.123456789,0,52\n"
		"in,84,8.8.8.8,192.168.1.100,1732985432.234567890,84,52\n"
		"in,1280,2607:f8b0:4004:800::200e,2001:db8::1,1732985434.678901234,2864,1632\n");
}

static void rows_of_all_columns(void **state)
{
	struct traffic_record flow = make_record(1000, TRAFFIC_OUT, 15000);
	struct traffic_record user = { .start_ns = 1000000000,
				       .end_ns = 2000000001,
				       .bytes = 7,
				       .wire_bytes = 8,
				       .packets = 2,
				       .uid = TRAFFIC_NO_UID,
				       .login_uid = TRAFFIC_NO_UID,
				       .direction = TRAFFIC_IN,
				       .step = TRAFFIC_STEP_TOTAL };

	(void)state;
	flow.end_ns += 1;
	flow.wire_bytes = 15600;
	flow.packets = 10;
	flow.source_port = 50000;
	flow.destination_port = 443;
	flow.step = TRAFFIC_STEP_FLOW;
	flow.login_uid = 1001;
	flow.total_out = 15000;
	strcpy(flow.interface, "eth0");
	strcpy(flow.program, "curl");
	flow.cgroup = "/user.slice";
	flow.wire_packets = 11;
	flow.network = "internet";
	flow.workload = "a,b";

	open_csv("");
	write_one(&output, &flow);
	write_one(&output, &user);
	close_output(&output);
	assert_file(FILE_OF(1000),
		    "out,15000,192.168.1.100,8.8.8.8,1732985432.123456790,0,15000,10,15600,tcp,"
		    "50000,443,eth0,1732985432.123456789,1001,curl,/user.slice,flow,11,internet,"
		    "\"a,b\"\n");
	assert_file(FILE_OF(none), "in,7,,,2.000000001,0,0,2,8,,,,,1.000000000,,,,total,0,,\n");
}

/* A row is one line of valid UTF-8, by RFC 4180. */
static void rows_of_hostile_names(void **state)
{
	static const struct {
		const char *name, *column;
	} names[] = {
		{ "a,b", "\"a,b\"" },
		{ "say \"hi\"", "\"say \"\"hi\"\"\"" },
		{ "two\nlines\r", "two?lines?" },
		{ "\x1b[31mred\x7f", "?[31mred?" },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "caf\xc3", "caf?" },
		{ "\xff\xfe,", "\"??,\"" },
		{ "c1\xc2\x9b", "c1?" },
		{ "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"",
		  "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"" },
	};
	char row[CSV_ROW_MAX], expected[256];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct traffic_record record = make_record(1000, TRAFFIC_OUT, 52);
		char *end;

		memcpy(record.program, names[i].name, strlen(names[i].name));
		end = csv_row_append(row, &record, CSV_COLUMNS_ALL);
		assert_true((size_t)(end - row) <= csv_row_bound(&record, CSV_COLUMNS_ALL));
		*end = '\0';
		snprintf(expected, sizeof(expected),
			 "out,52,192.168.1.100,8.8.8.8,1732985432.123456789,0,0,1,52,tcp,0,0,,"
			 "1732985432.123456789,,%s,,packet,1,,\n",
			 names[i].column);
		assert_string_equal(row, expected);
	}
}

/* The longest there can be stays within its bound, and within what a row may have at all. */
static void row_of_most_bytes(void **state)
{
	static char cgroup[2 * CSV_ROW_CGROUP_MAX], row[CSV_ROW_MAX + 1];
	static char name[2 * CSV_ROW_NAME_MAX];
	struct traffic_record record;
	char *end;

	(void)state;
	memset(cgroup, '"', sizeof(cgroup) - 1);
	memset(name, '"', sizeof(name) - 1);
	memset(&record, 0xff, sizeof(record));
	memset(record.interface, '"', sizeof(record.interface));
	memset(record.program, '"', sizeof(record.program));
	record.login_uid = UINT32_MAX - 1;
	record.family = TRAFFIC_FAMILY_IPV6;
	record.protocol = 137;
	record.cgroup = cgroup;
	record.network = record.workload = name;
	end = csv_row_append(row, &record, CSV_COLUMNS_ALL);
	assert_true((size_t)(end - row) <= csv_row_bound(&record, CSV_COLUMNS_ALL));
	assert_true(csv_row_bound(&record, CSV_COLUMNS_ALL) <= CSV_ROW_MAX);
	assert_int_equal(end[-1], '\n');
}

static void header(void **state)
{
	struct traffic_record record = make_record(1000, TRAFFIC_OUT, 52);
	const char *row = "out,52,192.168.1.100,8.8.8.8,1732985432.123456789,0,0\n";
	static const char all[] =
		"direction,bytes,src_ip,dst_ip,timestamp,total_in,total_out,packets,wire_bytes,"
		"protocol,src_port,dst_port,interface,start,login_uid,program,cgroup,step,"
		"wire_packets,network,workload\n"
		"out,52,";
	char expected[512];

	(void)state;
	for (int i = 0; i < 2; i++) {
		open_csv("columns=original,header=yes");
		write_one(&output, &record);
		close_output(&output);
	}
	snprintf(expected, sizeof(expected),
		 "direction,bytes,src_ip,dst_ip,timestamp,total_in,total_out\n%s%s", row, row);
	assert_file(FILE_OF(1000), expected);

	record.uid = 1001;
	open_csv("header=yes");
	write_one(&output, &record);
	close_output(&output);
	assert_memory_equal(read_file(FILE_OF(1001)), all, sizeof(all) - 1);
}

static size_t count_open_files(void)
{
	DIR *entries = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(entries);
	while (readdir(entries))
		n++;
	closedir(entries);
	return n - 3; /* "." and "..", and the directory itself */
}

static uint64_t bytes_of_row(uint32_t user, unsigned int i)
{
	return (uint64_t)user * 1000 + i;
}

/* Rows of so many users in no order; each file has its own, in order. */
static void write_users(uint32_t users, unsigned int rows, size_t open_max)
{
	_cleanup_free_ unsigned int *written = calloc(users, sizeof(*written));
	size_t open_before = count_open_files();
	size_t left = (size_t)users * rows;
	char name[64], expected[128];

	assert_non_null(written);
	srandom(1);
	while (left) {
		uint32_t user = (uint32_t)random() % users;
		struct traffic_record record;

		if (written[user] == rows)
			continue;
		record = make_record(user, TRAFFIC_OUT, bytes_of_row(user, written[user]++));
		write_one(&output, &record);
		if (--left % 64 == 0)
			assert_true(count_open_files() <= open_before + open_max);
	}
	close_output(&output);

	for (uint32_t user = 0; user < users; user++) {
		const char *text;

		snprintf(name, sizeof(name), "traffic_user_eth0_%u.log", user);
		text = read_file(path_of(name));
		for (unsigned int i = 0; i < rows; i++) {
			int length = snprintf(expected, sizeof(expected),
					      "out,%lu,192.168.1.100,8.8.8.8,"
					      "1732985432.123456789,0,0\n",
					      (unsigned long)bytes_of_row(user, i));

			assert_memory_equal(text, expected, (size_t)length);
			text += length;
		}
		assert_string_equal(text, "");
	}
	assert_int_equal(output.lost_records, 0);
}

static void more_users_than_open_files(void **state)
{
	(void)state;
	open_csv("columns=original");
	write_users(1000, 20, 256);
}

static void fewer_files_where_few_are_allowed(void **state)
{
	struct rlimit before, few;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){ .rlim_cur = 64, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	open_csv("columns=original");
	write_users(100, 20, 16);
	setrlimit(RLIMIT_NOFILE, &before);
}

/* The limit is reached by others than us: a file gives way, nothing is lost. */
static void no_file_descriptors_left(void **state)
{
	struct rlimit before, none;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	open_csv("columns=original");
	none = (struct rlimit){ .rlim_max = before.rlim_max };
	none.rlim_cur = (rlim_t)count_open_files() + 20;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (uint32_t user = 0; user < 100; user++) {
		struct traffic_record record = make_record(user, TRAFFIC_OUT, user);

		write_one(&output, &record);
	}
	flush_output(&output);
	close_output(&output);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(output.lost_records, 0);
	for (uint32_t user = 0; user < 100; user++) {
		char name[64];

		snprintf(name, sizeof(name), "traffic_user_eth0_%u.log", user);
		assert_int_equal(count_lines_of(read_file(path_of(name))), 1);
	}
}

static mode_t mode_of(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	return status.st_mode & 07777;
}

static void modes(void **state)
{
	struct traffic_record record = make_record(1000, TRAFFIC_OUT, 52);
	static const struct {
		mode_t umask;
		const char *pairs;
		mode_t mode;
	} cases[] = {
		{ 0, "", 0640 },
		{ 077, "", 0640 },
		{ 077, "mode=0644", 0644 },
		{ 0, "mode=0600", 0600 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		mode_t before = umask(cases[i].umask);

		open_csv(cases[i].pairs);
		write_one(&output, &record);
		close_output(&output);
		umask(before);
		assert_int_equal(mode_of(FILE_OF(1000)), cases[i].mode);
		assert_int_equal(unlink(FILE_OF(1000)), 0);
	}
	/* A file that was there keeps what it has. */
	write_file(FILE_OF(1000), "");
	assert_int_equal(chmod(FILE_OF(1000), 0604), 0);
	open_csv("mode=0600");
	write_one(&output, &record);
	close_output(&output);
	assert_int_equal(mode_of(FILE_OF(1000)), 0604);
	/* A meter that was killed after open() and before chmod() leaves an empty file that its owner can't
	 * read. It is made anew. */
	write_file(FILE_OF(1000), "");
	assert_int_equal(chmod(FILE_OF(1000), 0200), 0);
	open_csv("mode=0600");
	write_one(&output, &record);
	close_output(&output);
	assert_int_equal(mode_of(FILE_OF(1000)), 0600);
}

static void group(void **state)
{
	struct traffic_record record = make_record(1000, TRAFFIC_OUT, 52);
	const struct group *entry = getgrgid(1);
	struct stat status;
	char pairs[128];

	(void)state;
	if (geteuid() != 0 || !entry)
		skip();
	snprintf(pairs, sizeof(pairs), "group=%s", entry->gr_name);
	open_csv(pairs);
	write_one(&output, &record);
	close_output(&output);
	assert_int_equal(stat(FILE_OF(1000), &status), 0);
	assert_int_equal(status.st_gid, 1);
	assert_int_equal(status.st_mode & 07777, 0640);
}

static void assert_init_refused(const char *target, const char *pairs, const char *nic_id,
				const char *words)
{
	assert_true(open_output_as(&output, &csv_output, target, pairs, nic_id) < 0);
	if (!strstr(output.error, words))
		fail_msg("'%s' is not in '%s'", words, output.error);
	close_output(&output);
}

static void bad_targets(void **state)
{
	char long_id[300];
	uid_t uid = geteuid();

	(void)state;
	assert_init_refused(path_of("none"), "", "eth0",
			    "no such directory; make it: mkdir -m 0750 ");
	write_file(path_of("file"), "");
	assert_init_refused(path_of("file"), "", "eth0", "not a directory");
	assert_init_refused("", "", "eth0", "csv:DIRECTORY");
	assert_init_refused(directory, "group=no-such-group-here", "eth0",
			    "there is no group 'no-such-group-here'");
	assert_init_refused(directory, "", "a/b", "no slash");
	memset(long_id, 'x', sizeof(long_id) - 1);
	long_id[sizeof(long_id) - 1] = '\0';
	assert_init_refused(directory, "", long_id, "too long");

	assert_int_equal(mkdir(path_of("closed"), 0555), 0);
	if (uid == 0) {
		assert_int_equal(chmod(directory, 0755), 0);
		assert_int_equal(seteuid(65534), 0);
	}
	assert_init_refused(path_of("closed"), "", "eth0", "not writable");
	assert_int_equal(seteuid(uid), 0);
}

/* Rows of one user, each with its number as bytes, from `from` on; those not taken are offered
 * again until `until` of them are. Returns how many were taken until the first -EAGAIN. */
static unsigned int write_rows(unsigned int from, unsigned int until)
{
	for (unsigned int i = from; i < until; i++) {
		struct traffic_record record = make_record(1000, TRAFFIC_OUT, i);
		ssize_t taken = output.type->write(&output, &record, 1);

		if (taken < 0) {
			assert_int_equal(taken, -EAGAIN);
			return i;
		}
	}
	return until;
}

/* Rows in the file: whole, in order, from 0 on, none missing, none twice. */
static unsigned int count_rows(const char *path)
{
	const char *text = read_file(path);
	unsigned int n;
	char expected[128];

	for (n = 0; *text; n++) {
		int length = snprintf(expected, sizeof(expected),
				      "out,%u,192.168.1.100,8.8.8.8,1732985432.123456789,0,0\n", n);

		assert_memory_equal(text, expected, (size_t)length);
		text += length;
	}
	return n;
}

/* A file that may not grow: no half row in it, and all rows when it may again. */
static void file_too_large(void **state)
{
	struct rlimit before, small;
	unsigned int taken;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){ .rlim_cur = 40000, .rlim_max = before.rlim_max };
	open_csv("columns=original");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	taken = write_rows(0, 10000);
	assert_true(taken > 40000 / 70 && taken < 10000);
	assert_non_null(strstr(output.error, "write traffic_user_eth0_1000.log: File too large"));
	assert_true(count_rows(FILE_OF(1000)) < taken);
	assert_int_equal(output.type->flush(&output), -EAGAIN);
	assert_int_equal(write_rows(taken, 10000), taken);

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(write_rows(taken, 10000), 10000);
	flush_output(&output);
	assert_int_equal(count_rows(FILE_OF(1000)), 10000);
	close_output(&output);
	assert_int_equal(output.lost_records, 0);
}

/* A private mount namespace with a tiny file system at the directory's "full", or a skip. */
static const char *mount_tiny(const char *options)
{
	const char *path = path_of("full");

	assert_int_equal(mkdir(path, 0700), 0);
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", path, "tmpfs", 0, options) < 0)
		skip();
	return path;
}

static void unmount_tiny(const char *path)
{
	assert_int_equal(umount(path), 0);
}

static void disk_full(void **state)
{
	const char *path = mount_tiny("size=128k");
	const char *file = path_of("full/traffic_user_eth0_1000.log");
	unsigned int taken;

	(void)state;
	assert_int_equal(open_output(&output, &csv_output, path, "columns=original"), 0);
	taken = write_rows(0, 10000);
	assert_true(taken > 131072 / 70 && taken < 10000);
	assert_non_null(strstr(output.error, "No space left on device"));
	assert_true(count_rows(file) < taken);
	*output.error = '\0';
	assert_int_equal(output.type->flush(&output), -EAGAIN);
	assert_non_null(strstr(output.error, "No space left on device"));

	assert_int_equal(mount("none", path, "tmpfs", MS_REMOUNT, "size=16m"), 0);
	assert_int_equal(write_rows(taken, 10000), 10000);
	flush_output(&output);
	assert_int_equal(count_rows(file), 10000);
	close_output(&output);
	assert_int_equal(output.lost_records, 0);
	unmount_tiny(path);
}

/* No new file can be made: the new user's records wait, they are not dropped or summed. */
static void no_inodes_left(void **state)
{
	const char *path = mount_tiny("nr_inodes=2");
	struct traffic_record other = make_record(1001, TRAFFIC_IN, 52);

	(void)state;
	assert_int_equal(open_output(&output, &csv_output, path, "columns=original"), 0);
	assert_int_equal(write_rows(0, 10), 10);
	assert_int_equal(output.type->write(&output, &other, 1), -EAGAIN);
	assert_non_null(strstr(output.error, "open traffic_user_eth0_1001.log: No space left"));
	flush_output(&output);
	assert_int_equal(count_rows(path_of("full/traffic_user_eth0_1000.log")), 10);

	assert_int_equal(mount("none", path, "tmpfs", MS_REMOUNT, "nr_inodes=100"), 0);
	write_one(&output, &other);
	close_output(&output);
	assert_int_equal(count_lines_of(read_file(path_of("full/traffic_user_eth0_1001.log"))), 1);
	assert_int_equal(output.lost_records, 0);
	unmount_tiny(path);
}

/* At the end what can't be written is counted to the byte. */
static void full_until_the_end(void **state)
{
	struct rlimit before, none;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
	open_csv("columns=original");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(write_rows(0, 100), 100);
	assert_int_equal(output.type->flush(&output), -EAGAIN);
	close_output(&output);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(output.lost_records, 100);
	assert_int_equal(output.lost_packets, 100);
	assert_int_equal(output.lost_bytes, 99 * 100 / 2);
}

/* logrotate: rows from before the flush in the old file, rows after it in a new one. */
static void file_renamed(void **state)
{
	(void)state;
	open_csv("columns=original");
	write_rows(0, 10);
	flush_output(&output);
	assert_int_equal(rename(FILE_OF(1000), path_of("rotated")), 0);
	write_rows(10, 20);
	flush_output(&output);
	assert_int_equal(count_rows(path_of("rotated")), 20);
	write_rows(0, 5);
	close_output(&output);
	assert_int_equal(count_rows(FILE_OF(1000)), 5);
	assert_int_equal(count_rows(path_of("rotated")), 20);
}

/* Rows that wait when their file is deleted are not written to what nobody can see. */
static void file_deleted(void **state)
{
	(void)state;
	open_csv("columns=original,header=yes");
	write_rows(0, 1);
	flush_output(&output);
	write_rows(0, 10);
	assert_int_equal(unlink(FILE_OF(1000)), 0);
	flush_output(&output);
	assert_int_equal(count_lines_of(read_file(FILE_OF(1000))), 11);
	close_output(&output);
}

/* logrotate's copytruncate, while the file is open: the names come first again. */
static void file_emptied(void **state)
{
	(void)state;
	open_csv("columns=original,header=yes");
	write_rows(0, 5);
	flush_output(&output);
	assert_int_equal(truncate(FILE_OF(1000), 0), 0);
	write_rows(5, 8);
	flush_output(&output);
	assert_memory_equal(read_file(FILE_OF(1000)), "direction,bytes,", 16);
	write_rows(8, 10);
	close_output(&output);
	assert_int_equal(count_lines_of(read_file(FILE_OF(1000))), 6);
}

static void directory_made_again(void **state)
{
	char logs[512];

	(void)state;
	snprintf(logs, sizeof(logs), "%s", path_of("logs"));
	assert_int_equal(mkdir(logs, 0700), 0);
	assert_int_equal(open_output(&output, &csv_output, logs, "columns=original"), 0);
	write_rows(0, 10);
	flush_output(&output);
	assert_int_equal(unlink(path_of("logs/traffic_user_eth0_1000.log")), 0);
	assert_int_equal(rmdir(logs), 0);
	flush_output(&output);
	/* There is nowhere to write to, so nothing more is taken. */
	assert_int_equal(write_rows(0, 1), 0);
	assert_non_null(strstr(output.error, "No such file or directory"));

	assert_int_equal(mkdir(logs, 0700), 0);
	assert_int_equal(write_rows(0, 10), 10);
	close_output(&output);
	assert_int_equal(count_rows(path_of("logs/traffic_user_eth0_1000.log")), 10);
	assert_int_equal(output.lost_records, 0);
}

/* Moved away, and another put in its place: the next rows are in that one. */
static void directory_replaced(void **state)
{
	char logs[512];

	(void)state;
	snprintf(logs, sizeof(logs), "%s", path_of("logs"));
	assert_int_equal(mkdir(logs, 0700), 0);
	assert_int_equal(open_output(&output, &csv_output, logs, "columns=original"), 0);
	write_rows(0, 10);
	flush_output(&output);
	assert_int_equal(rename(logs, path_of("moved")), 0);
	write_rows(10, 20);
	flush_output(&output);
	assert_int_equal(mkdir(logs, 0700), 0);
	flush_output(&output);
	write_rows(0, 5);
	close_output(&output);
	assert_int_equal(count_rows(path_of("moved/traffic_user_eth0_1000.log")), 20);
	assert_int_equal(count_rows(path_of("logs/traffic_user_eth0_1000.log")), 5);
	assert_int_equal(output.lost_records, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_of_the_original),
		TEST(rows_of_all_columns),
		TEST(rows_of_hostile_names),
		TEST(row_of_most_bytes),
		TEST(header),
		TEST(more_users_than_open_files),
		TEST(fewer_files_where_few_are_allowed),
		TEST(no_file_descriptors_left),
		TEST(modes),
		TEST(group),
		TEST(bad_targets),
		TEST(file_too_large),
		TEST(disk_full),
		TEST(no_inodes_left),
		TEST(full_until_the_end),
		TEST(file_renamed),
		TEST(file_deleted),
		TEST(file_emptied),
		TEST(directory_made_again),
		TEST(directory_replaced),
	};

	return cmocka_run_group_tests_name("output_csv", tests, NULL, NULL);
}
