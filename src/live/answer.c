// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/answer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "live/groups.h"
#include "util/json_text.h"

/* An entry of the answer `users` or `interfaces`. */
struct entry {
	uint64_t id;
	struct amounts amounts, nobodys;
	struct rates rates;
};

static int finish(struct json_text *text, char **ret_text, size_t *ret_size)
{
	if (text->failed) {
		json_text_free(text);
		return -ENOMEM;
	}
	*ret_text = text->data;
	*ret_size = text->size;
	return 0;
}

static void put_way(struct json_text *text, const char *name, const struct amounts_way *way,
		    const struct rates_way *rates)
{
	json_text_put(text, name);
	json_text_put(text, "{\"bytes\":");
	json_text_put_number(text, way->bytes);
	json_text_put(text, ",\"wire_bytes\":");
	json_text_put_number(text, way->wire_bytes);
	json_text_put(text, ",\"packets\":");
	json_text_put_number(text, way->packets);
	json_text_put(text, ",\"wire_packets\":");
	json_text_put_number(text, way->wire_packets);
	if (rates) {
		json_text_put(text, ",\"bytes_per_s\":");
		json_text_put_number(text, (uint64_t)(rates->bytes + 0.5f));
		json_text_put(text, ",\"wire_bytes_per_s\":");
		json_text_put_number(text, (uint64_t)(rates->wire_bytes + 0.5f));
		json_text_put(text, ",\"packets_per_s\":");
		json_text_put_number(text, (uint64_t)(rates->packets + 0.5f));
		json_text_put(text, ",\"wire_packets_per_s\":");
		json_text_put_number(text, (uint64_t)(rates->wire_packets + 0.5f));
	}
	json_text_put(text, "}");
}

static void put_amounts(struct json_text *text, const struct amounts *amounts,
			const struct rates *rates)
{
	put_way(text, "\"in\":", &amounts->way[TRAFFIC_IN], rates ? &rates->way[TRAFFIC_IN] : NULL);
	put_way(text, ",\"out\":", &amounts->way[TRAFFIC_OUT],
		rates ? &rates->way[TRAFFIC_OUT] : NULL);
}

static void put_uid(struct json_text *text, uint32_t uid)
{
	if (uid == TRAFFIC_NO_UID)
		json_text_put(text, "null");
	else
		json_text_put_number(text, uid);
}

static void begin(struct json_text *text, const struct live *live, const struct request *request,
		  const char *answer)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	json_text_printf(text,
			 "{\"protocol\":%d,\"answer\":\"%s\",\"version\":\"" VERSION
			 "\",\"instance\":",
			 PROTOCOL_VERSION, answer);
	json_text_put_string(text, live->settings.instance);
	json_text_printf(text, ",\"id\":%u", request->id);
	json_text_printf(text, ",\"time\":%lld.%09ld,\"looked\":%.9f,\"interval\":%llu",
			 (long long)now.tv_sec, now.tv_nsec, (double)live->now.time_ns / 1e9,
			 (unsigned long long)live->settings.interval_s);
}

/* Those with the highest rates first, then those that have moved most. */
static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	float more = rates_all(&y->rates) - rates_all(&x->rates);
	uint64_t sum_x = x->amounts.way[0].bytes + x->amounts.way[1].bytes;
	uint64_t sum_y = y->amounts.way[0].bytes + y->amounts.way[1].bytes;

	if (more > 0 || more < 0)
		return more > 0 ? 1 : -1;
	if (sum_x != sum_y)
		return sum_x < sum_y ? 1 : -1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static struct rates rates_since(struct sums *before, uint64_t id, const struct amounts *now,
				float seconds)
{
	const struct amounts *past = sums_get(before, id);
	struct amounts least = *now;

	if (!past || !(seconds > 0))
		return (struct rates){ 0 };
	/* What a drain has charged to somebody else may have lowered a sum. */
	amounts_raise(&least, past);
	return rates_between(past, &least, seconds);
}

/* Entries of the last look's sums. The nobodys' sums of interfaces go with their interface. */
static struct entry *make_entries(struct sums *now, struct sums *before, float seconds, size_t *ret)
{
	struct entry *entries = calloc(now->n ?: 1, sizeof(*entries));
	size_t n = 0;

	for (size_t i = 0; entries && i < now->n_slots; i++) {
		const struct sum *sum = &now->slots[i];

		if (!sum->id || sum->id & PICTURE_NOBODYS)
			continue;
		entries[n].id = sum->id;
		entries[n].amounts = sum->now;
		entries[n].rates = rates_since(before, sum->id, &sum->now, seconds);
		n++;
	}
	*ret = n;
	return entries;
}

static float seconds_of(const struct live *live)
{
	if (!live->before.time_ns)
		return 0;
	return (float)(live->now.time_ns - live->before.time_ns) / 1e9f;
}

/* What is beyond the first `top` entries, in one. */
static void put_rest(struct json_text *text, const struct entry *entries, size_t n, size_t top)
{
	struct entry rest = { 0 };

	for (size_t i = top; i < n; i++) {
		amounts_add(&rest.amounts, &entries[i].amounts);
		rates_add(&rest.rates, &entries[i].rates);
	}
	json_text_put(text, "],\"rest\":{\"entries\":");
	json_text_put_number(text, n > top ? n - top : 0);
	json_text_put(text, ",");
	put_amounts(text, &rest.amounts, &rest.rates);
	json_text_put(text, "}}\n");
}

static int write_users(struct live *live, const struct request *request, struct json_text *text)
{
	size_t n;
	struct entry *entries =
		make_entries(&live->now.users, &live->before.users, seconds_of(live), &n);

	if (!entries)
		return -ENOMEM;
	qsort(entries, n, sizeof(*entries), compare_entries);
	begin(text, live, request, "users");
	json_text_put(text, ",\"users\":[");
	for (size_t i = 0; i < n && i < request->top; i++) {
		const struct entry *entry = &entries[i];

		json_text_put(text, i ? ",{\"uid\":" : "{\"uid\":");
		put_uid(text, entry->id >= PICTURE_NONE ? TRAFFIC_NO_UID : (uint32_t)entry->id - 1);
		if (entry->id >= PICTURE_NONE)
			json_text_put(text, entry->id == PICTURE_NONE ? ",\"who\":\"none\""
								      : ",\"who\":\"unknown\"");
		json_text_put(text, ",");
		put_amounts(text, &entry->amounts, &entry->rates);
		json_text_put(text, "}");
	}
	put_rest(text, entries, n, request->top);
	free(entries);
	return 0;
}

static void add_nobodys(struct live *live, struct entry *entry)
{
	const struct amounts *nobodys =
		sums_get(&live->now.interfaces, entry->id | PICTURE_NOBODYS);

	if (nobodys)
		entry->nobodys = *nobodys;
}

/* An interface may have moved what is nobody's and nothing else. */
static void make_users_entries(struct sums *sums)
{
	for (size_t i = 0; i < sums->n_slots; i++)
		if (sums->slots[i].id & PICTURE_NOBODYS) {
			size_t n_slots = sums->n_slots;

			sums_get(sums, sums->slots[i].id & ~PICTURE_NOBODYS);
			if (sums->n_slots != n_slots)
				i = 0;
		}
}

static int write_interfaces(struct live *live, const struct request *request,
			    struct json_text *text)
{
	struct entry *entries;
	size_t n;

	make_users_entries(&live->now.interfaces);
	entries =
		make_entries(&live->now.interfaces, &live->before.interfaces, seconds_of(live), &n);
	if (!entries)
		return -ENOMEM;
	qsort(entries, n, sizeof(*entries), compare_entries);
	begin(text, live, request, "interfaces");
	json_text_put(text, ",\"interfaces\":[");
	for (size_t i = 0; i < n && i < request->top; i++) {
		unsigned int ifindex = (unsigned int)(entries[i].id - 1);
		char name[IF_NAMESIZE] = "";

		add_nobodys(live, &entries[i]);
		json_text_put(text, i ? ",{\"ifindex\":" : "{\"ifindex\":");
		json_text_put_number(text, ifindex);
		json_text_put(text, ",\"interface\":");
		json_text_put_string(text, ifindex && if_indextoname(ifindex, name) ? name : NULL);
		json_text_put(text, ",");
		put_amounts(text, &entries[i].amounts, &entries[i].rates);
		json_text_put(text, ",\"none\":{");
		put_amounts(text, &entries[i].nobodys, NULL);
		json_text_put(text, "}}");
	}
	put_rest(text, entries, n, request->top);
	free(entries);
	return 0;
}

static void put_address(struct json_text *text, uint8_t family, const uint8_t address[16])
{
	char name[INET6_ADDRSTRLEN] = "";

	inet_ntop(family == TRAFFIC_FAMILY_IPV6 ? AF_INET6 : AF_INET, address, name, sizeof(name));
	json_text_put_string(text, name);
}

static void put_cgroup(struct json_text *text, struct live *live, uint64_t id)
{
	const struct live_name *name;

	pthread_mutex_lock(&live->lock);
	name = id ? live_names_ask(&live->names, LIVE_NAME_CGROUP, id) : NULL;
	json_text_put_string(text, name ? name->text : NULL);
	pthread_mutex_unlock(&live->lock);
}

static int compare_connections(const void *a, const void *b)
{
	const struct connection *x = *(const struct connection *const *)a;
	const struct connection *y = *(const struct connection *const *)b;
	float more = rates_all(&y->rates) - rates_all(&x->rates);
	uint64_t sum_x = x->shown.way[0].bytes + x->shown.way[1].bytes;
	uint64_t sum_y = y->shown.way[0].bytes + y->shown.way[1].bytes;

	if (more > 0 || more < 0)
		return more > 0 ? 1 : -1;
	if (sum_x != sum_y)
		return sum_x < sum_y ? 1 : -1;
	return memcmp(&x->key, &y->key, sizeof(x->key));
}

static void put_idle(struct json_text *text, const struct live *live, uint64_t active_ns)
{
	json_text_printf(text, ",\"idle_s\":%.1f", (double)(live->now.time_ns - active_ns) / 1e9);
}

static void put_connection(struct json_text *text, struct live *live,
			   const struct connection *connection)
{
	const struct connection_key *key = &connection->key;
	char name[IF_NAMESIZE] = "";

	json_text_put(text, "{\"uid\":");
	put_uid(text, key->uid);
	json_text_put(text, ",\"login_uid\":");
	put_uid(text, connection->login_uid);
	json_text_printf(text, ",\"protocol\":%u,\"local\":", key->protocol);
	put_address(text, key->family, key->local);
	json_text_printf(text, ",\"local_port\":%u,\"remote\":", key->local_port);
	put_address(text, key->family, key->remote);
	json_text_printf(text, ",\"remote_port\":%u,\"interface\":", key->remote_port);
	json_text_put_string(text,
			     key->ifindex && if_indextoname(key->ifindex, name) ? name : NULL);
	json_text_put(text, ",\"program\":");
	if (connection->program[0])
		json_text_put_string_n(text, connection->program,
				       strnlen(connection->program, sizeof(connection->program)));
	else
		json_text_put(text, "null");
	json_text_put(text, ",\"cgroup\":");
	put_cgroup(text, live, connection->cgroup_id);
	put_idle(text, live, connection->active_ns);
	json_text_put(text, ",");
	put_amounts(text, &connection->shown, &connection->rates);
	json_text_put(text, "}");
}

static int write_flows(struct live *live, const struct request *request, struct json_text *text)
{
	const struct store *store = &live->store;
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
	const struct connection **chosen = calloc(store->n ?: 1, sizeof(*chosen));
	struct entry rest = { 0 };
	size_t n = 0;

	if (!chosen)
		return -ENOMEM;
	for (size_t i = 0; i < store->n; i++)
		if (!request->has_user || store->connections[i].key.uid == request->uid)
			chosen[n++] = &store->connections[i];
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): likewise */
	qsort(chosen, n, sizeof(*chosen), compare_connections);
	begin(text, live, request, "flows");
	json_text_put(text, ",\"flows\":[");
	for (size_t i = 0; i < n; i++) {
		if (i >= request->top) {
			amounts_add(&rest.amounts, &chosen[i]->shown);
			rates_add(&rest.rates, &chosen[i]->rates);
			continue;
		}
		if (i)
			json_text_put(text, ",");
		put_connection(text, live, chosen[i]);
	}
	free(chosen);
	json_text_put(text, "],\"rest\":{\"entries\":");
	json_text_put_number(text, n > request->top ? n - request->top : 0);
	json_text_put(text, ",");
	put_amounts(text, &rest.amounts, &rest.rates);
	json_text_put(text, "}}\n");
	return 0;
}

static void put_group_name(struct json_text *text, struct live *live, const struct group *group,
			   enum request_by by)
{
	switch (by) {
	case REQUEST_BY_REMOTE:
		put_address(text, group->key.family, group->key.remote);
		break;
	case REQUEST_BY_PROGRAM:
		if (group->key.program[0])
			json_text_put_string_n(
				text, group->key.program,
				strnlen(group->key.program, sizeof(group->key.program)));
		else
			json_text_put(text, "null");
		break;
	case REQUEST_BY_WORKLOAD:
	case REQUEST_BY_CGROUP:
		put_cgroup(text, live, group->key.number);
		break;
	case REQUEST_BY_NETWORK:
		json_text_put(text, "null");
		break;
	}
}

static int write_groups(struct live *live, const struct request *request, struct json_text *text)
{
	struct group rest = { 0 };
	struct groups groups;
	int r = groups_make(&groups, &live->store, request);

	if (r < 0)
		return r;
	begin(text, live, request, "groups");
	json_text_printf(text, ",\"by\":\"%s\",\"groups\":[", request_by_names[request->by]);
	for (size_t i = 0; i < groups.n; i++) {
		const struct group *group = &groups.groups[i];

		if (i >= request->top) {
			amounts_add(&rest.amounts, &group->amounts);
			rates_add(&rest.rates, &group->rates);
			continue;
		}
		json_text_put(text, i ? ",{\"name\":" : "{\"name\":");
		put_group_name(text, live, group, request->by);
		json_text_put(text, ",\"uid\":");
		put_uid(text, group->has_users ? TRAFFIC_NO_UID : group->uid);
		json_text_printf(text, ",\"connections\":%u,", group->connections);
		put_amounts(text, &group->amounts, &group->rates);
		json_text_put(text, "}");
	}
	json_text_put(text, "],\"rest\":{\"entries\":");
	json_text_put_number(text, groups.n > request->top ? groups.n - request->top : 0);
	json_text_put(text, ",");
	put_amounts(text, &rest.amounts, &rest.rates);
	json_text_put(text, "}}\n");
	groups_free(&groups);
	return 0;
}

int answer_write(struct live *live, const struct request *request, char **ret_text,
		 size_t *ret_size)
{
	struct json_text text = { 0 };
	int r = 0;

	switch (request->kind) {
	case REQUEST_USERS:
		r = write_users(live, request, &text);
		break;
	case REQUEST_INTERFACES:
		r = write_interfaces(live, request, &text);
		break;
	case REQUEST_FLOWS:
		r = write_flows(live, request, &text);
		break;
	case REQUEST_GROUPS:
		r = write_groups(live, request, &text);
		break;
	case REQUEST_STATUS:
		return -EINVAL;
	}
	if (r < 0) {
		json_text_free(&text);
		return r;
	}
	return finish(&text, ret_text, ret_size);
}

int answer_write_error(const char *error, char **ret_text, size_t *ret_size)
{
	struct json_text text = { 0 };

	json_text_printf(&text, "{\"protocol\":%d,\"error\":", PROTOCOL_VERSION);
	json_text_put_string(&text, error);
	json_text_put(&text, "}\n");
	return finish(&text, ret_text, ret_size);
}

/* The object is taken as it is, and has the protocol's version put at its end. */
int answer_write_status(char *status, char **ret_text, size_t *ret_size)
{
	struct json_text text = { 0 };
	size_t n = status ? strcspn(status, "\n") : 0;

	if (n < 2 || status[n - 1] != '}') {
		free(status);
		return -ENOMEM;
	}
	json_text_put_bytes(&text, status, n - 1);
	json_text_printf(&text, ",\"protocol\":%d}\n", PROTOCOL_VERSION);
	free(status);
	return finish(&text, ret_text, ret_size);
}
