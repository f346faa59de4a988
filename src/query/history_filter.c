// SPDX-License-Identifier: GPL-2.0-or-later
#ifdef HAVE_SQLITE3

#include "query/history_filter.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <netdb.h>
#include <pwd.h>
#include <string.h>

#include "history/history.h"
#include "util/cleanup.h"
#include "util/log.h"

#define PORT_MAX 65535

bool id_set_has(const struct id_set *set, int64_t id)
{
	size_t low = 0, high = set->n;

	if (set->all)
		return true;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (set->ids[middle] == id)
			return true;
		if (set->ids[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static int id_set_add(struct id_set *set, int64_t id)
{
	int64_t *ids = reallocarray(set->ids, set->n + 1, sizeof(*ids));

	if (!ids)
		return -ENOMEM;
	set->ids = ids;
	ids[set->n++] = id;
	return 0;
}

static int compare_ids(const void *left, const void *right)
{
	int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

	return (a > b) - (a < b);
}

/* What a look-up of ids in the database is asked for, and where they go. */
struct look_up {
	struct id_set *set;
	const char *value;
	bool (*matches)(const char *text, const char *value); /* NULL: all rows do */
};

/* Runs a query whose rows are an id and a text, bound to the value. */
static int look_up_ids(sqlite3 *database, const char *sql, const struct look_up *look_up)
{
	sqlite3_stmt *statement;
	int r = sqlite3_prepare_v2(database, sql, -1, &statement, NULL);

	if (r != SQLITE_OK)
		return history_error(database, r);
	if (sqlite3_bind_parameter_count(statement))
		sqlite3_bind_text(statement, 1, look_up->value, -1, SQLITE_STATIC);
	while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(statement, 1);

		if (look_up->matches && (!text || !look_up->matches(text, look_up->value)))
			continue;
		if (id_set_add(look_up->set, sqlite3_column_int64(statement, 0)) < 0) {
			r = SQLITE_NOMEM;
			break;
		}
	}
	sqlite3_finalize(statement);
	return r == SQLITE_DONE ? 0 : history_error(database, r);
}

#define TEXT_EQUAL "SELECT id, text FROM text WHERE text = ?1"
#define TEXT_ALL   "SELECT id, text FROM text"

static bool matches_pattern(const char *text, const char *pattern)
{
	return fnmatch(pattern, text, 0) == 0;
}

static int add_text(struct id_set *set, sqlite3 *database, const char *value)
{
	bool pattern = strpbrk(value, "*?[") != NULL;
	struct look_up look_up = { set, value, pattern ? matches_pattern : NULL };

	return look_up_ids(database, pattern ? TEXT_ALL : TEXT_EQUAL, &look_up);
}

/* An address, or a network as ADDRESS/LENGTH. */
struct prefix {
	int family, length;
	uint8_t address[16];
};

static bool parse_prefix(const char *text, struct prefix *ret)
{
	char address[INET6_ADDRSTRLEN + 1];
	size_t n = strcspn(text, "/");
	int most;

	if (n >= sizeof(address))
		return false;
	memcpy(address, text, n);
	address[n] = '\0';
	ret->family = strchr(address, ':') ? AF_INET6 : AF_INET;
	most = ret->family == AF_INET6 ? 128 : 32;
	ret->length = most;
	if (inet_pton(ret->family, address, ret->address) != 1)
		return false;
	if (!text[n])
		return true;
	text += n + 1;
	if (!isdigit((unsigned char)*text) || strlen(text) > 3)
		return false;
	for (ret->length = 0; isdigit((unsigned char)*text); text++)
		ret->length = 10 * ret->length + (*text - '0');
	return !*text && ret->length <= most;
}

/* Does one of the two hold the other? The history keeps networks, so an address is looked for in its
 * network, and a larger network holds several. */
static bool overlaps(const char *text, const char *value)
{
	struct prefix a, b;
	int length, whole, rest;

	if (!parse_prefix(text, &a) || !parse_prefix(value, &b) || a.family != b.family)
		return false;
	length = a.length < b.length ? a.length : b.length;
	whole = length / 8;
	rest = length % 8;
	return memcmp(a.address, b.address, (size_t)whole) == 0 &&
	       (!rest || (a.address[whole] ^ b.address[whole]) >> (8 - rest) == 0);
}

static int add_remote(struct id_set *set, sqlite3 *database, const char *value)
{
	struct look_up look_up = { set, value, overlaps };
	struct prefix prefix;

	if (!parse_prefix(value, &prefix))
		return add_text(set, database, value);
	return look_up_ids(database, TEXT_ALL, &look_up);
}

static int parse_number(const char *text, int64_t most, int64_t *ret)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	*ret = strtoll(text, &end, 10);
	return errno || *end || *ret > most ? -EINVAL : 0;
}

/* A name may be the history's own (of a user who is gone) or the system's. */
static int add_user(struct id_set *set, sqlite3 *database, const char *value)
{
	struct look_up look_up = { set, value, NULL };
	const struct passwd *entry;
	size_t n = set->n;
	int64_t uid;
	int r;

	if (parse_number(value, UINT32_MAX - 1, &uid) == 0)
		return id_set_add(set, uid);
	if (!*value || strcmp(value, "nobody-known") == 0)
		return id_set_add(set, HISTORY_NO_USER);
	r = look_up_ids(database, "SELECT uid, name FROM user WHERE name = ?1", &look_up);
	if (r < 0)
		return r;
	entry = getpwnam(value); /* NOLINT(concurrency-mt-unsafe): one thread asks */
	if (entry)
		r = id_set_add(set, entry->pw_uid);
	if (r < 0 || set->n > n)
		return r;
	log_error("there is no user '%s', on this machine or in the history; give a name or a uid",
		  value);
	return -ESRCH;
}

static int complain_service(const char *value)
{
	log_error("'%s' is no service; give a port (443), PROTOCOL/PORT (udp/53), a protocol "
		  "(icmp) or a name of /etc/services (https)",
		  value);
	return -EINVAL;
}

static int find_protocol(sqlite3 *database, const char *name, int64_t *ret)
{
	struct id_set found = { 0 };
	struct look_up look_up = { &found, name, NULL };
	int r = parse_number(name, 255, ret);

	if (r == 0)
		return 0;
	r = look_up_ids(database, "SELECT number, name FROM protocol WHERE name = ?1", &look_up);
	if (r == 0 && found.n)
		*ret = found.ids[0];
	else if (r == 0)
		r = -ENOENT;
	free(found.ids);
	return r;
}

/* All services of the history whose protocol (-1: any) and port (-1: any) these are. */
static int add_services(struct id_set *set, int64_t protocol, int64_t port)
{
	int r = 0;

	for (int64_t p = protocol < 0 ? 0 : protocol;
	     r == 0 && p <= (protocol < 0 ? 255 : protocol); p++) {
		if (port >= 0)
			r = id_set_add(set, p * 65536 + port);
		for (int64_t q = 0; port < 0 && r == 0 && q <= PORT_MAX; q++)
			r = id_set_add(set, p * 65536 + q);
	}
	return r;
}

static int add_named_service(struct id_set *set, const char *value)
{
	static const char *const protocols[] = { "tcp", "udp", "sctp", "dccp" };
	static const int numbers[] = { 6, 17, 132, 33 };
	size_t n = set->n;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread asks */
		const struct servent *entry = getservbyname(value, protocols[i]);

		if (entry &&
		    id_set_add(set, numbers[i] * 65536 + ntohs((uint16_t)entry->s_port)) < 0)
			return -ENOMEM;
	}
	return set->n > n ? 0 : complain_service(value);
}

static int add_service(struct id_set *set, sqlite3 *database, const char *value)
{
	_cleanup_free_ char *protocol_name = strndup(value, strcspn(value, "/"));
	const char *slash = strchr(value, '/');
	int64_t protocol = -1, port = -1;
	int r;

	if (!protocol_name)
		return -ENOMEM;
	if (!*value)
		return id_set_add(set, HISTORY_SERVICE_NONE);
	if (strcmp(value, "other") == 0)
		return id_set_add(set, HISTORY_SERVICE_OTHER);
	if (!slash && parse_number(value, PORT_MAX, &port) == 0)
		return add_services(set, -1, port);
	if (slash && parse_number(slash + 1, PORT_MAX, &port) < 0)
		return complain_service(value);
	r = find_protocol(database, protocol_name, &protocol);
	if (r == -ENOENT)
		return slash ? complain_service(value) : add_named_service(set, value);
	return r < 0 ? r : add_services(set, protocol, port);
}

static int add_value(struct history_filter *filter, sqlite3 *database, enum query_key key,
		     const char *value)
{
	struct id_set *set = &filter->sets[key];

	switch (key) {
	case QUERY_USER:
	case QUERY_LOGIN:
		return add_user(set, database, value);
	case QUERY_REMOTE:
		return add_remote(set, database, value);
	case QUERY_SERVICE:
		return add_service(set, database, value);
	default:
		return add_text(set, database, value);
	}
}

static int read_directions(struct history_filter *filter, const struct traffic_strings *values)
{
	filter->direction[0] = filter->direction[1] = values->n == 0;
	for (size_t i = 0; i < values->n; i++) {
		bool out = strcmp(values->values[i], "out") == 0;

		if (!out && strcmp(values->values[i], "in") != 0) {
			log_error("'%s' is no direction; give in or out", values->values[i]);
			return -EINVAL;
		}
		filter->direction[out] = true;
	}
	return 0;
}

/* Sorted, each once: a row that stood for two equal ids would be counted twice. */
static void sort_ids(struct id_set *set)
{
	size_t n = 0;

	if (!set->n)
		return;
	qsort(set->ids, set->n, sizeof(*set->ids), compare_ids);
	for (size_t i = 0; i < set->n; i++)
		if (i == 0 || set->ids[i] != set->ids[n - 1])
			set->ids[n++] = set->ids[i];
	set->n = n;
}

int history_filter_read(struct history_filter *filter, sqlite3 *database,
			const struct question *question)
{
	int r = 0;

	for (size_t key = 0; key < QUERY_DIRECTION; key++) {
		const struct traffic_strings *values = &question->filters[key];
		struct id_set *set = &filter->sets[key];

		set->all = values->n == 0;
		for (size_t i = 0; r == 0 && i < values->n; i++)
			r = add_value(filter, database, (enum query_key)key, values->values[i]);
		sort_ids(set);
	}
	if (r == 0)
		r = read_directions(filter, &question->filters[QUERY_DIRECTION]);
	return r;
}

void history_filter_free(struct history_filter *filter)
{
	for (size_t key = 0; key < QUERY_DIRECTION; key++)
		free(filter->sets[key].ids);
	*filter = (struct history_filter){ 0 };
}

#endif
