// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unpacks blocks. A column is found by its name and read by its type, so that an older block, which
 * has fewer, and a newer one, which has more, are both read. Nothing in a block is trusted: each
 * length is compared with what is left.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST /* input is const */
#include <zlib.h>

#include "spool/block.h"
#include "spool/columns.h"

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

/* Of a block of any version. */
#define ROWS_MAX (1U << 20)

struct cursor {
	const unsigned char *at, *end;
};

enum kind {
	KIND_FIXED,
	KIND_TEXT,    /* LowCardinality(String) */
	KIND_ADDRESS, /* LowCardinality(FixedString(16)) */
};

/* Where a column goes. Columns that are put together of two parts have targets of their own. */
enum target {
	TO_NOTHING,
	TO_FIELD, /* of struct traffic_record, at .offset */
	TO_END_S,
	TO_END_MS,
	TO_END_NS,
	TO_START_S,
	TO_START_MS,
	TO_START_NS,
	TO_INTERFACE,
	TO_PROGRAM,
	TO_CGROUP,
	TO_NETWORK,
	TO_WORKLOAD,
	TO_USER,
	TO_HOST,
	TO_SRC,
	TO_DST,
};

#define FIELD(column, field)                                              \
	{                                                                 \
		column, TO_FIELD, offsetof(struct traffic_record, field), \
			sizeof(((struct traffic_record *)0)->field)       \
	}

static const struct {
	const char *name;
	enum target target;
	size_t offset, width;
} columns[] = {
	{ "time", TO_END_S, 0, 4 },
	{ "time_ms", TO_END_MS, 0, 2 },
	{ "time_ns", TO_END_NS, 0, 4 },
	{ "start", TO_START_S, 0, 4 },
	{ "start_ms", TO_START_MS, 0, 2 },
	{ "start_ns", TO_START_NS, 0, 4 },
	FIELD("direction", direction),
	FIELD("uid", uid),
	FIELD("login_uid", login_uid),
	FIELD("step", step),
	FIELD("family", family),
	FIELD("protocol", protocol),
	FIELD("src_port", source_port),
	FIELD("dst_port", destination_port),
	FIELD("packets", packets),
	FIELD("wire_packets", wire_packets),
	FIELD("bytes", bytes),
	FIELD("wire_bytes", wire_bytes),
	{ "host", TO_HOST, 0, 0 },
	{ "user", TO_USER, 0, 0 },
	{ "interface", TO_INTERFACE, 0, 0 },
	{ "program", TO_PROGRAM, 0, 0 },
	{ "cgroup", TO_CGROUP, 0, 0 },
	{ "network", TO_NETWORK, 0, 0 },
	{ "workload", TO_WORKLOAD, 0, 0 },
	{ "src", TO_SRC, 0, 0 },
	{ "dst", TO_DST, 0, 0 },
};

#define N_COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* Types by the beginning of their names. */
static const struct {
	const char *name;
	enum kind kind;
	size_t width;
} types[] = {
	{ COLUMN_TYPE_TEXT, KIND_TEXT, 0 }, { COLUMN_TYPE_ADDRESS, KIND_ADDRESS, 0 },
	{ "Enum8", KIND_FIXED, 1 },	    { "UInt8", KIND_FIXED, 1 },
	{ "UInt16", KIND_FIXED, 2 },	    { "UInt32", KIND_FIXED, 4 },
	{ "UInt64", KIND_FIXED, 8 },	    { "DateTime", KIND_FIXED, 4 },
	{ "Date", KIND_FIXED, 2 },	    { "FixedString(16)", KIND_FIXED, 16 },
};

#define N_TYPES (sizeof(types) / sizeof(types[0]))

static const unsigned char *take(struct cursor *cursor, size_t n)
{
	const unsigned char *at = cursor->at;

	if ((size_t)(cursor->end - at) < n)
		return NULL;
	cursor->at += n;
	return at;
}

static bool take_length(struct cursor *cursor, size_t *ret)
{
	size_t length = 0;

	for (unsigned int shift = 0; shift <= 28; shift += 7) {
		const unsigned char *byte = take(cursor, 1);

		if (!byte)
			return false;
		length |= (size_t)(*byte & 0x7f) << shift;
		if (!(*byte & 0x80)) {
			*ret = length;
			return true;
		}
	}
	return false;
}

/* A name or type, in `to`. One that is longer is cut, and so unknown. */
static bool take_word(struct cursor *cursor, char *to, size_t size)
{
	const unsigned char *text;
	size_t length;

	if (!take_length(cursor, &length) || !(text = take(cursor, length)))
		return false;
	if (length >= size)
		length = size - 1;
	memcpy(to, text, length);
	to[length] = '\0';
	return true;
}

/* A block's rows, in memory that is used again. */
static int make_rows(struct spool_records *records, size_t n)
{
	struct traffic_record *rows;
	const char **users;

	if (n > records->room) {
		rows = reallocarray(records->records, n, sizeof(*rows));
		if (!rows)
			return -ENOMEM;
		records->records = rows;
		users = reallocarray(records->users, n, sizeof(*users));
		if (!users)
			return -ENOMEM;
		records->users = users;
		records->room = n;
	}
	memset(records->records, 0, n * sizeof(*records->records));
	memset(records->users, 0, n * sizeof(*records->users));
	for (size_t i = 0; i < n; i++)
		records->records[i].uid = records->records[i].login_uid = TRAFFIC_NO_UID;
	records->n = n;
	records->host = "";
	return 0;
}

/* A part of a time, and what it is in ns. */
static uint64_t part_ns(enum target target, const unsigned char *value)
{
	uint32_t wide;
	uint16_t narrow;

	if (target == TO_END_MS || target == TO_START_MS) {
		memcpy(&narrow, value, sizeof(narrow));
		return narrow * NS_PER_MS;
	}
	memcpy(&wide, value, sizeof(wide));
	return target == TO_END_S || target == TO_START_S ? wide * NS_PER_S : wide;
}

static void set_fixed(struct spool_records *records, size_t column, const unsigned char *values)
{
	enum target target = columns[column].target;
	size_t width = columns[column].width, offset = columns[column].offset;
	bool is_end = target == TO_END_S || target == TO_END_MS || target == TO_END_NS;

	for (size_t i = 0; i < records->n; i++, values += width) {
		struct traffic_record *record = &records->records[i];

		if (target == TO_FIELD)
			memcpy((char *)record + offset, values, width);
		else if (is_end)
			record->end_ns += part_ns(target, values);
		else
			record->start_ns += part_ns(target, values);
	}
}

static void set_name(char to[16], const char *text)
{
	strncpy(to, text, 15);
}

static void set_text(struct spool_records *records, size_t column, size_t row, const char *text)
{
	struct traffic_record *record = &records->records[row];
	const char *known = *text ? text : NULL;

	switch (columns[column].target) {
	case TO_INTERFACE:
		set_name(record->interface, text);
		break;
	case TO_PROGRAM:
		set_name(record->program, text);
		break;
	case TO_CGROUP:
		record->cgroup = known;
		break;
	case TO_NETWORK:
		record->network = known;
		break;
	case TO_WORKLOAD:
		record->workload = known;
		break;
	case TO_USER:
		records->users[row] = known;
		break;
	case TO_HOST:
		records->host = text;
		break;
	case TO_SRC:
		memcpy(record->source, text, sizeof(record->source));
		break;
	case TO_DST:
		memcpy(record->destination, text, sizeof(record->destination));
		break;
	default:
		break;
	}
}

/* The keys of a dictionary: where each begins, NUL-terminated where they are texts, in memory of
 * .texts that the caller made large enough. */
static bool take_keys(struct cursor *cursor, size_t n, bool address, const char **keys,
		      char **texts)
{
	for (size_t i = 0; i < n; i++) {
		const unsigned char *key;
		size_t length = 16;

		if ((!address && !take_length(cursor, &length)) || !(key = take(cursor, length)))
			return false;
		keys[i] = *texts;
		memcpy(*texts, key, length);
		*texts += length;
		*(*texts)++ = '\0';
	}
	return true;
}

static int take_dictionary(struct spool_records *records, struct cursor *cursor, size_t column,
			   bool address, char **texts)
{
	const unsigned char *head = take(cursor, 24), *rows;
	uint64_t words[3], n_rows;
	const char **keys;
	size_t width;
	int r = -EBADMSG;

	if (!head)
		return -EBADMSG;
	memcpy(words, head, sizeof(words));
	width = (size_t)1 << (words[1] & 3);
	if (words[0] != 1 || (words[1] & ~UINT64_C(0x403)) != 0x200 || width > 4 ||
	    words[2] > (uint64_t)(cursor->end - cursor->at))
		return -EBADMSG;
	keys = calloc(words[2] + 1, sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	if (take_keys(cursor, words[2], address, keys, texts) && (head = take(cursor, 8))) {
		memcpy(&n_rows, head, sizeof(n_rows));
		rows = n_rows == records->n ? take(cursor, records->n * width) : NULL;
		r = rows ? 0 : -EBADMSG;
	}
	for (size_t i = 0; r == 0 && i < records->n; i++) {
		uint32_t key = 0;

		memcpy(&key, rows + i * width, width);
		if (key >= words[2])
			r = -EBADMSG;
		else if (column < N_COLUMNS)
			set_text(records, column, i, keys[key]);
	}
	free(keys);
	return r;
}

static int take_column(struct spool_records *records, struct cursor *cursor, char **texts)
{
	char name[64], type[128];
	const unsigned char *values;
	size_t column = 0, i = 0;

	if (!take_word(cursor, name, sizeof(name)) || !take_word(cursor, type, sizeof(type)))
		return -EBADMSG;
	while (i < N_TYPES && strncmp(type, types[i].name, strlen(types[i].name)) != 0)
		i++;
	if (i == N_TYPES)
		return -EBADMSG;
	while (column < N_COLUMNS && strcmp(name, columns[column].name) != 0)
		column++;
	/* A column of ours that has another type now is none of ours. */
	if (column < N_COLUMNS &&
	    ((types[i].kind == KIND_FIXED && types[i].width != columns[column].width) ||
	     (types[i].kind == KIND_ADDRESS) !=
		     (columns[column].target == TO_SRC || columns[column].target == TO_DST) ||
	     (types[i].kind != KIND_FIXED && columns[column].width)))
		column = N_COLUMNS;
	if (types[i].kind != KIND_FIXED)
		return take_dictionary(records, cursor, column, types[i].kind == KIND_ADDRESS,
				       texts);
	values = take(cursor, records->n * types[i].width);
	if (!values)
		return -EBADMSG;
	if (column < N_COLUMNS)
		set_fixed(records, column, values);
	return 0;
}

static int unpack(struct spool_records *records, const void *stored, size_t stored_size,
		  size_t raw_size)
{
	z_stream stream = { .next_in = stored, .avail_in = (unsigned int)stored_size };
	int r;

	if (raw_size > records->raw_room) {
		/* A key is copied with a NUL behind it; its length or more stood before it. */
		free(records->raw);
		free(records->texts);
		records->raw = malloc(raw_size);
		records->texts = malloc(2 * raw_size + 64);
		records->raw_room = records->raw && records->texts ? raw_size : 0;
		if (!records->raw_room)
			return -ENOMEM;
	}
	if (inflateInit2(&stream, 15 + 16) != Z_OK)
		return -ENOMEM;
	stream.next_out = (unsigned char *)records->raw;
	stream.avail_out = (unsigned int)raw_size;
	r = inflate(&stream, Z_FINISH);
	inflateEnd(&stream);
	return r == Z_STREAM_END && stream.avail_out == 0 ? 0 : -EBADMSG;
}

/* IPv4 addresses stand in a block as ::ffff:a.b.c.d. */
static void unmap_addresses(struct spool_records *records)
{
	for (size_t i = 0; i < records->n; i++) {
		struct traffic_record *record = &records->records[i];

		if (record->family != TRAFFIC_FAMILY_IPV4)
			continue;
		memcpy(record->source, record->source + 12, 4);
		memset(record->source + 4, 0, 12);
		memcpy(record->destination, record->destination + 12, 4);
		memset(record->destination + 4, 0, 12);
	}
}

int spool_records_read(struct spool_records *ret, const void *stored, size_t stored_size,
		       size_t raw_size)
{
	struct cursor cursor;
	size_t n_columns, n;
	char *texts;
	int r = unpack(ret, stored, stored_size, raw_size);

	if (r < 0)
		return r;
	cursor.at = (const unsigned char *)ret->raw;
	cursor.end = cursor.at + raw_size;
	texts = ret->texts;
	if (!take_length(&cursor, &n_columns) || !take_length(&cursor, &n) || n > ROWS_MAX)
		return -EBADMSG;
	r = make_rows(ret, n);
	for (size_t i = 0; i < n_columns && r == 0; i++)
		r = take_column(ret, &cursor, &texts);
	if (r == 0)
		unmap_addresses(ret);
	return r;
}

void spool_records_free(struct spool_records *records)
{
	free(records->records);
	free(records->users);
	free(records->raw);
	free(records->texts);
	*records = (struct spool_records){ 0 };
}
