// SPDX-License-Identifier: GPL-2.0-or-later
/* `traffic-meter report`: who moved how many bytes in a period, from the history. */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command/command.h"
#include "command/control.h"
#include "query/period.h"
#include "query/query.h"
#include "report/forms.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/options.h"

#define HISTORY_DIRECTORY "/var/lib/traffic-meter"

/* The meter tells the history at least that often, so the last seconds are not yet there. */
#define COVERAGE_DELAY_S 120

struct report_settings {
	bool help, bits, bytes, raw, wire, parsable, json, csv;
	char *from, *instance, *by, *since, *until;
	struct traffic_strings filters[QUERY_KEYS_FILTERED];
	uint64_t top, over_bytes;
};

#define FIELD(field) offsetof(struct report_settings, field)

static const struct traffic_option report_options[] = {
	{ "help", TRAFFIC_OPTION_FLAG, FIELD(help), .help = "print this and exit", .letter = 'h' },
	{ "by", TRAFFIC_OPTION_STRING, FIELD(by), "KEY,...",
	  .help = "group by user, login, day, hour, month, network, remote, service, ... (user)" },
	{ "since", TRAFFIC_OPTION_STRING, FIELD(since), "TIME",
	  .help = "2026-11-25, '2026-11-25 14:30', today, -7d, this-month, ... (this-month)" },
	{ "until", TRAFFIC_OPTION_STRING, FIELD(until), "TIME",
	  .help = "likewise; all of a day or month that is named (now)" },
	{ "user", TRAFFIC_OPTION_STRINGS, FIELD(filters[QUERY_USER]), "NAME|UID",
	  .help = "only this user's" },
	{ "login", TRAFFIC_OPTION_STRINGS, FIELD(filters[QUERY_LOGIN]), "NAME|UID",
	  .help = "only what this user's logins moved" },
	{ "network", TRAFFIC_OPTION_STRINGS, FIELD(filters[QUERY_NETWORK]), "NAME",
	  .help = "only with this network of --networks" },
	{ "remote", TRAFFIC_OPTION_STRINGS, FIELD(filters[QUERY_REMOTE]), "ADDRESS",
	  .help = "only with this address or network" },
	{ "service", TRAFFIC_OPTION_STRINGS, FIELD(filters[QUERY_SERVICE]), "PORT",
	  .help = "only 443, udp/53, icmp or https" },
	{ "interface", TRAFFIC_OPTION_STRINGS, FIELD(filters[QUERY_INTERFACE]), "NAME",
	  .help = "only by this interface" },
	{ "program", TRAFFIC_OPTION_STRINGS, FIELD(filters[QUERY_PROGRAM]), "NAME",
	  .help = "only of this program" },
	{ "workload", TRAFFIC_OPTION_STRINGS, FIELD(filters[QUERY_WORKLOAD]), "NAME",
	  .help = "only of this work, as slurm:1234 or 'slurm:*'" },
	{ "direction", TRAFFIC_OPTION_STRINGS, FIELD(filters[QUERY_DIRECTION]), "in|out",
	  .help = "only received or sent" },
	{ "top", TRAFFIC_OPTION_NUMBER, FIELD(top), "N", .minimum = 1, .maximum = 1000000,
	  .help = "the N largest, the rest as 'other'", .letter = 'n' },
	{ "over", TRAFFIC_OPTION_SIZE, FIELD(over_bytes), "SIZE", .minimum = 1,
	  .help = "print only what is above; exit code 3 when anything is" },
	{ "bits", TRAFFIC_OPTION_FLAG, FIELD(bits), .help = "amounts in bits" },
	{ "bytes", TRAFFIC_OPTION_FLAG, FIELD(bytes), .help = "amounts in bytes (the default)" },
	{ "raw", TRAFFIC_OPTION_FLAG, FIELD(raw), .help = "whole numbers of bytes" },
	{ "wire", TRAFFIC_OPTION_FLAG, FIELD(wire),
	  .help = "with the headers of each segment on the wire" },
	{ "parsable", TRAFFIC_OPTION_FLAG, FIELD(parsable),
	  .help = "columns between |, as sacct -P", .letter = 'P' },
	{ "csv", TRAFFIC_OPTION_FLAG, FIELD(csv), .help = "comma-separated values" },
	{ "json", TRAFFIC_OPTION_FLAG, FIELD(json), .help = "one object" },
	{ "from", TRAFFIC_OPTION_STRING, FIELD(from), "history:FILE",
	  .help = "the history to ask (that of the instance)" },
	{ "instance", TRAFFIC_OPTION_STRING, FIELD(instance), "NAME",
	  .help = "of the meter (default)" },
	{ 0 },
};

static void report_settings_free(struct report_settings *settings)
{
	options_free(report_options, settings);
}

static int print_help(void)
{
	printf("usage: traffic-meter report [OPTION...]\n\n"
	       "Tells who moved how many bytes in a period, from the history that the meter "
	       "keeps.\n\n");
	options_print_help(report_options, stdout);
	return fflush(stdout) ? EXIT_FAILED : EXIT_DONE;
}

static int parse_time(const char *option, const char *text, int64_t now_s, struct span *ret)
{
	if (span_parse(text, now_s, ret) == 0)
		return 0;
	log_error("--%s: '%s' is no time; write a date (2026-11-25), a time ('2026-11-25 14:30', "
		  "14:30), today, yesterday, this-month, last-month, -12h or -7d",
		  option, text);
	return -EINVAL;
}

static int set_period(const struct report_settings *settings, struct question *question)
{
	int64_t now_s = time(NULL);
	struct span since, until = { now_s, now_s + 1 };

	if (parse_time("since", settings->since ?: "this-month", now_s, &since) < 0 ||
	    (settings->until && parse_time("until", settings->until, now_s, &until) < 0))
		return -EINVAL;
	question->since_s = since.begin_s;
	question->until_s = until.end_s;
	if (question->since_s < question->until_s)
		return 0;
	log_error("the period ends before it begins; see --since and --until");
	return -EINVAL;
}

/* 0, or -EINVAL after telling what is wrong. The filters move to the question. */
static int make_question(struct report_settings *settings, struct question *question)
{
	int r;

	question_init(question);
	r = set_period(settings, question);
	if (r == 0)
		r = question_set_by(question, settings->by ?: "user", "--by");
	question->top = settings->top;
	question->wire = settings->wire;
	for (size_t key = 0; key < QUERY_KEYS_FILTERED; key++) {
		question->filters[key] = settings->filters[key];
		settings->filters[key] = (struct traffic_strings){ 0 };
	}
	if (settings->parsable + settings->csv + settings->json > 1) {
		log_error("--parsable, --csv and --json: give one of them");
		r = -EINVAL;
	}
	if (settings->bits + settings->bytes + settings->raw > 1) {
		log_error("--bits, --bytes and --raw: give one of them");
		r = -EINVAL;
	}
	return r;
}

/* The history of the instance, or the one that is named; allocated. */
static char *choose_source(const struct report_settings *settings)
{
	const char *instance = settings->instance ?: "default";
	bool plain = strcmp(instance, "default") == 0;
	char *spec;

	if (settings->from)
		return strdup(settings->from);
	return asprintf(&spec, "history:" HISTORY_DIRECTORY "/history%s%s.db", plain ? "" : "-",
			plain ? "" : instance) < 0
		       ? NULL
		       : spec;
}

static void print_period(const struct answer *answer)
{
	bool utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	char since[32], until[32];

	printf("%s %s %s\n\n", word_time(since, answer->since_s), utf8 ? "–" : "-",
	       word_time(until, answer->until_s));
}

/* A line where no meter ran for a part of the period. */
static void tell_coverage(const struct answer *answer)
{
	int64_t now_s = time(NULL);
	int64_t end_s = answer->until_s < now_s ? answer->until_s : now_s;
	int64_t late_s = answer->covered_since_s - answer->since_s;
	int64_t early_s = end_s - answer->covered_until_s, off_s = answer->off_s;
	char time_text[32];

	if (!answer->covered_until_s) {
		log_notice("no meter wrote to this history in that period");
		return;
	}
	if (late_s > COVERAGE_DELAY_S)
		log_notice("covered in part: the history begins at %s",
			   word_time(time_text, answer->covered_since_s));
	if (early_s > COVERAGE_DELAY_S)
		log_notice("covered in part: no meter since %s",
			   word_time(time_text, answer->covered_until_s));
	if (off_s > COVERAGE_DELAY_S)
		log_notice("covered in part: no meter ran for %lld h %lld min of the period",
			   (long long)(off_s / 3600), (long long)(off_s / 60 % 60));
}

static int print_answer(const struct report_settings *settings, const struct report *report)
{
	if (settings->parsable)
		return report_print_parsable(report, stdout);
	if (settings->csv)
		return report_print_csv(report, stdout);
	if (settings->json)
		return report_print_json(report, stdout);
	print_period(report->answer);
	return report_print_table(report, stdout);
}

static int judge(const struct report *report)
{
	for (size_t i = 0; report->over_bytes && i < report->answer->n_rows; i++)
		if (report_shows(report, &report->answer->rows[i]))
			return EXIT_OVER;
	return EXIT_DONE;
}

static int show(const struct report_settings *settings, const struct question *question,
		const struct answer *answer)
{
	struct report report = {
		.question = question,
		.answer = answer,
		.unit = settings->raw	 ? WORD_RAW
			: settings->bits ? WORD_BITS
					 : WORD_BYTES,
		.over_bytes = settings->over_bytes,
		.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR"),
	};
	int r = 0;

	/* An alarm that finds nothing says nothing, so that cron sends no mail. */
	if (!report.over_bytes || judge(&report) == EXIT_OVER)
		r = print_answer(settings, &report);
	if (r == 0 && (fflush(stdout) || ferror(stdout)))
		r = -errno;
	if (r < 0) {
		log_error_errno(r, "print the report");
		return EXIT_FAILED;
	}
	if (!answer->n_rows && !report.over_bytes)
		log_notice("no traffic in that period");
	if (!report.over_bytes)
		tell_coverage(answer);
	return judge(&report);
}

static int ask(const struct report_settings *settings, const struct question *question)
{
	_cleanup_free_ char *spec = choose_source(settings);
	_cleanup_(query_close) struct query_source source = { 0 };
	_cleanup_(answer_free) struct answer answer = { 0 };
	int r;

	if (!spec) {
		log_error_errno(-ENOMEM, "open the history");
		return EXIT_FAILED;
	}
	r = query_open(spec, &source);
	if (r == 0)
		r = query_ask(&source, question, &answer);
	if (r < 0)
		return r == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	return show(settings, question, &answer);
}

static int run_report(int argc, char **argv)
{
	_cleanup_(report_settings_free) struct report_settings settings = { 0 };
	_cleanup_(question_free) struct question question = { 0 };
	int r, rest;

	setlocale(LC_CTYPE, ""); /* NOLINT(concurrency-mt-unsafe): no other thread runs here */
	r = options_parse_arguments(report_options, &settings, "traffic-meter report", argc - 1,
				    argv + 1, &rest);
	if (r < 0)
		return EXIT_USAGE;
	if (rest < argc - 1) {
		log_error("report: '%s' is not understood: it takes options only", argv[rest + 1]);
		return EXIT_USAGE;
	}
	if (settings.help)
		return print_help();
	if (control_verify_instance(settings.instance ?: "default") < 0 ||
	    make_question(&settings, &question) < 0)
		return EXIT_USAGE;
	return ask(&settings, &question);
}

const struct command report_command = {
	.name = "report",
	.help = "who moved how many bytes in a period, from the history",
	.run = run_report,
	.options = report_options,
};
