// SPDX-License-Identifier: GPL-2.0-or-later
/* What the files of csv and json tell of the users' totals after a machine that went down. */
#include "output/json_row.h"
#include "output_fixture.h"

extern const struct traffic_output_type csv_output, json_output;

#define TOLD_MAX 64

/* The largest of all that was told of each user. */
static struct traffic_total told[TOLD_MAX];
static size_t n_told, calls;
static uint64_t told_batch;

static int tell(void *userdata, const struct traffic_total *total)
{
	size_t i = 0;

	(void)userdata;
	calls++;
	while (i < n_told && told[i].uid != total->uid)
		i++;
	if (i == n_told)
		told[n_told++] = (struct traffic_total){ .uid = total->uid };
	assert_true(n_told < TOLD_MAX);
	if (told[i].in < total->in)
		told[i].in = total->in;
	if (told[i].out < total->out)
		told[i].out = total->out;
	if (told_batch < total->batch)
		told_batch = total->batch;
	return 0;
}

static int refuse(void *userdata, const struct traffic_total *total)
{
	(void)userdata;
	(void)total;
	return -ENOMEM;
}

static struct traffic_output output;

static void open_as(const struct traffic_output_type *type)
{
	static char target[512];

	snprintf(target, sizeof(target), "%s", type == &json_output ? path_of("rows") : directory);
	if (open_output(&output, type, target, "") < 0)
		fail_msg("%s", output.error);
	n_told = calls = 0;
	told_batch = 0;
}

/* Of three users in turn, one of them nobody; each record has 10 bytes. */
static void write_batch(uint64_t number, unsigned int n)
{
	static uint64_t totals[3][2];
	struct traffic_record record;

	output.batch = number;
	for (unsigned int i = 0; i < n; i++) {
		unsigned int user = i % 3;
		enum traffic_direction direction = i / 3 % 2 ? TRAFFIC_IN : TRAFFIC_OUT;

		record = make_record(user ? 1000 + user : TRAFFIC_NO_UID, direction, 10);
		if (number == 1 && i < 3)
			memset(totals[user], 0, sizeof(totals[user]));
		totals[user][direction] += 10;
		record.total_in = totals[user][TRAFFIC_IN];
		record.total_out = totals[user][TRAFFIC_OUT];
		assert_int_equal(output.type->write(&output, &record, 1), 1);
	}
	assert_int_equal(output.type->flush(&output), 0);
}

static void assert_told(uint32_t uid, uint64_t in, uint64_t out)
{
	for (size_t i = 0; i < n_told; i++)
		if (told[i].uid == uid) {
			assert_int_equal(told[i].in, in);
			assert_int_equal(told[i].out, out);
			return;
		}
	fail_msg("nothing told of uid %u", uid);
}

static void assert_all_told(uint64_t in, uint64_t out)
{
	assert_int_equal(n_told, 3);
	assert_told(TRAFFIC_NO_UID, in, out);
	assert_told(1001, in, out);
	assert_told(1002, in, out);
}

static void last_rows_tell(const struct traffic_output_type *type)
{
	open_as(type);
	write_batch(1, 60);
	write_batch(2, 60);
	close_output(&output);
	open_as(type);
	assert_int_equal(type->totals(&output, 0, tell, NULL), 0);
	assert_all_told(200, 200);
	assert_int_equal(type->totals(&output, 0, refuse, NULL), -ENOMEM);
	close_output(&output);
}

static void csv_tells(void **state)
{
	(void)state;
	last_rows_tell(&csv_output);
	assert_int_equal(told_batch, 0);
}

static void json_tells(void **state)
{
	(void)state;
	last_rows_tell(&json_output);
	assert_int_equal(told_batch, 2);
}

static void nothing_there(void **state)
{
	(void)state;
	open_as(&json_output);
	assert_int_equal(json_output.totals(&output, 0, tell, NULL), 0);
	assert_int_equal(calls, 0);
	close_output(&output);
	open_as(&csv_output);
	assert_int_equal(csv_output.totals(&output, 0, tell, NULL), 0);
	assert_int_equal(calls, 0);
	close_output(&output);
}

/* What is known is not read: of a file, the lines behind it alone. */
static void json_stops_at_what_is_known(void **state)
{
	(void)state;
	open_as(&json_output);
	write_batch(1, 60);
	write_batch(2, 60);
	assert_int_equal(rename(path_of("rows"), path_of("rows.1")), 0);
	assert_int_equal(output.type->flush(&output), 0);
	write_batch(3, 6);
	close_output(&output);
	open_as(&json_output);
	assert_int_equal(json_output.totals(&output, 2, tell, NULL), 0);
	assert_int_equal(calls, 6);
	assert_all_told(210, 210);
	assert_int_equal(json_output.totals(&output, 1, tell, NULL), 0);
	assert_int_equal(calls, 6 + 66);
	assert_int_equal(json_output.totals(&output, 3, tell, NULL), 0);
	assert_int_equal(calls, 6 + 66);
	assert_int_equal(told_batch, 3);
	close_output(&output);
}

/* Lines without number, some longer than any of ours, NULs, half a line at the end. */
static void json_passes_over_what_is_no_line(void **state)
{
	static const char nuls[10000];
	_cleanup_free_ char *junk = malloc(700000);
	FILE *file;

	(void)state;
	memset(junk, 'x', 700000);
	open_as(&json_output);
	write_batch(1, 6000); /* some windows of lines */
	close_output(&output);
	file = fopen(path_of("rows"), "ae");
	assert_non_null(file);
	fputs("{\"time\":1}\n\n\n", file);
	fwrite(junk, 700000, 1, file);
	fputs("\n", file);
	fwrite(junk, 300000, 1, file);
	fputs("\n{}\n{\"time\":", file);
	fwrite(nuls, sizeof(nuls), 1, file);
	assert_int_equal(fclose(file), 0);
	open_as(&json_output);
	assert_int_equal(json_output.totals(&output, 0, tell, NULL), 0);
	assert_int_equal(calls, 6000);
	assert_all_told(10000, 10000);
	close_output(&output);
}

/* A gibibyte before them, none of which takes room on the disk. */
static void json_reads_no_more_than_it_may(void **state)
{
	char line[JSON_ROW_MAX + 1] = "";
	FILE *file;

	(void)state;
	open_as(&json_output);
	write_batch(1, 60);
	close_output(&output);
	file = fopen(path_of("rows"), "r+e");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	assert_int_equal(fseeko(file, ((off_t)1 << 30) + (1 << 20), SEEK_SET), 0);
	fputs("\n", file);
	fputs(line, file);
	assert_int_equal(fclose(file), 0);
	open_as(&json_output);
	assert_int_equal(json_output.totals(&output, 0, tell, NULL), -EFBIG);
	assert_int_equal(calls, 1);
	close_output(&output);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(csv_tells),
		TEST(json_tells),
		TEST(nothing_there),
		TEST(json_stops_at_what_is_known),
		TEST(json_passes_over_what_is_no_line),
		TEST(json_reads_no_more_than_it_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
