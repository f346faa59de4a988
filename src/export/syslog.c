// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * syslog:local to /dev/log, syslog:udp://HOST[:514], tcp://HOST[:514], tls://HOST[:6514]: a
 * message a record, by RFC 5424, to a stream with its length before it (RFC 6587, RFC 5425).
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "export/export.h"
#include "export/syslog_text.h"
#include "export/transport.h"

#define BUFFER_BYTES 131072
#define DATAGRAMS    64

_Static_assert(SYSLOG_MESSAGE_MAX + 32 < BUFFER_BYTES, "a message fits in the buffer");

struct syslog {
	struct transport transport;
	struct syslog_style style;
	int facility;
	uint64_t enterprise;
	char *buffer;
};

static const char *const format_choices[] = { "json", "sd", "cef", NULL };
static const char *const facility_choices[] = {
	"kern",	  "user",     "mail",	"daemon", "auth",   "syslog", "lpr",   "news",	 "uucp",
	"cron",	  "authpriv", "ftp",	"ntp",	  "audit",  "alert",  "clock", "local0", "local1",
	"local2", "local3",   "local4", "local5", "local6", "local7", NULL,
};

static const struct traffic_option syslog_options[] = {
	{
		.name = "format",
		.type = TRAFFIC_OPTION_CHOICE,
		.offset = offsetof(struct syslog, style.format),
		.choices = format_choices,
		.help = "of a message: JSON, structured data, or ArcSight's (json)",
	},
	{
		.name = "facility",
		.type = TRAFFIC_OPTION_CHOICE,
		.offset = offsetof(struct syslog, facility),
		.choices = facility_choices,
		.help = "(daemon)",
	},
	{
		.name = "enterprise",
		.type = TRAFFIC_OPTION_NUMBER,
		.offset = offsetof(struct syslog, enterprise),
		.metavar = "NUMBER",
		.minimum = 1,
		.maximum = UINT32_MAX,
		.help = "in the name of the structured data, traffic@NUMBER (32473)",
	},
	TRANSPORT_OPTIONS(struct syslog, transport),
	{ .name = NULL },
};

static void syslog_preset(void *context)
{
	struct syslog *syslog = context;

	transport_preset(&syslog->transport);
	syslog->facility = 3;
	syslog->enterprise = 32473; /* for examples, RFC 5612: the project has none */
}

static int syslog_check(struct export_output *output)
{
	struct syslog *syslog = output->context;

	syslog->style.priority = syslog->facility * 8 + 6;
	syslog->style.enterprise = (uint32_t)syslog->enterprise;
	syslog->style.is_local = strcmp(output->target, "local") == 0;
	if (syslog->style.is_local)
		return transport_parse(&syslog->transport, output, "unix:/dev/log", NULL);
	return transport_parse(&syslog->transport, output, output->target,
			       strncmp(output->target, "tls", 3) == 0 ? "6514" : "514");
}

static int syslog_open(struct export_output *output)
{
	struct syslog *syslog = output->context;

	if (!syslog->buffer)
		syslog->buffer = malloc(BUFFER_BYTES);
	if (!syslog->buffer)
		return export_fail(output, -ENOMEM, "make a buffer");
	return transport_open(&syslog->transport, output);
}

static int send_stream(struct export_output *output, struct export_batch *batch)
{
	struct syslog *syslog = output->context;
	char *to = syslog->buffer;
	int r = 0;

	for (size_t row = 0; row < batch->records->n && r == 0; row++) {
		to = syslog_append_counted(to, &syslog->style, batch, row);
		if (to + SYSLOG_MESSAGE_MAX + 32 < syslog->buffer + BUFFER_BYTES &&
		    row + 1 < batch->records->n)
			continue;
		r = transport_write(&syslog->transport, output, syslog->buffer,
				    (size_t)(to - syslog->buffer));
		to = syslog->buffer;
	}
	return r < 0 ? r : transport_settle(&syslog->transport, output);
}

static int send_datagrams(struct export_output *output, struct export_batch *batch)
{
	struct syslog *syslog = output->context;
	struct iovec messages[DATAGRAMS];

	while (batch->done < batch->records->n) {
		char *to = syslog->buffer;
		size_t n = 0, done;
		int r;

		while (n < DATAGRAMS && batch->done + n < batch->records->n &&
		       to + SYSLOG_MESSAGE_MAX < syslog->buffer + BUFFER_BYTES) {
			messages[n].iov_base = to;
			to = syslog_append(to, &syslog->style, batch, batch->done + n);
			messages[n].iov_len = (size_t)(to - (char *)messages[n].iov_base);
			n++;
		}
		r = transport_send(&syslog->transport, output, messages, n, &done);
		batch->done += done;
		if (r < 0)
			return r;
	}
	return 0;
}

static int syslog_send(struct export_output *output, struct export_batch *batch)
{
	const struct syslog *syslog = output->context;

	return syslog->transport.is_stream ? send_stream(output, batch)
					   : send_datagrams(output, batch);
}

static int syslog_idle(struct export_output *output)
{
	struct syslog *syslog = output->context;

	return transport_settle(&syslog->transport, output);
}

static void syslog_close(struct export_output *output)
{
	struct syslog *syslog = output->context;

	transport_close(&syslog->transport);
	free(syslog->buffer);
	syslog->buffer = NULL;
}

static void syslog_forget(struct export_output *output)
{
	struct syslog *syslog = output->context;

	transport_forget(&syslog->transport);
}

const struct export_type syslog_export = {
	.kind = "syslog",
	.target = "local|udp|tcp|tls://HOST[:PORT]",
	.help = "a message a record, to the local log or by RFC 5424",
	.context_size = sizeof(struct syslog),
	.options = syslog_options,
	.preset = syslog_preset,
	.check = syslog_check,
	.open = syslog_open,
	.send = syslog_send,
	.idle = syslog_idle,
	.close = syslog_close,
	.forget = syslog_forget,
};
