// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What csv and json do with a batch that a killed meter had made before: whatever part of it that
 * one had written, also when its last row is torn or its file was rotated away, each record is in
 * the files once.
 */
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "output/json_row.h"
#include "output_fixture.h"

extern const struct traffic_output_type csv_output, json_output;

#define RECORDS 60
#define USERS	3
#define BATCH	41

static struct traffic_output output;

/* The same each time but for the times, as when the clocks are compared anew. */
static void make_batch(struct traffic_record records[RECORDS], uint64_t jitter_ns)
{
	uint64_t totals[USERS][2] = { { 0 } };

	for (unsigned int i = 0; i < RECORDS; i++) {
		unsigned int user = i * 7 % USERS;
		enum traffic_direction direction = i / 2 % 2 ? TRAFFIC_IN : TRAFFIC_OUT;

		records[i] = make_record(user ? 1000 + user : TRAFFIC_NO_UID, direction, 100 + i);
		totals[user][direction] += records[i].bytes;
		records[i].total_in = totals[user][TRAFFIC_IN];
		records[i].total_out = totals[user][TRAFFIC_OUT];
		records[i].end_ns += jitter_ns;
	}
}

static const char *name_of(const struct traffic_output_type *type, unsigned int user)
{
	if (type == &json_output)
		return path_of("rows");
	return path_of(user == 0   ? "traffic_user_eth0_none.log"
		       : user == 1 ? "traffic_user_eth0_1001.log"
				   : "traffic_user_eth0_1002.log");
}

static unsigned int files_of(const struct traffic_output_type *type)
{
	return type == &json_output ? 1 : USERS;
}

static void open_as(const struct traffic_output_type *type, const char *pairs, uint64_t batch,
		    bool repeated)
{
	const char *target = type == &json_output ? name_of(type, 0) : directory;
	static char kept[512];

	snprintf(kept, sizeof(kept), "%s", target);
	if (open_output(&output, type, kept, pairs) < 0)
		fail_msg("%s", output.error);
	output.batch = batch;
	output.repeated = repeated;
}

/* One row and nothing else. */
static void assert_whole(const struct traffic_output_type *type, const char *line)
{
	char mark = type == &json_output ? '{' : ',';
	unsigned int n = 0;

	for (; *line != '\n'; line++) {
		if (!*line)
			fail_msg("half a row");
		n += *line == mark;
	}
	if (type == &json_output ? n != 1 : n != 6 && n != 20)
		fail_msg("a row that is two: %s", line);
}

/* Each record's bytes are its own: each of them stands in one row, in order of the totals. */
static void assert_once(const struct traffic_output_type *type, const char *const *more)
{
	unsigned int seen[RECORDS] = { 0 };

	for (unsigned int f = 0; f < files_of(type) || (more && *more); f++) {
		const char *text = read_file(f < files_of(type) ? name_of(type, f) : *more++);

		for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
			const char *at = type == &json_output ? strstr(line, "\"bytes\":") + 8
							      : strchr(line, ',') + 1;
			unsigned long bytes = strtoul(at, NULL, 10);

			assert_whole(type, line);
			if (strncmp(line, "direction,", 10) == 0)
				continue;
			assert_in_range(bytes, 100, 100 + RECORDS - 1);
			seen[bytes - 100]++;
		}
	}
	for (unsigned int i = 0; i < RECORDS; i++) {
		if (seen[i] != 1)
			fail_msg("record %u is there %u times", i, seen[i]);
	}
}

static void append(const char *path, const char *text)
{
	_cleanup_fclose_ FILE *file = fopen(path, "ae");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
}

/* A meter writes `first` records and is gone; the next one gets all of them. */
static void killed_after(const struct traffic_output_type *type, const char *pairs, size_t first,
			 const char *torn)
{
	struct traffic_record records[RECORDS];

	make_batch(records, 0);
	open_as(type, pairs, BATCH, false);
	if (first)
		write_all(&output, records, first);
	close_output(&output);
	for (unsigned int f = 0; torn && f < files_of(type); f++)
		append(name_of(type, f), torn);

	make_batch(records, 3);
	capture_begin();
	open_as(type, pairs, BATCH, true);
	write_all(&output, records, RECORDS / 2);
	flush_output(&output);
	write_all(&output, records + RECORDS / 2, RECORDS - RECORDS / 2);
	close_output(&output);
	capture_end();
	assert_int_equal(output.lost_records, 0);
	assert_int_equal(count_said("half a "), torn ? 1 : 0);
	assert_once(type, NULL);
	for (unsigned int f = 0; f < files_of(type); f++)
		assert_int_equal(unlink(name_of(type, f)), 0);
}

static void any_part_of_it(void **state)
{
	(void)state;
	for (size_t first = 0; first <= RECORDS; first++) {
		killed_after(&csv_output, "", first, NULL);
		killed_after(&csv_output, "columns=original,header=yes", first, NULL);
		killed_after(&json_output, "", first, NULL);
	}
}

static void torn_rows(void **state)
{
	(void)state;
	for (size_t first = 0; first <= RECORDS; first += 5) {
		killed_after(&csv_output, "", first, "o");
		killed_after(&csv_output, "header=yes", first, "in,104,192.168.1.100,8.8");
		killed_after(&json_output, "", first, "{\"time\":1732985432.12");
	}
}

/* A torn tail of each length there can be, NULs behind it as some file systems leave them. */
static void every_tear(void **state)
{
	struct traffic_record record = make_record(1001, TRAFFIC_OUT, 52);
	const char *row = "out,52,192.168.1.100,8.8.8.8,1732985432.123456789,0,52\n";
	char expected[256], path[512];

	(void)state;
	record.total_out = 52;
	snprintf(path, sizeof(path), "%s", name_of(&csv_output, 1));
	snprintf(expected, sizeof(expected), "%s%s", row, row);
	for (size_t length = 0; length < 2 * strlen(row); length++) {
		for (off_t nuls = 0; nuls <= 70000; nuls += 35000) {
			char text[256] = "";

			memcpy(text, expected, length);
			write_file(path, text);
			assert_int_equal(truncate(path, (off_t)length + nuls), 0);
			capture_begin();
			open_as(&csv_output, "columns=original", 1, false);
			write_one(&output, &record);
			close_output(&output);
			capture_end();
			assert_string_equal(read_file(path), length < strlen(row) ? row : expected);
		}
	}
}

/* Longer than any row: not ours to cut. */
static void foreign_tails(void **state)
{
	static char text[40001];
	struct traffic_record record = make_record(1001, TRAFFIC_OUT, 52);

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	write_file(name_of(&csv_output, 1), text);
	write_file(name_of(&json_output, 0), text);
	capture_begin();
	open_as(&csv_output, "", 1, false);
	write_one(&output, &record);
	close_output(&output);
	capture_end();
	assert_said("ends in what is no line of the meter's");
	assert_int_equal(open_output(&output, &json_output, name_of(&json_output, 0), ""), -EPERM);
	assert_non_null(strstr(output.error, "ends in what is no line of the meter's"));
	close_output(&output);
	assert_string_equal(read_file(name_of(&csv_output, 1)), text);
	assert_string_equal(read_file(name_of(&json_output, 0)), text);

	/* A long last line, whole: no row, nothing known by it, and written on behind it. */
	text[sizeof(text) - 2] = '\n';
	write_file(name_of(&csv_output, 1), text);
	open_as(&csv_output, "", 1, true);
	write_one(&output, &record);
	close_output(&output);
	assert_int_equal(count_lines_of(read_file(name_of(&csv_output, 1))), 2);
}

/* Text of somebody else without a newline at its end, as an editor or `echo -n` leaves it. */
static void foreign_text(void **state)
{
	static const char *const texts[] = {
		"important",	       "[1, 2]",	 "intro", "out,of,order",
		"{\"time\":\"noon\"}", "kept\nimportant"
	};
	struct traffic_record record = make_record(1001, TRAFFIC_OUT, 52);

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		write_file(name_of(&csv_output, 1), texts[i]);
		write_file(name_of(&json_output, 0), texts[i]);
		capture_begin();
		open_as(&csv_output, "", 1, false);
		write_one(&output, &record);
		close_output(&output);
		capture_end();
		assert_said("ends in what is no line of the meter's");
		assert_int_equal(open_output(&output, &json_output, name_of(&json_output, 0), ""),
				 -EPERM);
		close_output(&output);
		assert_string_equal(read_file(name_of(&csv_output, 1)), texts[i]);
		assert_string_equal(read_file(name_of(&json_output, 0)), texts[i]);
	}
}

/* Rotated away after the kill, with older ones beside it and things that are not ours. */
static void rotated(const struct traffic_output_type *type, const char *suffix)
{
	struct traffic_record records[RECORDS];
	char names[USERS][512];
	const char *more[USERS + 1] = { NULL };
	char path[600];

	make_batch(records, 0);
	open_as(type, "", BATCH, false);
	write_all(&output, records, 31);
	close_output(&output);
	for (unsigned int f = 0; f < files_of(type); f++) {
		const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };

		snprintf(names[f], sizeof(names[f]), "%s%s", name_of(type, f), suffix);
		assert_int_equal(rename(name_of(type, f), names[f]), 0);
		more[f] = names[f];
		snprintf(path, sizeof(path), "%s.7", name_of(type, f));
		write_file(path, "out,1,1.1.1.1,1.1.1.1,1.000000000,900000,900000\n");
		assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
		snprintf(path, sizeof(path), "%s.8", name_of(type, f));
		assert_int_equal(symlink("/etc/passwd", path), 0);
		snprintf(path, sizeof(path), "%s.9", name_of(type, f));
		assert_int_equal(mkfifo(path, 0600), 0);
		snprintf(path, sizeof(path), "%s.1.gz", name_of(type, f));
		write_file(path, "\x1f\x8b");
	}
	make_batch(records, 3);
	open_as(type, type == &csv_output ? "header=yes" : "", BATCH, true);
	write_all(&output, records, RECORDS);
	close_output(&output);
	assert_once(type, more);
}

static void rotated_csv(void **state)
{
	(void)state;
	rotated(&csv_output, ".1");
}

static void rotated_csv_by_date(void **state)
{
	(void)state;
	rotated(&csv_output, "-20261231");
}

static void rotated_json(void **state)
{
	(void)state;
	rotated(&json_output, ".1");
}

/* More users than files may be open: each file is opened again and again while the batch comes. */
static void files_that_give_way(void **state)
{
	enum { users = 700, rows = 3 };
	static struct traffic_record records[users * rows];
	char name[64];

	(void)state;
	for (unsigned int i = 0; i < users * rows; i++) {
		records[i] = make_record(i % users, TRAFFIC_IN, 10);
		records[i].total_in = 10 * (i / users + 1);
	}
	for (int round = 0; round < 2; round++) {
		open_as(&csv_output, "", BATCH, round == 1);
		write_all(&output, records, round ? users * rows : users + users / 2);
		close_output(&output);
	}
	for (unsigned int user = 0; user < users; user++) {
		snprintf(name, sizeof(name), "traffic_user_eth0_%u.log", user);
		assert_int_equal(count_lines_of(read_file(path_of(name))), rows);
	}
}

/* Two batches were under way when it was killed: the first of them is there as a whole. */
static void json_batch_before(void **state)
{
	struct traffic_record records[RECORDS];

	(void)state;
	make_batch(records, 0);
	open_as(&json_output, "", BATCH, false);
	write_all(&output, records, 30);
	output.batch++;
	write_all(&output, records + 30, 10);
	close_output(&output);

	open_as(&json_output, "", BATCH, true);
	write_all(&output, records, 30);
	output.batch++;
	write_all(&output, records + 30, 20);
	output.batch++;
	output.repeated = false;
	write_all(&output, records + 50, 10);
	close_output(&output);
	assert_int_equal(output.lost_records, 0);
	assert_once(&json_output, NULL);
}

/* The last line is none of the batch's: what was passed over in search of it is told as lost. */
static void json_place_changed(void **state)
{
	struct traffic_record records[RECORDS];
	char line[JSON_ROW_MAX];

	(void)state;
	make_batch(records, 0);
	records[5].total_in++;
	*json_row_append(line, &records[5], NULL, BATCH) = '\0';
	write_file(name_of(&json_output, 0), line);
	records[5].total_in--;
	open_as(&json_output, "", BATCH, true);
	write_all(&output, records, 20);
	output.batch++;
	output.repeated = false;
	write_one(&output, &records[20]);
	assert_int_equal(output.lost_records, 20);
	assert_int_equal(output.lost_packets, 20);
	close_output(&output);
	assert_int_equal(count_lines_of(read_file(name_of(&json_output, 0))), 2);
}

static void lines_that_are_no_place(void **state)
{
	static const char *const lines[] = {
		"",
		"{\"time\":",
		"{\"time\":1.0,\"direction\":\"up\",\"uid\":1,\"total_in\":1,\"total_out\":1,"
		"\"batch\":1}",
		"{\"time\":1.0,\"direction\":\"in\",\"uid\":-1,\"total_in\":1,\"total_out\":1,"
		"\"batch\":1}",
		"{\"time\":1.0,\"direction\":\"in\",\"uid\":1,\"total_in\":1.5,\"total_out\":1,"
		"\"batch\":1}",
		"{\"time\":1.0,\"direction\":\"in\",\"uid\":1,\"total_in\":1,\"total_out\":1}",
		"{\"time\":1.0,\"direction\":\"in\",\"uid\":1,\"total_in\":1,\"total_out\":1,"
		"\"batch\":1",
		"{\"time\":1.0,\"direction\":\"in\",\"uid\":4294967295,\"total_in\":1,\"total_"
		"out\":1,\"batch\":1}",
		"{\"time\":1.0,\"direction\":\"in\",\"uid\":1,\"total_in\":1,\"total_out\":1,"
		"\"batch\":18446744073709551616}",
	};
	struct traffic_record record = make_record(TRAFFIC_NO_UID, TRAFFIC_IN, 1);
	static char line[JSON_ROW_MAX];
	struct json_place place;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		assert_false(json_row_read_place(lines[i], &place));

	/* A name can't pass for a key. */
	record.cgroup = ",\"batch\":9}";
	record.total_out = 5;
	json_row_append(line, &record, ",\"uid\":6,\"direction\":\"out\",", UINT64_MAX);
	*strchr(line, '\n') = '\0';
	assert_true(json_row_read_place(line, &place));
	assert_true(place.batch == UINT64_MAX && place.uid == TRAFFIC_NO_UID);
	assert_true(place.direction == TRAFFIC_IN && place.total_in == 0 && place.total_out == 5);
}

/* Let a file be appended to only, so that half a row can't be taken back; or no more. */
static bool set_append_only(const char *path, bool on)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	int flags;

	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return false;
	flags = on ? flags | FS_APPEND_FL : flags & ~FS_APPEND_FL;
	return ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
}

/* The file takes half a row more, and that stays there. Then it is written on, or another one is. */
static void half_row_that_stays(const struct traffic_output_type *type, bool same_file)
{
	static struct traffic_record records[RECORDS];
	struct rlimit before, small;
	char name[512], rotated[512];
	const char *const more[] = { rotated, NULL };
	size_t done = 30, kept;
	ssize_t r;

	make_batch(records, 0);
	for (unsigned int i = 0; i < RECORDS; i++)
		records[i].uid = 1001;
	snprintf(name, sizeof(name), "%s", name_of(type, 1));
	snprintf(rotated, sizeof(rotated), "%s", path_of("rotated"));
	write_file(name_of(&csv_output, 0), "");
	write_file(name_of(&csv_output, 2), "");
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	open_as(type, "", BATCH, false);
	write_all(&output, records, done);
	flush_output(&output);
	kept = strlen(read_file(name));
	if (!set_append_only(name, true))
		skip();
	small = (struct rlimit){ .rlim_cur = kept * 5 / 4, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	while (done < RECORDS &&
	       (r = output.type->write(&output, &records[done], RECORDS - done)) > 0)
		done += (size_t)r;
	assert_int_equal(output.type->flush(&output), -EAGAIN);
	assert_int_equal(strlen(read_file(name)), small.rlim_cur);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(set_append_only(name, false));
	if (!same_file) {
		/* Deleted under it; a copy has the rows that are whole. */
		const char *text = read_file(name);

		write_file(rotated, text);
		assert_int_equal(truncate(rotated, strrchr(text, '\n') + 1 - text), 0);
		assert_int_equal(unlink(name), 0);
	}
	flush_output(&output);
	write_all(&output, records + done, RECORDS - done);
	close_output(&output);
	assert_int_equal(output.lost_records, 0);
	assert_once(type, same_file ? NULL : more);
	for (unsigned int f = 0; f < files_of(type); f++)
		unlink(name_of(type, f));
}

static void half_rows_that_stay(void **state)
{
	(void)state;
	for (int same = 0; same < 2; same++) {
		half_row_that_stays(&csv_output, same);
		half_row_that_stays(&json_output, same);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(any_part_of_it),	   TEST(torn_rows),	     TEST(every_tear),
		TEST(foreign_tails),	   TEST(foreign_text),	     TEST(rotated_csv),
		TEST(rotated_csv_by_date), TEST(rotated_json),	     TEST(files_that_give_way),
		TEST(json_batch_before),   TEST(json_place_changed), TEST(lines_that_are_no_place),
		TEST(half_rows_that_stay),
	};

	return cmocka_run_group_tests_name("output_repeated", tests, NULL, NULL);
}
