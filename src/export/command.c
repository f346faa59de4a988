// SPDX-License-Identifier: GPL-2.0-or-later
/* `traffic-meter export`: starts a worker for each output, and ends them. */
#include "export/command.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "command/command.h"
#include "export/export.h"
#include "export/worker.h"
#include "output/format.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/notify.h"
#include "util/options.h"

#define WORKERS_MAX 16

/* How long the outputs have to end: a look-up of a name can't be ended. */
#define STOP_S 10

#define NS_PER_S UINT64_C(1000000000)

struct exporter {
	struct export_worker *workers[WORKERS_MAX];
	size_t n;
	int stop_fd, signal_fd;
};

static int print_help(void)
{
	printf("usage: traffic-meter export --spool DIRECTORY --state-dir DIRECTORY [OPTION...] "
	       "SPEC...\n\n"
	       "Hands the batches of a spool on to network outputs, each with a cursor of its "
	       "own.\n\n");
	options_print_help(export_options, stdout);
	printf("\noutputs, as KIND:TARGET[,NAME=VALUE...]:\n");
	for (size_t i = 0; export_types[i]; i++) {
		const struct traffic_option *option = export_types[i]->options;
		char label[128];

		snprintf(label, sizeof(label), "%s:%s", export_types[i]->kind,
			 export_types[i]->target);
		printf("  %-26s %s\n", label, export_types[i]->help);
		for (; option && option->name; option++) {
			size_t used = (size_t)snprintf(label, sizeof(label), "%s=%s", option->name,
						       option->choices	 ? ""
						       : option->metavar ? option->metavar
									 : "yes|no");

			for (size_t k = 0;
			     option->choices && option->choices[k] && k < 4 && used < sizeof(label);
			     k++)
				used += (size_t)snprintf(label + used, sizeof(label) - used, "%s%s",
							 k ? "|" : "", option->choices[k]);
			printf("      ,%-21s %s\n", label, option->help);
		}
	}
	return fflush(stdout) ? EXIT_FAILED : EXIT_DONE;
}

struct section {
	struct export_settings *settings;
	bool found;
	struct export_settings others; /* values of other sections, which nobody reads */
};

static int begin_section(void *userdata, const char *name, const char *where, void **ret_base)
{
	struct section *section = userdata;

	if (!name || strcmp(name, section->settings->name) != 0) {
		*ret_base = &section->others;
		return 0;
	}
	if (section->found) {
		log_error("%s: [export %s] is there twice; one of them has to go", where, name);
		return -EINVAL;
	}
	section->found = true;
	*ret_base = section->settings;
	return 0;
}

/* The section goes before the command line, so what that gives replaces it. */
static int read_section(struct export_settings *settings, const char *config, const char *name)
{
	struct section section = { .settings = settings };
	int r;

	settings->name = strdup(name);
	if (!settings->name)
		return log_error_errno(-ENOMEM, "read %s", config);
	r = options_read_sections(export_options, "export", config, begin_section, &section);
	options_free(export_options, &section.others);
	if (r == -EINVAL)
		return r;
	if (r < 0)
		return log_error_errno(r, "read the configuration %s", config);
	if (section.found)
		return 0;
	log_error("%s: there is no section [export %s]", config, name);
	return -EINVAL;
}

static int read_settings(struct export_settings *settings, int argc, char **argv)
{
	static const char command[] = "traffic-meter export";
	struct export_settings first = { .log_level = LOG_LEVEL_NOTICE };
	int rest, r;

	settings->log_level = LOG_LEVEL_NOTICE;
	r = options_parse_arguments(export_options, &first, command, argc - 1, argv + 1, &rest);
	if (r == 0 && first.name)
		r = read_section(settings, first.config ? first.config : "/etc/traffic-meter.conf",
				 first.name);
	options_free(export_options, &first);
	if (r == 0)
		r = options_parse_arguments(export_options, settings, command, argc - 1, argv + 1,
					    &rest);
	for (rest++; r == 0 && rest < argc; rest++)
		r = traffic_strings_add(&settings->outputs, argv[rest]);
	return r;
}

static int parse_time(const char *text, uint64_t *ret_ns)
{
	struct tm tm = { 0 };
	const char *end = format_read_number(text, ret_ns);

	if (end && !*end) {
		*ret_ns *= NS_PER_S;
		return 0;
	}
	end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (!end || *end)
		return -EINVAL;
	*ret_ns = (uint64_t)timegm(&tm) * NS_PER_S;
	return 0;
}

static int make_how(const struct export_settings *settings, struct export_how *ret)
{
	*ret = (struct export_how){
		.spool = settings->spool,
		.state_directory = settings->dry_run ? NULL : settings->state_directory,
		.once = settings->once || settings->dry_run,
		.dry_run = settings->dry_run,
	};
	if (!settings->spool) {
		log_error("which spool? --spool DIRECTORY, that of `traffic-meter run --output "
			  "spool:DIRECTORY`");
		return -EINVAL;
	}
	if (!settings->state_directory && !settings->dry_run) {
		log_error("where shall the cursors be? --state-dir DIRECTORY");
		return -EINVAL;
	}
	if (!settings->outputs.n || settings->outputs.n > WORKERS_MAX) {
		log_error(
			"give outputs, one to %d of them; 'traffic-meter export --help' lists them",
			WORKERS_MAX);
		return -EINVAL;
	}
	if (!settings->from || strcmp(settings->from, "oldest") == 0)
		return 0;
	ret->from = SPOOL_NEWEST;
	if (strcmp(settings->from, "newest") == 0)
		return 0;
	ret->from = SPOOL_TIME;
	if (parse_time(settings->from, &ret->from_ns) == 0)
		return 0;
	log_error("--from '%s': oldest, newest, seconds since 1970, or a time as "
		  "2026-11-25T08:00:00Z",
		  settings->from);
	return -EINVAL;
}

static int open_signals(struct exporter *exporter)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	signal(SIGPIPE, SIG_IGN);
	if (pthread_sigmask(SIG_BLOCK, &signals, NULL))
		return -EINVAL;
	exporter->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	exporter->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return exporter->signal_fd < 0 || exporter->stop_fd < 0 ? -errno : 0;
}

static int start(struct exporter *exporter, const struct export_settings *settings,
		 const struct export_how *how)
{
	int r = 0;

	for (size_t i = 0; i < settings->outputs.n && r == 0; i++) {
		r = export_worker_new(&exporter->workers[i], settings->outputs.values[i], how);
		exporter->n += r == 0;
	}
	for (size_t i = 0; i < exporter->n && r == 0; i++)
		r = export_worker_start(exporter->workers[i]);
	return r;
}

static void stop(const struct exporter *exporter)
{
	const uint64_t one = 1;

	if (write(exporter->stop_fd, &one, sizeof(one)) < 0)
		log_error_errno(errno, "tell the outputs to stop");
}

/* Waits for all outputs (--once), or for a signal. Returns the exit code. */
static int wait_for_end(const struct exporter *exporter, bool once)
{
	struct pollfd signal = { .fd = exporter->signal_fd, .events = POLLIN };
	struct timespec deadline;
	int code = EXIT_DONE;
	size_t ended = 0;

	while (ended < exporter->n) {
		bool stopping = poll(&signal, 1, once ? 0 : -1) > 0;

		clock_gettime(CLOCK_REALTIME, &deadline);
		deadline.tv_sec += stopping ? STOP_S : 0;
		deadline.tv_nsec += stopping ? 0 : 20000000;
		if (deadline.tv_nsec >= (long)NS_PER_S) {
			deadline.tv_nsec -= (long)NS_PER_S;
			deadline.tv_sec++;
		}
		if (stopping) {
			notify_stopping();
			stop(exporter);
		}
		for (; ended < exporter->n; ended++) {
			int r = export_worker_join(exporter->workers[ended], &deadline);

			if (r == -ETIMEDOUT && !stopping)
				break;
			if (r == -ETIMEDOUT) {
				log_warning("%s: hangs; left behind",
					    exporter->workers[ended]->label);
				(void)fflush(stdout);
				_exit(EXIT_FAILED);
			}
			code = r ? EXIT_FAILED : code;
		}
	}
	return code;
}

static int export(const struct export_settings *settings)
{
	struct exporter exporter = { .stop_fd = -1, .signal_fd = -1 };
	struct export_how how;
	int r = make_how(settings, &how), code;

	if (r < 0)
		return EXIT_USAGE;
	if (how.state_directory && mkdir(how.state_directory, 0750) < 0 && errno != EEXIST) {
		log_error_errno(errno, "make the directory %s", how.state_directory);
		return EXIT_FAILED;
	}
	r = open_signals(&exporter);
	how.stop_fd = exporter.stop_fd;
	if (r < 0)
		log_error_errno(r, "prepare for signals");
	else
		r = start(&exporter, settings, &how);
	code = r == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	if (r == 0) {
		log_notice("exporting %s", settings->spool);
		notify_ready();
		code = wait_for_end(&exporter, how.once);
	} else if (exporter.n) {
		stop(&exporter);
		for (size_t i = 0; i < exporter.n; i++)
			export_worker_join(exporter.workers[i], NULL);
	}
	for (size_t i = 0; i < exporter.n; i++)
		export_worker_free(exporter.workers[i]);
	close_fd(&exporter.stop_fd);
	close_fd(&exporter.signal_fd);
	return code;
}

int export_main(int argc, char **argv)
{
	struct export_settings settings = { 0 };
	int code = EXIT_USAGE;

	if (read_settings(&settings, argc, argv) == 0) {
		log_set_level((enum log_level)settings.log_level);
		if (settings.help)
			code = print_help();
		else if (settings.status || settings.metrics)
			code = export_print_status(&settings);
		else
			code = export(&settings);
	}
	options_free(export_options, &settings);
	return code;
}
