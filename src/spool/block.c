// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packs blocks. Each column is an array that fills up record by record, of texts and addresses with
 * numbers into a dictionary. Packing sorts the rows, so that a user's and a connection's stand
 * together, and hands the arrays to zlib column by column: sorted rows take a quarter less.
 */
#include "spool/block.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST /* input is const */
#include <zlib.h>

#include "spool/columns.h"
#include "spool/dictionary.h"
#include "spool/sort.h"

#define ROWS SPOOL_BLOCK_RECORDS

_Static_assert(2 * ROWS <= DICTIONARY_KEYS, "each row may have two addresses of its own");
_Static_assert(__BYTE_ORDER == __LITTLE_ENDIAN, "the arrays are written as they are in memory");

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define S_PER_DAY 86400

/* A name and a type, a length, a dictionary's head: below this for each column. */
#define COLUMN_OVERHEAD 160

/* Of a row in all columns: a dictionary's numbers are two bytes at most. */
#define ROW_BYTES 120

/* zlib's strategies: search for repetitions, or only count how frequent each byte is. */
#define SEARCH Z_DEFAULT_STRATEGY
#define COUNT  Z_HUFFMAN_ONLY

struct spool_block {
	size_t n;
	char *host;
	uint32_t newest_s; /* of the records' times */
	z_stream stream;
	bool has_stream;
	int strategy;
	int level;
	size_t raw; /* bytes that went into the stream */

	uint32_t time[ROWS], start[ROWS];
	uint16_t time_ms[ROWS], start_ms[ROWS];
	uint32_t time_ns[ROWS], start_ns[ROWS];
	uint32_t uid[ROWS], login_uid[ROWS];
	uint64_t bytes[ROWS], wire_bytes[ROWS];
	uint64_t packets[ROWS], wire_packets[ROWS];
	uint16_t src_port[ROWS], dst_port[ROWS];
	uint8_t direction[ROWS], family[ROWS], protocol[ROWS], step[ROWS];
	uint16_t src[ROWS], dst[ROWS]; /* numbers of .addresses */
	uint16_t text[COLUMN_TEXTS][ROWS];

	/* One for both ends: where the local address is one, both columns' numbers repeat. */
	struct dictionary addresses;
	struct dictionary texts[COLUMN_TEXTS];

	uint16_t order[ROWS]; /* sorted: which row comes first, and so on */
	struct sort_row sort[2 * ROWS];
	uint64_t column[ROWS]; /* one in that order */
};

struct spool_block *spool_block_new(const char *host, int level)
{
	struct spool_block *block = calloc(1, sizeof(*block));

	if (!block)
		return NULL;
	block->level = level;
	block->strategy = SEARCH;
	block->host = strdup(host);
	/* 16: a gzip header, which has no time in it: the same records make the same bytes. */
	block->has_stream =
		deflateInit2(&block->stream, level, Z_DEFLATED, 15 + 16, 9, SEARCH) == Z_OK;
	if (block->host && block->has_stream)
		return block;
	spool_block_free(block);
	return NULL;
}

void spool_block_free(struct spool_block *block)
{
	if (!block)
		return;
	for (size_t i = 0; i < COLUMN_TEXTS; i++)
		dictionary_free(&block->texts[i]);
	dictionary_free(&block->addresses);
	if (block->has_stream)
		deflateEnd(&block->stream);
	free(block->host);
	free(block);
}

size_t spool_block_count(const struct spool_block *block)
{
	return block->n;
}

static int add_text(struct spool_block *block, enum column_text which, const char *text, size_t max)
{
	return dictionary_add(&block->texts[which], text ? text : "", text ? strnlen(text, max) : 0,
			      false, &block->text[which][block->n]);
}

/* IPv4 as ::ffff:a.b.c.d, so that a column has one kind of address. */
static int add_address(struct spool_block *block, uint8_t family, const uint8_t address[16],
		       uint16_t *ret_key)
{
	uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff };

	if (family == TRAFFIC_FAMILY_IPV4) {
		memcpy(mapped + 12, address, 4);
		address = mapped;
	}
	return dictionary_add(&block->addresses, address, 16, true, ret_key);
}

static int add_names(struct spool_block *block, const struct traffic_record *record,
		     const char *user)
{
	size_t n = block->n;
	int r;

	if ((r = add_address(block, record->family, record->source, &block->src[n])) < 0 ||
	    (r = add_address(block, record->family, record->destination, &block->dst[n])) < 0 ||
	    (r = add_text(block, COLUMN_HOST, block->host, COLUMN_TEXT_MAX)) < 0 ||
	    (r = add_text(block, COLUMN_USER, user, COLUMN_TEXT_MAX)) < 0 ||
	    (r = add_text(block, COLUMN_INTERFACE, record->interface, sizeof(record->interface))) <
		    0 ||
	    (r = add_text(block, COLUMN_PROGRAM, record->program, sizeof(record->program))) < 0 ||
	    (r = add_text(block, COLUMN_CGROUP, record->cgroup, COLUMN_TEXT_MAX)) < 0 ||
	    (r = add_text(block, COLUMN_NETWORK, record->network, COLUMN_TEXT_MAX)) < 0)
		return r;
	return add_text(block, COLUMN_WORKLOAD, record->workload, COLUMN_TEXT_MAX);
}

int spool_block_add(struct spool_block *block, const struct traffic_record *record,
		    const char *user)
{
	/* A sum's times are right to a tick of the kernel's, which is a millisecond at least: what is
	 * behind that would be a quarter of the block, and noise. */
	bool is_packet = record->step == TRAFFIC_STEP_PACKET;
	size_t n = block->n;
	int r = add_names(block, record, user);

	if (r < 0)
		return r;
	block->time[n] = (uint32_t)(record->end_ns / NS_PER_S);
	block->start[n] = (uint32_t)(record->start_ns / NS_PER_S);
	block->time_ms[n] = (uint16_t)(record->end_ns % NS_PER_S / NS_PER_MS);
	block->start_ms[n] = (uint16_t)(record->start_ns % NS_PER_S / NS_PER_MS);
	block->time_ns[n] = is_packet ? (uint32_t)(record->end_ns % NS_PER_MS) : 0;
	block->start_ns[n] = is_packet ? (uint32_t)(record->start_ns % NS_PER_MS) : 0;
	block->uid[n] = record->uid;
	block->login_uid[n] = record->login_uid;
	block->bytes[n] = record->bytes;
	block->wire_bytes[n] = record->wire_bytes;
	block->packets[n] = record->packets;
	block->wire_packets[n] = record->wire_packets;
	block->src_port[n] = record->source_port;
	block->dst_port[n] = record->destination_port;
	block->direction[n] = record->direction;
	block->family[n] = record->family;
	block->protocol[n] = record->protocol;
	block->step[n] = record->step;
	if (block->time[n] > block->newest_s)
		block->newest_s = block->time[n];
	block->n++;
	return 0;
}

size_t spool_block_bound(struct spool_block *block)
{
	size_t raw = (size_t)COLUMN_N * COLUMN_OVERHEAD + block->n * ROW_BYTES +
		     2 * block->addresses.used;

	for (size_t i = 0; i < COLUMN_TEXTS; i++)
		raw += block->texts[i].used;
	/* A change of the strategy ends a block of deflate's. */
	return deflateBound(&block->stream, raw) + 1024;
}

/* Rows of a cgroup, user, remote address and connection stand together. */
static void sort_rows(struct spool_block *block)
{
	for (size_t i = 0; i < block->n; i++) {
		bool is_in = block->direction[i] == TRAFFIC_IN;
		uint16_t port = block->src_port[i] > block->dst_port[i] ? block->src_port[i]
									: block->dst_port[i];
		uint64_t remote = is_in ? block->src[i] : block->dst[i];

		block->sort[i].row = (uint16_t)i;
		block->sort[i].key = (uint64_t)block->text[COLUMN_CGROUP][i] << 52 |
				     (uint64_t)(block->uid[i] & 0xfff) << 40 | remote << 24 |
				     (uint64_t)port << 8 | block->direction[i];
	}
	sort_by_key(block->sort, block->n);
	for (size_t i = 0; i < block->n; i++)
		block->order[i] = block->sort[i].row;
}

static int put(struct spool_block *block, const void *data, size_t n)
{
	z_stream *stream = &block->stream;

	stream->next_in = data;
	stream->avail_in = (unsigned int)n;
	block->raw += n;
	return n == 0 || deflate(stream, Z_NO_FLUSH) == Z_OK ? 0 : -EIO;
}

static int set_strategy(struct spool_block *block, int strategy)
{
	if (strategy == block->strategy)
		return 0;
	block->strategy = strategy;
	return deflateParams(&block->stream, block->level, strategy) == Z_OK ? 0 : -EIO;
}

/* Names and types are shorter than 128 bytes, so their lengths are one byte. */
static int put_head(struct spool_block *block, const char *name, const char *type)
{
	unsigned char head[COLUMN_OVERHEAD];
	size_t name_length = strlen(name), type_length = strlen(type);

	head[0] = (unsigned char)name_length;
	memcpy(head + 1, name, name_length);
	head[1 + name_length] = (unsigned char)type_length;
	memcpy(head + 2 + name_length, type, type_length);
	return put(block, head, 2 + name_length + type_length);
}

/* The values in the rows' order. */
static void gather(struct spool_block *block, const void *array, size_t width)
{
	const uint16_t *order = block->order;
	size_t n = block->n;

#define GATHER(type)                   \
	for (size_t i = 0; i < n; i++) \
	((type *)block->column)[i] = ((const type *)array)[order[i]]

	if (width == 1)
		GATHER(uint8_t);
	else if (width == 2)
		GATHER(uint16_t);
	else if (width == 4)
		GATHER(uint32_t);
	else
		GATHER(uint64_t);
#undef GATHER
}

static int put_array(struct spool_block *block, const char *name, const char *type,
		     const void *array, size_t width)
{
	int r = put_head(block, name, type);

	gather(block, array, width);
	return r < 0 ? r : put(block, block->column, block->n * width);
}

/* LowCardinality: version, width of a number and that keys follow, the keys, the numbers. */
static int put_dictionary(struct spool_block *block, const char *name, const char *type,
			  const struct dictionary *dictionary, const uint16_t *rows)
{
	bool narrow = dictionary->n_keys <= 256;
	uint64_t head[3] = { 1, COLUMN_KEYS_FOLLOW | (narrow ? 0 : 1), dictionary->n_keys };
	uint64_t n = block->n;
	int r = put_head(block, name, type);

	if (r < 0 || (r = put(block, head, sizeof(head))) < 0 ||
	    (r = put(block, dictionary->keys, dictionary->used)) < 0 ||
	    (r = put(block, &n, sizeof(n))) < 0)
		return r;
	gather(block, rows, sizeof(*rows));
	if (narrow) {
		const uint16_t *wide = (const uint16_t *)block->column;

		for (size_t i = 0; i < block->n; i++)
			((uint8_t *)block->column)[i] = (uint8_t)wide[i];
	}
	return put(block, block->column, block->n * (narrow ? 1 : 2));
}

static int put_text(struct spool_block *block, const char *name, enum column_text which)
{
	return put_dictionary(block, name, COLUMN_TYPE_TEXT, &block->texts[which],
			      block->text[which]);
}

/* A column with one value in all rows. */
static int put_same(struct spool_block *block, const char *name, const char *type, uint64_t value,
		    size_t width)
{
	int r = put_head(block, name, type);

	for (size_t i = 0; i < block->n; i++)
		memcpy((char *)block->column + i * width, &value, width);
	return r < 0 ? r : put(block, block->column, block->n * width);
}

#define ARRAY(name, type) put_array(block, #name, type, block->name, sizeof(*block->name))
#define ADDRESS(name) \
	put_dictionary(block, #name, COLUMN_TYPE_ADDRESS, &block->addresses, block->name)

static int put_columns(struct spool_block *block, uint64_t batch)
{
	int r;

	if ((r = put_same(block, "date", "Date", block->newest_s / S_PER_DAY, 2)) < 0 ||
	    (r = put_text(block, "host", COLUMN_HOST)) < 0 ||
	    (r = put_same(block, "batch", "UInt64", batch, 8)) < 0 ||
	    (r = ARRAY(time, "DateTime")) < 0 || (r = ARRAY(start, "DateTime")) < 0 ||
	    (r = ARRAY(time_ns, "UInt32")) < 0 || (r = ARRAY(start_ns, "UInt32")) < 0 ||
	    (r = ARRAY(uid, "UInt32")) < 0 || (r = ARRAY(login_uid, "UInt32")) < 0 ||
	    (r = ARRAY(step, COLUMN_TYPE_STEP)) < 0 || (r = ARRAY(packets, "UInt64")) < 0 ||
	    (r = ARRAY(wire_packets, "UInt64")) < 0 || (r = ARRAY(bytes, "UInt64")) < 0 ||
	    (r = ARRAY(wire_bytes, "UInt64")) < 0 ||
	    (r = put_text(block, "interface", COLUMN_INTERFACE)) < 0 ||
	    (r = put_text(block, "user", COLUMN_USER)) < 0 ||
	    (r = put_text(block, "cgroup", COLUMN_CGROUP)) < 0 ||
	    (r = put_text(block, "workload", COLUMN_WORKLOAD)) < 0 ||
	    (r = put_text(block, "program", COLUMN_PROGRAM)) < 0 ||
	    (r = put_text(block, "network", COLUMN_NETWORK)) < 0 || (r = ADDRESS(src)) < 0 ||
	    (r = ADDRESS(dst)) < 0 || (r = ARRAY(direction, COLUMN_TYPE_DIRECTION)) < 0 ||
	    (r = ARRAY(family, "UInt8")) < 0 || (r = ARRAY(protocol, "UInt8")) < 0)
		return r;
	/* In numbers without a pattern a search finds nothing that is worth its time. */
	if ((r = set_strategy(block, COUNT)) < 0 || (r = ARRAY(time_ms, "UInt16")) < 0 ||
	    (r = ARRAY(start_ms, "UInt16")) < 0 || (r = ARRAY(src_port, "UInt16")) < 0)
		return r;
	return ARRAY(dst_port, "UInt16");
}

static void forget(struct spool_block *block)
{
	block->n = 0;
	block->newest_s = 0;
	dictionary_clear(&block->addresses);
	for (size_t i = 0; i < COLUMN_TEXTS; i++)
		dictionary_clear(&block->texts[i]);
}

int spool_block_pack(struct spool_block *block, uint64_t batch, void *to, size_t room,
		     size_t *ret_stored, size_t *ret_raw)
{
	z_stream *stream = &block->stream;
	unsigned char head[3] = { COLUMN_N };
	size_t n_head = 2;
	int r;

	sort_rows(block);
	if (deflateReset(stream) != Z_OK)
		return -EIO;
	stream->next_out = to;
	stream->avail_out = (unsigned int)room;
	block->raw = 0;
	head[1] = (unsigned char)block->n;
	if (block->n >= 0x80) {
		head[1] |= 0x80;
		head[2] = (unsigned char)(block->n >> 7);
		n_head = 3;
	}
	r = set_strategy(block, SEARCH);
	if (r == 0)
		r = put(block, head, n_head);
	if (r == 0)
		r = put_columns(block, batch);
	if (r == 0 && deflate(stream, Z_FINISH) != Z_STREAM_END)
		r = -EIO;
	*ret_stored = room - stream->avail_out;
	*ret_raw = block->raw;
	forget(block);
	return r;
}
