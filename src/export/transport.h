/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ways to a peer: a unix socket, UDP, TCP, TLS, SCTP, and standard output for a dry run. All calls
 * end with -ECANCELED soon after the output's stop_fd becomes readable, and with -ETIMEDOUT when the
 * peer takes nothing for .timeout_s. Errors are told to the output.
 */
#ifndef EXPORT_TRANSPORT_H
#define EXPORT_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "export/export.h"

enum transport_kind {
	TRANSPORT_UNIX, /* datagrams or a stream, as the socket there is */
	TRANSPORT_UDP,
	TRANSPORT_TCP,
	TRANSPORT_TLS,
	TRANSPORT_SCTP,
};

struct tls;

struct transport {
	/* of transport_parse() */
	enum transport_kind kind;
	char *host, *port; /* or the path in .host */

	/* options of the output, set by the caller */
	uint64_t timeout_s;
	uint64_t rate;			    /* datagrams a second at most; 0: as fast as it goes */
	const char *ca, *certificate, *key; /* files of PEM for TLS; NULL: the system's; none */

	int fd;
	bool is_stream;
	struct tls *tls;
	uint64_t paced_ns;
};

/* Options that every output with a transport has; member: a struct transport in the context. */
#define TRANSPORT_OPTIONS(context, member)                                                      \
	{                                                                                       \
		.name = "timeout",                                                              \
		.type = TRAFFIC_OPTION_NUMBER,                                                  \
		.offset = offsetof(context, member) + offsetof(struct transport, timeout_s),    \
		.metavar = "SECONDS",                                                           \
		.minimum = 1,                                                                   \
		.maximum = 3600,                                                                \
		.help = "without progress after which it connects anew (30)",                   \
	},                                                                                      \
		{                                                                               \
			.name = "rate",                                                         \
			.type = TRAFFIC_OPTION_NUMBER,                                          \
			.offset = offsetof(context, member) + offsetof(struct transport, rate), \
			.metavar = "N",                                                         \
			.help = "datagrams a second at most; 0: no limit (3000)",               \
		},                                                                              \
		{                                                                               \
			.name = "ca",                                                           \
			.type = TRAFFIC_OPTION_STRING,                                          \
			.offset = offsetof(context, member) + offsetof(struct transport, ca),   \
			.metavar = "FILE",                                                      \
			.help = "certificates that TLS trusts (the system's)",                  \
		},                                                                              \
		{                                                                               \
			.name = "cert",                                                         \
			.type = TRAFFIC_OPTION_STRING,                                          \
			.offset = offsetof(context, member) +                                   \
				  offsetof(struct transport, certificate),                      \
			.metavar = "FILE",                                                      \
			.help = "certificate that TLS shows",                                   \
		},                                                                              \
	{                                                                                       \
		.name = "key", .type = TRAFFIC_OPTION_STRING,                                   \
		.offset = offsetof(context, member) + offsetof(struct transport, key),          \
		.metavar = "FILE", .help = "its key",                                           \
	}

void transport_preset(struct transport *transport);

/* "unix:PATH", "udp:HOST:PORT", "tcp://HOST:PORT", "tls:[::1]:6514"; port: where there is none, or NULL.
 * 0, or -EINVAL told to the output. */
int transport_parse(struct transport *transport, struct export_output *output, const char *target,
		    const char *port);
void transport_forget(struct transport *transport); /* what transport_parse() allocated */

int transport_open(struct transport *transport, struct export_output *output);

/* Streams: all n bytes. */
int transport_write(struct transport *transport, struct export_output *output, const void *data,
		    size_t n);

/* Datagrams: *done of n are out, from the first on, also on an error. One that is too long for the
 * path is an error of its own, -EMSGSIZE, at *done. */
int transport_send(struct transport *transport, struct export_output *output,
		   struct iovec *datagrams, size_t n, size_t *done);

/* Streams: waits until the peer's kernel has all, and sees whether the peer is still there. */
int transport_settle(struct transport *transport, struct export_output *output);

void transport_close(struct transport *transport);

/* Waits for events of a descriptor (-1: none), at most timeout_ms. 0, -ETIMEDOUT or -ECANCELED. */
int transport_wait(const struct export_output *output, int fd, short events, int timeout_ms);

#endif
