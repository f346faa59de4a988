// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const log_level_names[] = { "error", "warning", "notice", "info", "debug", NULL };

static enum log_level log_level = LOG_LEVEL_NOTICE;

void log_set_level(enum log_level level)
{
	log_level = level;
}

int log_enabled(enum log_level level)
{
	return level <= log_level;
}

/* systemd names the device and inode of the journal's socket. Whoever inherits the variable may have a
 * standard error of another kind: systemd.exec(5) says to compare. */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat status;
	char behind;

	/* NOLINTNEXTLINE(cert-err34-c): what overflows is no such inode */
	return stream && sscanf(stream, "%ju:%ju%c", &device, &inode, &behind) == 2 &&
	       fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device &&
	       status.st_ino == inode;
}

/* The journal takes "<N>" at the start of a line for the syslog priority; a person would not. */
static const char *level_prefix(enum log_level level)
{
	static const char *const journal[] = { "<3>", "<4>", "<5>", "<6>", "<7>" };
	static const char *const person[] = { "traffic-meter: error: ", "traffic-meter: warning: ",
					      "traffic-meter: ", "traffic-meter: ",
					      "traffic-meter: debug: " };

	return is_journal() ? journal[level] : person[level];
}

int log_write(enum log_level level, int error, const char *format, ...)
{
	char line[2048], words[128];
	va_list arguments;
	size_t used;

	error = error > 0 ? -error : error;
	if (!log_enabled(level))
		return error;

	used = (size_t)snprintf(line, sizeof(line), "%s", level_prefix(level));
	va_start(arguments, format);
	used += (size_t)vsnprintf(line + used, sizeof(line) - used, format, arguments);
	va_end(arguments);
	if (used < sizeof(line) && error)
		used += (size_t)snprintf(line + used, sizeof(line) - used, ": %s",
					 strerror_r(-error, words, sizeof(words)));
	if (used > sizeof(line) - 1)
		used = sizeof(line) - 1;
	/* Names and values come from outside: they shall neither break the line nor drive a terminal. */
	for (size_t i = 0; i < used; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[used++] = '\n';

	/* One write for one line, so that lines of several threads don't mix. There is nobody
	 * left to tell when standard error fails. */
	if (write(STDERR_FILENO, line, used) < 0)
		return error;
	return error;
}
