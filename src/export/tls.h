/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TLS of a connected socket, by GnuTLS; without that library each call fails with -EOPNOTSUPP. */
#ifndef EXPORT_TLS_H
#define EXPORT_TLS_H

#include <stddef.h>

#include "export/transport.h"

/* Shakes hands, and verifies that the certificate is of transport->host and that who signed it is
 * trusted. */
int tls_open(struct transport *transport, struct export_output *output);
int tls_write(struct transport *transport, struct export_output *output, const void *data,
	      size_t n);

/* What the peer sent is read and dropped. Returns 0, or -EPIPE when it has closed. */
int tls_read_all(struct transport *transport);
void tls_close(struct transport *transport);

#endif
