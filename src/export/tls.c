// SPDX-License-Identifier: GPL-2.0-or-later
#include "export/tls.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_GNUTLS
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

struct tls {
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
};

static int fail(struct export_output *output, int code, const char *what)
{
	return export_refuse(output, -EPROTO, "%s: %s", what, gnutls_strerror(code));
}

static int load(struct tls *tls, const struct transport *transport, struct export_output *output)
{
	int r = gnutls_certificate_allocate_credentials(&tls->credentials);

	if (r < 0)
		return fail(output, r, "TLS");
	if (transport->ca)
		r = gnutls_certificate_set_x509_trust_file(tls->credentials, transport->ca,
							   GNUTLS_X509_FMT_PEM);
	else
		r = gnutls_certificate_set_x509_system_trust(tls->credentials);
	if (r < 0 || (r == 0 && transport->ca))
		return export_refuse(output, -EPROTO, "no certificates can be read from %s%s%s",
				     transport->ca ? transport->ca : "the system's list",
				     r < 0 ? ": " : "", r < 0 ? gnutls_strerror(r) : "");
	if (!transport->certificate)
		return 0;
	r = gnutls_certificate_set_x509_key_file(
		tls->credentials, transport->certificate,
		transport->key ? transport->key : transport->certificate, GNUTLS_X509_FMT_PEM);
	return r < 0 ? fail(output, r, transport->certificate) : 0;
}

/* After a call that would block: waits for what it waits for. */
static int wait_for(struct transport *transport, struct export_output *output)
{
	short events = gnutls_record_get_direction(transport->tls->session) ? POLLOUT : POLLIN;

	return transport_wait(output, transport->fd, events, (int)transport->timeout_s * 1000);
}

static int shake_hands(struct transport *transport, struct export_output *output)
{
	gnutls_session_t session = transport->tls->session;
	int r;

	while ((r = gnutls_handshake(session)) < 0) {
		if (r == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR) {
			gnutls_datum_t words = { 0 };

			gnutls_certificate_verification_status_print(
				gnutls_session_get_verify_cert_status(session), GNUTLS_CRT_X509,
				&words, 0);
			export_refuse(
				output, -EPROTO,
				"the certificate of %s is not accepted: %s (ca= names a file of "
				"certificates to trust)",
				transport->host, words.data ? (char *)words.data : "");
			gnutls_free(words.data);
			return -EPROTO;
		}
		if (gnutls_error_is_fatal(r))
			return fail(output, r, "TLS handshake");
		if (r != GNUTLS_E_AGAIN)
			continue;
		r = wait_for(transport, output);
		if (r < 0)
			return export_fail(output, r, "TLS handshake with %s", transport->host);
	}
	return 0;
}

int tls_open(struct transport *transport, struct export_output *output)
{
	struct tls *tls = transport->tls = calloc(1, sizeof(*tls));
	int r;

	if (!tls)
		return export_fail(output, -ENOMEM, "TLS");
	r = load(tls, transport, output);
	if (r < 0)
		return r;
	r = gnutls_init(&tls->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
	if (r < 0 || (r = gnutls_set_default_priority(tls->session)) < 0 ||
	    (r = gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE, tls->credentials)) <
		    0)
		return fail(output, r, "TLS");
	gnutls_server_name_set(tls->session, GNUTLS_NAME_DNS, transport->host,
			       strlen(transport->host));
	gnutls_session_set_verify_cert(tls->session, transport->host, 0);
	gnutls_transport_set_int(tls->session, transport->fd);
	return shake_hands(transport, output);
}

int tls_write(struct transport *transport, struct export_output *output, const void *data, size_t n)
{
	const char *at = data;

	while (n) {
		ssize_t written = gnutls_record_send(transport->tls->session, at, n);
		int r;

		if (written >= 0) {
			at += written;
			n -= (size_t)written;
		} else if (written == GNUTLS_E_AGAIN) {
			r = wait_for(transport, output);
			if (r < 0)
				return export_fail(output, r, "write to %s", transport->host);
		} else if (gnutls_error_is_fatal((int)written)) {
			return fail(output, (int)written, "write");
		}
	}
	return 0;
}

int tls_read_all(struct transport *transport)
{
	char waste[1024];
	ssize_t n;

	do
		n = gnutls_record_recv(transport->tls->session, waste, sizeof(waste));
	while (n > 0 || n == GNUTLS_E_INTERRUPTED);
	return n == 0 || gnutls_error_is_fatal((int)n) ? -EPIPE : 0;
}

void tls_close(struct transport *transport)
{
	struct tls *tls = transport->tls;

	if (!tls)
		return;
	if (tls->session) {
		gnutls_bye(tls->session, GNUTLS_SHUT_WR);
		gnutls_deinit(tls->session);
	}
	if (tls->credentials)
		gnutls_certificate_free_credentials(tls->credentials);
	free(tls);
	transport->tls = NULL;
}

#else

int tls_open(struct transport *transport, struct export_output *output)
{
	(void)transport;
	return export_refuse(output, -EOPNOTSUPP, "this program was built without TLS (libgnutls)");
}

int tls_write(struct transport *transport, struct export_output *output, const void *data, size_t n)
{
	(void)transport, (void)output, (void)data, (void)n;
	return -EOPNOTSUPP;
}

int tls_read_all(struct transport *transport)
{
	(void)transport;
	return -EOPNOTSUPP;
}

void tls_close(struct transport *transport)
{
	(void)transport;
}

#endif
