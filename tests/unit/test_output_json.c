// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The json output without its host: lines byte for byte and as another parser (Python's) reads
 * them, the file it writes to, and the reader of its standard output.
 */
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "output/json_row.h"
#include "output_fixture.h"
#include "util/names.h"

extern const struct traffic_output_type json_output;

static struct traffic_output output;

static void open_json(const char *target)
{
	if (open_output(&output, &json_output, target, "") < 0)
		fail_msg("%s", output.error);
}

static const char *row_of(const struct traffic_record *record, const char *user)
{
	static char row[JSON_ROW_MAX + 1];
	char *end;

	memset(row, '#', sizeof(row));
	end = json_row_append(row, record, user, 7);
	assert_int_equal(row[JSON_ROW_MAX], '#');
	*end = '\0';
	return row;
}

static void line_of_a_flow(void **state)
{
	struct traffic_record record = make_record(1000, TRAFFIC_OUT, 15000);

	(void)state;
	record.end_ns += 1;
	record.wire_bytes = 15600;
	record.packets = 10;
	record.source_port = 50000;
	record.destination_port = 443;
	record.step = TRAFFIC_STEP_FLOW;
	record.login_uid = 1001;
	record.total_in = 5;
	record.total_out = 15000;
	strcpy(record.interface, "eth0");
	strcpy(record.program, "curl");
	record.cgroup = "/user.slice";
	record.wire_packets = 11;
	record.network = "internet";
	record.workload = "slurm:\"1\"";
	assert_string_equal(
		row_of(&record, "alice"),
		"{\"time\":1732985432.123456790,\"start\":1732985432.123456789,"
		"\"direction\":\"out\",\"uid\":1000,\"user\":\"alice\",\"login_uid\":1001,"
		"\"protocol\":\"tcp\",\"src\":\"192.168.1.100\",\"dst\":\"8.8.8.8\","
		"\"src_port\":50000,\"dst_port\":443,\"interface\":\"eth0\",\"bytes\":15000,"
		"\"wire_bytes\":15600,\"packets\":10,\"total_in\":5,\"total_out\":15000,"
		"\"program\":\"curl\",\"cgroup\":\"/user.slice\",\"step\":\"flow\",\"batch\":7,"
		"\"wire_packets\":11,\"network\":\"internet\",\"workload\":\"slurm:\\\"1\\\"\"}\n");
}

static void line_of_what_is_not_known(void **state)
{
	const struct traffic_record record = { .start_ns = 1,
					       .end_ns = 2,
					       .bytes = 3,
					       .wire_bytes = 4,
					       .packets = 5,
					       .uid = TRAFFIC_NO_UID,
					       .login_uid = TRAFFIC_NO_UID,
					       .direction = TRAFFIC_IN,
					       .step = TRAFFIC_STEP_TOTAL };

	(void)state;
	assert_string_equal(row_of(&record, NULL),
			    "{\"time\":0.000000002,\"start\":0.000000001,\"direction\":\"in\","
			    "\"uid\":null,\"user\":null,\"login_uid\":null,\"protocol\":null,"
			    "\"src\":null,\"dst\":null,\"src_port\":null,\"dst_port\":null,"
			    "\"interface\":null,\"bytes\":3,\"wire_bytes\":4,\"packets\":5,"
			    "\"total_in\":0,\"total_out\":0,\"program\":null,\"cgroup\":null,"
			    "\"step\":\"total\",\"batch\":7,\"wire_packets\":0,"
			    "\"network\":null,\"workload\":null}\n");
}

static void line_of_most_bytes(void **state)
{
	static char cgroup[2 * JSON_ROW_CGROUP_MAX], user[2 * JSON_ROW_USER_MAX];
	static char name[2 * JSON_ROW_NAME_MAX];
	struct traffic_record record;

	(void)state;
	memset(cgroup, 1, sizeof(cgroup) - 1);
	memset(user, 2, sizeof(user) - 1);
	memset(name, 5, sizeof(name) - 1);
	memset(&record, 0xff, sizeof(record));
	memset(record.interface, 3, sizeof(record.interface));
	memset(record.program, 4, sizeof(record.program));
	record.uid = record.login_uid = UINT32_MAX - 1;
	record.family = TRAFFIC_FAMILY_IPV6;
	record.protocol = 137;
	record.cgroup = cgroup;
	record.network = record.workload = name;
	assert_true(strlen(row_of(&record, user)) > 6 * JSON_ROW_CGROUP_MAX);
}

/* Lines of random bytes, of each single byte, of UTF-8 good and bad: Python reads each line back
 * as what the bytes mean when each bad one stands for U+FFFD. */
static void parsed_by_another(void **state)
{
	static const char check[] =
		"import json, sys\n"
		"rows = open(sys.argv[1], 'rb').read().split(b'\\n')\n"
		"names = open(sys.argv[2], 'rb').read()\n"
		"assert rows.pop() == b''\n"
		"assert len(names) == 15 * len(rows) > 5000, len(rows)\n"
		"def meant(data):\n"
		"    text = ''\n"
		"    while data:\n"
		"        for n in 1, 2, 3, 4:\n"
		"            try: text += data[:n].decode('utf-8'); break\n"
		"            except UnicodeDecodeError: pass\n"
		"        else: text += '\\ufffd'; n = 1\n"
		"        data = data[n:]\n"
		"    return text\n"
		"for i, row in enumerate(rows):\n"
		"    assert all(byte >= 0x20 and byte != 0x7f for byte in row), row\n"
		"    record = json.loads(row.decode('utf-8', 'strict'))\n"
		"    assert record['program'] == meant(names[15 * i:15 * i + 15]), (i, row)\n"
		"    assert record['cgroup'] == record['program'] and record['bytes'] == i\n"
		"    assert list(record) == 'time start direction uid user login_uid protocol src "
		"dst "
		"src_port dst_port interface bytes wire_bytes packets total_in total_out program "
		"cgroup "
		"step batch wire_packets network workload'.split()\n";
	_cleanup_fclose_ FILE *names = NULL;
	char rows[512], name_file[512];
	int status;
	pid_t pid;

	(void)state;
	snprintf(rows, sizeof(rows), "%s", path_of("rows"));
	snprintf(name_file, sizeof(name_file), "%s", path_of("names"));
	names = fopen(name_file, "we");
	assert_non_null(names);
	open_json(rows);
	srandom(1);
	for (unsigned int i = 0; i < 6000; i++) {
		static const char bytes[] = "\"\\/\x80\xbf\xc2\xc3\xe2\x82\xac\xf0\x9f\x92\xa9\xed";
		struct traffic_record record = make_record(TRAFFIC_NO_UID, TRAFFIC_OUT, i);

		for (int j = 0; j < 15; j++) {
			record.program[j] = i < 255 ? (char)(i + 1)
					    : random() % 2
						    ? bytes[(size_t)random() % (sizeof(bytes) - 1)]
						    : (char)(1 + random() % 255);
		}
		record.cgroup = record.program;
		assert_int_equal(fwrite(record.program, 15, 1, names), 1);
		write_one(&output, &record);
	}
	fflush(names);
	flush_output(&output);
	close_output(&output);

	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		execlp("python3", "python3", "-c", check, rows, name_file, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		skip();
	assert_int_equal(status, 0);
}

static void names_of_users(void **state)
{
	const struct passwd *root = getpwuid(0);
	struct traffic_record record = make_record(0, TRAFFIC_OUT, 1);
	char expected[128];
	const char *text;

	(void)state;
	if (!root)
		skip();
	snprintf(expected, sizeof(expected), "\"uid\":0,\"user\":\"%s\",", root->pw_name);
	open_json(path_of("rows"));
	write_one(&output, &record);
	record.uid = 4000000000;
	write_one(&output, &record);
	close_output(&output);
	text = read_file(path_of("rows"));
	assert_non_null(strstr(text, expected));
	assert_non_null(strstr(text, "\"uid\":4000000000,\"user\":null,"));
}

/* More users than there are entries, each asked for twice. */
static void names_are_bounded(void **state)
{
	const struct passwd *root = getpwuid(0);
	struct names *names = names_new();
	uint64_t now_s = 1;

	(void)state;
	assert_non_null(names);
	for (uint32_t uid = 0; uid < 5000; uid++) {
		const char *name = names_user(names, 3000000000 + uid, now_s);

		assert_null(name);
		assert_null(names_user(names, 3000000000 + uid, now_s));
	}
	for (int i = 0; root && i < 3; i++, now_s += NAMES_LIFETIME_S)
		assert_string_equal(names_user(names, 0, now_s), root->pw_name);
	names_free(names);
}

static void many_records_at_once(void **state)
{
	_cleanup_free_ struct traffic_record *records = calloc(1024, sizeof(*records));

	(void)state;
	assert_non_null(records);
	for (unsigned int i = 0; i < 1024; i++)
		records[i] = make_record(TRAFFIC_NO_UID, TRAFFIC_IN, i);
	open_json(path_of("rows"));
	write_all(&output, records, 1024);
	close_output(&output);
	assert_int_equal(count_lines_of(read_file(path_of("rows"))), 1024);
}

static void file_too_large(void **state)
{
	struct traffic_record record = make_record(TRAFFIC_NO_UID, TRAFFIC_IN, 1);
	struct rlimit before, small;
	const char *text;
	size_t taken = 0;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){ .rlim_cur = 10000, .rlim_max = before.rlim_max };
	open_json(path_of("rows"));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	while (output.type->write(&output, &record, 1) == 1)
		taken++;
	assert_int_equal(output.type->write(&output, &record, 1), -EAGAIN);
	assert_non_null(strstr(output.error, "write: File too large"));
	text = read_file(path_of("rows"));
	assert_int_equal(count_lines_of(text), taken);
	assert_int_equal(text[strlen(text) - 1], '\n');
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	write_one(&output, &record);
	close_output(&output);
	assert_int_equal(count_lines_of(read_file(path_of("rows"))), taken + 1);
	assert_int_equal(output.lost_records, 0);
}

static void file_renamed_or_deleted(void **state)
{
	struct traffic_record record = make_record(TRAFFIC_NO_UID, TRAFFIC_IN, 1);
	char rows[512];

	(void)state;
	snprintf(rows, sizeof(rows), "%s", path_of("rows"));
	open_json(rows);
	write_one(&output, &record);
	assert_int_equal(rename(rows, path_of("rotated")), 0);
	flush_output(&output);
	write_one(&output, &record);
	assert_int_equal(count_lines_of(read_file(rows)), 1);
	assert_int_equal(unlink(rows), 0);
	write_one(&output, &record);
	assert_int_equal(count_lines_of(read_file(rows)), 1);

	/* What stands there now is not ours: nothing is taken until it is gone. */
	assert_int_equal(unlink(rows), 0);
	assert_int_equal(symlink(path_of("elsewhere"), rows), 0);
	assert_int_equal(output.type->write(&output, &record, 1), -EAGAIN);
	assert_non_null(strstr(output.error, "is a symbolic link"));
	assert_int_equal(unlink(rows), 0);
	write_one(&output, &record);
	close_output(&output);
	assert_int_equal(count_lines_of(read_file(rows)), 1);
	assert_int_not_equal(access(path_of("elsewhere"), F_OK), 0);
}

static void assert_init_refused(const char *target, const char *words)
{
	assert_true(open_output(&output, &json_output, target, "") < 0);
	if (!strstr(output.error, words))
		fail_msg("'%s' is not in '%s'", words, output.error);
	close_output(&output);
}

static void bad_targets(void **state)
{
	(void)state;
	assert_init_refused("", "json:PATH, or json:-");
	assert_init_refused(path_of("none/rows"), "no such directory; make it: mkdir");
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	assert_init_refused(path_of("fifo"), "is a FIFO");
	assert_init_refused(directory, "is a directory");
	assert_init_refused("/dev/null", "is a device");
	if (access("/dev/stdout", F_OK) == 0)
		assert_init_refused("/dev/stdout", "standard output is json:-");
}

/* Standard output as a pipe with the test at its other end. */
static int real_stdout;

static int pipe_begin(void)
{
	int ends[2];

	fflush(stdout);
	real_stdout = dup(STDOUT_FILENO);
	assert_int_equal(pipe(ends), 0);
	assert_true(dup2(ends[1], STDOUT_FILENO) >= 0);
	close(ends[1]);
	return ends[0];
}

static void pipe_end(int reader)
{
	dup2(real_stdout, STDOUT_FILENO);
	close(real_stdout);
	close(reader);
}

/* Lines of 0, 1, 2, ... as bytes, and no half one. */
static void assert_lines(char *text, unsigned int from, unsigned int until)
{
	for (unsigned int i = from; i < until; i++) {
		char part[32], *end = strchr(text, '\n');

		assert_non_null(end);
		*end = '\0';
		snprintf(part, sizeof(part), "\"bytes\":%u,", i);
		assert_non_null(strstr(text, part));
		text = end + 1;
	}
	assert_string_equal(text, "");
}

static size_t read_pipe(int reader, char *text, size_t room)
{
	struct pollfd ready = { .fd = reader, .events = POLLIN };
	size_t n = 0;

	while (poll(&ready, 1, 0) == 1) {
		ssize_t length = read(reader, text + n, room - n - 1);

		assert_true(length > 0);
		n += (size_t)length;
	}
	text[n] = '\0';
	return n;
}

/* A reader that is slow holds it up, and then gets all, in whole lines. */
static void slow_reader(void **state)
{
	_cleanup_free_ struct traffic_record *records = calloc(1000, sizeof(*records));
	_cleanup_free_ char *text = malloc(1 << 20);
	size_t taken = 0, length = 0;
	bool held_up = false;
	int reader;

	(void)state;
	assert_non_null(records);
	assert_non_null(text);
	for (unsigned int i = 0; i < 1000; i++)
		records[i] = make_record(TRAFFIC_NO_UID, TRAFFIC_IN, i);
	reader = pipe_begin();
	open_json("-");
	while (taken < 1000) {
		ssize_t n = output.type->write(&output, records + taken, 1000 - taken);

		if (n > 0) {
			taken += (size_t)n;
			continue;
		}
		assert_int_equal(n, -EAGAIN);
		held_up = true;
		length += read_pipe(reader, text + length, (1 << 20) - length);
	}
	flush_output(&output);
	close_output(&output);
	read_pipe(reader, text + length, (1 << 20) - length);
	pipe_end(reader);
	assert_true(held_up);
	assert_string_equal(output.error, "");
	assert_lines(text, 0, 1000);
	assert_int_equal(output.lost_records, 0);
}

/* A line longer than a pipe takes at once is cut; its rest comes before anything else. */
static void long_lines(void **state)
{
	static char cgroup[JSON_ROW_CGROUP_MAX];
	_cleanup_free_ char *text = malloc(2 << 20);
	struct traffic_record record;
	size_t length = 0;
	unsigned int i = 0;
	int reader;

	(void)state;
	assert_non_null(text);
	memset(cgroup, 1, sizeof(cgroup) - 1);
	reader = pipe_begin();
	open_json("-");
	while (i < 20) {
		record = make_record(TRAFFIC_NO_UID, TRAFFIC_IN, i);
		record.cgroup = cgroup;
		if (output.type->write(&output, &record, 1) == 1)
			i++;
		else
			length += read_pipe(reader, text + length, (2 << 20) - length);
	}
	while (output.type->flush(&output) == -EAGAIN)
		length += read_pipe(reader, text + length, (2 << 20) - length);
	close_output(&output);
	read_pipe(reader, text + length, (2 << 20) - length);
	pipe_end(reader);
	assert_lines(text, 0, 20);
	assert_int_equal(output.lost_records, 0);
}

static void reader_goes_away(void **state)
{
	struct traffic_record record = make_record(TRAFFIC_NO_UID, TRAFFIC_IN, 1);
	int reader;

	(void)state;
	signal(SIGPIPE, SIG_IGN); /* the host blocks it */
	reader = pipe_begin();
	open_json("-");
	close(reader);
	assert_int_equal(output.type->write(&output, &record, 1), -EAGAIN);
	close_output(&output);
	pipe_end(-1);
	assert_string_equal(output.error, "write to standard output: Broken pipe");
	assert_int_equal(output.lost_records, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(line_of_a_flow),
		TEST(line_of_what_is_not_known),
		TEST(line_of_most_bytes),
		TEST(parsed_by_another),
		TEST(names_of_users),
		TEST(names_are_bounded),
		TEST(many_records_at_once),
		TEST(file_too_large),
		TEST(file_renamed_or_deleted),
		TEST(bad_targets),
		TEST(slow_reader),
		TEST(long_lines),
		TEST(reader_goes_away),
	};

	return cmocka_run_group_tests_name("output_json", tests, NULL, NULL);
}
