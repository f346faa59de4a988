// SPDX-License-Identifier: GPL-2.0-or-later
#include "top/model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "top/clean.h"

static const struct {
	const char *name;
	const char *request; /* with the user's uid for %s, where there is a place for it */
	const char *answer;  /* the name of the array in the answer */
} views[VIEWS] = {
	[VIEW_USERS] = { "Users", "users top=5000", "users" },
	[VIEW_WORKLOADS] = { "Workloads", "groups by=workload top=1000", "groups" },
	[VIEW_NETWORKS] = { "Networks", "groups by=network top=100", "groups" },
	[VIEW_REMOTES] = { "Remotes", "groups by=remote top=1000", "groups" },
	[VIEW_INTERFACES] = { "Interfaces", "interfaces top=5000", "interfaces" },
	[VIEW_USER_FLOWS] = { "Connections", "flows top=500 user=%s", "flows" },
	[VIEW_USER_PROGRAMS] = { "Programs", "groups by=program top=500 user=%s", "groups" },
	[VIEW_USER_WORKLOADS] = { "Workloads", "groups by=workload top=500 user=%s", "groups" },
	[VIEW_USER_REMOTES] = { "Remotes", "groups by=remote top=500 user=%s", "groups" },
};

const char *model_view_name(enum view view)
{
	return views[view].name;
}

void model_request(const struct model *model, unsigned int every_s, char *ret, size_t size)
{
	char uid[16] = "none", request[128];

	if (model->uid != UINT32_MAX)
		snprintf(uid, sizeof(uid), "%u", model->uid);
	snprintf(request, sizeof(request), views[model->view].request, uid);
	snprintf(ret, size, "%s every=%u id=%u protocol=1", request, every_s, model->id);
}

void model_switch(struct model *model, enum view view, uint32_t uid)
{
	model->view = view;
	model->uid = uid;
	model->id++;
	model->n = 0;
	model->looked_s = 0;
	model->all = (struct row){ .name = "all" };
}

void model_free(struct model *model)
{
	free(model->rows);
	model->rows = NULL;
	model->n = model->n_allocated = 0;
}

static void read_measure(const struct json_tree *tree, const struct json *entry, const char *what,
			 struct measure *ret)
{
	static const char *const ways[] = { "in", "out" };
	char rate[32];

	snprintf(rate, sizeof(rate), "%s_per_s", what);
	for (int i = 0; i < 2; i++) {
		const struct json *way = json_get(tree, entry, ways[i]);

		ret->sum[i] = json_uint(json_get(tree, way, what), 0);
		ret->rate[i] = json_double(json_get(tree, way, rate), 0);
	}
}

static void add_measure(struct measure *sum, const struct measure *more)
{
	for (int i = 0; i < 2; i++) {
		sum->rate[i] += more->rate[i];
		sum->sum[i] += more->sum[i];
	}
}

static void add_row(struct row *sum, const struct row *more)
{
	add_measure(&sum->ip, &more->ip);
	add_measure(&sum->wire, &more->wire);
	add_measure(&sum->packets, &more->packets);
	sum->connections += more->connections;
}

static const char *text_of(const struct json_tree *tree, const struct json *entry, const char *name,
			   const char *otherwise)
{
	return json_string(json_get(tree, entry, name), otherwise);
}

static void read_flow(const struct json_tree *tree, const struct json *entry, struct row *row)
{
	unsigned int protocol = (unsigned int)json_uint(json_get(tree, entry, "protocol"), 0);
	const char *name = protocol == 6    ? "tcp"
			   : protocol == 17 ? "udp"
			   : protocol == 1  ? "icmp"
			   : protocol == 58 ? "icmp6"
					    : NULL;

	if (name)
		snprintf(row->protocol, sizeof(row->protocol), "%s", name);
	else
		snprintf(row->protocol, sizeof(row->protocol), "%u", protocol);
	clean_copy(row->local, sizeof(row->local), text_of(tree, entry, "local", ""));
	clean_copy(row->remote, sizeof(row->remote), text_of(tree, entry, "remote", ""));
	clean_copy(row->interface, sizeof(row->interface), text_of(tree, entry, "interface", ""));
	clean_copy(row->program, sizeof(row->program), text_of(tree, entry, "program", ""));
	row->local_port = (unsigned int)json_uint(json_get(tree, entry, "local_port"), 0);
	row->remote_port = (unsigned int)json_uint(json_get(tree, entry, "remote_port"), 0);
	snprintf(row->name, sizeof(row->name), "%s", row->remote);
	snprintf(row->key, sizeof(row->key), "%s %.40s:%u %.40s:%u %.20s", row->protocol,
		 row->local, row->local_port, row->remote, row->remote_port, row->interface);
}

static void read_name(const struct json_tree *tree, const struct json *entry, enum view view,
		      struct row *row)
{
	const char *who = text_of(tree, entry, "who", NULL);
	const char *name = text_of(tree, entry, "name", NULL);

	if (view == VIEW_USERS) {
		if (row->has_uid)
			snprintf(row->key, sizeof(row->key), "%u", row->uid);
		else
			snprintf(row->key, sizeof(row->key), "%s",
				 who && strcmp(who, "unknown") == 0 ? "(not told apart)"
								    : "(none)");
		snprintf(row->name, sizeof(row->name), "%s", row->key);
		return;
	}
	if (view == VIEW_INTERFACES) {
		unsigned int ifindex = (unsigned int)json_uint(json_get(tree, entry, "ifindex"), 0);

		name = text_of(tree, entry, "interface", NULL);
		snprintf(row->key, sizeof(row->key), "%u", ifindex);
		if (!name)
			snprintf(row->name, sizeof(row->name),
				 ifindex ? "(index %u)" : "(not known)", ifindex);
	} else if (view == VIEW_REMOTES || view == VIEW_USER_REMOTES) {
		clean_copy(row->remote, sizeof(row->remote), name ?: "");
	}
	if (name)
		clean_copy(row->name, sizeof(row->name), name);
	else if (!row->name[0])
		snprintf(row->name, sizeof(row->name), "(not known)");
	if (!row->key[0])
		snprintf(row->key, sizeof(row->key), "%s", row->name);
}

static void read_entry(const struct json_tree *tree, const struct json *entry, enum view view,
		       struct row *row)
{
	const struct json *uid = json_get(tree, entry, "uid");

	*row = (struct row){ .uid = (uint32_t)json_uint(uid, UINT32_MAX) };
	row->has_uid = row->uid != UINT32_MAX;
	row->connections = (uint32_t)json_uint(json_get(tree, entry, "connections"), 0);
	read_measure(tree, entry, "bytes", &row->ip);
	read_measure(tree, entry, "wire_bytes", &row->wire);
	read_measure(tree, entry, "wire_packets", &row->packets);
	if (view == VIEW_USER_FLOWS)
		read_flow(tree, entry, row);
	else
		read_name(tree, entry, view, row);
}

/* The rows are sorted by key while an answer is taken. */
static int compare_keys(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->key, ((const struct row *)b)->key);
}

static struct row *new_row(struct model *model)
{
	if (model->n == model->n_allocated) {
		size_t n = model->n_allocated ? model->n_allocated * 2 : 64;
		struct row *rows = reallocarray(model->rows, n, sizeof(*rows));

		if (!rows)
			return NULL;
		model->rows = rows;
		model->n_allocated = n;
	}
	return &model->rows[model->n++];
}

static void push(struct row *row, int seconds, float ip, float wire)
{
	if (seconds > MODEL_HISTORY)
		seconds = MODEL_HISTORY;
	for (; seconds > 0; seconds--) {
		for (int i = 0; i < 2; i++)
			memmove(row->history[i], row->history[i] + 1,
				(MODEL_HISTORY - 1) * sizeof(row->history[i][0]));
		row->history[0][MODEL_HISTORY - 1] = ip;
		row->history[1][MODEL_HISTORY - 1] = wire;
	}
}

static void take_row(struct row *row, const struct row *now, int seconds, double looked_s)
{
	struct row before = *row;
	bool moved = now->packets.sum[0] != before.packets.sum[0] ||
		     now->packets.sum[1] != before.packets.sum[1];

	*row = *now;
	memcpy(row->history, before.history, sizeof(row->history));
	row->seen_s = moved || !before.key[0] ? looked_s : before.seen_s;
	row->fresh = true;
	push(row, seconds, (float)(row->ip.rate[0] + row->ip.rate[1]),
	     (float)(row->wire.rate[0] + row->wire.rate[1]));
}

static void end_rows(struct model *model, int seconds)
{
	size_t n = 0;

	for (size_t i = 0; i < model->n; i++) {
		struct row *row = &model->rows[i];

		if (!row->fresh) {
			memset(row->ip.rate, 0, sizeof(row->ip.rate));
			memset(row->wire.rate, 0, sizeof(row->wire.rate));
			memset(row->packets.rate, 0, sizeof(row->packets.rate));
			push(row, seconds, 0, 0);
		}
		row->ended = model->looked_s - row->seen_s > 3;
		if (!row->fresh && model->looked_s - row->seen_s > MODEL_HISTORY)
			continue;
		row->fresh = false;
		if (n != i)
			model->rows[n] = *row;
		n++;
	}
	model->n = n;
}

static int take_entries(struct model *model, const struct json_tree *tree,
			const struct json *entries, struct row *sum, int seconds)
{
	size_t n_before = model->n;

	if (n_before)
		qsort(model->rows, n_before, sizeof(*model->rows), compare_keys);
	for (const struct json *entry = json_first(tree, entries); entry;
	     entry = json_next(tree, entry)) {
		struct row now, *row = NULL;

		read_entry(tree, entry, model->view, &now);
		add_row(sum, &now);
		if (n_before)
			row = bsearch(&now, model->rows, n_before, sizeof(*row), compare_keys);
		for (size_t i = n_before; !row && i < model->n; i++)
			if (strcmp(model->rows[i].key, now.key) == 0)
				row = &model->rows[i];
		/* Two cgroups of one name, as when none is known. */
		if (row && row->fresh) {
			add_row(row, &now);
			continue;
		}
		if (!row) {
			row = new_row(model);
			if (!row)
				return -ENOMEM;
			*row = (struct row){ 0 };
		}
		take_row(row, &now, row->key[0] ? seconds : 1, model->looked_s);
	}
	return 0;
}

static void take_rest(const struct json_tree *tree, struct row *sum)
{
	const struct json *rest = json_get(tree, json_root(tree), "rest");
	struct row row;

	read_entry(tree, rest, VIEW_USERS, &row);
	add_row(sum, &row);
}

int model_take(struct model *model, const struct json_tree *answer)
{
	const struct json *root = json_root(answer);
	const struct json *entries = json_get(answer, root, views[model->view].answer);
	double looked_s = json_double(json_get(answer, root, "looked"), 0);
	struct row sum = { .key = "all", .name = "all" };
	int seconds, r;

	if (!json_get(answer, root, "protocol") || !json_get(answer, root, "looked"))
		return -EPROTO;
	if (json_uint(json_get(answer, root, "id"), 0) != model->id || !entries)
		return -ESTALE;
	seconds = model->looked_s > 0 ? (int)(looked_s - model->looked_s + 0.5) : 1;
	if (seconds < 1)
		seconds = 1;
	model->looked_s = looked_s;
	model->interval_s = (unsigned int)json_uint(json_get(answer, root, "interval"), 0);
	clean_copy(model->instance, sizeof(model->instance),
		   text_of(answer, root, "instance", "?"));
	clean_copy(model->version, sizeof(model->version), text_of(answer, root, "version", "?"));
	r = take_entries(model, answer, entries, &sum, seconds);
	if (r < 0)
		return r;
	take_rest(answer, &sum);
	take_row(&model->all, &sum, seconds, looked_s);
	end_rows(model, seconds);
	return 0;
}
