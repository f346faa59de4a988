/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages for the administrator: one line each on standard error, written whole, from any thread.
 * Data never goes here.
 */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE, /* what an administrator should see in normal running */
	LOG_LEVEL_INFO,	  /* a line per interval */
	LOG_LEVEL_DEBUG,
};

/* The names of the levels in their order, NULL-terminated: the choices of --log-level. */
extern const char *const log_level_names[];

/* The one mutable global of the program. */
void log_set_level(enum log_level level);
int log_enabled(enum log_level level);

/* error: 0, or an errno value (either sign) whose words are put behind the message. Returns it
 * as a negative number. */
int log_write(enum log_level level, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(...)		      ((void)log_write(LOG_LEVEL_ERROR, 0, __VA_ARGS__))
#define log_error_errno(error, ...)   log_write(LOG_LEVEL_ERROR, error, __VA_ARGS__)
#define log_warning(...)	      ((void)log_write(LOG_LEVEL_WARNING, 0, __VA_ARGS__))
#define log_warning_errno(error, ...) log_write(LOG_LEVEL_WARNING, error, __VA_ARGS__)
#define log_notice(...)		      ((void)log_write(LOG_LEVEL_NOTICE, 0, __VA_ARGS__))
#define log_info(...)		      ((void)log_write(LOG_LEVEL_INFO, 0, __VA_ARGS__))
#define log_debug(...)		      ((void)log_write(LOG_LEVEL_DEBUG, 0, __VA_ARGS__))

#endif
