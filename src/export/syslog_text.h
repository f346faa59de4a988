/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A record as a message of syslog: RFC 5424's header, and JSON, structured data or CEF in it. */
#ifndef EXPORT_SYSLOG_TEXT_H
#define EXPORT_SYSLOG_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "export/export.h"
#include "export/line.h"

/* Texts are cut here, so that a message stays below the 8 KiB that receivers take. */
#define SYSLOG_TEXT_MAX	   200
#define SYSLOG_MESSAGE_MAX LINE_MAX(SYSLOG_TEXT_MAX)

enum syslog_format {
	SYSLOG_JSON,
	SYSLOG_SD,
	SYSLOG_CEF,
};

struct syslog_style {
	int format; /* enum syslog_format */
	int priority;
	uint32_t enterprise;
	bool is_local; /* to /dev/log: the header that local daemons read (RFC 3164's without the host) */
};

/* Writes the message, no newline behind it. Returns the end. */
char *syslog_append(char *to, const struct syslog_style *style, const struct export_batch *batch,
		    size_t row);

/* The same with its length before it; for a local stream a newline behind it instead. */
char *syslog_append_counted(char *to, const struct syslog_style *style,
			    const struct export_batch *batch, size_t row);

#endif
