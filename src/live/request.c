// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <traffic_meter/record.h>

static const struct {
	const char *word;
	enum request_kind kind;
} words[] = {
	{ "status", REQUEST_STATUS },	      { "users", REQUEST_USERS },
	{ "interfaces", REQUEST_INTERFACES }, { "flows", REQUEST_FLOWS },
	{ "groups", REQUEST_GROUPS },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *const request_by_names[] = {
	[REQUEST_BY_REMOTE] = "remote",	    [REQUEST_BY_NETWORK] = "network",
	[REQUEST_BY_WORKLOAD] = "workload", [REQUEST_BY_PROGRAM] = "program",
	[REQUEST_BY_CGROUP] = "cgroup",	    NULL,
};

static int refuse(const char **ret_error, const char *error)
{
	*ret_error = error;
	return -EINVAL;
}

static bool read_number(const char *text, uint64_t minimum, uint64_t maximum, uint32_t *ret)
{
	uint64_t number = 0;

	if (!*text || strlen(text) > 10)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		number = number * 10 + (uint64_t)(*text - '0');
	}
	if (number < minimum || number > maximum)
		return false;
	*ret = (uint32_t)number;
	return true;
}

static bool read_by(const char *text, enum request_by *ret)
{
	for (int i = 0; request_by_names[i]; i++)
		if (strcmp(text, request_by_names[i]) == 0) {
			*ret = (enum request_by)i;
			return true;
		}
	return false;
}

static bool read_user(const char *text, struct request *request)
{
	request->has_user = true;
	if (strcmp(text, "none") == 0) {
		request->uid = TRAFFIC_NO_UID;
		return true;
	}
	return read_number(text, 0, TRAFFIC_NO_UID - 1, &request->uid);
}

static int read_option(const char *name, const char *value, struct request *request,
		       const char **ret_error)
{
	uint32_t protocol;

	if (strcmp(name, "protocol") == 0)
		return read_number(value, PROTOCOL_VERSION, PROTOCOL_VERSION, &protocol)
			       ? 0
			       : refuse(ret_error, "protocol: this meter speaks 1 only");
	if (strcmp(name, "top") == 0)
		return read_number(value, 1, REQUEST_TOP_MAX, &request->top)
			       ? 0
			       : refuse(ret_error, "top: a number from 1 to 5000");
	if (strcmp(name, "every") == 0)
		return read_number(value, 1, REQUEST_EVERY_MAX, &request->every_s)
			       ? 0
			       : refuse(ret_error, "every: seconds from 1 to 3600");
	if (strcmp(name, "id") == 0)
		return read_number(value, 0, UINT32_MAX, &request->id)
			       ? 0
			       : refuse(ret_error, "id: a number of 32 bits");
	if (strcmp(name, "user") == 0)
		return read_user(value, request)
			       ? 0
			       : refuse(ret_error, "user: a uid as a number, or none");
	if (strcmp(name, "by") == 0)
		return read_by(value, &request->by)
			       ? 0
			       : refuse(ret_error,
					"by: remote, network, workload, program or cgroup");
	return refuse(ret_error, "unknown option: there are protocol, id, top, every, user and by");
}

int request_parse(const char *line, size_t size, struct request *ret, const char **ret_error)
{
	struct request request = { .top = REQUEST_TOP_DEFAULT };
	char text[REQUEST_MAX + 1], *at = text, *word;
	size_t i;
	int r;

	if (size > REQUEST_MAX)
		return refuse(ret_error, "the line is longer than 255 bytes");
	if (memchr(line, '\0', size))
		return refuse(ret_error, "the line has a zero byte");
	memcpy(text, line, size);
	text[size] = '\0';
	if (size && text[size - 1] == '\r')
		text[size - 1] = '\0';
	word = strsep(&at, " ");
	for (i = 0; i < COUNT(words) && strcmp(word, words[i].word) != 0;)
		i++;
	if (i == COUNT(words))
		return refuse(ret_error, "unknown request: there are status, users, interfaces, "
					 "flows and groups");
	request.kind = words[i].kind;
	while ((word = strsep(&at, " "))) {
		char *value = strchr(word, '=');

		if (!*word)
			continue;
		if (!value)
			return refuse(ret_error, "options are NAME=VALUE");
		*value = '\0';
		r = read_option(word, value + 1, &request, ret_error);
		if (r < 0)
			return r;
	}
	*ret = request;
	return 0;
}
