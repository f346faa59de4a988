// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Both ends of the control protocol: a request as a client may send it, and an answer as a meter may send
 * it. What the parser of answers takes is written again, and has to come out the same the second time.
 */
#include <stdlib.h>
#include <string.h>

#include "live/request.h"
#include "util/json_text.h"
#include "util/json_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct json_text write_again(const char *data, size_t size)
{
	struct json_text text = { 0 };
	struct json_tree tree = { 0 };

	if (json_parse(&tree, data, size) == 0) {
		json_tree_write(&tree, json_root(&tree), &text);
		if (!text.data || text.failed)
			abort();
	}
	json_tree_free(&tree);
	return text;
}

static void read_answer(const char *data, size_t size)
{
	struct json_text first = write_again(data, size), second;

	if (!first.data)
		return;
	second = write_again(first.data, first.size);
	if (first.size != second.size || memcmp(first.data, second.data, first.size) != 0)
		abort();
	json_text_free(&first);
	json_text_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request request = { .top = 0 };
	const char *error = NULL;

	if (request_parse((const char *)data, size, &request, &error) == 0) {
		if (request.top < 1 || request.top > REQUEST_TOP_MAX ||
		    request.every_s > REQUEST_EVERY_MAX || request.by > REQUEST_BY_CGROUP)
			abort();
	} else if (!error || strpbrk(error, "\"\\\n")) {
		abort();
	}
	read_answer((const char *)data, size);
	return 0;
}
