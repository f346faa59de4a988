// SPDX-License-Identifier: GPL-2.0-or-later
/* The untracked list: a network a line. Lines are lines.c's, and what one network means is parse.c's. */
#include "networks/networks.h"

#include <errno.h>

#include "networks/lines.h"
#include "util/cleanup.h"
#include "util/log.h"

int network_list_add(struct network_list *list, const struct network *network)
{
	if (list->n == list->n_allocated) {
		size_t n = list->n_allocated ? list->n_allocated * 2 : 64;
		struct network *grown = reallocarray(list->networks, n, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		list->networks = grown;
		list->n_allocated = n;
	}
	list->networks[list->n++] = *network;
	return 0;
}

void network_list_free(struct network_list *list)
{
	free(list->networks);
	*list = (struct network_list){ 0 };
}

void network_log_error(void *userdata, const char *path, unsigned int line, const char *text,
		       const char *why)
{
	(void)userdata;
	log_error("%s:%u: `%s`: %s", path, line, text, why);
}

static int take_line(void *data, struct network_line *line, char why[NETWORK_WHY_MAX])
{
	struct network network;
	int r = network_parse(line->text, line->length, &network, why);

	if (r < 0)
		return r;
	network.line = line->number;
	return network_list_add(data, &network);
}

int network_list_parse(const char *data, size_t size, const char *path, network_error_fn on_error,
		       void *userdata, struct network_list *ret_list)
{
	_cleanup_(network_list_free) struct network_list list = { 0 };
	int r = network_lines_parse(data, size, path, on_error, userdata, take_line, &list);

	if (r < 0)
		return r;
	*ret_list = list;
	list = (struct network_list){ 0 };
	return 0;
}

int network_list_read(const char *path, network_error_fn on_error, void *userdata,
		      struct network_list *ret_list)
{
	_cleanup_free_ char *data = NULL;
	size_t size = 0;
	int r = network_text_read(path, &data, &size);

	return r < 0 ? r
		     : network_list_parse(data, size, network_text_name(path), on_error, userdata,
					  ret_list);
}
