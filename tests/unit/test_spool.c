// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The spool's output without its host: what goes in comes out, by our reader and by Python's; torn
 * ends, batches that come again, the bound, and directories that go away.
 */
#include <glob.h>

#include "output_fixture.h"
#include "spool/block.h"
#include "spool/crc32c.h"
#include "spool/frame.h"

extern const struct traffic_output_type spool_output;

static struct traffic_output output;

/* Of the spool: what path_of() returns is good for a while only. */
static char spool_path[512];

static void begin(uint64_t batch, bool repeated)
{
	output.batch = batch;
	output.repeated = repeated;
}

static void open_spool(const char *pairs)
{
	snprintf(spool_path, sizeof(spool_path), "%s/spool", directory);
	if (open_output(&output, &spool_output, spool_path, pairs) < 0)
		fail_msg("%s", output.error);
}

static size_t list(glob_t *paths)
{
	char pattern[600];

	snprintf(pattern, sizeof(pattern), "%s/spool/traffic-*.spool", directory);
	return glob(pattern, 0, NULL, paths) == 0 ? paths->gl_pathc : 0;
}

/* Reads all segments from the first. Returns the sums of their frames; *ret_last: the last records. */
static struct spool_sums read_all(struct spool_records *ret_last, struct spool_sums *ret_before)
{
	struct spool_sums sums = { 0 };
	glob_t paths;
	size_t n = list(&paths);

	for (size_t i = 0; i < n; i++) {
		static unsigned char data[8 << 20];
		_cleanup_fclose_ FILE *file = fopen(paths.gl_pathv[i], "re");
		size_t size = fread(data, 1, sizeof(data), file), at = SPOOL_SEGMENT_HEADER;
		struct spool_segment segment;
		struct spool_frame frame;

		assert_int_equal(spool_segment_get(data, &segment), 0);
		if (i == 0)
			*ret_before = segment.before;
		for (; at < size; at += SPOOL_FRAME_HEADER + frame.stored_size) {
			struct spool_sums seen = { 0 };

			assert_int_equal(spool_frame_get(data + at, &frame), 0);
			assert_true(spool_frame_verify(data + at, &frame,
						       data + at + SPOOL_FRAME_HEADER));
			assert_int_equal(spool_records_read(ret_last,
							    data + at + SPOOL_FRAME_HEADER,
							    frame.stored_size, frame.raw_size),
					 0);
			spool_sums_count(&seen, ret_last->records, ret_last->n);
			assert_memory_equal(&seen, &frame.sums, sizeof(seen));
			spool_sums_add(&sums, &seen);
		}
	}
	if (n)
		globfree(&paths);
	return sums;
}

static struct spool_sums read_sums(void)
{
	struct spool_records records = { 0 };
	struct spool_sums before = { 0 }, sums = read_all(&records, &before);

	spool_records_free(&records);
	return sums;
}

static void make_records(struct traffic_record *records, size_t n, uint64_t bytes)
{
	for (size_t i = 0; i < n; i++) {
		records[i] = make_record(1000 + (uint32_t)i % 7, i % 2 ? TRAFFIC_IN : TRAFFIC_OUT,
					 bytes + i);
		records[i].step = TRAFFIC_STEP_FLOW;
		records[i].source_port = (uint16_t)(i * 7919);
	}
}

static void checksum_is_crc32c(void **state)
{
	(void)state;
	/* RFC 3720, B.4 */
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(crc32c(0, "12345", 5), "6789", 4), 0xe3069283);
}

static void records_come_back(void **state)
{
	static const char hostile[] = "/a\n\"b\\\xff\xfe\x01\t'";
	char name[301];
	struct traffic_record records[4];
	struct spool_records back = { 0 };
	struct spool_sums before;

	(void)state;
	memset(name, 'x', 300);
	name[300] = '\0';
	for (int i = 0; i < 4; i++)
		records[i] = make_record(1000 + (uint32_t)i, i % 2, 77);
	records[0].cgroup = hostile;
	records[0].workload = name;
	records[0].network = "internet";
	memcpy(records[0].program, "\xff\n\"abc", 6);
	strcpy(records[0].interface, "eth0");
	set_address(&records[1], "2001:db8::1", "fe80::2");
	records[1].login_uid = 7;
	records[2].step = TRAFFIC_STEP_FLOW;
	records[3] = (struct traffic_record){ .bytes = UINT64_MAX,
					      .packets = 1,
					      .uid = TRAFFIC_NO_UID,
					      .login_uid = TRAFFIC_NO_UID,
					      .direction = TRAFFIC_IN,
					      .step = TRAFFIC_STEP_TOTAL };
	open_spool("host=login1");
	begin(7, false);
	write_all(&output, records, 4);
	close_output(&output);

	read_all(&back, &before);
	assert_int_equal(back.n, 4);
	assert_string_equal(back.host, "login1");
	records[2].start_ns -= records[2].start_ns % 1000000;
	records[2].end_ns -= records[2].end_ns % 1000000;
	for (size_t i = 0; i < 4; i++) {
		struct traffic_record *record = &back.records[i], expected;
		size_t k = 0;

		while (records[k].uid != record->uid)
			k++;
		expected = records[k];
		if (k == 0) {
			assert_string_equal(record->cgroup, hostile);
			assert_string_equal(record->workload, name);
			assert_string_equal(record->network, "internet");
		}
		expected.cgroup = record->cgroup;
		expected.workload = record->workload;
		expected.network = record->network;
		assert_memory_equal(record, &expected, sizeof(expected));
	}
	spool_records_free(&back);
}

/* Numbers of two bytes in the dictionaries, and more than one frame. */
static void python_reads_the_same(void **state)
{
	static struct traffic_record records[5000];
	unsigned long long n, in, out;
	char command[700];
	FILE *python;

	(void)state;
	make_records(records, 5000, 100);
	for (int i = 0; i < 5000; i++)
		memcpy(records[i].destination, &(int){ i * 77777 }, 4);
	open_spool("");
	begin(1, false);
	write_all(&output, records, 5000);
	close_output(&output);
	snprintf(command, sizeof(command),
		 "python3 docs/read_spool.py %s/spool | python3 -c 'import sys,json\n"
		 "r=[json.loads(l) for l in sys.stdin]\n"
		 "print(len(r),*[sum(x[\"bytes\"] for x in r if x[\"direction\"]==d) "
		 "for d in (\"in\",\"out\")])'",
		 directory);
	python = popen(command, "r");
	assert_non_null(python);
	assert_int_equal(fscanf(python, "%llu %llu %llu", &n, &in, &out), 3);
	assert_int_equal(pclose(python), 0);
	assert_int_equal(n, 5000);
	assert_int_equal(in, read_sums().bytes[TRAFFIC_IN]);
	assert_int_equal(out, read_sums().bytes[TRAFFIC_OUT]);
	assert_int_equal(in + out, 5000 * 100 + 4999 * 5000 / 2);
}

/* A kill anywhere in a write: whatever is left of the last frame, the batch comes again whole. */
static void torn_end_is_cut_off(void **state)
{
	struct traffic_record records[10];
	struct stat status;
	off_t whole;
	char path[600];

	(void)state;
	make_records(records, 10, 1000);
	open_spool("");
	begin(1, false);
	write_all(&output, records, 10);
	flush_output(&output);
	snprintf(path, sizeof(path), "%s/traffic-%020d.spool", spool_path, 1);
	assert_int_equal(stat(path, &status), 0);
	whole = status.st_size;
	begin(2, false);
	write_all(&output, records, 10);
	close_output(&output);
	assert_int_equal(stat(path, &status), 0);
	for (off_t size = status.st_size; size >= whole; size -= size > whole + 90 ? 37 : 1) {
		assert_int_equal(truncate(path, size), 0);
		capture_begin();
		open_spool("");
		begin(2, true);
		write_all(&output, records, 10);
		close_output(&output);
		capture_end();
		assert_int_equal(read_sums().records, 20);
		assert_int_equal(count_said("torn frame"), size > whole && size < status.st_size);
	}
	/* A damaged byte in the last frame is a torn frame, too. */
	int fd = open(path, O_WRONLY);

	assert_int_equal(pwrite(fd, "?", 1, whole + 100), 1);
	close(fd);
	capture_begin();
	open_spool("");
	close_output(&output);
	capture_end();
	assert_said("torn frame");
	assert_int_equal(read_sums().records, 10);
}

static void batch_that_comes_again_is_passed_over(void **state)
{
	static struct traffic_record records[6000];

	(void)state;
	make_records(records, 6000, 10);
	open_spool("");
	begin(4, false);
	write_all(&output, records, 1000);
	begin(5, false);
	write_all(&output, records, 4096); /* a frame; then the meter dies */
	flush_output(&output);
	close_output(&output);
	open_spool("");
	begin(4, true);
	write_all(&output, records, 1000);
	begin(5, true);
	write_all(&output, records, 6000);
	begin(6, false);
	write_all(&output, records, 1);
	close_output(&output);
	assert_int_equal(read_sums().records, 7001);
}

static void oldest_segment_goes(void **state)
{
	static struct traffic_record records[1000];
	struct spool_records back = { 0 };
	struct spool_sums before, sums, all = { 0 };
	uint64_t size = 0;
	glob_t paths;

	(void)state;
	open_spool("size=64K");
	for (uint64_t batch = 1; batch <= 60; batch++) {
		make_records(records, 1000, batch);
		begin(batch, false);
		write_all(&output, records, 1000);
		flush_output(&output);
		spool_sums_count(&all, records, 1000);
	}
	close_output(&output);
	sums = read_all(&back, &before);
	spool_records_free(&back);
	assert_true(before.records > 0);
	assert_true(sums.records > 1000);
	spool_sums_add(&sums, &before);
	assert_memory_equal(&sums, &all, sizeof(all));
	for (size_t i = 0, n = list(&paths); i < n; i++) {
		struct stat status;

		stat(paths.gl_pathv[i], &status);
		size += (uint64_t)status.st_size;
	}
	globfree(&paths);
	assert_true(size <= 64 << 10);
}

/* Somebody removes the directory: it is made again, and its sums go on. */
static void removed_directory_is_made_again(void **state)
{
	struct traffic_record records[10];
	struct spool_records back = { 0 };
	struct spool_sums before;

	(void)state;
	make_records(records, 10, 5);
	open_spool("");
	begin(1, false);
	write_all(&output, records, 10);
	flush_output(&output);
	assert_int_equal(nftw(spool_path, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
	capture_begin();
	begin(2, false);
	write_all(&output, records, 10);
	close_output(&output);
	capture_end();
	assert_said("was removed by somebody");
	assert_int_equal(read_all(&back, &before).records, 10);
	assert_int_equal(before.records, 10);
	spool_records_free(&back);
}

static void refused_directories(void **state)
{
	struct traffic_output other;
	char path[600];
	int fd;

	(void)state;
	open_spool("");
	assert_true(open_output(&other, &spool_output, spool_path, "") < 0);
	assert_non_null(strstr(other.error, "another meter"));
	close_output(&other);
	close_output(&output);

	snprintf(path, sizeof(path), "%s/traffic-%020d.spool", spool_path, 1);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "\2", 1, 8), 1);
	close(fd);
	assert_true(open_output(&other, &spool_output, spool_path, "") < 0);
	assert_non_null(strstr(other.error, "newer meter"));
	close_output(&other);
}

/* Whatever bytes a block has, reading it ends with an answer. */
static void damaged_blocks_are_refused(void **state)
{
	struct traffic_record records[20];
	struct spool_block *block = spool_block_new("host", 1);
	struct spool_records back = { 0 };
	static unsigned char stored[65536];
	size_t size, raw, refused = 0;

	(void)state;
	make_records(records, 20, 1);
	for (size_t i = 0; i < 20; i++)
		assert_int_equal(spool_block_add(block, &records[i], "user"), 0);
	assert_true(spool_block_bound(block) <= sizeof(stored));
	assert_int_equal(spool_block_pack(block, 1, stored, sizeof(stored), &size, &raw), 0);
	spool_block_free(block);
	for (size_t i = 0; i < size; i++) {
		stored[i] ^= 0x10;
		refused += spool_records_read(&back, stored, size, raw) < 0;
		stored[i] ^= 0x10;
	}
	assert_true(refused > size - 20); /* parts of gzip's header mean nothing */
	assert_int_equal(spool_records_read(&back, stored, size, raw - 1), -EBADMSG);
	assert_int_equal(spool_records_read(&back, stored, size - 1, raw), -EBADMSG);
	spool_records_free(&back);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(checksum_is_crc32c),
		TEST(records_come_back),
		TEST(python_reads_the_same),
		TEST(torn_end_is_cut_off),
		TEST(batch_that_comes_again_is_passed_over),
		TEST(oldest_segment_goes),
		TEST(removed_directory_is_made_again),
		TEST(refused_directories),
		TEST(damaged_blocks_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
