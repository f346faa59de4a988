// SPDX-License-Identifier: GPL-2.0-or-later
#include "top/source.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/log.h"

/* What a start may take on a busy machine, in tenths of a second; and a stop. */
#define START_TENTHS 300
#define STOP_TENTHS  150

/* Groups that could be asked for are told by the socket itself. */
static int explain_refusal(const struct source *source)
{
	struct sockaddr_un address;
	struct stat status;
	struct group *group = NULL;

	if (client_address(source->instance, &address) == 0 && stat(address.sun_path, &status) == 0)
		group = getgrgid(status.st_gid); /* NOLINT(concurrency-mt-unsafe): one thread */
	if (group && status.st_gid != 0)
		log_error("the meter is for root and the group '%s': ask the administrator to add "
			  "you to it, or to run 'traffic-meter serve', which shows everybody their "
			  "own traffic",
			  group->gr_name);
	else
		log_error(
			"the meter is for root: ask the administrator to run it with --group, "
			"or to run 'traffic-meter serve', which shows everybody their own traffic");
	return -EACCES;
}

static bool is_none(int r)
{
	return r == -ENOENT || r == -ECONNREFUSED;
}

/* In the child. */
static void run_meter(const struct source *source, const char *log)
{
	char path[PATH_MAX], *slash;
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	int null_fd = open("/dev/null", O_RDWR), log_fd;

	log_fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (null_fd < 0 || log_fd < 0 || dup2(null_fd, 0) < 0 || dup2(null_fd, 1) < 0 ||
	    dup2(log_fd, 2) < 0)
		_exit(1);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	setpgid(0, 0); /* Ctrl+C is top's */
	path[n > 0 ? n : 0] = '\0';
	slash = strrchr(path, '/');
	if (slash) {
		snprintf(slash, sizeof(path) - (size_t)(slash - path), "/traffic-meter");
		execl(path, "traffic-meter", "run", "--config", "/dev/null", "--instance",
		      source->instance, "--state-dir", source->own_directory, "--output", "json:-",
		      NULL);
	}
	execlp("traffic-meter", "traffic-meter", "run", "--config", "/dev/null", "--instance",
	       source->instance, "--state-dir", source->own_directory, "--output", "json:-", NULL);
	_exit(127);
}

static void sleep_tenth(void)
{
	clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){ .tv_nsec = 100000000 }, NULL);
}

/* Its last words are shown, as they say what is wrong. */
static void tell_log(const char *log)
{
	_cleanup_fclose_ FILE *file = fopen(log, "re");
	char line[512];

	while (file && fgets(line, sizeof(line), file))
		fputs(line, stderr);
}

static int start_own(struct source *source)
{
	char log[80];
	int r = -ETIMEDOUT;

	snprintf(source->own_directory, sizeof(source->own_directory),
		 "/run/traffic-meter-top.XXXXXX");
	if (!mkdtemp(source->own_directory)) {
		source->own_directory[0] = '\0';
		return log_error_errno(errno, "make a directory in /run for a meter of top's own");
	}
	snprintf(log, sizeof(log), "%s/log", source->own_directory);
	snprintf(source->instance, sizeof(source->instance), "top-%d", (int)getpid());
	fprintf(stderr, "no meter runs: starting one for this screen ...\n");
	source->own = fork();
	if (source->own == 0)
		run_meter(source, log);
	if (source->own < 0) {
		source->own = 0;
		return log_error_errno(errno, "start a meter");
	}
	for (int i = 0; i < START_TENTHS; i++) {
		r = client_open(&source->connection, source->instance);
		if (!is_none(r))
			return r;
		if (waitpid(source->own, NULL, WNOHANG) == source->own) {
			source->own = 0;
			tell_log(log);
			return -ECHILD;
		}
		sleep_tenth();
	}
	return log_error_errno(r, "wait for the meter of top's own");
}

int source_open(struct source *source, const char *instance)
{
	int r;

	*source = (struct source){ .connection.fd = -1 };
	snprintf(source->instance, sizeof(source->instance), "%s", instance ?: "default");
	r = client_open(&source->connection, source->instance);
	if (r == -EACCES)
		return explain_refusal(source);
	if (is_none(r) && !instance && geteuid() == 0)
		return start_own(source);
	if (is_none(r)) {
		log_error("no meter of the instance '%s' is running; %s", source->instance,
			  geteuid() == 0 ? "start one with 'traffic-meter run', or leave out "
					   "--instance for one of top's own"
					 : "ask the administrator to start one with "
					   "'systemctl start traffic-meter'");
		return r;
	}
	return r < 0 ? log_error_errno(r, "ask the meter of the instance '%s'", source->instance)
		     : 0;
}

static void remove_own(const struct source *source)
{
	static const char *const names[] = { "log", "%s.totals", "%s.totals.new" };
	char path[256], name[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(name, sizeof(name), names[i], source->instance);
		snprintf(path, sizeof(path), "%s/%s", source->own_directory, name);
		unlink(path);
	}
	rmdir(source->own_directory);
	snprintf(path, sizeof(path), CONTROL_DIRECTORY "/%s.lock", source->instance);
	unlink(path);
}

void source_close(struct source *source)
{
	client_close(&source->connection);
	if (source->own > 0) {
		int ended = 0;

		kill(source->own, SIGTERM);
		for (int i = 0; i < STOP_TENTHS && !ended; i++) {
			ended = waitpid(source->own, NULL, WNOHANG) == source->own;
			if (!ended)
				sleep_tenth();
		}
		if (!ended)
			kill(source->own, SIGKILL);
		source->own = 0;
	}
	if (source->own_directory[0])
		remove_own(source);
	source->own_directory[0] = '\0';
}

bool source_is_connected(const struct source *source)
{
	return source->connection.fd >= 0;
}

void source_lose(struct source *source)
{
	client_close(&source->connection);
}

int source_ask(struct source *source, const char *request)
{
	int r = 0;

	if (!source_is_connected(source))
		r = client_open(&source->connection, source->instance);
	if (r == 0)
		r = client_send(&source->connection, request);
	if (r < 0)
		source_lose(source);
	return r;
}
