// SPDX-License-Identifier: GPL-2.0-or-later
/* socket:unix:PATH|udp:HOST:PORT|tcp:HOST:PORT|tls:HOST:PORT, lines of JSON: a datagram each, or ended
 * by a newline. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "export/export.h"
#include "export/line.h"
#include "export/transport.h"

#define BUFFER_BYTES 131072
#define DATAGRAMS    64

_Static_assert(LINE_MAX(LINE_TEXT_MAX) + 1 < BUFFER_BYTES, "a line fits in the buffer");

/* What a datagram of IPv4 holds. */
#define DATAGRAM_MAX 65507

struct socket {
	struct transport transport;
	int names;
	char *buffer;
};

static const char *const names_choices[] = { "own", "ecs", NULL };

static const struct traffic_option socket_options[] = {
	{
		.name = "names",
		.type = TRAFFIC_OPTION_CHOICE,
		.offset = offsetof(struct socket, names),
		.choices = names_choices,
		.help = "of the keys: those of json:, or Elastic's common schema (own)",
	},
	TRANSPORT_OPTIONS(struct socket, transport),
	{ .name = NULL },
};

static void socket_preset(void *context)
{
	transport_preset(&((struct socket *)context)->transport);
}

static int socket_check(struct export_output *output)
{
	struct socket *socket = output->context;

	return transport_parse(&socket->transport, output, output->target, NULL);
}

static int socket_open(struct export_output *output)
{
	struct socket *socket = output->context;

	if (!socket->buffer)
		socket->buffer = malloc(BUFFER_BYTES);
	if (!socket->buffer)
		return export_fail(output, -ENOMEM, "make a buffer");
	return transport_open(&socket->transport, output);
}

static int send_stream(struct export_output *output, struct export_batch *batch)
{
	struct socket *socket = output->context;
	char *to = socket->buffer;
	int r = 0;

	for (size_t row = 0; row < batch->records->n && r == 0; row++) {
		to = line_append(to, batch, row, socket->names, LINE_TEXT_MAX);
		*to++ = '\n';
		if (to + LINE_MAX(LINE_TEXT_MAX) < socket->buffer + BUFFER_BYTES &&
		    row + 1 < batch->records->n)
			continue;
		r = transport_write(&socket->transport, output, socket->buffer,
				    (size_t)(to - socket->buffer));
		to = socket->buffer;
	}
	return r < 0 ? r : transport_settle(&socket->transport, output);
}

static int send_datagrams(struct export_output *output, struct export_batch *batch)
{
	struct socket *socket = output->context;
	struct iovec lines[DATAGRAMS];

	while (batch->done < batch->records->n) {
		char *to = socket->buffer;
		size_t n = 0, done;
		int r;

		while (n < DATAGRAMS && batch->done + n < batch->records->n &&
		       to + LINE_MAX(LINE_TEXT_MAX) < socket->buffer + BUFFER_BYTES) {
			char *line = to;

			to = line_append(to, batch, batch->done + n, socket->names, LINE_TEXT_MAX);
			/* Texts that are too long for a datagram are cut, the numbers go out. */
			if (to - line >= DATAGRAM_MAX)
				to = line_append(line, batch, batch->done + n, socket->names, 256);
			*to++ = '\n';
			lines[n++] = (struct iovec){ line, (size_t)(to - line) };
		}
		r = transport_send(&socket->transport, output, lines, n, &done);
		batch->done += done;
		if (r < 0)
			return r;
	}
	return 0;
}

static int socket_send(struct export_output *output, struct export_batch *batch)
{
	const struct socket *socket = output->context;

	return socket->transport.is_stream ? send_stream(output, batch)
					   : send_datagrams(output, batch);
}

static int socket_idle(struct export_output *output)
{
	struct socket *socket = output->context;

	return transport_settle(&socket->transport, output);
}

static void socket_close(struct export_output *output)
{
	struct socket *socket = output->context;

	transport_close(&socket->transport);
	free(socket->buffer);
	socket->buffer = NULL;
}

static void socket_forget(struct export_output *output)
{
	struct socket *socket = output->context;

	transport_forget(&socket->transport);
}

const struct export_type socket_export = {
	.kind = "socket",
	.target = "unix:PATH|PROTOCOL:HOST:PORT",
	.help = "JSON lines to a unix socket, or by udp, tcp or tls",
	.context_size = sizeof(struct socket),
	.options = socket_options,
	.preset = socket_preset,
	.check = socket_check,
	.open = socket_open,
	.send = socket_send,
	.idle = socket_idle,
	.close = socket_close,
	.forget = socket_forget,
};
