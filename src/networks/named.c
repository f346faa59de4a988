// SPDX-License-Identifier: GPL-2.0-or-later
/* The file of networks with names, from text. Whose an address is: lookup.c. */
#include "networks/named.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "networks/lines.h"
#include "util/cleanup.h"

void named_list_free(struct named_list *list)
{
	network_list_free(&list->list);
	list->n_names = 0;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_in_name(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/* The length of the word at *text, which is moved to it; 0: there is none before the end. */
static size_t next_word(const char **text, const char *end)
{
	size_t n = 0;

	while (*text < end && is_space(**text))
		(*text)++;
	while (*text + n < end && !is_space((*text)[n]))
		n++;
	return n;
}

static bool is_name(const char *word, size_t length)
{
	if (!length || length >= NETWORK_NAME_SIZE || !is_letter(*word))
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_in_name(word[i]))
			return false;
	return true;
}

static int refuse_name(const char *word, size_t length, char why[NETWORK_WHY_MAX])
{
	struct network network;
	char ignored[NETWORK_WHY_MAX];

	if (network_parse(word, length, &network, ignored) == 0)
		snprintf(why, NETWORK_WHY_MAX,
			 "has no name; a line is NAME NETWORK..., as campus 192.0.2.0/24");
	else
		snprintf(why, NETWORK_WHY_MAX,
			 "begins with no name: a name has 1 to %d letters, digits, dots, '_' and "
			 "'-', and begins with a letter",
			 NETWORK_NAME_SIZE - 1);
	return -EINVAL;
}

static int find_name(struct named_list *list, const char *word, size_t length, uint8_t *ret,
		     char why[NETWORK_WHY_MAX])
{
	size_t i = 0;

	while (i < list->n_names &&
	       (strncmp(list->names[i], word, length) != 0 || list->names[i][length]))
		i++;
	if (i > NETWORK_NAMES_MAX) {
		snprintf(why, NETWORK_WHY_MAX, "is one name more than the %d that there can be",
			 NETWORK_NAMES_MAX);
		return -EINVAL;
	}
	if (i == list->n_names) {
		memcpy(list->names[i], word, length);
		list->names[i][length] = '\0';
		list->n_names++;
	}
	*ret = (uint8_t)i;
	return 0;
}

static int take_line(void *data, struct network_line *line, char why[NETWORK_WHY_MAX])
{
	struct named_list *list = data;
	const char *word = line->text, *end = word + line->length;
	size_t length = next_word(&word, end);
	uint8_t name;
	int r;

	if (!is_name(word, length))
		return refuse_name(word, length, why);
	if (word + length == end) {
		snprintf(why, NETWORK_WHY_MAX, "has no network behind the name");
		return -EINVAL;
	}
	r = find_name(list, word, length, &name, why);
	if (r < 0)
		return r;
	for (word += length; (length = next_word(&word, end)); word += length) {
		struct network network;

		r = network_parse(word, length, &network, why);
		if (r < 0) {
			line->text = word;
			line->length = length;
			return r;
		}
		network.name = name;
		network.line = line->number;
		r = network_list_add(&list->list, &network);
		if (r < 0)
			return r;
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct network *x = *(const struct network *const *)a;
	const struct network *y = *(const struct network *const *)b;
	int r = x->family - y->family;

	if (!r)
		r = memcmp(x->address, y->address, sizeof(x->address));
	if (!r)
		r = memcmp(x->mask, y->mask, sizeof(x->mask));
	/* In the order of the file. */
	return r ? r : x < y ? -1 : x > y;
}

/* Which of two names is meant can't be told. */
static int refuse_two_names(const struct named_list *list, const char *path,
			    network_error_fn on_error, void *userdata)
{
	const struct network_list *networks = &list->list;
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
	_cleanup_free_ const struct network **sorted = calloc(networks->n ?: 1, sizeof(*sorted));
	int r = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < networks->n; i++)
		sorted[i] = &networks->networks[i];
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): likewise */
	qsort(sorted, networks->n, sizeof(*sorted), compare);
	for (size_t i = 1; i < networks->n; i++) {
		const struct network *before = sorted[i - 1], *network = sorted[i];
		char text[NETWORK_TEXT_MAX], why[NETWORK_WHY_MAX];

		if (network->name == before->name || network->family != before->family ||
		    memcmp(network->address, before->address, sizeof(network->address)) != 0 ||
		    memcmp(network->mask, before->mask, sizeof(network->mask)) != 0)
			continue;
		network_format(network, text);
		snprintf(why, sizeof(why), "is %s here and %s in line %u; leave one of them out",
			 list->names[network->name], list->names[before->name], before->line);
		on_error(userdata, path, network->line, text, why);
		r = -EINVAL;
	}
	return r;
}

bool named_list_is(const char *data, size_t size)
{
	const char *end = data + size;

	while (data < end) {
		const char *newline = memchr(data, '\n', (size_t)(end - data));
		const char *line_end = newline ?: end, *word = data;
		const char *comment = memchr(data, '#', (size_t)(line_end - data));
		size_t length;

		if (comment)
			line_end = comment;
		else if (line_end > data && line_end[-1] == '\r')
			line_end--;
		length = next_word(&word, line_end);
		if (length) {
			const char *rest = word + length;

			return is_name(word, length) && next_word(&rest, line_end);
		}
		data = newline ? newline + 1 : end;
	}
	return false;
}

int named_list_parse(const char *data, size_t size, const char *path, network_error_fn on_error,
		     void *userdata, struct named_list *ret)
{
	_cleanup_(named_list_free) struct named_list list = { .names = { "internet" },
							      .n_names = 1 };
	int r = network_lines_parse(data, size, path, on_error, userdata, take_line, &list);

	if (r == 0)
		r = refuse_two_names(&list, path, on_error, userdata);
	if (r < 0)
		return r;
	*ret = list;
	list.list = (struct network_list){ 0 };
	return 0;
}

int named_list_read(const char *path, network_error_fn on_error, void *userdata,
		    struct named_list *ret)
{
	_cleanup_free_ char *data = NULL;
	size_t size = 0;
	int r = network_text_read(path, &data, &size);

	return r < 0 ? r
		     : named_list_parse(data, size, network_text_name(path), on_error, userdata,
					ret);
}
