// SPDX-License-Identifier: GPL-2.0-or-later
/* traffic-meter-top: the live screen, which `traffic-meter top` runs. */
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "command/command.h"
#include "command/control.h"
#include "top/top.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/options.h"

/* The clock goes on, and a size that changed shows, when there is nothing else. */
#define TICK_MS 500

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

const char *top_user_name(struct top *top, const struct row *row, char *buffer, size_t size)
{
	const char *name = top_names_user(top->names, row->uid);

	if (name)
		snprintf(buffer, size, "%s", name);
	else
		snprintf(buffer, size, "%u", row->uid);
	return buffer;
}

void top_arrange(struct top *top)
{
	struct model *model = &top->model;
	size_t n = 0;

	columns_sort(model->rows, model->n, top->sort, top->turned, &top->show);
	if (top->n_shown_allocated < model->n) {
		size_t *shown = reallocarray(top->shown, model->n, sizeof(*shown));

		if (!shown)
			return;
		top->shown = shown;
		top->n_shown_allocated = model->n;
	}
	for (size_t i = 0; i < model->n; i++) {
		const struct row *row = &model->rows[i];
		const char *user = NULL;

		if (top->filter[0]) {
			user = row->has_uid ? top_names_user(top->names, row->uid) : NULL;
			if (!filter_matches(top->filter, model->view, row, user))
				continue;
		}
		top->shown[n++] = i;
	}
	top->n_shown = n;
	for (size_t i = 0; top->follow && i < n; i++)
		if (strcmp(model->rows[top->shown[i]].key, top->cursor_key) == 0)
			top->cursor = i;
	if (top->cursor >= n)
		top->cursor = n ? n - 1 : 0;
}

void top_ask(struct top *top)
{
	char request[256];
	int r;

	model_request(&top->model, (unsigned int)top->settings->delay_s, request, sizeof(request));
	r = source_ask(&top->source, request);
	if (r < 0) {
		snprintf(top->trouble, sizeof(top->trouble),
			 "no meter of the instance '%s' answers; waiting for it ...",
			 top->source.instance);
		top->source.next_try_s = now_s() + 1;
	}
}

void top_switch(struct top *top, enum view view, uint32_t uid)
{
	model_switch(&top->model, view, uid);
	top->has_answer = top->follow = top->paused = false;
	top->cursor = top->scroll = top->n_shown = 0;
	if (top->sort != COLUMN_IN && top->sort != COLUMN_OUT)
		top->sort = COLUMN_SHARE;
	top->turned = false;
	if (source_is_connected(&top->source) || now_s() > top->source.next_try_s)
		top_ask(top);
}

static void take_answers(struct top *top)
{
	for (;;) {
		_cleanup_(json_tree_free) struct json_tree answer = { 0 };
		int r = client_read(&top->source.connection, 0, &answer);

		if (r == -EAGAIN)
			return;
		if (r < 0) {
			source_lose(&top->source);
			snprintf(top->trouble, sizeof(top->trouble),
				 "the meter of the instance '%s' has gone; waiting for it ...",
				 top->source.instance);
			top->source.next_try_s = now_s() + 1;
			return;
		}
		if (top->paused)
			continue;
		r = model_take(&top->model, &answer);
		if (r == 0) {
			top->has_answer = true;
			top->trouble[0] = '\0';
		} else if (r == -EPROTO) {
			snprintf(top->trouble, sizeof(top->trouble),
				 "the meter is of a version without live numbers: restart it");
		}
	}
}

static void wait_for_events(const struct top *top, int signal_fd)
{
	struct pollfd fds[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = top->source.connection.fd, .events = POLLIN },
		{ .fd = signal_fd, .events = POLLIN },
	};

	if (poll(fds, 3, TICK_MS) < 0 && errno != EINTR)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){ .tv_nsec = 100000000 },
				NULL);
}

/* SIGWINCH and SIGTSTP are curses' own. */
static int open_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int run_screen(struct top *top, int signal_fd)
{
	struct signalfd_siginfo info;

	if (screen_open(top) < 0)
		return EXIT_FAILED;
	top_ask(top);
	while (!top->quit) {
		top_arrange(top);
		screen_draw(top);
		wait_for_events(top, signal_fd);
		keys_read(top);
		if (source_is_connected(&top->source))
			take_answers(top);
		else if (now_s() > top->source.next_try_s)
			top_ask(top);
		if (read(signal_fd, &info, sizeof(info)) == sizeof(info))
			top->quit = true;
	}
	screen_close();
	return EXIT_DONE;
}

/* A name or a uid. */
static int find_user(const char *text, uint32_t *ret)
{
	const struct passwd *entry = getpwnam(text); /* NOLINT(concurrency-mt-unsafe): one thread */
	char *end;
	unsigned long uid;

	if (entry) {
		*ret = entry->pw_uid;
		return 0;
	}
	errno = 0;
	uid = strtoul(text, &end, 10);
	if (errno || *end || end == text || uid >= UINT32_MAX) {
		log_error("there is no user '%s'", text);
		return -EINVAL;
	}
	*ret = (uint32_t)uid;
	return 0;
}

static int print_help(void)
{
	printf("usage: traffic-meter top [OPTION...]\n\n"
	       "Shows who moves how much at this moment: users, workloads, networks, remote hosts, "
	       "interfaces.\nThe key ? shows what the keys do.\n\n");
	options_print_help(top_options, stdout);
	return fflush(stdout) ? EXIT_FAILED : EXIT_DONE;
}

static int verify(const struct top_settings *settings)
{
	const char *error = settings->filter ? filter_error(settings->filter) : NULL;

	if (error) {
		log_error("--filter '%s': %s", settings->filter, error);
		return -EINVAL;
	}
	if (settings->instance && control_verify_instance(settings->instance) < 0)
		return -EINVAL;
	if (!settings->batch && !settings->json &&
	    (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))) {
		log_error("the live screen needs a terminal; for a pipe or a file there are "
			  "--batch and --json");
		return -EINVAL;
	}
	return 0;
}

static int begin(struct top *top)
{
	const struct top_settings *settings = top->settings;
	enum view view = (enum view)settings->view;
	uint32_t uid = UINT32_MAX;

	if (settings->user) {
		if (find_user(settings->user, &uid) < 0)
			return -EINVAL;
		top->back = view;
		view = VIEW_USER_FLOWS;
	}
	top->show = (struct show){ .bytes = settings->bytes, .wire = settings->wire };
	top->sort = COLUMN_SHARE;
	snprintf(top->filter, sizeof(top->filter), "%s", settings->filter ?: "");
	model_switch(&top->model, view, uid);
	return 0;
}

static void settings_free(struct top_settings *settings)
{
	options_free(top_options, settings);
}

static int read_settings(int argc, char **argv, struct top_settings *settings)
{
	int rest, r = options_parse_arguments(top_options, settings, "traffic-meter top", argc - 1,
					      argv + 1, &rest);

	if (r < 0)
		return r;
	if (rest < argc - 1) {
		log_error("top: '%s' is not understood: it takes options only", argv[rest + 1]);
		return -EINVAL;
	}
	return settings->help ? 0 : verify(settings);
}

int main(int argc, char **argv)
{
	_cleanup_(settings_free) struct top_settings settings = { .delay_s = 1 };
	struct top top = { .settings = &settings };
	int signal_fd, code = EXIT_USAGE;

	setlocale(LC_ALL, "");
	if (read_settings(argc, argv, &settings) < 0)
		return EXIT_USAGE;
	if (settings.help)
		return print_help();
	if (begin(&top) < 0)
		return EXIT_USAGE;
	signal_fd = settings.batch || settings.json ? -1 : open_signals();
	if (source_open(&top.source, settings.instance) < 0) {
		code = EXIT_FAILED;
	} else {
		top.names = top_names_new();
		code = settings.batch || settings.json ? batch_run(&top)
						       : run_screen(&top, signal_fd);
	}
	source_close(&top.source);
	model_free(&top.model);
	free(top.shown);
	top_names_free(top.names);
	close_fd(&signal_fd);
	return code;
}
