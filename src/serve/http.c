// SPDX-License-Identifier: GPL-2.0-or-later
#include "serve/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "serve/peers.h"
#include "util/cleanup.h"
#include "util/log.h"

#define THREADS		4
#define CONNECTIONS_MAX 256u
#define MEMORY_MAX	16384u /* of a connection: its headers */
#define IDLE_S		15u
#define DAEMONS_MAX	16

/* Smaller bodies are not worth the time. */
#define COMPRESS_FROM 1400

struct http {
	struct server *server;
	struct peers *peers;
	struct MHD_Daemon *daemons[DAEMONS_MAX];
	size_t n;
};

/* A request from its first line to its end. */
struct exchange {
	const char *fault; /* of the target */
	struct ask ask;
};

const struct route serve_routes[] = {
	{ "/", "the page", false, page_answer },
	{ "/metrics", "for Prometheus", false, metrics_answer },
	{ "/api/v1/usage", "usage of a period", false, usage_answer },
	{ "/api/v1/live", "rates of this moment", false, live_answer },
	{ "/api/v1/status", "the meter's health", true, status_answer },
	{ 0 },
};

int reply_error(struct reply *reply, unsigned int status, const char *format, ...)
{
	char line[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	json_text_free(&reply->body);
	reply->status = status;
	reply->type = "text/plain; charset=utf-8";
	json_text_put(&reply->body, line);
	json_text_put(&reply->body, "\n");
	return 0;
}

bool ask_is_own(const struct asker *asker, const char *user)
{
	char number[16], buffer[4096];
	struct passwd entry, *found = NULL;

	snprintf(number, sizeof(number), "%u", asker->uid);
	if (strcmp(user, number) == 0)
		return true;
	return getpwuid_r(asker->uid, &entry, buffer, sizeof(buffer), &found) == 0 && found &&
	       strcmp(user, found->pw_name) == 0;
}

/* ---- what a request has to be ---- */

struct headers {
	size_t n_host, n_length;
	bool body, zero;
	const char *host;
};

static enum MHD_Result look_at_header(void *userdata, enum MHD_ValueKind kind, const char *name,
				      size_t name_size, const char *value, size_t value_size)
{
	struct headers *headers = userdata;

	(void)kind;
	if (strlen(name) != name_size || (value && strlen(value) != value_size))
		headers->zero = true;
	if (strcasecmp(name, "Host") == 0) {
		headers->n_host++;
		headers->host = value ? value : "";
	} else if (strcasecmp(name, "Content-Length") == 0) {
		headers->n_length++;
		headers->body |= !value || strcmp(value, "0") != 0;
	} else if (strcasecmp(name, "Transfer-Encoding") == 0) {
		headers->body = true;
	}
	return MHD_YES;
}

/* Returns true when the request may be answered; else the reply says why not. */
static bool judge_headers(const struct http *http, struct MHD_Connection *connection,
			  const char *version, struct reply *reply)
{
	struct headers headers = { 0 };

	MHD_get_connection_values_n(connection, MHD_HEADER_KIND, look_at_header, &headers);
	if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
		reply_error(reply, 505, "HTTP/1.1 and HTTP/1.0 are spoken here");
	else if (headers.zero)
		reply_error(reply, 400, "there is a zero byte in a header");
	else if (headers.body || headers.n_length > 1)
		reply_error(reply, 413, "a request has no body here");
	else if (headers.n_host > 1 || (!headers.n_host && strcmp(version, "HTTP/1.1") == 0))
		reply_error(reply, 400, "a request has one Host header");
	else if (headers.host && !access_host_is_good(&http->server->access, headers.host))
		reply_error(reply, 421,
			    "this is not the host of that name; --host NAME adds a name");
	else
		return true;
	return false;
}

/* ---- replies ---- */

static bool wants_gzip(struct MHD_Connection *connection)
{
	const char *accepted = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							   MHD_HTTP_HEADER_ACCEPT_ENCODING);
	const char *at = accepted ? strstr(accepted, "gzip") : NULL;

	return at && strncmp(at + 4, ";q=0", 4) != 0;
}

/* NULL: it stays as it is. */
static char *compress_body(const struct json_text *body, size_t *ret_size)
{
	z_stream stream = { 0 };
	size_t room;
	char *to;

	if (deflateInit2(&stream, 3, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return NULL;
	room = deflateBound(&stream, body->size);
	to = malloc(room);
	stream.next_in = (Bytef *)body->data;
	stream.avail_in = (uInt)body->size;
	stream.next_out = (Bytef *)to;
	stream.avail_out = (uInt)room;
	if (!to || deflate(&stream, Z_FINISH) != Z_STREAM_END) {
		free(to);
		to = NULL;
	}
	*ret_size = room - stream.avail_out;
	deflateEnd(&stream);
	return to;
}

static void add_headers(struct MHD_Response *response, const struct reply *reply)
{
	char policy[512];

	if (reply->nonce[0])
		snprintf(policy, sizeof(policy),
			 "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; "
			 "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'self'; "
			 "frame-ancestors 'none'",
			 reply->nonce, reply->nonce);
	else
		snprintf(policy, sizeof(policy), "default-src 'none'; frame-ancestors 'none'");
	MHD_add_response_header(response, "Content-Type", reply->type);
	MHD_add_response_header(response, "Content-Security-Policy", policy);
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
	MHD_add_response_header(response, "Cache-Control", "private, no-cache");
	MHD_add_response_header(response, "Vary", "Accept, Accept-Encoding, Authorization");
	if (reply->status == 401)
		MHD_add_response_header(response, "WWW-Authenticate",
					"Basic realm=\"traffic-meter: any name, the token\"");
	if (reply->status == 405)
		MHD_add_response_header(response, "Allow", "GET, HEAD");
}

/* FNV-1a: it tells a body that has not changed, nothing more. */
static void make_tag(const struct json_text *body, char ret[32])
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < body->size; i++)
		hash = (hash ^ (unsigned char)body->data[i]) * UINT64_C(0x100000001b3);
	snprintf(ret, 32, "W/\"%016llx\"", (unsigned long long)hash);
}

static struct MHD_Response *make_response(struct MHD_Connection *connection, struct reply *reply)
{
	const char *known = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							MHD_HTTP_HEADER_IF_NONE_MATCH);
	struct MHD_Response *response;
	char tag[32], *packed = NULL;
	size_t size = 0;

	make_tag(&reply->body, tag);
	if (!reply->status && !reply->nonce[0] && known && strcmp(known, tag) == 0) {
		reply->status = 304;
		reply->body.size = 0;
	}
	if (reply->body.size >= COMPRESS_FROM && wants_gzip(connection))
		packed = compress_body(&reply->body, &size);
	response = packed ? MHD_create_response_from_buffer(size, packed, MHD_RESPMEM_MUST_FREE)
			  : MHD_create_response_from_buffer(reply->body.size, reply->body.data,
							    MHD_RESPMEM_MUST_COPY);
	if (!response) {
		free(packed);
		return NULL;
	}
	add_headers(response, reply);
	if (packed)
		MHD_add_response_header(response, "Content-Encoding", "gzip");
	if (!reply->nonce[0] && (!reply->status || reply->status == 304))
		MHD_add_response_header(response, "ETag", tag);
	return response;
}

static enum MHD_Result send_reply(struct MHD_Connection *connection, struct reply *reply)
{
	struct MHD_Response *response;
	enum MHD_Result r;

	if (reply->body.failed)
		reply_error(reply, 503, "there is no memory for the answer");
	response = make_response(connection, reply);
	json_text_free(&reply->body);
	if (!response)
		return MHD_NO;
	r = MHD_queue_response(connection, reply->status ? reply->status : 200, response);
	MHD_destroy_response(response);
	return r;
}

/* ---- requests ---- */

/* For all paths: whoever may not see everything names no other user. */
static bool names_own_only(const struct ask *ask)
{
	const struct target *target = &ask->target;

	for (size_t i = 0; i < target->n && !ask->asker.everything; i++)
		if (strcmp(target->parameters[i].name, "user") == 0 &&
		    !ask_is_own(&ask->asker, target->parameters[i].value))
			return false;
	return true;
}

static void find_answer(struct http *http, struct exchange *exchange, struct reply *reply)
{
	const struct route *route = serve_routes;
	int r;

	while (route->path && strcmp(route->path, exchange->ask.target.path) != 0)
		route++;
	if (!route->path) {
		reply_error(reply, 404, "there is nothing at this path");
		return;
	}
	if (route->everything && !exchange->ask.asker.everything) {
		reply_error(reply, 403, "this is for root and the members of the meter's group");
		return;
	}
	if (!names_own_only(&exchange->ask)) {
		reply_error(reply, 403, "you may see your own traffic only");
		return;
	}
	r = route->answer(http->server, &exchange->ask, reply);
	if (r == -EACCES)
		reply_error(reply, 403, "you may see your own traffic only");
	else if (r == -ENOMEM)
		reply_error(reply, 503, "there is no memory for the answer");
	else if (r < 0 && (!reply->status || reply->status == 200))
		reply_error(reply, 503, "the answer can't be made now");
}

static bool find_asker(const struct http *http, struct MHD_Connection *connection,
		       struct exchange *exchange, struct reply *reply)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	const struct peer *peer = info ? info->socket_context : NULL;

	if (!peer) {
		reply_error(reply, 503, "there are too many connections; try again");
		return false;
	}
	exchange->ask.asker = peer->asker;
	if (peer->asker.known)
		return true;
	if (access_token_is_good(&http->server->access,
				 MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							     MHD_HTTP_HEADER_AUTHORIZATION))) {
		exchange->ask.asker = (struct asker){ .known = true, .everything = true };
		return true;
	}
	reply_error(reply, 401, "the token is missing or wrong");
	return false;
}

static enum MHD_Result answer_request(void *userdata, struct MHD_Connection *connection,
				      const char *url, const char *method, const char *version,
				      const char *body, size_t *body_size, void **context)
{
	struct http *http = userdata;
	struct exchange *exchange = *context;
	struct reply reply = { .type = "text/plain; charset=utf-8" };

	(void)url;
	(void)body;
	(void)body_size;
	if (!exchange)
		return MHD_NO;
	peers_set_busy(http->peers, connection, true);
	exchange->ask.accept =
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT)
			?: "";
	if (!judge_headers(http, connection, version, &reply))
		;
	else if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		reply_error(&reply, 405, "GET and HEAD are all there is");
	else if (exchange->fault)
		reply_error(&reply, 400, "%s", exchange->fault);
	else if (find_asker(http, connection, exchange, &reply))
		find_answer(http, exchange, &reply);
	return send_reply(connection, &reply);
}

/* The target as it came, before the library changes it. */
static void *begin_exchange(void *userdata, const char *uri, struct MHD_Connection *connection)
{
	struct exchange *exchange = malloc(sizeof(*exchange));

	(void)userdata;
	(void)connection;
	if (exchange)
		exchange->fault = target_parse(&exchange->ask.target, uri);
	return exchange;
}

static void end_exchange(void *userdata, struct MHD_Connection *connection, void **context,
			 enum MHD_RequestTerminationCode code)
{
	struct http *http = userdata;

	(void)code;
	peers_set_busy(http->peers, connection, false);
	free(*context);
	*context = NULL;
}

static void take_connection(void *userdata, struct MHD_Connection *connection,
			    void **socket_context, enum MHD_ConnectionNotificationCode code)
{
	struct http *http = userdata;

	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		*socket_context = peers_add(http->peers, connection);
	else
		peers_remove(http->peers, *socket_context);
}

/* What the library has to say is of clients, who could fill the log with it. */
static void ignore(void *userdata, const char *format, va_list arguments)
{
	(void)userdata;
	(void)format;
	(void)arguments;
}

static int start_daemon(struct http *http, int fd)
{
	struct MHD_Daemon *daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_ERROR_LOG, 0, NULL, NULL,
		answer_request, http, MHD_OPTION_EXTERNAL_LOGGER, ignore, NULL,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, (unsigned int)THREADS,
		MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)MEMORY_MAX, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, begin_exchange, NULL,
		MHD_OPTION_NOTIFY_COMPLETED, end_exchange, http, MHD_OPTION_NOTIFY_CONNECTION,
		take_connection, http, MHD_OPTION_END);

	if (!daemon) {
		log_error("the HTTP server can't be started");
		return -EIO;
	}
	http->daemons[http->n++] = daemon;
	return 0;
}

int http_start(struct http **ret, struct server *server, const int *fds, size_t n)
{
	struct http *http = calloc(1, sizeof(*http));
	int r = http ? peers_new(&http->peers, &server->access) : -ENOMEM;

	if (r < 0) {
		free(http);
		return log_error_errno(r, "start the HTTP server");
	}
	http->server = server;
	for (size_t i = 0; i < n && r == 0; i++)
		r = http->n < DAEMONS_MAX ? start_daemon(http, fds[i]) : -E2BIG;
	if (r < 0) {
		http_stop(http);
		return r;
	}
	*ret = http;
	return 0;
}

void http_tick(struct http *http)
{
	peers_tick(http->peers);
}

void http_stop(struct http *http)
{
	if (!http)
		return;
	for (size_t i = 0; i < http->n; i++)
		MHD_stop_daemon(http->daemons[i]);
	peers_free(http->peers);
	free(http);
}
