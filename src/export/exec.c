// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * exec:COMMAND, lines of JSON to the standard input of a program, which runs until export ends. A batch
 * is done when the program has read all of it from the pipe.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "export/export.h"
#include "export/line.h"
#include "export/transport.h"
#include "util/cleanup.h"

#define BUFFER_BYTES 131072

_Static_assert(LINE_MAX(LINE_TEXT_MAX) + 1 < BUFFER_BYTES, "a line fits in the buffer");

/* How long a program has to end when its input has ended. */
#define END_MS 5000

struct exec {
	/* of the SPEC */
	char *user;
	int names;
	uint64_t timeout_s;

	uid_t uid;
	gid_t gid;
	gid_t groups[64];
	int n_groups;
	pid_t pid; /* 0: not running */
	int fd;
	char *buffer;
};

static const char *const names_choices[] = { "own", "ecs", NULL };

static const struct traffic_option exec_options[] = {
	{
		.name = "user",
		.type = TRAFFIC_OPTION_STRING,
		.offset = offsetof(struct exec, user),
		.metavar = "NAME",
		.help = "whom the program runs as (export's own user)",
	},
	{
		.name = "names",
		.type = TRAFFIC_OPTION_CHOICE,
		.offset = offsetof(struct exec, names),
		.choices = names_choices,
		.help = "of the keys: those of json:, or Elastic's common schema (own)",
	},
	{
		.name = "timeout",
		.type = TRAFFIC_OPTION_NUMBER,
		.offset = offsetof(struct exec, timeout_s),
		.metavar = "SECONDS",
		.minimum = 1,
		.maximum = 86400,
		.help = "without reading after which it is ended and started anew (60)",
	},
	{ .name = NULL },
};

static void exec_preset(void *context)
{
	struct exec *exec = context;

	exec->fd = -1;
	exec->timeout_s = 60;
}

static int exec_check(struct export_output *output)
{
	struct exec *exec = output->context;
	const struct passwd *user;

	if (!*output->target)
		return export_refuse(output, -EINVAL, "which command? exec:COMMAND");
	if (!exec->user)
		return 0;
	user = getpwnam(exec->user); /* NOLINT(concurrency-mt-unsafe): no thread yet */
	if (!user)
		return export_refuse(output, -EINVAL, "there is no user '%s'", exec->user);
	exec->uid = user->pw_uid;
	exec->gid = user->pw_gid;
	exec->n_groups = (int)(sizeof(exec->groups) / sizeof(exec->groups[0]));
	if (getgrouplist(exec->user, exec->gid, exec->groups, &exec->n_groups) < 0)
		exec->n_groups = 0;
	if (geteuid() != 0 && geteuid() != exec->uid)
		return export_refuse(
			output, -EINVAL,
			"only root can run a program as user '%s'; start export as root, "
			"or as that user",
			exec->user);
	return 0;
}

/* Only calls that are safe behind a fork() of a process with threads. setgroups() and setresuid() of
 * the C library would tell other threads. */
static void become(const struct exec *exec)
{
	if (!exec->user || geteuid() != 0)
		return;
	if (syscall(SYS_setgroups, (size_t)exec->n_groups, exec->groups) < 0 ||
	    syscall(SYS_setresgid, exec->gid, exec->gid, exec->gid) < 0 ||
	    syscall(SYS_setresuid, exec->uid, exec->uid, exec->uid) < 0)
		_exit(126);
}

static void run_program(const struct exec *exec, const char *command, int input)
{
	sigset_t none;

	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	setpgid(0, 0);
	/* Standard output may be data's; the program's goes with its errors to the log. */
	if (dup2(input, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		_exit(126);
	become(exec);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

static int exec_open(struct export_output *output)
{
	struct exec *exec = output->context;
	int ends[2];

	if (!exec->buffer)
		exec->buffer = malloc(BUFFER_BYTES);
	if (!exec->buffer)
		return export_fail(output, -ENOMEM, "make a buffer");
	if (output->dry_run)
		return 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return export_fail(output, -errno, "make a pipe");
	exec->fd = ends[1];
	fcntl(exec->fd, F_SETFL, O_NONBLOCK);
	exec->pid = fork();
	if (exec->pid == 0)
		run_program(exec, output->target, ends[0]);
	close(ends[0]);
	if (exec->pid > 0)
		return 0;
	exec->pid = 0;
	return export_fail(output, -errno, "start a program");
}

/* Has it ended? Then 'what it says of itself' is in the words. */
static int look(struct export_output *output, struct exec *exec, int options)
{
	int status;

	if (!exec->pid || waitpid(exec->pid, &status, options) != exec->pid)
		return 0;
	exec->pid = 0;
	if (WIFSIGNALED(status))
		return export_refuse(output, -EPIPE, "the program was ended by signal %d",
				     WTERMSIG(status));
	return export_refuse(output, -EPIPE, "the program ended with code %d%s",
			     WEXITSTATUS(status),
			     WEXITSTATUS(status) == 127 ? ": the command was not found" : "");
}

/* The pipe is broken: who read it is about to end, or has closed its input. */
static int broken(struct export_output *output, struct exec *exec)
{
	for (int i = 0; i < 20; i++) {
		int r = look(output, exec, WNOHANG);

		if (r < 0 || transport_wait(output, -1, 0, 10) == -ECANCELED)
			return r < 0 ? r : -ECANCELED;
	}
	return export_refuse(output, -EPIPE, "the program has closed its standard input");
}

static int put(struct export_output *output, struct exec *exec, const char *text, size_t n)
{
	if (output->dry_run)
		return fwrite(text, 1, n, stdout) == n
			       ? 0
			       : export_fail(output, -EIO, "write to standard output");
	while (n) {
		ssize_t written = write(exec->fd, text, n);
		int r = 0;

		if (written > 0) {
			text += written;
			n -= (size_t)written;
		} else if (errno == EPIPE) {
			return broken(output, exec);
		} else if (errno == EAGAIN) {
			r = transport_wait(output, exec->fd, POLLOUT, (int)exec->timeout_s * 1000);
			if (r == -ETIMEDOUT)
				return export_fail(output, r, "the program reads nothing");
		} else if (errno != EINTR) {
			r = -errno;
		}
		if (r < 0)
			return export_fail(output, r, "write to the program");
	}
	return 0;
}

/* Waits until the pipe is empty. */
static int settle(struct export_output *output, struct exec *exec)
{
	uint64_t waited_ms = 0;
	int left = 0, before = 0, wait_ms = 1, r;

	if (output->dry_run)
		return fflush(stdout) ? export_fail(output, -errno, "write to standard output") : 0;
	while (ioctl(exec->fd, FIONREAD, &left) == 0 && left) {
		struct pollfd reader = { .fd = exec->fd };

		if (poll(&reader, 1, 0) > 0 && reader.revents & POLLERR)
			return broken(output, exec);
		if (left != before)
			waited_ms = 0;
		before = left;
		if (waited_ms > exec->timeout_s * 1000)
			return export_fail(output, -ETIMEDOUT, "the program reads nothing");
		r = transport_wait(output, -1, 0, wait_ms);
		if (r == -ECANCELED)
			return export_fail(output, r, "wait for the program");
		waited_ms += (uint64_t)wait_ms;
		wait_ms = wait_ms < 32 ? 2 * wait_ms : wait_ms;
	}
	return look(output, exec, WNOHANG);
}

static int exec_send(struct export_output *output, struct export_batch *batch)
{
	struct exec *exec = output->context;
	char *to = exec->buffer;
	int r = 0;

	for (size_t row = 0; row < batch->records->n && r == 0; row++) {
		to = line_append(to, batch, row, exec->names, LINE_TEXT_MAX);
		*to++ = '\n';
		if (to + LINE_MAX(LINE_TEXT_MAX) < exec->buffer + BUFFER_BYTES &&
		    row + 1 < batch->records->n)
			continue;
		r = put(output, exec, exec->buffer, (size_t)(to - exec->buffer));
		to = exec->buffer;
	}
	return r < 0 ? r : settle(output, exec);
}

static int exec_idle(struct export_output *output)
{
	return look(output, output->context, WNOHANG);
}

/* Its input ends, which a program takes for the end; else it is told, and then made to. */
static void exec_close(struct export_output *output)
{
	struct exec *exec = output->context;
	char words[sizeof(output->error)];

	memcpy(words, output->error, sizeof(words));
	if (exec->fd >= 0)
		close(steal_fd(&exec->fd));
	for (int waited = 0; exec->pid && waited < END_MS; waited += 10) {
		if (look(output, exec, WNOHANG) < 0)
			break;
		if (waited == END_MS / 2)
			kill(-exec->pid, SIGTERM);
		poll(NULL, 0, 10);
	}
	if (exec->pid) {
		kill(-exec->pid, SIGKILL);
		look(output, exec, 0);
	}
	memcpy(output->error, words, sizeof(words));
	free(exec->buffer);
	exec->buffer = NULL;
}

const struct export_type exec_export = {
	.kind = "exec",
	.target = "COMMAND",
	.help = "JSON lines to the standard input of a program",
	.context_size = sizeof(struct exec),
	.options = exec_options,
	.preset = exec_preset,
	.check = exec_check,
	.open = exec_open,
	.send = exec_send,
	.idle = exec_idle,
	.close = exec_close,
};
