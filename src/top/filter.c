// SPDX-License-Identifier: GPL-2.0-or-later
#include "top/filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum field {
	FIELD_NAME,
	FIELD_USER,
	FIELD_PORT,
	FIELD_REMOTE,
	FIELD_NETWORK,
	FIELD_PROGRAM,
	FIELD_INTERFACE,
	FIELD_WORKLOAD,
	FIELD_PROTOCOL,
};

static const struct {
	const char *prefix;
	enum field field;
} fields[] = {
	{ "user:", FIELD_USER },     { "port:", FIELD_PORT },	  { "dst:", FIELD_REMOTE },
	{ "remote:", FIELD_REMOTE }, { "net:", FIELD_NETWORK },	  { "prog:", FIELD_PROGRAM },
	{ "if:", FIELD_INTERFACE },  { "work:", FIELD_WORKLOAD }, { "proto:", FIELD_PROTOCOL },
};

#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static enum field field_of(const char **word)
{
	for (size_t i = 0; i < N_FIELDS; i++) {
		size_t n = strlen(fields[i].prefix);

		if (strncmp(*word, fields[i].prefix, n) == 0) {
			*word += n;
			return fields[i].field;
		}
	}
	return FIELD_NAME;
}

static bool has_part(const char *text, const char *part)
{
	return strcasestr(text, part) != NULL;
}

static bool matches_user(const struct row *row, const char *user, const char *value)
{
	char uid[16];

	snprintf(uid, sizeof(uid), "%u", row->uid);
	if (!row->has_uid)
		return strcmp(value, "none") == 0;
	return strcmp(uid, value) == 0 || (user && has_part(user, value));
}

static bool matches_port(const struct row *row, const char *value)
{
	unsigned long port = strtoul(value, NULL, 10);

	return row->local_port == port || row->remote_port == port;
}

/* Of what the view does not show nothing is known, so nothing is hidden. */
static bool matches_field(enum field field, enum view view, const struct row *row, const char *user,
			  const char *value)
{
	bool flows = view == VIEW_USER_FLOWS;

	switch (field) {
	case FIELD_NAME:
		return has_part(row->name, value) || (user && has_part(user, value)) ||
		       has_part(row->program, value);
	case FIELD_USER:
		return view == VIEW_INTERFACES || view == VIEW_NETWORKS ||
		       matches_user(row, user, value);
	case FIELD_PORT:
		return !flows || matches_port(row, value);
	case FIELD_REMOTE:
		return !row->remote[0] || strncmp(row->remote, value, strlen(value)) == 0;
	case FIELD_NETWORK:
		return view != VIEW_NETWORKS || has_part(row->name, value);
	case FIELD_PROGRAM:
		return view == VIEW_USER_PROGRAMS ? has_part(row->name, value)
						  : !flows || has_part(row->program, value);
	case FIELD_INTERFACE:
		return view == VIEW_INTERFACES ? has_part(row->name, value)
					       : !flows || has_part(row->interface, value);
	case FIELD_WORKLOAD:
		return (view != VIEW_WORKLOADS && view != VIEW_USER_WORKLOADS) ||
		       has_part(row->name, value);
	case FIELD_PROTOCOL:
		return !flows || strcmp(row->protocol, value) == 0;
	}
	return true;
}

bool filter_matches(const char *filter, enum view view, const struct row *row, const char *user)
{
	char words[FILTER_MAX + 1], *rest = words, *word;

	snprintf(words, sizeof(words), "%s", filter);
	while ((word = strsep(&rest, " "))) {
		bool turned = *word == '!';
		const char *value = word + turned;
		enum field field = field_of(&value);

		if (*value && matches_field(field, view, row, user, value) == turned)
			return false;
	}
	return true;
}

const char *filter_error(const char *filter)
{
	char words[FILTER_MAX + 1], *rest = words, *word;

	if (strlen(filter) > FILTER_MAX)
		return "it is longer than 120 characters";
	snprintf(words, sizeof(words), "%s", filter);
	while ((word = strsep(&rest, " "))) {
		const char *value = word + (*word == '!');
		const char *colon = strchr(value, ':');

		/* An IPv6 address is a name with colons. */
		if (field_of(&value) == FIELD_NAME && colon && colon > value &&
		    strspn(value, "abcdefghijklmnopqrstuvwxyz") == (size_t)(colon - value) &&
		    strspn(value, "abcdef") != (size_t)(colon - value))
			return "there are user: port: dst: net: prog: if: work: proto:, or a part "
			       "of "
			       "a name";
	}
	return NULL;
}
