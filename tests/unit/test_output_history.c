// SPDX-License-Identifier: GPL-2.0-or-later
/* The output history: sums that are exact through roll-ups, late records, faults and kills. */
#include "output_fixture.h"

#ifdef HAVE_SQLITE3

#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>

#include "history/history.h"
#include "history/store.h"

extern const struct traffic_output_type history_output;

static struct traffic_output output;
static uint64_t now_ns;

static int set_up(void **state)
{
	now_ns = (uint64_t)time(NULL) * 1000000000;
	(void)state;
	/* Memory: a disk that is busy would let few transactions through between two kills. */
	strcpy(directory, "/dev/shm/traffic-meter-test-XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static void open_history(const char *pairs)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s", path_of("history.db"));
	if (open_output(&output, &history_output, path, pairs) < 0)
		fail_msg("%s", output.error);
	output.batch = 1;
}

static int64_t ask(const char *query)
{
	sqlite3 *database;
	sqlite3_stmt *statement;
	char why[HISTORY_WHY_MAX];
	int64_t number;

	if (history_open_read(path_of("history.db"), &database, why) < 0)
		fail_msg("%s", why);
	if (sqlite3_prepare_v2(database, query, -1, &statement, NULL) != SQLITE_OK)
		fail_msg("%s: %s", query, sqlite3_errmsg(database));
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	number = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(database);
	return number;
}

static void assert_answer(const char *query, int64_t expected)
{
	int64_t number = ask(query);

	if (number != expected)
		fail_msg("%s: %lld, not %lld", query, (long long)number, (long long)expected);
}

/* What both views say is what was sent. */
static void assert_sums(int64_t in, int64_t out)
{
	assert_answer("SELECT coalesce(sum(in_bytes), 0) FROM users", in);
	assert_answer("SELECT coalesce(sum(out_bytes), 0) FROM users", out);
	assert_answer("SELECT coalesce(sum(in_bytes), 0) FROM usage", in);
	assert_answer("SELECT coalesce(sum(out_bytes), 0) FROM usage", out);
}

/* Of the time, to a remote of its own. */
static struct traffic_record make_row(uint64_t seconds_ago, uint32_t user, uint32_t remote,
				      uint64_t bytes)
{
	struct traffic_record record =
		make_record(user, remote % 2 ? TRAFFIC_OUT : TRAFFIC_IN, bytes);
	uint8_t *address = record.direction == TRAFFIC_IN ? record.source : record.destination;

	address[0] = 100;
	address[1] = (uint8_t)(remote >> 8);
	address[2] = (uint8_t)remote;
	address[3] = 7;
	record.start_ns = record.end_ns = now_ns - seconds_ago * 1000000000;
	record.source_port = 50000;
	record.destination_port = 443;
	record.wire_bytes = bytes + 40;
	record.wire_packets = 2;
	strcpy(record.program, "rsync");
	record.network = "campus";
	record.workload = "slurm:17";
	return record;
}

static void fields_of_a_row(void **state)
{
	struct traffic_record record = make_row(0, 0, 1, 1000);

	(void)state;
	open_history("");
	record.login_uid = 1001;
	strcpy(record.interface, "eth0");
	write_one(&output, &record);
	memcpy(record.program, "a'\"\n\xff", 5);
	record.workload = "session:77";
	set_address(&record, "2001:db8:1:2::3", "2001:db8:aaaa:bbbb:cccc::1");
	record.source_port = 40000;
	record.destination_port = 50000;
	write_one(&output, &record);
	flush_output(&output);
	assert_answer("SELECT count(*) FROM usage WHERE user = 'root' AND login_uid = 1001 AND"
		      " remote = '100.0.1.0/24' AND service = 'tcp/443' AND network = 'campus' AND"
		      " interface = 'eth0' AND program = 'rsync' AND workload = 'slurm:17' AND"
		      " in_bytes = 0 AND out_bytes = 1000 AND out_wire_bytes = 1040",
		      1);
	assert_answer(
		"SELECT count(*) FROM usage WHERE remote = '2001:db8:aaaa::/48' AND"
		" service = 'tcp' AND program = 'a''\"?\xef\xbf\xbd' AND workload = 'session'",
		1);
	assert_answer(
		"SELECT count(*) FROM users WHERE out_packets = 2 AND out_wire_packets = 4 AND"
		" out_wire_bytes = 2080",
		1);
	assert_answer("SELECT batch * 1000 + records FROM progress", 1002);
	close_output(&output);
	assert_answer("SELECT ended_well FROM coverage", 1);
}

/* 400 days of two users, one with more remotes than stay: all levels are made, and none loses a byte. */
static void levels_add_up(void **state)
{
	int64_t sent[2] = { 0 };

	(void)state;
	open_history("rows-hour=3,rows-day=5,rows-month=10,keep-5min=2,keep-hour=10,keep-day=100");
	for (uint64_t hour = 400 * 24; hour > 0; hour -= 8) {
		for (uint32_t remote = 0; remote < 12; remote++) {
			struct traffic_record record =
				make_row(hour * 3600, 1000 + remote % 2,
					 (uint32_t)hour % 7 + remote, 100 + remote);

			sent[record.direction == TRAFFIC_OUT] += (int64_t)record.bytes;
			write_one(&output, &record);
		}
		if (hour % 800 == 0)
			flush_output(&output);
	}
	/* A step is short, so it takes some. */
	for (int i = 0; i < 200 && (i < 2 || ask("SELECT closed_until FROM level WHERE id = 3") <
						     (int64_t)time(NULL) - 32 * 86400);
	     i++)
		flush_output(&output);
	flush_output(&output);
	assert_sums(sent[0], sent[1]);
	assert_true(ask("SELECT count(*) FROM user_month") >= 26);
	assert_true(ask("SELECT max(n) FROM (SELECT count(*) AS n FROM detail_hour GROUP BY time,"
			" user)") <= 6);
	assert_answer(
		"SELECT count(*) FROM usage_month WHERE remote = 'other' AND program <> 'rsync'",
		0);
	/* The same bytes by each plan. */
	assert_true(ask("SELECT count(*) FROM usage_month WHERE remote = 'other'") > 0);
	close_output(&output);
}

/* Who comes when the bucket is closed is added to all levels that are. */
static void late_records_and_clocks(void **state)
{
	struct traffic_record record = make_row(90 * 86400, 1000, 1, 5);

	(void)state;
	open_history("");
	write_one(&output, &record);
	flush_output(&output);
	for (int i = 0; i < 50; i++)
		flush_output(&output);
	assert_sums(0, 5);
	for (int day = -1; day <= 1; day++) { /* a clock that is a day off, either way */
		record = make_row(0, 1000, 3, 70);
		record.end_ns += (uint64_t)day * 86400000000000;
		write_one(&output, &record);
		flush_output(&output);
		flush_output(&output);
	}
	record = make_row(90 * 86400, 1000, 1, 9);
	write_one(&output, &record);
	flush_output(&output);
	assert_sums(0, 5 + 3 * 70 + 9);
	close_output(&output);
	assert_sums(0, 5 + 3 * 70 + 9);
}

static void batches_that_come_again(void **state)
{
	struct traffic_record records[10];

	(void)state;
	for (uint32_t i = 0; i < 10; i++)
		records[i] = make_row(0, 1000, 1, 1u << i);
	open_history("");
	output.batch = 5;
	write_all(&output, records, 6);
	flush_output(&output);
	close_output(&output);
	for (int i = 0; i < 2; i++) { /* the killed meter's batch, and once more */
		open_history("");
		output.batch = 5;
		output.repeated = true;
		write_all(&output, records, 10);
		flush_output(&output);
		close_output(&output);
		assert_sums(0, 1023);
	}
	open_history("");
	output.batch = 4;
	output.repeated = true;
	write_all(&output, records, 10);
	flush_output(&output);
	assert_sums(0, 1023);
	output.batch = 6;
	output.repeated = false;
	write_all(&output, records, 3);
	flush_output(&output);
	close_output(&output);
	assert_sums(0, 1023 + 7);
}

/* A process that writes batches and is killed at any time; the next one gets them from the last settled
 * one on. */
static void killed_at_random(void **state)
{
	struct traffic_record records[64];
	uint64_t *settled =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct timespec pause = { .tv_nsec = 0 };
	int status;

	(void)state;
	assert_true(settled != MAP_FAILED);
	for (uint32_t i = 0; i < 64; i++)
		records[i] = make_row(i * 60, 1000 + i % 5, i, 1000 + i);
	srandom((unsigned int)time(NULL));
	for (int round = 0; round < 100; round++) {
		pid_t child = fork();

		assert_true(child >= 0);
		if (child == 0) {
			open_history("");
			for (uint64_t batch = *settled + 1;; batch++) {
				output.repeated = batch == *settled + 1 && round > 0;
				output.batch = batch;
				write_all(&output, records, 40);
				if (batch % 3)
					history_output.flush(&output);
				write_all(&output, records + 40, 24);
				flush_output(&output);
				*settled = batch;
			}
		}
		/* Some die as they open it, some after a batch or two, at any place of the next. */
		for (uint64_t until = *settled + (uint64_t)random() % 3, i = 0;
		     *settled < until && i < 5000; i++)
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		pause.tv_nsec = random() % 4000000;
		nanosleep(&pause, NULL);
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
	}
	/* What was under way comes a last time. */
	open_history("");
	output.batch = *settled + 1;
	output.repeated = true;
	write_all(&output, records, 64);
	flush_output(&output);
	close_output(&output);
	print_message("killed 100 times, %llu batches\n", (unsigned long long)*settled + 1);
	assert_true(*settled > 20);
	assert_answer("SELECT sum(in_bytes + out_bytes) FROM users",
		      (int64_t)(*settled + 1) * (64 * 1000 + 64 * 63 / 2));
	assert_answer("SELECT sum(in_bytes + out_bytes) FROM usage",
		      (int64_t)(*settled + 1) * (64 * 1000 + 64 * 63 / 2));
	munmap((void *)settled, 4096);
}

static void locked_by_a_shell(void **state)
{
	struct traffic_record record = make_row(0, 1000, 1, 10);
	sqlite3 *shell;

	(void)state;
	open_history("");
	write_one(&output, &record);
	flush_output(&output);
	assert_int_equal(sqlite3_open(path_of("history.db"), &shell), SQLITE_OK);
	assert_int_equal(sqlite3_exec(shell, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	write_one(&output, &record);
	assert_int_equal(history_output.flush(&output), -EAGAIN);
	assert_non_null(strstr(output.error, "is locked by another program"));
	/* It takes no more than so many rows. */
	for (uint32_t i = 0; i < STORE_PENDING_MAX; i++) {
		record = make_row(0, i, 1, 1);
		write_one(&output, &record);
	}
	assert_int_equal(history_output.write(&output, &record, 1), -EAGAIN);
	assert_int_equal(sqlite3_exec(shell, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(shell);
	flush_output(&output);
	close_output(&output);
	assert_int_equal(output.lost_bytes, 0);
	assert_sums(0, 20 + STORE_PENDING_MAX);
}

static void second_writer(void **state)
{
	struct traffic_output second;

	(void)state;
	open_history("");
	assert_true(open_output(&second, &history_output, output.target, "") < 0);
	assert_non_null(strstr(second.error, "another meter writes to"));
	close_output(&second);
	close_output(&output);
}

static void full_disk(void **state)
{
	struct traffic_record record;
	_cleanup_close_ int fd = -1;
	int64_t sent = 0;
	int r = 0;

	(void)state;
	if (geteuid() != 0 || mount("tmpfs", directory, "tmpfs", 0, "size=1m,mode=0755"))
		skip();
	open_history("");
	record = make_row(0, 1, 1, 1);
	write_one(&output, &record);
	flush_output(&output);
	fd = open(path_of("filler"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	while (write(fd, said, sizeof(said)) > 0)
		;
	for (uint32_t i = 0; r == 0 && i < 100000; i++) {
		record = make_row(0, 2, i, 3);
		write_one(&output, &record);
		sent += 3;
		if (i % 1000 == 999)
			r = history_output.flush(&output);
	}
	assert_int_equal(r, -EAGAIN);
	assert_int_equal(unlink(path_of("filler")), 0);
	close_fd(&fd);
	fd = -1;
	flush_output(&output);
	close_output(&output);
	assert_int_equal(output.lost_bytes, 0);
	assert_answer("SELECT sum(in_bytes + out_bytes) FROM users", sent + 1);
	assert_answer("SELECT sum(in_bytes + out_bytes) FROM usage", sent + 1);
	assert_int_equal(umount(directory), 0);
}

static void damage(off_t at)
{
	_cleanup_close_ int fd = open(path_of("history.db"), O_WRONLY | O_CLOEXEC);
	char junk[4096];

	memset(junk, 0xa5, sizeof(junk));
	assert_int_equal(pwrite(fd, junk, sizeof(junk), at), sizeof(junk));
}

/* Found by the check after a crash, or by a write. What comes after it is in the new one. */
static void damaged_or_truncated(void **state)
{
	struct traffic_record record;
	sqlite3 *shell;

	(void)state;
	for (int how = 0; how < 3; how++) {
		open_history("");
		for (uint32_t i = 0; i < 3000; i++) {
			record = make_row(0, i, i, 1);
			write_one(&output, &record);
		}
		flush_output(&output);
		close_output(&output);
		assert_int_equal(sqlite3_open(path_of("history.db"), &shell), SQLITE_OK);
		assert_int_equal(sqlite3_exec(shell,
					      "UPDATE coverage SET ended_well = 0;"
					      "PRAGMA wal_checkpoint(TRUNCATE)",
					      NULL, NULL, NULL),
				 SQLITE_OK);
		sqlite3_close(shell);
		if (how == 0)
			damage(40 * 4096);
		else if (how == 1)
			assert_int_equal(truncate(path_of("history.db"), 20 * 4096), 0);
		else
			damage(0);
		capture_begin();
		open_history("");
		record = make_row(0, 7, 1, 100);
		write_one(&output, &record);
		flush_output(&output);
		capture_end();
		assert_said("is damaged");
		assert_said("a new one is begun");
		close_output(&output);
		assert_sums(0, 100);
		assert_int_equal(unlink(path_of("history.db")), 0);
		assert_int_equal(unlink(path_of("history.db-wal")), 0);
		assert_int_equal(unlink(path_of("history.db-shm")), 0);
	}
}

/* 300,000 flows of an interval, most of one user: bounded rows, all bytes. */
static void flood(void **state)
{
	(void)state;
	open_history("");
	for (uint32_t i = 0; i < 300000; i++) {
		struct traffic_record record =
			make_row(0, i % 10 ? 1000 : 2000 + i % 300, i, 1 + i % 3);

		record.destination_port = (uint16_t)(i % 5000);
		write_one(&output, &record);
	}
	flush_output(&output);
	close_output(&output);
	assert_answer("SELECT sum(in_bytes + out_bytes) FROM users", 600000);
	assert_answer("SELECT sum(in_bytes + out_bytes) FROM usage", 600000);
	assert_true(ask("SELECT count(*) FROM detail_5min WHERE user = 1000") < 20000);
}

static void one_that_is_none(void **state)
{
	(void)state;
	write_file(path_of("history.db"), "");
	open_history("");
	close_output(&output);
	write_file(path_of("file"), "text");
	assert_int_equal(symlink("/etc/passwd", path_of("link")), 0);
	assert_true(open_output(&output, &history_output, path_of("link"), "") < 0);
	assert_non_null(strstr(output.error, "is no regular file"));
	close_output(&output);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(fields_of_a_row),	       TEST(levels_add_up),
		TEST(late_records_and_clocks), TEST(batches_that_come_again),
		TEST(killed_at_random),	       TEST(locked_by_a_shell),
		TEST(second_writer),	       TEST(full_disk),
		TEST(damaged_or_truncated),    TEST(flood),
		TEST(one_that_is_none),
	};

	cmocka_set_test_filter(getenv("TEST_FILTER"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
	puts("1..0 # SKIP built without sqlite3");
	return 0;
}

#endif
