// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ipfix:udp|tcp|sctp|tls:HOST:PORT, flows to a collector as IPFIX, or with version=9 as NetFlow. Owns
 * the order of the messages: templates first, by UDP again and again, as a collector may have begun later.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "export/export.h"
#include "export/ipfix_message.h"
#include "export/transport.h"

#define MESSAGES 32

/* Of a stream a message is a few packets. */
#define STREAM_MESSAGE 16384

struct ipfix {
	struct transport transport;
	struct ipfix_style style;
	uint64_t domain, enterprise, template_s, size;

	uint32_t sequence;
	uint64_t templates_ms; /* when they were sent last; 0: not on this connection */
	unsigned char *buffer; /* MESSAGES of message_size */
	size_t message_size;
};

static const char *const version_choices[] = { "10", "9", NULL };

static const struct traffic_option ipfix_options[] = {
	{
		.name = "version",
		.type = TRAFFIC_OPTION_CHOICE,
		.offset = offsetof(struct ipfix, style.version),
		.choices = version_choices,
		.help = "IPFIX, or NetFlow version 9 (10)",
	},
	{
		.name = "domain",
		.type = TRAFFIC_OPTION_NUMBER,
		.offset = offsetof(struct ipfix, domain),
		.metavar = "NUMBER",
		.maximum = UINT32_MAX,
		.help = "observation domain, or source id (1)",
	},
	{
		.name = "enterprise",
		.type = TRAFFIC_OPTION_NUMBER,
		.offset = offsetof(struct ipfix, enterprise),
		.metavar = "NUMBER",
		.minimum = 1,
		.maximum = UINT32_MAX,
		.help = "that the elements uid, workload, network belong to (32473)",
	},
	{
		.name = "template",
		.type = TRAFFIC_OPTION_NUMBER,
		.offset = offsetof(struct ipfix, template_s),
		.metavar = "SECONDS",
		.minimum = 1,
		.maximum = 86400,
		.help = "after which templates are sent again by udp (60)",
	},
	{
		.name = "size",
		.type = TRAFFIC_OPTION_NUMBER,
		.offset = offsetof(struct ipfix, size),
		.metavar = "BYTES",
		.minimum = IPFIX_MESSAGE_MIN,
		.maximum = 65000,
		.help = "of a datagram at most (1400)",
	},
	TRANSPORT_OPTIONS(struct ipfix, transport),
	{ .name = NULL },
};

static uint64_t now_ms(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void ipfix_preset(void *context)
{
	struct ipfix *ipfix = context;

	transport_preset(&ipfix->transport);
	ipfix->domain = 1;
	ipfix->enterprise = 32473; /* for examples, RFC 5612: the project has none */
	ipfix->template_s = 60;
	ipfix->size = 1400;
}

static int ipfix_check(struct export_output *output)
{
	struct ipfix *ipfix = output->context;
	int r = transport_parse(&ipfix->transport, output, output->target, "4739");

	if (r == 0 && ipfix->transport.kind == TRANSPORT_UNIX)
		return export_refuse(output, -EINVAL,
				     "by udp, tcp, sctp or tls: ipfix:udp:HOST:PORT");
	if (r == 0 && ipfix->style.version == IPFIX_V9 && ipfix->transport.kind != TRANSPORT_UDP)
		return export_refuse(output, -EINVAL, "NetFlow version 9 goes by udp alone");
	ipfix->style.domain = (uint32_t)ipfix->domain;
	ipfix->style.enterprise = (uint32_t)ipfix->enterprise;
	ipfix->style.boot_ms = now_ms();
	return r;
}

static int ipfix_open(struct export_output *output)
{
	struct ipfix *ipfix = output->context;
	bool is_udp = ipfix->transport.kind == TRANSPORT_UDP;

	ipfix->message_size = is_udp ? ipfix->size : STREAM_MESSAGE;
	ipfix->templates_ms = 0;
	if (!is_udp) /* counted from each connection's beginning */
		ipfix->sequence = 0;
	if (!ipfix->buffer)
		ipfix->buffer = malloc(MESSAGES * ipfix->message_size);
	if (!ipfix->buffer)
		return export_fail(output, -ENOMEM, "make a buffer");
	return transport_open(&ipfix->transport, output);
}

/* v9 counts messages, IPFIX data records. */
static uint32_t count_of(const struct ipfix *ipfix, unsigned int records)
{
	return ipfix->style.version == IPFIX_V9 ? 1 : records;
}

static int put_messages(struct export_output *output, struct iovec *messages, size_t n,
			size_t *done)
{
	struct ipfix *ipfix = output->context;
	int r = 0;

	if (output->dry_run) {
		for (*done = 0; *done < n; ++*done)
			printf("a message of %zu bytes\n", messages[*done].iov_len);
		return 0;
	}
	if (!ipfix->transport.is_stream)
		return transport_send(&ipfix->transport, output, messages, n, done);
	for (*done = 0; *done < n && r == 0; *done += r == 0)
		r = transport_write(&ipfix->transport, output, messages[*done].iov_base,
				    messages[*done].iov_len);
	return r;
}

static int send_templates(struct export_output *output)
{
	struct ipfix *ipfix = output->context;
	uint64_t now = now_ms();
	struct ipfix_message message;
	struct iovec piece;
	size_t done;
	int r;

	if (ipfix->templates_ms &&
	    (ipfix->transport.is_stream || now - ipfix->templates_ms < ipfix->template_s * 1000))
		return 0;
	ipfix_begin(&message, &ipfix->style, ipfix->buffer, ipfix->message_size);
	ipfix_add_templates(&message);
	piece = (struct iovec){ ipfix->buffer, ipfix_end(&message, ipfix->sequence, now) };
	r = put_messages(output, &piece, 1, &done);
	if (r < 0)
		return r;
	ipfix->sequence += count_of(ipfix, 0);
	ipfix->templates_ms = now;
	if (ipfix->style.version == IPFIX_V9)
		return 0;
	ipfix_begin(&message, &ipfix->style, ipfix->buffer, ipfix->message_size);
	ipfix_add_counts(&message, output->delivered, output->missed);
	piece.iov_len = ipfix_end(&message, ipfix->sequence, now);
	r = put_messages(output, &piece, 1, &done);
	ipfix->sequence += r < 0 ? 0 : 1;
	return r;
}

static int ipfix_send(struct export_output *output, struct export_batch *batch)
{
	struct ipfix *ipfix = output->context;
	size_t n_records = batch->records->n;
	bool is_stream = ipfix->transport.kind != TRANSPORT_UDP;
	size_t row = is_stream ? 0 : batch->done;
	int r = send_templates(output);

	while (r == 0 && row < n_records) {
		struct iovec messages[MESSAGES];
		size_t ends[MESSAGES], n = 0, done;
		uint32_t sequences[MESSAGES + 1];

		for (sequences[0] = ipfix->sequence; n < MESSAGES && row < n_records; n++) {
			unsigned char *at = ipfix->buffer + n * ipfix->message_size;
			struct ipfix_message message;

			ipfix_begin(&message, &ipfix->style, at, ipfix->message_size);
			while (row < n_records && ipfix_add_flow(&message, batch, row))
				row++;
			ends[n] = row;
			sequences[n + 1] = sequences[n] + count_of(ipfix, message.n);
			messages[n] =
				(struct iovec){ at, ipfix_end(&message, sequences[n], now_ms()) };
		}
		r = put_messages(output, messages, n, &done);
		ipfix->sequence = sequences[done];
		if (done && !is_stream)
			batch->done = ends[done - 1];
	}
	return r < 0 ? r : transport_settle(&ipfix->transport, output);
}

static int ipfix_idle(struct export_output *output)
{
	struct ipfix *ipfix = output->context;
	int r = send_templates(output);

	return r < 0 ? r : transport_settle(&ipfix->transport, output);
}

static void ipfix_close(struct export_output *output)
{
	struct ipfix *ipfix = output->context;

	transport_close(&ipfix->transport);
	free(ipfix->buffer);
	ipfix->buffer = NULL;
}

static void ipfix_forget(struct export_output *output)
{
	struct ipfix *ipfix = output->context;

	transport_forget(&ipfix->transport);
}

const struct export_type ipfix_export = {
	.kind = "ipfix",
	.target = "udp|tcp|sctp|tls:HOST:PORT",
	.help = "flows to a collector, as IPFIX or NetFlow version 9",
	.context_size = sizeof(struct ipfix),
	.options = ipfix_options,
	.preset = ipfix_preset,
	.check = ipfix_check,
	.open = ipfix_open,
	.send = ipfix_send,
	.idle = ipfix_idle,
	.close = ipfix_close,
	.forget = ipfix_forget,
};
