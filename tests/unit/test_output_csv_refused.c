// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The csv output among hostile users: what stands at a file's name and is not ours is not touched,
 * its user's bytes are summed until the name is free, and nobody else notices.
 */
#include <poll.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "output_fixture.h"

extern const struct traffic_output_type csv_output;

#define NAME	"traffic_user_eth0_1000.log"
#define ADDRESS "192.168.1.100,8.8.8.8"
#define TIME	"1732985432.123456789"

static struct traffic_output output;

static void make_symlink(const char *path)
{
	assert_int_equal(symlink(path_of("victim"), path), 0);
}

static void make_dangling_symlink(const char *path)
{
	assert_int_equal(symlink(path_of("nowhere"), path), 0);
}

static void make_plain_directory(const char *path)
{
	assert_int_equal(mkdir(path, 0777), 0);
}

static void make_fifo(const char *path)
{
	assert_int_equal(mkfifo(path, 0666), 0);
}

static void make_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

/* /dev/full: a write to it would fail, and show. */
static void make_device(const char *path)
{
	if (mknod(path, S_IFCHR | 0666, makedev(1, 7)) < 0)
		skip();
}

static void make_hard_link(const char *path)
{
	assert_int_equal(link(path_of("victim"), path), 0);
}

static void make_foreign_file(const char *path)
{
	write_file(path, "precious\n");
	if (chown(path, 12345, (gid_t)-1) < 0)
		skip();
}

static struct traffic_record record_of(uint32_t uid, enum traffic_direction direction,
				       uint64_t bytes, uint64_t total_in, uint64_t total_out)
{
	struct traffic_record record = make_record(uid, direction, bytes);

	record.wire_bytes = bytes + 1;
	record.total_in = total_in;
	record.total_out = total_out;
	return record;
}

/* In, out, in: the sums' order is that of the last of each, so the totals don't go back. */
static void write_three(void)
{
	struct traffic_record records[3] = {
		record_of(1000, TRAFFIC_IN, 100, 100, 0),
		record_of(1000, TRAFFIC_OUT, 20, 100, 20),
		record_of(1000, TRAFFIC_IN, 300, 400, 20),
	};

	records[0].start_ns -= 1000000000;
	records[2].end_ns += 1000000000;
	write_all(&output, records, 3);
}

static void refused(void (*make)(const char *path), const char *words)
{
	struct traffic_record other = make_record(1001, TRAFFIC_OUT, 52);
	struct traffic_record later = record_of(1000, TRAFFIC_OUT, 7, 400, 27);
	char path[512];

	snprintf(path, sizeof(path), "%s", path_of(NAME));
	write_file(path_of("victim"), "precious\n");
	make(path);

	assert_int_equal(open_output(&output, &csv_output, directory, ""), 0);
	capture_begin();
	write_three();
	write_one(&output, &other);
	flush_output(&output);
	flush_output(&output);
	capture_end();
	assert_said(words);
	assert_int_equal(count_said("\n"), 1);
	assert_int_equal(count_lines_of(read_file(path_of("traffic_user_eth0_1001.log"))), 1);
	assert_string_equal(read_file(path_of("victim")), "precious\n");
	assert_int_not_equal(access(path_of("nowhere"), F_OK), 0);
	if (make == make_foreign_file)
		assert_string_equal(read_file(path), "precious\n");

	/* The name is free: sums first, then rows as ever. */
	assert_int_equal(remove(path), 0);
	capture_begin();
	flush_output(&output);
	write_one(&output, &later);
	close_output(&output);
	capture_end();
	assert_said(NAME " is written again");
	assert_int_equal(output.lost_records, 0);
	assert_string_equal(
		read_file(path),
		"out,20,,," TIME ",100,20,1,21,,,,," TIME ",,,,user,1,,\n"
		"in,400,,,1732985433.123456789,400,20,2,402,,,,,1732985431.123456789,,,,"
		"user,2,,\n"
		"out,7," ADDRESS "," TIME ",400,27,1,8,tcp,0,0,," TIME ",,,,packet,1,,\n");
}

#define REFUSED(name, make, words)     \
	static void name(void **state) \
	{                              \
		(void)state;           \
		refused(make, words);  \
	}

REFUSED(refused_symlink, make_symlink, NAME " is a symbolic link; not followed: remove it")
REFUSED(refused_dangling_symlink, make_dangling_symlink, NAME " is a symbolic link")
REFUSED(refused_directory, make_plain_directory, NAME " is a directory")
REFUSED(refused_fifo, make_fifo, NAME " is a FIFO")
REFUSED(refused_socket, make_socket, NAME " is a socket")
REFUSED(refused_device, make_device, NAME " is a device")
REFUSED(refused_hard_link, make_hard_link, NAME " has 2 names (hard links), not one")
REFUSED(refused_foreign_file, make_foreign_file, NAME " belongs to uid 12345")

/* A reader of a FIFO must not even notice that we came by. */
static void fifo_is_not_opened(void **state)
{
	struct traffic_record record = make_record(1000, TRAFFIC_OUT, 52);
	struct pollfd reader = { .events = POLLIN };
	int fd;

	(void)state;
	make_fifo(path_of(NAME));
	fd = open(path_of(NAME), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(open_output(&output, &csv_output, directory, ""), 0);
	capture_begin();
	write_one(&output, &record);
	close_output(&output);
	capture_end();
	/* POLLHUP would say that a writer came and went. */
	reader.fd = fd;
	assert_int_equal(poll(&reader, 1, 0), 0);
	close(fd);
}

/* At the end the sums are lost, and told to the byte. */
static void refused_until_the_end(void **state)
{
	(void)state;
	make_dangling_symlink(path_of(NAME));
	assert_int_equal(open_output(&output, &csv_output, directory, ""), 0);
	capture_begin();
	write_three();
	flush_output(&output);
	close_output(&output);
	capture_end();
	assert_int_equal(output.lost_records, 3);
	assert_int_equal(output.lost_packets, 3);
	assert_int_equal(output.lost_bytes, 420);
}

/* A file of ours that is taken away under us, with rows waiting for it: they become the sum. */
static void replaced_under_it(void **state)
{
	struct traffic_record record = make_record(1000, TRAFFIC_OUT, 52);
	char path[512];

	(void)state;
	snprintf(path, sizeof(path), "%s", path_of(NAME));
	assert_int_equal(open_output(&output, &csv_output, directory, "columns=original"), 0);
	write_one(&output, &record);
	flush_output(&output);
	write_one(&output, &record);
	write_one(&output, &record);
	assert_int_equal(unlink(path), 0);
	make_dangling_symlink(path);
	capture_begin();
	flush_output(&output);
	capture_end();
	assert_said("is a symbolic link");
	assert_int_equal(unlink(path), 0);
	capture_begin();
	flush_output(&output);
	close_output(&output);
	capture_end();
	assert_string_equal(read_file(path), "out,104,,," TIME ",0,0\n");
	assert_int_equal(output.lost_records, 0);
}

/* With a file renamed away its rows are safe in it: only the next ones are summed. */
static void renamed_and_replaced(void **state)
{
	struct traffic_record record = make_record(1000, TRAFFIC_OUT, 52);

	(void)state;
	assert_int_equal(open_output(&output, &csv_output, directory, "columns=original"), 0);
	write_one(&output, &record);
	flush_output(&output);
	write_one(&output, &record);
	assert_int_equal(rename(path_of(NAME), path_of("rotated")), 0);
	make_dangling_symlink(path_of(NAME));
	capture_begin();
	flush_output(&output);
	write_one(&output, &record);
	close_output(&output);
	capture_end();
	assert_int_equal(count_lines_of(read_file(path_of("rotated"))), 2);
	assert_int_equal(output.lost_bytes, 52);
}

/* More refused names than files may be open cost the others nothing. */
static void many_refused(void **state)
{
	char name[64];

	(void)state;
	assert_int_equal(open_output(&output, &csv_output, directory, "columns=original"), 0);
	capture_begin();
	for (uint32_t uid = 0; uid < 1000; uid++) {
		struct traffic_record record = make_record(uid, TRAFFIC_OUT, uid);

		snprintf(name, sizeof(name), "traffic_user_eth0_%u.log", uid);
		if (uid % 2)
			make_dangling_symlink(path_of(name));
		write_one(&output, &record);
		write_one(&output, &record);
	}
	flush_output(&output);
	for (uint32_t uid = 1; uid < 1000; uid += 2) {
		snprintf(name, sizeof(name), "traffic_user_eth0_%u.log", uid);
		assert_int_equal(unlink(path_of(name)), 0);
	}
	flush_output(&output);
	close_output(&output);
	capture_end();
	assert_int_equal(output.lost_records, 0);
	for (uint32_t uid = 0; uid < 1000; uid++) {
		char expected[128];
		int length;

		snprintf(name, sizeof(name), "traffic_user_eth0_%u.log", uid);
		length = uid % 2 ? snprintf(expected, sizeof(expected), "out,%u,,,", 2 * uid)
				 : snprintf(expected, sizeof(expected), "out,%u," ADDRESS, uid);
		assert_memory_equal(read_file(path_of(name)), expected, (size_t)length);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(refused_symlink),	  TEST(refused_dangling_symlink),
		TEST(refused_directory),  TEST(refused_fifo),
		TEST(refused_socket),	  TEST(refused_device),
		TEST(refused_hard_link),  TEST(refused_foreign_file),
		TEST(fifo_is_not_opened), TEST(refused_until_the_end),
		TEST(replaced_under_it),  TEST(renamed_and_replaced),
		TEST(many_refused),
	};

	return cmocka_run_group_tests_name("output_csv_refused", tests, NULL, NULL);
}
