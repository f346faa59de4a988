// SPDX-License-Identifier: GPL-2.0-or-later
/* The command `report`: its options, and what becomes of rows beyond --top and below --over. */
#ifdef HAVE_SQLITE3
#include "report/report.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command/command.h"
#include "command/control.h"
#include "history/history.h"
#include "query/period.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/options.h"

#define STATE_DEFAULT "/var/lib/traffic-meter"

struct report_settings {
	bool help, parsable, json, csv, bits, raw, wire;
	char *by, *since, *until, *instance, *from;
	char *filters[REPORT_FILTERS];
	uint64_t top, over;
};

#define FIELD(field) offsetof(struct report_settings, field)

static const struct traffic_option report_options[] = {
	{ "help", TRAFFIC_OPTION_FLAG, FIELD(help), .letter = 'h', .help = "print this and exit" },
	{ "by", TRAFFIC_OPTION_STRING, FIELD(by), "KEY[,KEY...]",
	  .help = "what rows are told apart by, see below (user)" },
	{ "since", TRAFFIC_OPTION_STRING, FIELD(since), "TIME",
	  .help = "begin of the period, see below (this-month)" },
	{ "until", TRAFFIC_OPTION_STRING, FIELD(until), "TIME", .help = "its end (now)" },
	{ "user", TRAFFIC_OPTION_STRING, FIELD(filters[REPORT_USER]), "NAME",
	  .help = "this user only, by name or uid" },
	{ "login", TRAFFIC_OPTION_STRING, FIELD(filters[REPORT_LOGIN]), "NAME",
	  .help = "who logged in, by name or uid" },
	{ "network", TRAFFIC_OPTION_STRING, FIELD(filters[REPORT_NETWORK]), "NAME",
	  .help = "the named network that the other machine is in" },
	{ "remote", TRAFFIC_OPTION_STRING, FIELD(filters[REPORT_REMOTE]), "PREFIX",
	  .help = "the other machine's network, as 192.0.2.0/24" },
	{ "service", TRAFFIC_OPTION_STRING, FIELD(filters[REPORT_SERVICE]), "NAME",
	  .help = "protocol and server port, as tcp/443" },
	{ "interface", TRAFFIC_OPTION_STRING, FIELD(filters[REPORT_INTERFACE]), "NAME",
	  .help = "network interface" },
	{ "program", TRAFFIC_OPTION_STRING, FIELD(filters[REPORT_PROGRAM]), "NAME",
	  .help = "program of the owner" },
	{ "workload", TRAFFIC_OPTION_STRING, FIELD(filters[REPORT_WORKLOAD]), "NAME",
	  .help = "batch job, container, session or unit, as slurm:1234" },
	{ "direction", TRAFFIC_OPTION_STRING, FIELD(filters[REPORT_DIRECTION]), "in|out",
	  .help = "received or sent only" },
	{ "top", TRAFFIC_OPTION_NUMBER, FIELD(top), "N", .minimum = 1, .maximum = 1000000,
	  .help = "at most so many rows; the rest is one row 'other'", .letter = 'n' },
	{ "over", TRAFFIC_OPTION_SIZE, FIELD(over), "SIZE",
	  .help = "only rows of more bytes than this; exit code 3 if there are any" },
	{ "bits", TRAFFIC_OPTION_FLAG, FIELD(bits), .help = "amounts in bits" },
	{ "raw", TRAFFIC_OPTION_FLAG, FIELD(raw), .help = "amounts as plain numbers of bytes" },
	{ "wire", TRAFFIC_OPTION_FLAG, FIELD(wire),
	  .help = "bytes on the wire, with the headers of each segment" },
	{ "parsable", TRAFFIC_OPTION_FLAG, FIELD(parsable), .help = "fields with | between them",
	  .letter = 'P' },
	{ "csv", TRAFFIC_OPTION_FLAG, FIELD(csv), .help = "comma-separated, in bytes" },
	{ "json", TRAFFIC_OPTION_FLAG, FIELD(json), .help = "one object, in bytes" },
	{ "from", TRAFFIC_OPTION_STRING, FIELD(from), "history:FILE",
	  .help = "the history to ask (the instance's, in " STATE_DEFAULT ")" },
	{ "instance", TRAFFIC_OPTION_STRING, FIELD(instance), "NAME",
	  .help = "the meter whose history it is (default)" },
	{ 0 },
};

static void free_settings(struct report_settings *settings)
{
	options_free(report_options, settings);
}

static int print_help(void)
{
	printf("usage: traffic-meter report [OPTION...]\n\n"
	       "Who moved how many bytes in a period, from the history that 'traffic-meter run' "
	       "keeps.\n"
	       "\noptions, with the defaults in brackets:\n");
	options_print_help(report_options, stdout);
	printf("\nkeys:");
	for (int key = 0; key < REPORT_KEYS; key++)
		printf(" %s", report_key_names[key]);
	printf("\ntimes: 2026-11-25, '2026-11-25 14:30', 2026-11, today, yesterday, this-month, "
	       "last-week, -12h, -7d, now\n"
	       "\nExit code 3: --over was given, and a row passes it.\n");
	return fflush(stdout) ? EXIT_FAILED : EXIT_DONE;
}

static int read_keys(const char *list, struct report_question *question)
{
	_cleanup_free_ char *copy = strdup(list ?: "user");
	char *next = copy, *name;

	if (!copy)
		return log_error_errno(-ENOMEM, "read --by");
	while ((name = strsep(&next, ","))) {
		int key = 0;

		while (key < REPORT_KEYS && strcmp(report_key_names[key], name) != 0)
			key++;
		if (key == REPORT_KEYS) {
			log_error("--by: '%s' is no key; see 'traffic-meter report --help'", name);
			return -EINVAL;
		}
		for (size_t i = 0; i < question->n_by; i++)
			if (question->by[i] == (enum report_key)key) {
				log_error("--by: '%s' is named twice", name);
				return -EINVAL;
			}
		question->by[question->n_by++] = (enum report_key)key;
	}
	return 0;
}

static int read_time(const char *option, const char *text, int64_t now_s, bool end, int64_t *ret)
{
	struct span span;

	if (span_parse(text, now_s, &span) < 0) {
		log_error("--%s: '%s' is no time; write 2026-11-25, '2026-11-25 14:30', today, "
			  "yesterday, this-month, -7d or -12h",
			  option, text);
		return -EINVAL;
	}
	*ret = end ? span.end_s : span.begin_s;
	return 0;
}

static int read_question(const struct report_settings *settings, struct report_question *ret)
{
	const char *direction = settings->filters[REPORT_DIRECTION];
	int64_t now_s = time(NULL);
	int r;

	*ret = (struct report_question){ .wire = settings->wire };
	if ((r = read_keys(settings->by, ret)) < 0 ||
	    (r = read_time("since", settings->since ?: "this-month", now_s, false, &ret->since_s)) <
		    0 ||
	    (r = read_time("until", settings->until ?: "now", now_s, true, &ret->until_s)) < 0)
		return r;
	/* What is of this second is in. */
	if (!settings->until || strcmp(settings->until, "now") == 0)
		ret->until_s = now_s + 1;
	if (ret->since_s >= ret->until_s) {
		log_error("--since is not before --until: the period is empty");
		return -EINVAL;
	}
	if (direction && strcmp(direction, "in") != 0 && strcmp(direction, "out") != 0) {
		log_error("--direction: '%s' is neither in nor out", direction);
		return -EINVAL;
	}
	if (settings->parsable + settings->csv + settings->json > 1) {
		log_error("--parsable, --csv and --json are different forms: name one");
		return -EINVAL;
	}
	for (int key = 0; key < REPORT_FILTERS; key++)
		ret->filters[key] = settings->filters[key];
	return 0;
}

/* Rows that do not pass it are left out, also of the sums. */
static void keep_over(struct report_answer *answer, uint64_t over, size_t n_by)
{
	size_t kept = 0;

	answer->in = answer->out = 0;
	for (size_t i = 0; i < answer->n; i++) {
		struct report_row *row = &answer->rows[i];

		if (row->in + row->out > over) {
			answer->in += row->in;
			answer->out += row->out;
			answer->rows[kept++] = *row;
			continue;
		}
		for (size_t j = 0; j < n_by; j++)
			free(row->keys[j]);
	}
	answer->n = kept;
}

/* The rows beyond the first `top` become one. */
static int fold_rest(struct report_answer *answer, uint64_t top, size_t n_by)
{
	struct report_row *other;

	if (!top || answer->n <= top)
		return 0;
	other = &answer->rows[top];
	for (size_t i = top + 1; i < answer->n; i++) {
		other->in += answer->rows[i].in;
		other->out += answer->rows[i].out;
		for (size_t j = 0; j < n_by; j++)
			free(answer->rows[i].keys[j]);
	}
	answer->n = top + 1;
	for (size_t j = 0; j < n_by; j++) {
		free(other->keys[j]);
		other->keys[j] = strdup(j ? "" : "other");
		if (!other->keys[j])
			return log_error_errno(-ENOMEM, "sum up the rest");
	}
	return 0;
}

static char *choose_path(const struct report_settings *settings)
{
	static const char kind[] = "history:";

	if (!settings->from)
		return history_default_path(STATE_DEFAULT, settings->instance ?: "default");
	if (strncmp(settings->from, kind, strlen(kind)) == 0 && settings->from[strlen(kind)])
		return strdup(settings->from + strlen(kind));
	log_error("--from: '%s' is not history:FILE", settings->from);
	return NULL;
}

static int report(const struct report_settings *settings, const struct report_question *question)
{
	_cleanup_free_ char *path = choose_path(settings);
	struct report_answer answer = { 0 };
	int code = EXIT_FAILED;

	if (!path)
		return EXIT_USAGE;
	if (report_ask(path, question, &answer) == 0) {
		if (settings->over)
			keep_over(&answer, settings->over, question->n_by);
		code = settings->over && answer.n ? EXIT_OVER : EXIT_DONE;
		if (fold_rest(&answer, settings->top, question->n_by) < 0)
			code = EXIT_FAILED;
		else if (!settings->over || answer.n)
			report_print(question, &answer,
				     settings->parsable ? REPORT_PARSABLE
				     : settings->csv	? REPORT_CSV
				     : settings->json	? REPORT_JSON
							: REPORT_TEXT,
				     settings->raw    ? REPORT_RAW
				     : settings->bits ? REPORT_BITS
						      : REPORT_BYTES,
				     stdout);
		if (fflush(stdout))
			code = EXIT_FAILED;
	}
	report_answer_free(&answer, question->n_by);
	return code;
}

static int command_report(int argc, char **argv)
{
	_cleanup_(free_settings) struct report_settings settings = { 0 };
	struct report_question question;
	int rest;

	setlocale(LC_CTYPE, "");
	if (options_parse_arguments(report_options, &settings, "traffic-meter report", argc - 1,
				    argv + 1, &rest) < 0)
		return EXIT_USAGE;
	if (rest < argc - 1) {
		log_error("report: '%s' is not understood: it takes options only", argv[rest + 1]);
		return EXIT_USAGE;
	}
	if (settings.help)
		return print_help();
	if (settings.instance && control_verify_instance(settings.instance) < 0)
		return EXIT_USAGE;
	if (read_question(&settings, &question) < 0)
		return EXIT_USAGE;
	return report(&settings, &question);
}

const struct command report_command = {
	.name = "report",
	.help = "who moved how many bytes in a period, from the history",
	.run = command_report,
	.options = report_options,
};

#endif
