// SPDX-License-Identifier: GPL-2.0-or-later
/* traffic-meter-serve: the HTTP server, which `traffic-meter serve` runs. */
#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "command/command.h"
#include "command/control.h"
#include "history/history.h"
#include "live/client.h"
#include "privileges/capabilities.h"
#include "privileges/identity.h"
#include "privileges/landlock.h"
#include "privileges/seccomp.h"
#include "serve/http.h"
#include "serve/listen.h"
#include "util/cleanup.h"
#include "util/descriptors.h"
#include "util/log.h"
#include "util/notify.h"
#include "util/options.h"

#define STATE_DIRECTORY "/var/lib/traffic-meter"

static int print_help(void)
{
	printf("usage: traffic-meter serve [OPTION...]\n\n"
	       "Answers HTTP: a page for the browser, /metrics for Prometheus, a JSON API. On its "
	       "unix socket\neach user sees their own traffic, root and the meter's group "
	       "all.\n\n");
	options_print_help(serve_options, stdout);
	return fflush(stdout) ? EXIT_FAILED : EXIT_DONE;
}

static int begin_section(void *userdata, const char *name, const char *where, void **ret_base)
{
	(void)name;
	(void)where;
	*ret_base = userdata;
	return 0;
}

/* The file goes before the command line, so what that gives replaces it. */
static int read_settings(struct serve_settings *settings, int argc, char **argv)
{
	static const char command[] = "traffic-meter serve";
	struct serve_settings first = { .log_level = LOG_LEVEL_NOTICE };
	int rest, r = options_parse_arguments(serve_options, &first, command, argc - 1, argv + 1,
					      &rest);

	if (r == 0 && !first.help) {
		const char *path = first.config ?: CONFIG_DEFAULT;

		r = options_read_sections(serve_options, "serve", path, begin_section, settings);
		if (r == -ENOENT && !first.config)
			r = 0;
		else if (r < 0 && r != -EINVAL)
			log_error_errno(r, "read the configuration %s", path);
	}
	options_free(serve_options, &first);
	if (r == 0)
		r = options_parse_arguments(serve_options, settings, command, argc - 1, argv + 1,
					    &rest);
	if (r == 0 && rest < argc - 1) {
		log_error("serve: '%s' is not understood: it takes options only", argv[rest + 1]);
		return -EINVAL;
	}
	if (r == 0 && settings->listen.n && !settings->token_file) {
		log_error("--listen takes --token-file: on TCP nobody can tell who asks");
		return -EINVAL;
	}
	return r;
}

static int find_group(struct access_rules *rules, const struct serve_settings *settings,
		      const char *instance)
{
	const struct group *entry;
	struct sockaddr_un address;
	struct stat status;

	if (settings->group) {
		entry = getgrnam(settings->group); /* NOLINT(concurrency-mt-unsafe): one thread */
		if (!entry) {
			log_error("there is no group '%s'", settings->group);
			return -EINVAL;
		}
		rules->has_group = true;
		rules->group = entry->gr_gid;
		return 0;
	}
	/* Not root's: many programs that are not root have its group. */
	if (client_address(instance, &address) == 0 && stat(address.sun_path, &status) == 0) {
		rules->has_group = status.st_gid != 0;
		rules->group = status.st_gid;
		return 0;
	}
	entry = getgrnam("traffic-meter"); /* NOLINT(concurrency-mt-unsafe): likewise */
	rules->has_group = entry;
	rules->group = entry ? entry->gr_gid : 0;
	return 0;
}

static int make_rules(struct server *server)
{
	const struct serve_settings *settings = server->settings;
	struct access_rules *rules = &server->access;
	int r = find_group(rules, settings, server->instance);

	if (r == 0 && settings->token_file)
		r = access_read_token(rules, settings->token_file);
	rules->hosts = calloc(settings->hosts.n + 1, sizeof(*rules->hosts));
	if (!rules->hosts)
		return -ENOMEM;
	for (size_t i = 0; i < settings->hosts.n; i++)
		rules->hosts[rules->n_hosts++] = settings->hosts.values[i];
	if (gethostname(server->name, sizeof(server->name) - 1) == 0 && server->name[0])
		rules->hosts[rules->n_hosts++] = server->name;
	return r;
}

static int become(const struct serve_settings *settings)
{
	struct identity identity;
	int r;

	if (!settings->user) {
		if (geteuid() == 0)
			log_warning("running as root, which it does not need: --user NAME changes "
				    "to a user");
		return 0;
	}
	r = identity_find(&identity, settings->user, NULL);
	if (r == 0)
		r = identity_take_groups(&identity);
	return r == 0 ? identity_take_user(&identity, 0, 0) : r;
}

/* Before the threads are started, which inherit it. */
static void restrict_files(const struct server *server, const char *socket)
{
	char directory[PATH_MAX], around[PATH_MAX] = "/dev/null";
	const struct path_rule rules[] = {
		{ directory, false },
		{ "/usr", false },
		{ "/lib", false },
		{ "/lib64", false },
		{ "/proc/self", false },
		{ "/etc/passwd", false },
		{ "/etc/group", false },
		{ "/etc/nsswitch.conf", false },
		{ "/etc/localtime", false },
		{ "/etc/ld.so.cache", false },
		{ "/run/systemd/userdb", false },
		{ "/var/lib/sss/mc", false },
		{ "/dev/null", true },
		{ "/dev/urandom", false },
		{ around, true }, /* our own socket is removed at the end */
	};
	int r;

	snprintf(directory, sizeof(directory), "%s", server->history);
	snprintf(directory, sizeof(directory), "%s", dirname(strdupa(server->history)));
	if (*socket)
		snprintf(around, sizeof(around), "%s", dirname(strdupa(socket)));
	r = paths_restrict(rules, sizeof(rules) / sizeof(rules[0]));
	if (r < 0 && r != -EOPNOTSUPP)
		log_warning_errno(r, "restrict the files that can be opened");
}

static int serve(struct server *server, struct listeners *listeners)
{
	struct timespec second = { .tv_sec = 1 };
	struct http *http = NULL;
	sigset_t signals;
	int r;

	/* Threads inherit what is blocked. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	tzset();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		log_warning_errno(errno, "keep programs from gaining privileges");
	restrict_files(server, listeners->path);
	r = http_start(&http, server, listeners->fds, listeners->n);
	listeners->n = 0;
	if (r < 0)
		return r;
	r = calls_restrict();
	if (r < 0 && r != -EOPNOTSUPP)
		log_warning_errno(r, "restrict the system calls");
	log_notice("serving the instance '%s' and the history %s", server->instance,
		   server->history);
	notify_ready();
	while (sigtimedwait(&signals, NULL, &second) < 0)
		http_tick(http);
	notify_stopping();
	http_stop(http);
	return 0;
}

static int run(const struct serve_settings *settings)
{
	struct server server = { .settings = settings,
				 .instance = settings->instance ?: "default",
				 .metrics.lock = PTHREAD_MUTEX_INITIALIZER };
	struct listeners listeners = { 0 };
	int r;

	if (control_verify_instance(server.instance) < 0)
		return EXIT_USAGE;
	server.history = settings->history ? strdup(settings->history)
					   : history_default_path(STATE_DIRECTORY, server.instance);
	if (!server.history)
		return EXIT_FAILED;
	r = make_rules(&server);
	if (r == 0)
		r = listen_open(&listeners, settings, server.instance);
	if (r == 0)
		r = become(settings);
	if (r == 0)
		r = serve(&server, &listeners);
	listen_close(&listeners);
	free(server.history);
	free(server.metrics.text);
	free(server.access.hosts);
	return r == -EINVAL ? EXIT_USAGE : r < 0 ? EXIT_FAILED : EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct serve_settings settings = { .log_level = LOG_LEVEL_NOTICE, .metrics_users = 1000 };
	int code = EXIT_USAGE;

	if (descriptors_open_standard() < 0)
		return EXIT_FAILED;
	descriptors_raise_limit();
	if (read_settings(&settings, argc, argv) == 0) {
		log_set_level((enum log_level)settings.log_level);
		code = settings.help ? print_help() : run(&settings);
	}
	options_free(serve_options, &settings);
	return code;
}
