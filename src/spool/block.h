/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A block of records in ClickHouse's format Native, gzip'd: columns with their names and types, one
 * behind the other. `clickhouse-client --query "INSERT INTO table FORMAT Native"` takes it as it is.
 * docs/spool.md lists the columns.
 */
#ifndef SPOOL_BLOCK_H
#define SPOOL_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <traffic_meter/record.h>

/* Records of a block at most. More pack little better, and the reader keeps as many in memory. */
#define SPOOL_BLOCK_RECORDS 4096

struct spool_block;

/* host: the value of the column of that name; copied. level: gzip's, 1 (fast) to 9 (small).
 * NULL: no memory. */
struct spool_block *spool_block_new(const char *host, int level);
void spool_block_free(struct spool_block *block);

/* Records added since the last spool_block_pack(). */
size_t spool_block_count(const struct spool_block *block);

/* Only below SPOOL_BLOCK_RECORDS. user: the uid's name, any bytes; NULL: not known.
 * Returns 0 or -ENOMEM, with nothing added. */
int spool_block_add(struct spool_block *block, const struct traffic_record *record,
		    const char *user);

/* Packs the records, which are all of that batch, into `to` (room bytes, at least
 * spool_block_bound()) and forgets them. Returns 0 or -EIO (zlib fails). */
int spool_block_pack(struct spool_block *block, uint64_t batch, void *to, size_t room,
		     size_t *ret_stored, size_t *ret_raw);

/* How many bytes the records that were added can take at most. */
size_t spool_block_bound(struct spool_block *block);

/* ---- the other way ---- */

/* The records of a block. What they and .users point to lives as long. */
struct spool_records {
	struct traffic_record *records;
	const char **users; /* names of the uids; NULL: not known */
	size_t n;
	const char *host; /* "": not known */
	size_t room;	  /* of .records and .users */
	char *raw;	  /* the block */
	size_t raw_room;
	char *texts;
	size_t texts_room;
};

/* Unpacks a block. Columns that we do not know are passed over; those that it lacks stay 0 or NULL.
 * ret: zeroed before its first use; its memory is used again. Returns 0, -ENOMEM, or -EBADMSG. */
int spool_records_read(struct spool_records *ret, const void *stored, size_t stored_size,
		       size_t raw_size);
void spool_records_free(struct spool_records *records);

#endif
