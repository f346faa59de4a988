// SPDX-License-Identifier: GPL-2.0-or-later
#include "serve/target.h"

#include <stdbool.h>
#include <string.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place. False: an escape that is none, or one of a zero or control character. */
static bool decode(char *text)
{
	char *to = text;

	for (; *text; text++) {
		int high, low;

		if (*text == '+') {
			*to++ = ' ';
			continue;
		}
		if (*text != '%') {
			*to++ = *text;
			continue;
		}
		high = hex_digit(text[1]);
		low = high < 0 ? -1 : hex_digit(text[2]);
		if (low < 0 || high * 16 + low < 0x20 || high * 16 + low == 0x7f)
			return false;
		*to++ = (char)(high * 16 + low);
		text += 2;
	}
	*to = '\0';
	return true;
}

/* Bytes of UTF-8 that begin here; 0: there is no character. Overlong forms and surrogates are none. */
static size_t character(const unsigned char *at)
{
	unsigned int code;
	size_t n;

	if (*at < 0x80)
		return 1;
	n = *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : 2;
	if (*at < 0xc2 || *at > 0xf4)
		return 0;
	code = *at & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (at[i] & 0x3fu);
	}
	if (code < (n == 4   ? 0x10000u
		    : n == 3 ? 0x800u
			     : 0x80u) ||
	    code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	return n;
}

static bool is_text(const char *text)
{
	size_t n;

	for (; *text; text += n) {
		n = character((const unsigned char *)text);
		if (!n)
			return false;
	}
	return true;
}

/* All paths of ours are plain: no escape, no `..`, nothing twice. */
static bool is_plain_path(const char *path)
{
	if (*path != '/' || strstr(path, "//") || strstr(path, ".."))
		return false;
	return path[strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				 "/._-")] == '\0';
}

static const char *parse_parameters(struct target *target, char *query)
{
	while (query && *query) {
		char *name = strsep(&query, "&"), *value = strchr(name, '=');
		static char nothing[] = "";

		if (!*name)
			continue;
		if (value)
			*value++ = '\0';
		else
			value = nothing;
		if (target->n == TARGET_PARAMETERS_MAX)
			return "too many parameters";
		if (!decode(name) || !decode(value) || !is_text(name) || !is_text(value))
			return "a parameter has an escape that is no character";
		target->parameters[target->n++] = (struct target_parameter){ name, value };
	}
	return NULL;
}

const char *target_parse(struct target *ret, const char *raw)
{
	char *query;

	ret->path = ret->query = "";
	ret->n = 0;
	if (strlen(raw) > TARGET_LENGTH_MAX)
		return "the address is too long";
	for (const char *at = raw; *at; at++)
		if ((unsigned char)*at <= 0x20 || (unsigned char)*at >= 0x7f)
			return "the address has a character that has to be escaped";
	memcpy(ret->text, raw, strlen(raw) + 1);
	query = strchr(ret->text, '?');
	if (query)
		*query++ = '\0';
	if (!is_plain_path(ret->text))
		return "the path is not plain";
	ret->path = ret->text;
	if (query)
		memcpy(ret->raw_query, query, strlen(query) + 1);
	else
		ret->raw_query[0] = '\0';
	ret->query = ret->raw_query;
	return parse_parameters(ret, query);
}

const char *target_get(const struct target *target, const char *name)
{
	for (size_t i = 0; i < target->n; i++)
		if (strcmp(target->parameters[i].name, name) == 0)
			return target->parameters[i].value;
	return NULL;
}
