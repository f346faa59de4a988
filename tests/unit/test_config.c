// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Options from an INI file: what is stored, that all errors are told, each in a line with file and
 * line number, and that inih's own ways with long, indented and commented lines don't show.
 */
#include <errno.h>
#include <fcntl.h>

#include "options_fixture.h"
#include "util/log.h"

/* Files are written under one name, which the messages then carry. */
static char path[] = "/tmp/test_options.XXXXXX";

static int read_bytes(struct settings *settings, const char *bytes, size_t length)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC), r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, length), length);
	close(fd);
	capture_begin();
	r = options_read_file(options, settings, path);
	capture_end();
	return r;
}

static int read_text(struct settings *settings, const char *text)
{
	return read_bytes(settings, text, strlen(text));
}

/* Expected lines are given without the path in front. */
static void assert_file_refused(const char *text, const char *const *expected)
{
	struct settings settings = { 0 };
	char all[4096] = "";
	size_t used = 0;

	assert_int_equal(read_text(&settings, text), -EINVAL);
	for (; *expected; expected++)
		used += (size_t)snprintf(all + used, sizeof(all) - used, PREFIX "%s:%s\n", path,
					 *expected);
	assert_string_equal(said, all);
	options_free(options, &settings);
}

#define FILE_REFUSED(text, ...) \
	assert_file_refused(text, (const char *const[]){ __VA_ARGS__, NULL })

static void test_file_stores(void **state)
{
	struct settings settings = { 0 };

	(void)state;
	assert_int_equal(read_text(&settings, "\xEF\xBB\xBF# a comment = no value\n"
					      "; another\n"
					      "cgroup = /first\n"
					      "\n"
					      "[traffic-meter]   ; ours\n"
					      "interface = eth0\n"
					      "   interface=lo\r\n"
					      "\tcgroup = /a;b#c   # not this\n"
					      "  persist = yes ; nor this\n"
					      "records =packet\n"
					      "interval = 5\n"
					      "interval = 7\n"
					      "mode = 0600"),
			 0);
	assert_string_equal(said, "");
	assert_string_equal(settings.cgroup, "/a;b#c");
	assert_int_equal(settings.interfaces.n, 2);
	assert_string_equal(settings.interfaces.values[0], "eth0");
	assert_string_equal(settings.interfaces.values[1], "lo");
	assert_true(settings.persist);
	assert_int_equal(settings.records, 1);
	assert_int_equal(settings.interval_s, 7);
	assert_int_equal(settings.mode, 0600);
	options_free(options, &settings);
}

static void test_file_values(void **state)
{
	struct settings settings = { 0 };

	(void)state;
	/* An indented line is a line, not more of the value before it. */
	assert_int_equal(read_text(&settings, "cgroup = /a b:c=d\n  interval = 3\n"), 0);
	assert_string_equal(settings.cgroup, "/a b:c=d");
	assert_int_equal(settings.interval_s, 3);
	assert_int_equal(read_text(&settings, "cgroup =\n"), 0);
	assert_string_equal(settings.cgroup, "");
	assert_int_equal(read_text(&settings, "cgroup = # nothing\n"), 0);
	assert_string_equal(settings.cgroup, "");
	assert_int_equal(read_text(&settings, ""), 0);
	assert_int_equal(read_text(&settings, "[traffic-meter]"), 0);
	assert_string_equal(said, "");
	options_free(options, &settings);
}

static void test_file_errors(void **state)
{
	(void)state;
	FILE_REFUSED("intervall = 5\n", "1: unknown option 'intervall'; did you mean 'interval'?");
	FILE_REFUSED("\nzebra = 5\n", "2: unknown option 'zebra'; there are: cgroup, interface, "
				      "persist, records, interval, ring-size, unbounded, mode");
	/* All of them, each with its line. */
	FILE_REFUSED("interval = 0\n"
		     "# interval = 0\n"
		     "cgroup /sys/fs\n"
		     "  a continuation\n"
		     "records = flows\n"
		     "cgroup: /sys\n"
		     "= 5\n"
		     "[traffic-meter\n"
		     "persist\n"
		     "interval = 10 seconds\n",
		     "1: interval: '0' is out of range; give a number from 1 to 3600",
		     "3: this is not NAME = VALUE: 'cgroup /sys/fs'",
		     "4: this is not NAME = VALUE: 'a continuation'",
		     "5: records: 'flows' is not one of: flow, packet",
		     "6: this is not NAME = VALUE: 'cgroup: /sys'",
		     "7: this is not NAME = VALUE: '= 5'", "8: ']' is missing: '[traffic-meter'",
		     "9: this is not NAME = VALUE: 'persist'",
		     "10: interval: '10 seconds' is not a whole number; give one from 1 to 3600");
}

#define THERE_ARE "there are [traffic-meter], [export NAME], [serve], [alert NAME]"

static void test_file_sections(void **state)
{
	(void)state;
	/* The lines below are another program's: one error says all. */
	FILE_REFUSED("[elsewhere]\nzebra = 5\nnonsense\n[traffic-meter]\ninterval = 0\n",
		     "1: unknown section '[elsewhere]'; " THERE_ARE,
		     "5: interval: '0' is out of range; give a number from 1 to 3600");
	FILE_REFUSED("interval = 1\n[empty]", "2: unknown section '[empty]'; " THERE_ARE);
	FILE_REFUSED("[Traffic-Meter]", "1: unknown section '[Traffic-Meter]'; " THERE_ARE);
}

struct seen_section {
	char *name;
	struct settings settings;
};

static int see_section(void *userdata, const char *name, const char *where, void **ret_base)
{
	struct seen_section *seen = userdata;

	while (seen->name)
		seen++;
	if (strcmp(name, "bad") == 0) {
		log_error("%s: a bad name", where);
		return -EINVAL;
	}
	seen->name = strdup(name);
	*ret_base = &seen->settings;
	return 0;
}

/* One file for all commands: each reads its own sections, and their lines alone. */
static void test_file_sections_of_others(void **state)
{
	static const char text[] = "interval = 7\n"
				   "[alert one]\ninterval = 1\nrecords = packet\n"
				   "[serve]\nlisten = 1\nnonsense\n"
				   "[ alert   two words ]\ninterval = 2\n"
				   "[export x]\nzebra = 1\n[traffic-meter]\ninterval = 9\n";
	struct seen_section seen[4] = { 0 };
	struct settings settings = { 0 };

	(void)state;
	assert_int_equal(read_text(&settings, text), 0);
	assert_string_equal(said, "");
	assert_int_equal(settings.interval_s, 9);
	options_free(options, &settings);

	capture_begin();
	assert_int_equal(options_read_sections(options, "alert", path, see_section, seen), 0);
	capture_end();
	assert_string_equal(said, "");
	assert_string_equal(seen[0].name, "one");
	assert_int_equal(seen[0].settings.interval_s, 1);
	assert_int_equal(seen[0].settings.records, 1);
	assert_string_equal(seen[1].name, "two words");
	assert_int_equal(seen[1].settings.interval_s, 2);
	assert_null(seen[2].name);
	free(seen[0].name);
	free(seen[1].name);

	memset(seen, 0, sizeof(seen));
	read_text(&settings, "[alert bad]\ninterval = 0\n[alert good]\ninterval = 0\n");
	capture_begin();
	assert_int_equal(options_read_sections(options, "alert", path, see_section, seen), -EINVAL);
	capture_end();
	assert_non_null(strstr(said, ":1: a bad name\n"));
	assert_null(strstr(said, ":2:"));
	assert_non_null(strstr(said, ":4: interval: '0' is out of range"));
	free(seen[0].name);
	options_free(options, &settings);

	FILE_REFUSED("[alert]\n[serve x]\n", "1: unknown section '[alert]'; " THERE_ARE,
		     "2: unknown section '[serve x]'; " THERE_ARE);
}

static void test_file_long_lines(void **state)
{
	struct settings settings = { 0 };
	char text[2048], value[512];

	(void)state;
	/* The longest that fits has "cgroup=" and 191 more characters. */
	memset(value, 'x', sizeof(value));
	value[191] = '\0';
	snprintf(text, sizeof(text), "cgroup=%s   # and a comment %s\ninterval = 2\n", value,
		 value);
	assert_int_equal(read_text(&settings, text), 0);
	assert_string_equal(said, "");
	assert_string_equal(settings.cgroup, value);
	assert_int_equal(settings.interval_s, 2);
	options_free(options, &settings);

	/* inih alone would take the rest for a line of its own. */
	memset(value, 'x', sizeof(value));
	strcpy(value + 300, " interval=9");
	snprintf(text, sizeof(text), "cgroup=%s\ninterval = 0\n", value);
	FILE_REFUSED(text, "1: the line is too long; 198 characters at most",
		     "2: interval: '0' is out of range; give a number from 1 to 3600");

	assert_int_equal(read_bytes(&settings, "cgroup=a\0b\n", 11), -EINVAL);
	snprintf(text, sizeof(text), PREFIX "%s:1: there is a zero byte in the line: 'cgroup=a'\n",
		 path);
	assert_string_equal(said, text);
	options_free(options, &settings);
}

static void test_file_cannot_open(void **state)
{
	struct settings settings = { 0 };

	(void)state;
	capture_begin();
	assert_int_equal(options_read_file(options, &settings, "/nonexistent/file"), -ENOENT);
	assert_int_equal(options_read_file(options, &settings, "/tmp"), -EISDIR);
	capture_end();
	assert_string_equal(said, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_stores),
		cmocka_unit_test(test_file_values),
		cmocka_unit_test(test_file_errors),
		cmocka_unit_test(test_file_sections),
		cmocka_unit_test(test_file_sections_of_others),
		cmocka_unit_test(test_file_long_lines),
		cmocka_unit_test(test_file_cannot_open),
	};
	int fd, failed;

	/* The journal's form of a message is log.c's matter, not this test's. */
	unsetenv("JOURNAL_STREAM");
	fd = mkstemp(path);
	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed != 0;
}
