/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading JSON (RFC 8259) into a tree in memory. Text from a peer is not trusted: size, depth and number of
 * values are bounded by the caller's text and JSON_DEPTH_MAX.
 */
#ifndef UTIL_JSON_TREE_H
#define UTIL_JSON_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/json_text.h"

#define JSON_DEPTH_MAX 32

enum json_type {
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json {
	enum json_type type;
	uint32_t next;	  /* index of the next value of the same parent; 0: it is the last */
	uint32_t first;	  /* index of the first member of an array or object; 0: there is none */
	const char *name; /* in an object; NULL else */
	const char *text; /* of a string, or the digits of a number; NUL-terminated UTF-8 */
};

/* values[0] is the root. */
struct json_tree {
	struct json *values;
	uint32_t n;
	char *text; /* what the pointers point into */
};

/* Parses text that is JSON from its first byte to its last, but for white space. Returns 0, -ENOMEM, or
 * -EBADMSG. */
int json_parse(struct json_tree *ret, const char *text, size_t size);
void json_tree_free(struct json_tree *tree);

/* The value of a name in an object. NULL: it is not there, or `object` is no object or NULL. */
const struct json *json_get(const struct json_tree *tree, const struct json *object,
			    const char *name);

/* By a path of names with points between, as "counted.in.bytes", from `object` on. */
const struct json *json_get_path(const struct json_tree *tree, const struct json *object,
				 const char *path);

static inline const struct json *json_root(const struct json_tree *tree)
{
	return tree->n ? &tree->values[0] : NULL;
}

/* The members of an array or object in their order. NULL: no more. */
static inline const struct json *json_first(const struct json_tree *tree, const struct json *value)
{
	return value && value->first ? &tree->values[value->first] : NULL;
}

static inline const struct json *json_next(const struct json_tree *tree, const struct json *value)
{
	return value->next ? &tree->values[value->next] : NULL;
}

/* Appends a value as JSON, without white space. */
void json_tree_write(const struct json_tree *tree, const struct json *value,
		     struct json_text *text);

/* The value as an integer or number; `otherwise` when it is NULL or no number that fits. */
uint64_t json_uint(const struct json *value, uint64_t otherwise);
int64_t json_int(const struct json *value, int64_t otherwise);
double json_double(const struct json *value, double otherwise);

/* The text of a string; `otherwise` when it is NULL or no string. */
const char *json_string(const struct json *value, const char *otherwise);

#endif
