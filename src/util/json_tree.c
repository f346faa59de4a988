// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/json_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/utf8.h"

/* Strings are decoded in place: the decoded form is never longer. */
struct parser {
	struct json_tree tree;
	uint32_t allocated;
	char *at, *end;
	int error;
};

static bool fail(struct parser *parser, int error)
{
	if (!parser->error)
		parser->error = error;
	return false;
}

static void skip_space(struct parser *parser)
{
	while (parser->at < parser->end && strchr(" \t\r\n", *parser->at) && *parser->at)
		parser->at++;
}

static bool take(struct parser *parser, char c)
{
	skip_space(parser);
	if (parser->at == parser->end || *parser->at != c)
		return false;
	parser->at++;
	return true;
}

/* Returns 0 where there is no memory; the root is value 0 and never asked for by its parent. */
static bool new_value(struct parser *parser, uint32_t *ret)
{
	struct json_tree *tree = &parser->tree;

	if (tree->n == parser->allocated) {
		uint32_t n = parser->allocated ? parser->allocated * 2 : 64;
		struct json *values =
			n < UINT32_MAX / 2 ? reallocarray(tree->values, n, sizeof(*values)) : NULL;

		if (!values)
			return fail(parser, -ENOMEM);
		tree->values = values;
		parser->allocated = n;
	}
	*ret = tree->n++;
	tree->values[*ret] = (struct json){ 0 };
	return true;
}

static bool read_hex(struct parser *parser, uint32_t *ret)
{
	uint32_t code = 0;

	if (parser->end - parser->at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = *parser->at++;

		if (c >= '0' && c <= '9')
			code = code << 4 | (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			code = code << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return false;
	}
	*ret = code;
	return true;
}

static bool is_between(uint32_t code, uint32_t low, uint32_t high)
{
	return code >= low && code <= high;
}

/* \uXXXX, twice for what is beyond 16 bits. A zero, which would end the text, and half a pair are errors. */
static bool read_code(struct parser *parser, char **to)
{
	uint32_t code, low;

	if (!read_hex(parser, &code) || !code || is_between(code, 0xdc00, 0xdfff))
		return false;
	if (is_between(code, 0xd800, 0xdbff)) {
		if (parser->end - parser->at < 6 || *parser->at++ != '\\' || *parser->at++ != 'u' ||
		    !read_hex(parser, &low) || !is_between(low, 0xdc00, 0xdfff))
			return false;
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	*to += utf8_encode(code, *to);
	return true;
}

static bool read_escape(struct parser *parser, char **to)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	const char *found;

	if (parser->at == parser->end || !*parser->at)
		return false;
	if (*parser->at == 'u') {
		parser->at++;
		return read_code(parser, to);
	}
	found = strchr(from, *parser->at++);
	if (!found)
		return false;
	*(*to)++ = into[found - from];
	return true;
}

/* Behind the first quote. */
static bool read_string(struct parser *parser, const char **ret)
{
	char *to = parser->at;

	*ret = to;
	while (parser->at < parser->end) {
		unsigned char c = (unsigned char)*parser->at;
		size_t length;

		if (c == '"') {
			parser->at++;
			*to = '\0';
			return true;
		}
		if (c == '\\') {
			parser->at++;
			if (!read_escape(parser, &to))
				break;
			continue;
		}
		length = utf8_length(parser->at, (size_t)(parser->end - parser->at));
		if (c < 0x20 || !length)
			break;
		memmove(to, parser->at, length);
		to += length;
		parser->at += length;
	}
	return fail(parser, -EBADMSG);
}

static bool skip_digits(struct parser *parser)
{
	char *before = parser->at;

	while (parser->at < parser->end && *parser->at >= '0' && *parser->at <= '9')
		parser->at++;
	return parser->at > before;
}

/* A number is ended with a NUL later, when what stands behind it has been read. */
static bool read_number(struct parser *parser, const char **ret)
{
	char *begin = parser->at;

	if (*parser->at == '-')
		parser->at++;
	if (!skip_digits(parser))
		return fail(parser, -EBADMSG);
	if (parser->at < parser->end && *parser->at == '.') {
		parser->at++;
		if (!skip_digits(parser))
			return fail(parser, -EBADMSG);
	}
	if (parser->at < parser->end && (*parser->at | 0x20) == 'e') {
		parser->at++;
		if (parser->at < parser->end && (*parser->at == '+' || *parser->at == '-'))
			parser->at++;
		if (!skip_digits(parser))
			return fail(parser, -EBADMSG);
	}
	*ret = begin;
	return true;
}

static bool read_word(struct parser *parser, enum json_type *ret)
{
	static const char *const words[] = { "null", "false", "true" };

	for (int i = 0; i < 3; i++) {
		size_t n = strlen(words[i]);

		if ((size_t)(parser->end - parser->at) >= n &&
		    memcmp(parser->at, words[i], n) == 0) {
			parser->at += n;
			*ret = (enum json_type)i;
			return true;
		}
	}
	return fail(parser, -EBADMSG);
}

static bool read_value(struct parser *parser, uint32_t index, int depth);

/* Members of an array or object, behind its bracket. */
/* NOLINTNEXTLINE(misc-no-recursion): JSON_DEPTH_MAX deep */
static bool read_members(struct parser *parser, uint32_t parent, char closing, int depth)
{
	uint32_t last = 0;

	if (depth == JSON_DEPTH_MAX)
		return fail(parser, -EBADMSG);
	if (take(parser, closing))
		return true;
	do {
		const char *name = NULL;
		uint32_t index;

		if (closing == '}' &&
		    (!take(parser, '"') || !read_string(parser, &name) || !take(parser, ':')))
			return fail(parser, -EBADMSG);
		if (!new_value(parser, &index) || !read_value(parser, index, depth + 1))
			return false;
		parser->tree.values[index].name = name;
		if (last)
			parser->tree.values[last].next = index;
		else
			parser->tree.values[parent].first = index;
		last = index;
	} while (take(parser, ','));
	return take(parser, closing) || fail(parser, -EBADMSG);
}

/* NOLINTNEXTLINE(misc-no-recursion): JSON_DEPTH_MAX deep */
static bool read_value(struct parser *parser, uint32_t index, int depth)
{
	enum json_type type = JSON_NULL;
	const char *text = NULL;
	bool good;

	skip_space(parser);
	if (parser->at == parser->end)
		return fail(parser, -EBADMSG);
	if (*parser->at == '"') {
		type = JSON_STRING;
		parser->at++;
		good = read_string(parser, &text);
	} else if (*parser->at == '{' || *parser->at == '[') {
		type = *parser->at == '{' ? JSON_OBJECT : JSON_ARRAY;
		parser->at++;
		good = read_members(parser, index, type == JSON_OBJECT ? '}' : ']', depth);
	} else if (*parser->at == '-' || (*parser->at >= '0' && *parser->at <= '9')) {
		type = JSON_NUMBER;
		good = read_number(parser, &text);
	} else {
		good = read_word(parser, &type);
	}
	if (!good)
		return false;
	parser->tree.values[index].type = type;
	parser->tree.values[index].text = text;
	return true;
}

static void end_numbers(struct json_tree *tree)
{
	for (uint32_t i = 0; i < tree->n; i++) {
		char *at = (char *)tree->values[i].text;

		if (tree->values[i].type != JSON_NUMBER)
			continue;
		while (*at && strchr("+-.0123456789eE", *at))
			at++;
		*at = '\0';
	}
}

int json_parse(struct json_tree *ret, const char *text, size_t size)
{
	struct parser parser = { .tree.text = malloc(size + 1) };
	uint32_t root;

	if (!parser.tree.text)
		return -ENOMEM;
	memcpy(parser.tree.text, text, size);
	parser.tree.text[size] = '\0';
	parser.at = parser.tree.text;
	parser.end = parser.at + size;
	if (new_value(&parser, &root) && read_value(&parser, root, 0)) {
		skip_space(&parser);
		if (parser.at != parser.end)
			fail(&parser, -EBADMSG);
	}
	if (parser.error) {
		json_tree_free(&parser.tree);
		return parser.error;
	}
	end_numbers(&parser.tree);
	*ret = parser.tree;
	return 0;
}

void json_tree_free(struct json_tree *tree)
{
	free(tree->values);
	free(tree->text);
	*tree = (struct json_tree){ 0 };
}

const struct json *json_get(const struct json_tree *tree, const struct json *object,
			    const char *name)
{
	if (!object || object->type != JSON_OBJECT)
		return NULL;
	for (const struct json *at = json_first(tree, object); at; at = json_next(tree, at))
		if (strcmp(at->name, name) == 0)
			return at;
	return NULL;
}

const struct json *json_get_path(const struct json_tree *tree, const struct json *object,
				 const char *path)
{
	char name[64];

	while (object && *path) {
		size_t n = strcspn(path, ".");

		if (n >= sizeof(name))
			return NULL;
		memcpy(name, path, n);
		name[n] = '\0';
		object = json_get(tree, object, name);
		path += n + (path[n] == '.');
	}
	return object;
}

/* NOLINTNEXTLINE(misc-no-recursion): the parser has bounded the depth */
void json_tree_write(const struct json_tree *tree, const struct json *value, struct json_text *text)
{
	static const char *const words[] = { "null", "false", "true" };
	bool is_object = value->type == JSON_OBJECT;

	if (value->type == JSON_STRING)
		json_text_put_string(text, value->text);
	else if (value->type == JSON_NUMBER)
		json_text_put(text, value->text);
	else if (value->type < JSON_NUMBER)
		json_text_put(text, words[value->type]);
	if (value->type < JSON_ARRAY)
		return;
	json_text_put(text, is_object ? "{" : "[");
	for (const struct json *at = json_first(tree, value); at; at = json_next(tree, at)) {
		if (is_object) {
			json_text_put_string(text, at->name);
			json_text_put(text, ":");
		}
		json_tree_write(tree, at, text);
		if (at->next)
			json_text_put(text, ",");
	}
	json_text_put(text, is_object ? "}" : "]");
}

uint64_t json_uint(const struct json *value, uint64_t otherwise)
{
	uint64_t number;
	char *end;

	if (!value || value->type != JSON_NUMBER || *value->text == '-')
		return otherwise;
	errno = 0;
	number = strtoull(value->text, &end, 10);
	return errno || *end ? otherwise : number;
}

int64_t json_int(const struct json *value, int64_t otherwise)
{
	int64_t number;
	char *end;

	if (!value || value->type != JSON_NUMBER)
		return otherwise;
	errno = 0;
	number = strtoll(value->text, &end, 10);
	return errno || *end ? otherwise : number;
}

double json_double(const struct json *value, double otherwise)
{
	return value && value->type == JSON_NUMBER ? strtod(value->text, NULL) : otherwise;
}

const char *json_string(const struct json *value, const char *otherwise)
{
	return value && value->type == JSON_STRING ? value->text : otherwise;
}
