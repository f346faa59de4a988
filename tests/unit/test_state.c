// SPDX-License-Identifier: GPL-2.0-or-later
/* The state file read: its format, what is taken for damage, and which files are not touched. */
#include "output_fixture.h"

#include <time.h>

#include "account/state.h"
#include "account/state_text.h"

#define CURRENT "default.totals"
#define BEFORE	"default.totals.before"

/* Not sorted, on purpose. */
static struct state_total some_totals[] = {
	{ 1001, 1, 2 },
	{ 0, 123456789, 0 },
	{ 4294967295, UINT64_MAX, UINT64_MAX },
	{ 1000, 42, 1000000 },
};

static struct state some_state(uint64_t batch)
{
	return (struct state){ .batch = batch, .totals = some_totals, .n = 4 };
}

static void write_bytes(const char *name, const char *text, size_t length)
{
	_cleanup_fclose_ FILE *file = fopen(path_of(name), "we");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, length, file), length);
}

static char *format(struct state state, size_t *ret_length)
{
	char *text;

	assert_int_equal(state_text_format(&state, &text, ret_length), 0);
	return text;
}

static void put_file(const char *name, uint64_t batch)
{
	size_t length;
	_cleanup_free_ char *text = format(some_state(batch), &length);

	write_bytes(name, text, length);
}

/* Reads, with standard error in `said`. */
static struct state read_state(void)
{
	struct state state = { 0 };
	int r;

	capture_begin();
	r = state_read(directory, "default", &state);
	capture_end();
	assert_int_equal(r, 0);
	return state;
}

static void assert_batch(uint64_t batch, bool behind)
{
	struct state state = read_state();

	assert_int_equal(state.batch, batch);
	assert_int_equal(state.behind, behind);
	assert_int_equal(count_said("warning"), behind);
	state_free(&state);
}

static void round_trip(void **unused)
{
	struct state state = some_state(UINT64_MAX), again;

	(void)unused;
	state.clean = true;
	size_t length;
	_cleanup_free_ char *text = format(state, &length);
	write_bytes(CURRENT, text, length);
	assert_string_equal(read_file(path_of(CURRENT)),
			    "traffic-meter totals 1\n"
			    "batch 18446744073709551615\n"
			    "clean yes\n"
			    "0 123456789 0\n"
			    "1000 42 1000000\n"
			    "1001 1 2\n"
			    "4294967295 18446744073709551615 18446744073709551615\n"
			    "checksum a06044a3\n");
	again = read_state();
	assert_string_equal(said, "");
	assert_true(again.clean && !again.behind && again.batch == UINT64_MAX && again.n == 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(again.totals[i].uid, state.totals[i].uid);
		assert_int_equal(again.totals[i].in, state.totals[i].in);
		assert_int_equal(again.totals[i].out, state.totals[i].out);
	}
	state_free(&again);
}

static void first_start(void **unused)
{
	struct state state;

	(void)unused;
	assert_batch(0, false);
	assert_string_equal(said, "");
	assert_int_equal(state_read(path_of("not there"), "default", &state), 0);
	assert_int_equal(state.n, 0);
	assert_int_not_equal(access(path_of("not there"), F_OK), 0);
}

static void every_truncation(void **unused)
{
	size_t length;
	_cleanup_free_ char *text = format(some_state(8), &length);

	(void)unused;
	put_file(BEFORE, 7);
	for (size_t i = 0; i < length; i++) {
		write_bytes(CURRENT, text, i);
		assert_batch(7, true);
		assert_said(BEFORE);
	}
	write_bytes(CURRENT, text, length);
	assert_batch(8, false);
}

/* Each other value that each byte can have. */
static void every_flip(void **unused)
{
	size_t length;
	_cleanup_free_ char *text = format(some_state(8), &length);
	char words[STATE_WORDS_MAX];
	struct state state;

	(void)unused;
	put_file(BEFORE, 7);
	for (size_t i = 0; i < length; i++) {
		for (int flip = 1; flip < 256; flip++) {
			text[i] ^= (char)flip;
			*words = '\0';
			assert_true(state_text_parse(text, length, &state, words) < 0);
			assert_true(*words);
			if (flip == 1) {
				write_bytes(CURRENT, text, length);
				assert_batch(7, true);
			}
			text[i] ^= (char)flip;
		}
	}
}

static void neither_can_be_read(void **unused)
{
	(void)unused;
	write_file(path_of(CURRENT), "torn");
	assert_batch(0, true);
	assert_said("begin at 0");
	assert_said(BEFORE " is missing");
	write_file(path_of(BEFORE), "");
	assert_batch(0, true);
	assert_said("kept as .unread");
	assert_int_equal(unlink(path_of(CURRENT)), 0);
	assert_batch(0, true);
	assert_said(CURRENT " is missing");
}

static void current_is_missing(void **unused)
{
	(void)unused;
	put_file(BEFORE, 7);
	assert_batch(7, true);
	assert_said("is missing: totals go on from " BEFORE);
}

static void newer_version(void **unused)
{
	(void)unused;
	put_file(BEFORE, 7);
	write_file(path_of(CURRENT), "traffic-meter totals 2\nwhat is it");
	assert_batch(7, true);
	assert_said("version 2 of the format, of which this build knows 1");
}

#define TITLE "traffic-meter totals 1\n"
#define HEAD  TITLE "batch 1\nclean no\n"
#define END   "checksum none\n"

static void strict(void **unused)
{
	static const struct {
		const char *text, *words; /* NULL: it is right */
	} cases[] = {
		{ HEAD END, NULL },
		{ HEAD "2 0 0\n1 0 0\n" END, NULL },
		{ HEAD "1 0 0\n2 0 0\n1 0 0\n" END, "uid 1 twice" },
		{ HEAD "4294967296 0 0\n" END, "line 4 is not 'UID IN OUT'" },
		{ HEAD "1 18446744073709551616 0\n" END, "line 4" },
		{ HEAD "1 99999999999999999999 0\n" END, "line 4" },
		{ HEAD "1 0 0\n2 01 0\n" END, "line 5" },
		{ HEAD "1 0  0\n" END, "line 4" },
		{ HEAD " 1 0 0\n" END, "line 4" },
		{ HEAD "1 0 0 \n" END, "line 4" },
		{ HEAD "1 0 0\r\n" END, "line 4" },
		{ HEAD "1 +0 0\n" END, "line 4" },
		{ HEAD "1 -1 0\n" END, "line 4" },
		{ HEAD "1 0\n" END, "line 4" },
		{ HEAD "\n" END, "line 4" },
		{ HEAD "\n\n\n\n\n\n" END, "line 4" },
		{ HEAD "1 0 0" END, "line 4" },
		{ HEAD END END, "line 4" },
		{ HEAD "checksum 0\n", "torn" },
		{ HEAD, "torn" },
		{ TITLE "batch 1\nclean maybe\n" END, "line 3 is not 'clean yes|no'" },
		{ TITLE "batch 1\nclean yes" END, "line 3" },
		{ TITLE "batch x\nclean no\n" END, "line 2 is not 'batch NUMBER'" },
		{ TITLE "clean no\nbatch 1\n" END, "line 2" },
		{ TITLE END, "line 2" },
		{ END, "does not begin" },
		{ "traffic-meter totals 0\n" END, "does not begin" },
		{ "", "does not begin" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct state state = { 0 };
		char words[STATE_WORDS_MAX] = "";
		int r = state_text_parse(cases[i].text, strlen(cases[i].text), &state, words);

		if (!cases[i].words) {
			assert_int_equal(r, 0);
			state_free(&state);
		} else if (r != -EBADMSG || !strstr(words, cases[i].words)) {
			fail_msg("%s: %d, %s", cases[i].text, r, words);
		}
	}
}

static void make_symlink(const char *path)
{
	put_file("victim", 99);
	assert_int_equal(symlink(path_of("victim"), path), 0);
}

static void make_hard_link(const char *path)
{
	put_file("victim", 99);
	assert_int_equal(link(path_of("victim"), path), 0);
}

static void make_plain_directory(const char *path)
{
	assert_int_equal(mkdir(path, 0777), 0);
}

static void make_fifo(const char *path)
{
	assert_int_equal(mkfifo(path, 0666), 0);
}

static void make_foreign_file(const char *path)
{
	put_file(CURRENT, 99);
	if (chown(path, 12345, (gid_t)-1) < 0)
		skip();
}

static void make_open_file(const char *path)
{
	put_file(CURRENT, 99);
	assert_int_equal(chmod(path, 0620), 0);
}

static void make_large_file(const char *path)
{
	write_file(path, "");
	assert_int_equal(truncate(path, (off_t)1 << 40), 0);
}

/* The last one is no file of ours: the one before is read. */
static void refused(void **unused)
{
	static const struct {
		void (*make)(const char *path);
		const char *words;
	} kinds[] = {
		{ make_symlink, "is a symbolic link" },
		{ make_hard_link, "more names than one" },
		{ make_plain_directory, "is a directory" },
		{ make_fifo, "is a FIFO" },
		{ make_open_file, "may be written by others" },
		{ make_large_file, "too many" },
		{ make_foreign_file, "another user's" },
	};

	(void)unused;
	put_file(BEFORE, 7);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		kinds[i].make(path_of(CURRENT));
		assert_batch(7, true);
		assert_said(kinds[i].words);
		assert_int_equal(remove(path_of(CURRENT)), 0);
	}
}

static void assert_directory_refused(const char *path, const char *words, int error)
{
	struct state state;
	int r;

	capture_begin();
	r = state_read(path, "default", &state);
	capture_end();
	assert_int_equal(r, error);
	assert_said(words);
}

static void bad_directory(void **unused)
{
	struct state state;

	(void)unused;
	write_file(path_of("file"), "");
	assert_directory_refused(path_of("file"), "no directory", -ENOTDIR);
	assert_int_equal(mkdir(path_of("open"), 0755), 0);
	assert_int_equal(chmod(path_of("open"), 01777), 0);
	assert_directory_refused(path_of("open"), "written by others", -EPERM);
	assert_int_equal(chmod(path_of("open"), 0770), 0);
	assert_directory_refused(path_of("open"), "written by others", -EPERM);
	assert_int_equal(chmod(path_of("open"), 0750), 0);
	assert_int_equal(symlink("open", path_of("link")), 0);
	assert_int_equal(state_read(path_of("link"), "default", &state), 0);
	if (lchown(path_of("link"), 12345, (gid_t)-1) < 0)
		skip();
	assert_directory_refused(path_of("link"), "link of another user's", -EPERM);
	assert_int_equal(chown(path_of("open"), 12345, (gid_t)-1), 0);
	assert_directory_refused(path_of("open"), "belongs to uid 12345", -EPERM);
}

static void bad_instance(void **unused)
{
	char long_name[300];
	struct state state;

	(void)unused;
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	capture_begin();
	assert_int_equal(state_read(directory, "../x", &state), -EINVAL);
	assert_int_equal(state_read(directory, "", &state), -EINVAL);
	assert_int_equal(state_read(directory, long_name, &state), -EINVAL);
	capture_end();
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void many_users(void **unused)
{
	enum { N = 100000 };
	struct state state = { .n = N }, again;
	double start, formatted, parsed;
	size_t length;

	(void)unused;
	state.totals = calloc(N, sizeof(*state.totals));
	assert_non_null(state.totals);
	/* As they lie in a hash table: not in order. */
	for (uint32_t i = 0; i < N; i++)
		state.totals[i] = (struct state_total){ (uint32_t)((i * 7919ull) % N + 1000),
							UINT64_MAX - i, UINT64_MAX / 2 };
	start = seconds();
	_cleanup_free_ char *text = format(state, &length);
	formatted = seconds() - start;
	write_bytes(CURRENT, text, length);
	start = seconds();
	again = read_state();
	parsed = seconds() - start;
	print_message("%d users, %zu bytes: formatted in %.1f ms, read in %.1f ms\n", N, length,
		      formatted * 1e3, parsed * 1e3);
	assert_int_equal(again.n, N);
	assert_int_equal(again.totals[N - 1].uid, state.totals[N - 1].uid);
	assert_int_equal(again.totals[N - 1].in, state.totals[N - 1].in);
	state_free(&again);
	state_free(&state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(round_trip),
		TEST(first_start),
		TEST(every_truncation),
		TEST(every_flip),
		TEST(neither_can_be_read),
		TEST(current_is_missing),
		TEST(newer_version),
		TEST(strict),
		TEST(refused),
		TEST(bad_directory),
		TEST(bad_instance),
		TEST(many_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
