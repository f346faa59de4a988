// SPDX-License-Identifier: GPL-2.0-or-later
/* Questions: the keys' names, and putting a question to its source. */
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query/query.h"
#include "query/source.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/options.h"
#include "util/text.h"

static const char *const key_names[QUERY_KEYS] = {
	[QUERY_USER] = "user",	     [QUERY_LOGIN] = "login",	    [QUERY_NETWORK] = "network",
	[QUERY_REMOTE] = "remote",   [QUERY_SERVICE] = "service",   [QUERY_INTERFACE] = "interface",
	[QUERY_PROGRAM] = "program", [QUERY_WORKLOAD] = "workload", [QUERY_DIRECTION] = "direction",
	[QUERY_HOUR] = "hour",	     [QUERY_DAY] = "day",	    [QUERY_MONTH] = "month",
	[QUERY_SLOT] = "slot",
};

const char *query_key_name(enum query_key key)
{
	return key_names[key];
}

void question_init(struct question *question)
{
	*question = (struct question){ .sees_everything = true };
}

void question_free(struct question *question)
{
	for (size_t key = 0; key < QUERY_KEYS_FILTERED; key++) {
		for (size_t i = 0; i < question->filters[key].n; i++)
			free(question->filters[key].values[i]);
		free(question->filters[key].values);
	}
	question_init(question);
}

static int complain_key(const char *name, const char *where)
{
	const char *nearest = NULL;
	unsigned int best = UINT_MAX;

	for (size_t key = 0; key < QUERY_SLOT; key++)
		if (text_resembles(name, key_names[key], &best))
			nearest = key_names[key];
	if (nearest)
		log_error("%s: '%s' is nothing to group by; did you mean '%s'?", where, name,
			  nearest);
	else
		log_error(
			"%s: '%s' is nothing to group by; there are user, login, network, remote, "
			"service, interface, program, workload, direction, hour, day, month",
			where, name);
	return -EINVAL;
}

static int add_key(struct question *question, const char *name, const char *where)
{
	enum query_key key = QUERY_USER;

	while (key < QUERY_SLOT && strcmp(name, key_names[key]) != 0)
		key++;
	if (key == QUERY_SLOT)
		return complain_key(name, where);
	for (size_t i = 0; i < question->n_by; i++) {
		if (question->by[i] == key) {
			log_error("%s: '%s' is named twice", where, name);
			return -EINVAL;
		}
		if (query_key_is_time(question->by[i]) && query_key_is_time(key)) {
			log_error("%s: '%s' and '%s' don't go together: the finer one tells the "
				  "other; name one time",
				  where, key_names[question->by[i]], name);
			return -EINVAL;
		}
	}
	if (question->n_by == QUERY_BY_MAX) {
		log_error("%s: group by %d things at most", where, QUERY_BY_MAX);
		return -EINVAL;
	}
	question->by[question->n_by++] = key;
	return 0;
}

int question_set_by(struct question *question, const char *names, const char *where)
{
	_cleanup_free_ char *copy = strdup(names);
	char *next = copy;

	if (!copy)
		return log_error_errno(-ENOMEM, "read %s", where);
	question->n_by = 0;
	while (next) {
		int r = add_key(question, strsep(&next, ","), where);

		if (r < 0)
			return r;
	}
	return 0;
}

int question_filter(struct question *question, enum query_key key, const char *value)
{
	return traffic_strings_add(&question->filters[key], value);
}

void answer_free(struct answer *answer)
{
	for (size_t i = 0; i < answer->n_rows; i++)
		for (size_t j = 0; j < QUERY_BY_MAX; j++)
			free(answer->rows[i].values[j].text);
	free(answer->rows);
	*answer = (struct answer){ 0 };
}

/* Each kind of a history, and what has it. */
static const struct query_source_ops *const sources[] = {
#ifdef HAVE_SQLITE3
	&history_source,
#endif
	NULL,
};

int query_open(const char *spec, struct query_source *ret)
{
	size_t length = strcspn(spec, ":");
	struct query_source source = { 0 };
	int r;

	for (size_t i = 0; sources[i] && spec[length]; i++) {
		if (strlen(sources[i]->kind) != length ||
		    strncmp(sources[i]->kind, spec, length) != 0)
			continue;
		source.ops = sources[i];
		r = source.ops->open(&source, spec + length + 1);
		if (r < 0)
			return r;
		*ret = source;
		return 0;
	}
#ifndef HAVE_SQLITE3
	if (strncmp(spec, "history:", 8) == 0) {
		log_error("this program was built without sqlite3, so it can't read %s: build it "
			  "where libsqlite3-dev is installed",
			  spec);
		return -EOPNOTSUPP;
	}
#endif
	log_error("'%s' is no place to ask; give history:FILE", spec);
	return -EINVAL;
}

void query_close(struct query_source *source)
{
	if (source->ops)
		source->ops->close(source);
	*source = (struct query_source){ 0 };
}

/* Is this value of --user the asker, by number or by name? */
static bool is_asker(uint32_t uid, const char *value)
{
	const struct passwd *entry;
	char number[16];

	snprintf(number, sizeof(number), "%u", uid);
	if (strcmp(value, number) == 0)
		return true;
	entry = getpwuid(uid); /* NOLINT(concurrency-mt-unsafe): one thread asks */
	return entry && strcmp(value, entry->pw_name) == 0;
}

/* Sets the filter by users to what the asker may see. own: freed by the caller. */
static int restrict_users(struct question *question, struct traffic_strings *own)
{
	const struct traffic_strings *wanted = &question->filters[QUERY_USER];
	char number[16];
	int r;

	for (size_t i = 0; i < wanted->n; i++)
		if (!is_asker(question->asker_uid, wanted->values[i]))
			return -EACCES;
	snprintf(number, sizeof(number), "%u", question->asker_uid);
	r = traffic_strings_add(own, number);
	question->filters[QUERY_USER] = *own;
	return r;
}

static void free_strings(struct traffic_strings *strings)
{
	for (size_t i = 0; i < strings->n; i++)
		free(strings->values[i]);
	free(strings->values);
}

int query_ask(struct query_source *source, const struct question *question,
	      struct answer *ret_answer)
{
	_cleanup_(free_strings) struct traffic_strings own = { 0 };
	struct question allowed = *question;
	struct answer answer = { 0 };
	int r = 0;

	if (question->until_s <= question->since_s) {
		log_error("the period ends before it begins");
		return -EINVAL;
	}
	if (!question->sees_everything)
		r = restrict_users(&allowed, &own);
	if (r < 0)
		return r;
	r = source->ops->ask(source, &allowed, &answer);
	if (r < 0) {
		answer_free(&answer);
		return r;
	}
	*ret_answer = answer;
	return 0;
}
