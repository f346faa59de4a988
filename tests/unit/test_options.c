// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Options from arguments and from a SPEC: what is stored, and that each error is exactly one line
 * that says where, what and why.
 */
#include <errno.h>

#include "options_fixture.h"
#include "util/text.h"

#define COMMAND "traffic-meter run"

static void assert_said(const char *expected)
{
	char line[4096];

	snprintf(line, sizeof(line), PREFIX "%s\n", expected);
	assert_string_equal(said, line);
}

/* Counts words itself, so that a test reads as a command line does. */
static int parse(struct settings *settings, int *ret_rest, char **words)
{
	int n = 0, r;

	while (words[n])
		n++;
	capture_begin();
	r = options_parse_arguments(options, settings, COMMAND, n, words, ret_rest);
	capture_end();
	return r;
}

#define PARSE(settings, rest, ...) parse(settings, rest, (char *[]){ __VA_ARGS__, NULL })

static void assert_refused(char **words, const char *expected)
{
	struct settings settings = { 0 };
	int rest = -7;

	assert_int_equal(parse(&settings, &rest, words), -EINVAL);
	assert_int_equal(rest, -7);
	assert_said(expected);
	options_free(options, &settings);
}

#define REFUSED(expected, ...) assert_refused((char *[]){ __VA_ARGS__, NULL }, expected)

static void test_arguments_store(void **state)
{
	struct settings settings = { 0 };
	int rest;

	(void)state;
	assert_int_equal(PARSE(&settings, &rest, "--cgroup", "/a", "--cgroup=/b=c", "--persist",
			       "--records=packet", "--interval", "3600", "--ring-size", "16M",
			       "--mode", "0640", "--unbounded=18446744073709551615"),
			 0);
	assert_string_equal(said, "");
	assert_int_equal(rest, 12);
	assert_string_equal(settings.cgroup, "/b=c");
	assert_true(settings.persist);
	assert_int_equal(settings.records, 1);
	assert_int_equal(settings.interval_s, 3600);
	assert_int_equal(settings.ring_size, 16 << 20);
	assert_int_equal(settings.mode, 0640);
	assert_true(settings.unbounded == UINT64_MAX);
	options_free(options, &settings);
	assert_null(settings.cgroup);
}

static void test_arguments_letters(void **state)
{
	static const struct traffic_option lettered[] = {
		{ "cgroup", TRAFFIC_OPTION_STRING, AT(cgroup), "PATH", .help = "x", .letter = 'c' },
		{ "persist", TRAFFIC_OPTION_FLAG, AT(persist), .help = "x", .letter = 'P' },
		{ 0 },
	};
	char *arguments[] = { "-c", "-7d", "-P", "rest" };
	struct settings settings = { 0 };
	int rest;

	(void)state;
	assert_int_equal(options_parse_arguments(lettered, &settings, COMMAND, 4, arguments, &rest),
			 0);
	assert_int_equal(rest, 3);
	assert_string_equal(settings.cgroup, "-7d");
	assert_true(settings.persist);
	options_free(lettered, &settings);
	arguments[0] = "-Px";
	capture_begin();
	assert_int_equal(options_parse_arguments(lettered, &settings, COMMAND, 1, arguments, &rest),
			 -EINVAL);
	capture_end();
}

static void test_arguments_end(void **state)
{
	struct settings settings = { 0 };
	int rest;

	(void)state;
	assert_int_equal(parse(&settings, &rest, (char *[]){ NULL }), 0);
	assert_int_equal(rest, 0);
	assert_int_equal(PARSE(&settings, &rest, "--persist", "word", "--nonsense"), 0);
	assert_int_equal(rest, 1);
	assert_int_equal(PARSE(&settings, &rest, "--persist", "--", "--nonsense"), 0);
	assert_int_equal(rest, 2);
	assert_int_equal(PARSE(&settings, &rest, "-", "--nonsense"), 0);
	assert_int_equal(rest, 0);
	assert_int_equal(PARSE(&settings, &rest, "", "--nonsense"), 0);
	assert_int_equal(rest, 0);
	/* A flag takes the next word for itself only with '='. */
	assert_int_equal(PARSE(&settings, &rest, "--persist=off", "no"), 0);
	assert_int_equal(rest, 1);
	assert_false(settings.persist);
	/* A value may look like anything behind '='; a lone '-' is no option. */
	assert_int_equal(PARSE(&settings, &rest, "--cgroup=--x", "--interface", "-"), 0);
	assert_string_equal(settings.cgroup, "--x");
	assert_int_equal(PARSE(&settings, &rest, "--cgroup=", "x"), 0);
	assert_string_equal(settings.cgroup, "");
	options_free(options, &settings);
}

static void test_arguments_replace_strings(void **state)
{
	struct settings settings = { 0 };
	int rest;

	(void)state;
	assert_int_equal(traffic_strings_add(&settings.interfaces, "default0"), 0);
	assert_int_equal(traffic_strings_add(&settings.interfaces, "default1"), 0);
	assert_int_equal(PARSE(&settings, &rest, "--persist"), 0);
	assert_int_equal(settings.interfaces.n, 2);
	assert_int_equal(PARSE(&settings, &rest, "--interface", "eth0", "--interface=lo"), 0);
	assert_int_equal(settings.interfaces.n, 2);
	assert_string_equal(settings.interfaces.values[0], "eth0");
	assert_string_equal(settings.interfaces.values[1], "lo");
	assert_int_equal(PARSE(&settings, &rest, "--interface", "wg0"), 0);
	assert_int_equal(settings.interfaces.n, 1);
	options_free(options, &settings);
	assert_null(settings.interfaces.values);
	assert_int_equal(settings.interfaces.n, 0);
}

static void test_arguments_unknown(void **state)
{
	static const struct traffic_option none[] = { { 0 } };
	char *words[] = { "--anything", NULL };
	int rest;

	(void)state;
	REFUSED("unknown option '--intervall'; did you mean '--interval'? See '" COMMAND " --help'",
		"--intervall=5");
	REFUSED("unknown option '--interv'; did you mean '--interval'? See '" COMMAND " --help'",
		"--interv", "5");
	REFUSED("unknown option '--zebra'; see '" COMMAND " --help'", "--zebra");
	REFUSED("unknown option '-x'; see '" COMMAND " --help'", "-x");
	REFUSED("unknown option '-persist'; did you mean '--persist'? See '" COMMAND " --help'",
		"-persist");
	REFUSED("unknown option '--'; see '" COMMAND " --help'", "--=5");
	capture_begin();
	assert_int_equal(options_parse_arguments(none, NULL, COMMAND, 1, words, &rest), -EINVAL);
	capture_end();
	assert_said("unknown option '--anything'; see '" COMMAND " --help'");
}

static void test_arguments_missing_value(void **state)
{
	(void)state;
	REFUSED("option '--interval' needs a value; see '" COMMAND " --help'", "--interval");
	REFUSED("option '--cgroup' needs a value; see '" COMMAND " --help'", "--cgroup",
		"--persist");
	REFUSED("option '--cgroup' needs a value; see '" COMMAND " --help'", "--cgroup", "--");
}

static void test_bad_numbers(void **state)
{
	(void)state;
	REFUSED("--interval: '10s' is not a whole number; give one from 1 to 3600", "--interval",
		"10s");
	REFUSED("--interval: '' is not a whole number; give one from 1 to 3600", "--interval=");
	REFUSED("--interval: '-5' is not a whole number; give one from 1 to 3600", "--interval",
		"-5");
	REFUSED("--interval: '+5' is not a whole number; give one from 1 to 3600", "--interval",
		"+5");
	REFUSED("--interval: ' 5' is not a whole number; give one from 1 to 3600", "--interval",
		" 5");
	REFUSED("--interval: '1.5' is not a whole number; give one from 1 to 3600", "--interval",
		"1.5");
	REFUSED("--interval: '0x10' is not a whole number; give one from 1 to 3600", "--interval",
		"0x10");
	REFUSED("--interval: '5K' is not a whole number; give one from 1 to 3600", "--interval",
		"5K");
	REFUSED("--interval: '0' is out of range; give a number from 1 to 3600", "--interval", "0");
	REFUSED("--interval: '3601' is out of range; give a number from 1 to 3600", "--interval",
		"3601");
	REFUSED("--interval: '18446744073709551617' is out of range; give a number from 1 to 3600",
		"--interval", "18446744073709551617");
	REFUSED("--interval: '18446744073709551617x' is not a whole number; give one from 1 to "
		"3600",
		"--interval", "18446744073709551617x");
}

static void test_sizes(void **state)
{
	static const struct {
		char *word;
		uint64_t size_bytes;
	} good[] = { { "65536", 65536 },
		     { "64K", 65536 },
		     { "64k", 65536 },
		     { "1M", 1 << 20 },
		     { "1G", 1ULL << 30 } };
	struct settings settings = { 0 };
	int rest;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(PARSE(&settings, &rest, "--ring-size", good[i].word), 0);
		assert_int_equal(settings.ring_size, good[i].size_bytes);
	}
	assert_int_equal(PARSE(&settings, &rest, "--unbounded", "3T"), 0);
	assert_int_equal(settings.unbounded, 3ULL << 40);
	REFUSED("--ring-size: '16X' is not a size; give bytes, or a number with K, M, G or T "
		"behind "
		"it, from 64K to 1G",
		"--ring-size", "16X");
	REFUSED("--ring-size: '16MiB' is not a size; give bytes, or a number with K, M, G or T "
		"behind it, from 64K to 1G",
		"--ring-size", "16MiB");
	REFUSED("--ring-size: 'M' is not a size; give bytes, or a number with K, M, G or T behind "
		"it, from 64K to 1G",
		"--ring-size", "M");
	REFUSED("--ring-size: '65535' is out of range; give a size from 64K to 1G", "--ring-size",
		"65535");
	REFUSED("--ring-size: '2G' is out of range; give a size from 64K to 1G", "--ring-size",
		"2G");
	/* 2^64 bytes, and 2^64 + 1 in digits. */
	REFUSED("--unbounded: '17179869184G' is out of range; give a size from 1 to "
		"18446744073709551615",
		"--unbounded", "17179869184G");
	REFUSED("--unbounded: '18446744073709551617' is out of range; give a size from 1 to "
		"18446744073709551615",
		"--unbounded", "18446744073709551617");
	REFUSED("--unbounded: 'x' is not a size; give bytes, or a number with K, M, G or T behind "
		"it, of at least 1",
		"--unbounded", "x");
}

static void test_bad_choice_mode_flag(void **state)
{
	(void)state;
	REFUSED("--records: 'flows' is not one of: flow, packet", "--records", "flows");
	REFUSED("--records: '' is not one of: flow, packet", "--records=");
	REFUSED("--mode: '0888' is not a file mode; give octal digits up to 0777, as in 0640",
		"--mode", "0888");
	REFUSED("--mode: '1777' is not a file mode; give octal digits up to 0777, as in 0640",
		"--mode", "1777");
	REFUSED("--mode: 'u=rw' is not a file mode; give octal digits up to 0777, as in 0640",
		"--mode", "u=rw");
	REFUSED("--mode: '' is not a file mode; give octal digits up to 0777, as in 0640",
		"--mode=");
	REFUSED("--persist: 'maybe' is not yes or no", "--persist=maybe");
}

static void test_flag_words(void **state)
{
	static const struct {
		char *word;
		bool value;
	} words[] = { { "--persist=yes", true },  { "--persist=no", false },
		      { "--persist=true", true }, { "--persist=false", false },
		      { "--persist=on", true },	  { "--persist=off", false },
		      { "--persist=1", true },	  { "--persist=0", false } };
	struct settings settings = { 0 };
	int rest;

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		settings.persist = !words[i].value;
		assert_int_equal(PARSE(&settings, &rest, words[i].word), 0);
		assert_int_equal(settings.persist, words[i].value);
	}
}

static void assert_spec(const char *spec, const char *kind, const char *target, const char *rest)
{
	_cleanup_free_ char *got_kind = NULL, *got_target = NULL;
	const char *got_rest = NULL;

	assert_int_equal(options_split_spec(spec, &got_kind, &got_target, &got_rest), 0);
	assert_string_equal(got_kind, kind);
	assert_string_equal(got_target, target);
	assert_string_equal(got_rest, rest);
	assert_true(got_rest >= spec && got_rest <= spec + strlen(spec));
}

static void test_spec(void **state)
{
	static const char *const bad[] = { "csv",    "",      ":/x", "csv:",
					   "csv:,a", "a,b:c", ",",   "csv,mode=0600" };

	(void)state;
	assert_spec("csv:/var/log", "csv", "/var/log", "");
	assert_spec("json:-", "json", "-", "");
	assert_spec("csv:/var/log,", "csv", "/var/log", "");
	assert_spec("csv:/a=b:c,header=yes,mode=0600", "csv", "/a=b:c", "header=yes,mode=0600");
	assert_spec("tcp:[::1]:99,x=y", "tcp", "[::1]:99", "x=y");

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char *kind = NULL, *target = NULL, line[256];
		const char *rest = NULL;

		capture_begin();
		assert_int_equal(options_split_spec(bad[i], &kind, &target, &rest), -EINVAL);
		capture_end();
		assert_null(kind);
		assert_null(target);
		assert_null(rest);
		snprintf(line, sizeof(line),
			 "'%s': an output is KIND:TARGET[,NAME=VALUE...], as in "
			 "csv:/var/log/traffic-meter",
			 bad[i]);
		assert_said(line);
	}
}

static void assert_pairs_refused(const struct traffic_option *table, const char *pairs,
				 const char *expected)
{
	struct settings settings = { 0 };

	capture_begin();
	assert_int_equal(options_parse_pairs(table, &settings, pairs, "csv:/x,..."), -EINVAL);
	capture_end();
	assert_said(expected);
	options_free(options, &settings);
}

static void test_pairs(void **state)
{
	struct settings settings = { 0 };

	(void)state;
	assert_int_equal(options_parse_pairs(options, &settings, "", "csv:/x"), 0);
	assert_int_equal(options_parse_pairs(NULL, &settings, "", "csv:/x"), 0);
	assert_int_equal(options_parse_pairs(options, &settings,
					     "cgroup=a=b,persist=yes,interface=a,interface=b,"
					     "interval=3,cgroup=,",
					     "csv:/x"),
			 0);
	assert_string_equal(settings.cgroup, "");
	assert_true(settings.persist);
	assert_int_equal(settings.interfaces.n, 2);
	assert_int_equal(settings.interval_s, 3);
	options_free(options, &settings);

	assert_pairs_refused(options, "persit=yes",
			     "csv:/x,...: unknown option 'persit'; did you mean 'persist'?");
	assert_pairs_refused(NULL, "persist=yes",
			     "csv:/x,...: unknown option 'persist'; there are none here");
	assert_pairs_refused(options, "interval=3,persist",
			     "csv:/x,...: 'persist' is not NAME=VALUE");
	assert_pairs_refused(options, "=3", "csv:/x,...: '=3' is not NAME=VALUE");
	assert_pairs_refused(options, "interval=3,,persist=1", "csv:/x,...: '' is not NAME=VALUE");
	assert_pairs_refused(options, "mode=999,persist=maybe",
			     "csv:/x,...: mode: '999' is not a file mode; give octal digits up to "
			     "0777, as in 0640");
}

static void test_help(void **state)
{
	_cleanup_free_ char *text = NULL;
	size_t size, column = 0;
	FILE *file = open_memstream(&text, &size);
	char *next, *line;

	(void)state;
	assert_non_null(file);
	options_print_help(options, file);
	fclose(file);
	assert_non_null(strstr(text, "  --cgroup PATH           the cgroup to meter\n"));
	assert_non_null(strstr(text, "  --interface NAME...     only these interfaces\n"));
	assert_non_null(strstr(text, "  --persist               go on counting"));
	assert_non_null(strstr(text, "  --records flow|packet   what one record stands for\n"));

	/* Each help text begins in the same column, and no row is too long. */
	next = text;
	for (const struct traffic_option *option = options; option->name; option++) {
		line = strsep(&next, "\n");
		assert_non_null(strstr(line, option->help));
		if (!column)
			column = (size_t)(strstr(line, option->help) - line);
		assert_int_equal(strstr(line, option->help) - line, column);
		assert_true(strlen(line) <= 100);
	}
	assert_string_equal(next, "");
}

static void test_set_keeps_value_after_error(void **state)
{
	struct settings settings = { .interval_s = 10, .records = 1, .mode = 0644 };

	(void)state;
	capture_begin();
	assert_int_equal(options_set_by_name(options, &settings, "interval", "x", "a"), -EINVAL);
	assert_int_equal(options_set_by_name(options, &settings, "records", "x", "a"), -EINVAL);
	assert_int_equal(options_set_by_name(options, &settings, "mode", "x", "a"), -EINVAL);
	capture_end();
	assert_string_equal(
		said,
		PREFIX "a: interval: 'x' is not a whole number; give one from 1 to 3600\n" PREFIX
		       "a: records: 'x' is not one of: flow, packet\n" PREFIX
		       "a: mode: 'x' is not a file mode; give octal digits up to 0777, as in "
		       "0640\n");
	assert_int_equal(settings.interval_s, 10);
	assert_int_equal(settings.records, 1);
	assert_int_equal(settings.mode, 0644);
}

static void test_text_resembles(void **state)
{
	unsigned int best = 100;

	(void)state;
	assert_true(text_resembles("chekc", "check", &best));
	assert_int_equal(best, 2);
	assert_false(text_resembles("chekc", "chef", &best));
	assert_true(text_resembles("checks", "check", &best));
	assert_int_equal(best, 1);
	best = 100;
	assert_false(text_resembles("x", "y", &best));
	assert_false(text_resembles("", "y", &best));
	assert_false(text_resembles("run", "top", &best));
	assert_true(text_resembles("net", "networks", &best));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments_store),
		cmocka_unit_test(test_arguments_letters),
		cmocka_unit_test(test_arguments_end),
		cmocka_unit_test(test_arguments_replace_strings),
		cmocka_unit_test(test_arguments_unknown),
		cmocka_unit_test(test_arguments_missing_value),
		cmocka_unit_test(test_bad_numbers),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_bad_choice_mode_flag),
		cmocka_unit_test(test_flag_words),
		cmocka_unit_test(test_spec),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_set_keeps_value_after_error),
		cmocka_unit_test(test_text_resembles),
	};

	/* The journal's form of a message is log.c's matter, not this test's. */
	unsetenv("JOURNAL_STREAM");
	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
