// SPDX-License-Identifier: GPL-2.0-or-later
/* /api/v1/live and /api/v1/status: the meter's own answers (docs/protocol.md), cut down to what may be seen. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "live/client.h"
#include "serve/serve.h"
#include "util/cleanup.h"

#define METER_TIMEOUT_MS 3000

static int complain(const struct server *server, int error, struct reply *reply)
{
	if (error == -ENOENT || error == -ECONNREFUSED)
		return reply_error(reply, 503, "no meter of the instance '%s' is running",
				   server->instance);
	if (error == -EACCES)
		return reply_error(reply, 503,
				   "this program may not ask the meter: run it as a member of the "
				   "meter's group");
	return reply_error(reply, 503, "the meter does not answer");
}

static bool is_number(const char *text)
{
	return *text && strlen(text) < 10 && text[strspn(text, "0123456789")] == '\0';
}

static bool is_word(const char *text, const char *const *words)
{
	while (*words && strcmp(*words, text) != 0)
		words++;
	return *words;
}

/* The request to the meter; 0 or the reply's status. */
static unsigned int make_request(const struct ask *ask, char *ret, size_t size,
				 const char **ret_why)
{
	static const char *const whats[] = { "users", "interfaces", "flows", "groups", NULL };
	static const char *const bys[] = { "remote",  "network", "workload",
					   "program", "cgroup",	 NULL };
	const struct target *target = &ask->target;
	const char *what = target_get(target, "what") ?: "users", *by = target_get(target, "by");
	const char *user = target_get(target, "user"), *top = target_get(target, "top") ?: "100";
	bool by_user = strcmp(what, "flows") == 0 || strcmp(what, "groups") == 0;
	int n;

	*ret_why = "what= is users, interfaces, flows or groups; by= remote, network, workload, "
		   "program or cgroup; user= a uid; top= a number";
	if (!is_word(what, whats) || (by && !is_word(by, bys)) || !is_number(top) ||
	    (by && strcmp(what, "groups") != 0))
		return 400;
	if (!ask->asker.everything) {
		*ret_why = "you may see your own traffic only";
		if (strcmp(what, "interfaces") == 0)
			return 403;
	} else if (user && (!is_number(user) || !by_user)) {
		return 400;
	}
	/* A user's own line is to be among the answer's. */
	n = snprintf(ret, size, "%s top=%s", what, ask->asker.everything ? top : "5000");
	if (by)
		n += snprintf(ret + n, size - (size_t)n, " by=%s", by);
	if (by_user && !ask->asker.everything)
		snprintf(ret + n, size - (size_t)n, " user=%u", ask->asker.uid);
	else if (by_user && user)
		snprintf(ret + n, size - (size_t)n, " user=%s", user);
	return 0;
}

/* Of the users' answer the asker's own entry alone. What is left out is not summed up either. */
static void put_own(const struct json_tree *answer, uint32_t uid, struct json_text *text)
{
	static const char *const kept[] = { "protocol", "answer", "version", "instance",
					    "time",	"looked", "interval" };
	const struct json *root = json_root(answer), *user;

	json_text_put(text, "{");
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		json_text_printf(text, "%s\"%s\":", i ? "," : "", kept[i]);
		if (json_get(answer, root, kept[i]))
			json_tree_write(answer, json_get(answer, root, kept[i]), text);
		else
			json_text_put(text, "null");
	}
	json_text_put(text, ",\"users\":[");
	user = json_first(answer, json_get(answer, root, "users"));
	for (; user; user = json_next(answer, user))
		if (json_int(json_get(answer, user, "uid"), -1) == (int64_t)uid)
			json_tree_write(answer, user, text);
	json_text_put(text, "]}");
}

int live_answer(struct server *server, const struct ask *ask, struct reply *reply)
{
	_cleanup_(json_tree_free) struct json_tree answer = { 0 };
	const char *why;
	char request[128];
	unsigned int status = make_request(ask, request, sizeof(request), &why);
	int r;

	if (status)
		return reply_error(reply, status, "%s", why);
	r = client_ask(server->instance, request, METER_TIMEOUT_MS, &answer);
	if (r < 0)
		return complain(server, r, reply);
	reply->type = "application/json";
	if (!ask->asker.everything && strncmp(request, "users ", 6) == 0)
		put_own(&answer, ask->asker.uid, &reply->body);
	else
		json_tree_write(&answer, json_root(&answer), &reply->body);
	json_text_put(&reply->body, "\n");
	return 0;
}

int status_answer(struct server *server, const struct ask *ask, struct reply *reply)
{
	_cleanup_(json_tree_free) struct json_tree answer = { 0 };
	int r = client_ask(server->instance, "status", METER_TIMEOUT_MS, &answer);

	(void)ask;
	if (r < 0)
		return complain(server, r, reply);
	reply->type = "application/json";
	json_tree_write(&answer, json_root(&answer), &reply->body);
	json_text_put(&reply->body, "\n");
	return 0;
}
