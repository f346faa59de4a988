// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * spool:DIRECTORY, the interface to `traffic-meter export`: records as blocks in numbered segment
 * files (docs/spool.md). Owns the records that wait for their block to be full, or to be flushed;
 * the files are spool_store.c's.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <traffic_meter/output.h>

#include "output/spool_store.h"
#include "spool/block.h"
#include "spool/frame.h"
#include "util/names.h"

#define NS_PER_S UINT64_C(1000000000)

struct spool {
	/* of the SPEC */
	uint64_t size;
	uint64_t sync_s;
	uint64_t level;
	uint32_t mode;
	char *group;
	char *host;

	struct spool_store store;
	struct names *names;
	struct spool_block *block;
	char *piece;		       /* a frame, packed: header and block */
	size_t piece_room, piece_size; /* size 0: none waits */
	struct spool_frame frame;      /* of the piece, or of the records in .block */

	/* Where in a batch the next record of write() is. */
	uint64_t batch, index;
	/* How far the meter before this one came. */
	uint64_t known_batch, known_records;
};

static const struct traffic_option spool_options[] = {
	{
		.name = "size",
		.type = TRAFFIC_OPTION_SIZE,
		.offset = offsetof(struct spool, size),
		.metavar = "SIZE",
		.minimum = 64 << 10,
		.help = "of all segments together; then the oldest goes (1G)",
	},
	{
		.name = "sync",
		.type = TRAFFIC_OPTION_NUMBER,
		.offset = offsetof(struct spool, sync_s),
		.metavar = "SECONDS",
		.maximum = 3600,
		.help = "that a record may wait for the disk (5)",
	},
	{
		.name = "level",
		.type = TRAFFIC_OPTION_NUMBER,
		.offset = offsetof(struct spool, level),
		.metavar = "1..9",
		.minimum = 1,
		.maximum = 9,
		.help = "of gzip: 1 is fast, 9 is small (1)",
	},
	{
		.name = "host",
		.type = TRAFFIC_OPTION_STRING,
		.offset = offsetof(struct spool, host),
		.metavar = "NAME",
		.help = "of this machine, for the column host (its own)",
	},
	{
		.name = "mode",
		.type = TRAFFIC_OPTION_MODE,
		.offset = offsetof(struct spool, mode),
		.metavar = "OCTAL",
		.help = "permissions of a new file (0640)",
	},
	{
		.name = "group",
		.type = TRAFFIC_OPTION_STRING,
		.offset = offsetof(struct spool, group),
		.metavar = "NAME",
		.help = "group of a new file (the meter's)",
	},
	{ .name = NULL },
};

static void spool_preset(void *context)
{
	struct spool *spool = context;

	spool->size = UINT64_C(1) << 30;
	spool->sync_s = 5;
	spool->level = 1;
	spool->mode = 0640;
	spool->store.directory_fd = -1;
	spool->store.file = APPEND_FILE_CLOSED;
}

static int spool_init(struct traffic_output *output)
{
	struct spool *spool = output->context;
	char host[256] = "";
	int r;

	if (!*output->target)
		return traffic_output_refuse(output, -EINVAL, "which directory? spool:DIRECTORY");
	if (!spool->host && gethostname(host, sizeof(host) - 1) < 0)
		return traffic_output_fail(output, -errno, "ask for the machine's name");
	spool->names = names_new();
	spool->block = spool_block_new(spool->host ? spool->host : host, (int)spool->level);
	if (!spool->names || !spool->block)
		return traffic_output_fail(output, -ENOMEM, "make a block");
	spool->store.path = output->target;
	spool->store.size_bytes = spool->size;
	spool->store.sync_ns = spool->sync_s * NS_PER_S;
	r = append_policy_init(&spool->store.policy, output, spool->mode, spool->group);
	if (r < 0)
		return r;
	r = spool_store_open(&spool->store, output);
	spool->known_batch = spool->store.batch;
	spool->known_records = spool->store.records;
	return r;
}

/* The batch of the last frame, so that numbers do not come again after a power loss. The spool keeps no
 * running totals. */
static int spool_totals(struct traffic_output *output, uint64_t known, traffic_total_tell *tell,
			void *userdata)
{
	const struct spool *spool = output->context;
	const struct traffic_total total = { .uid = TRAFFIC_NO_UID, .batch = spool->known_batch };

	return spool->known_batch > known ? tell(userdata, &total) : 0;
}

static int pack(struct spool *spool, struct traffic_output *output)
{
	size_t room = SPOOL_FRAME_HEADER + spool_block_bound(spool->block), stored, raw;
	struct timespec now = { 0 };
	int r;

	if (room > spool->piece_room) {
		free(spool->piece);
		spool->piece = malloc(room);
		spool->piece_room = spool->piece ? room : 0;
		if (!spool->piece)
			return traffic_output_fail(output, -ENOMEM, "pack a block");
	}
	r = spool_block_pack(spool->block, spool->frame.batch, spool->piece + SPOOL_FRAME_HEADER,
			     spool->piece_room - SPOOL_FRAME_HEADER, &stored, &raw);
	if (r < 0) {
		traffic_output_lost(output, spool->frame.sums.records,
				    spool->frame.sums.packets[0] + spool->frame.sums.packets[1],
				    spool->frame.sums.bytes[0] + spool->frame.sums.bytes[1]);
		return traffic_output_fail(output, r, "pack a block");
	}
	clock_gettime(CLOCK_REALTIME, &now);
	spool->frame.stored_size = (uint32_t)stored;
	spool->frame.raw_size = (uint32_t)raw;
	spool->frame.written_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
	spool_frame_put((unsigned char *)spool->piece, &spool->frame,
			spool->piece + SPOOL_FRAME_HEADER);
	spool->piece_size = SPOOL_FRAME_HEADER + stored;
	return 0;
}

/* Writes what waits as a frame. On an error it goes on waiting. */
static int put_frame(struct spool *spool, struct traffic_output *output)
{
	int r = 0;

	if (!spool->piece_size && spool_block_count(spool->block))
		r = pack(spool, output);
	if (r < 0 || !spool->piece_size)
		return r;
	r = spool_store_append(&spool->store, output, spool->piece, spool->piece_size,
			       &spool->frame);
	if (r == 0)
		spool->piece_size = 0;
	return r;
}

/* How many of the n records that come again the meter before this one has written. */
static size_t known_of(const struct spool *spool, const struct traffic_output *output, size_t n)
{
	uint64_t left;

	if (!output->repeated || output->batch > spool->known_batch)
		return 0;
	if (output->batch < spool->known_batch)
		return n;
	left = spool->known_records > spool->index ? spool->known_records - spool->index : 0;
	return left < n ? (size_t)left : n;
}

static ssize_t add_records(struct spool *spool, const struct traffic_output *output,
			   const struct traffic_record *records, size_t n)
{
	struct timespec now = { 0 };
	size_t i = 0;

	if (!spool_block_count(spool->block))
		spool->frame = (struct spool_frame){
			.batch = output->batch,
			.first = spool->index,
			.flags = output->repeated ? SPOOL_REPEATED : 0,
		};
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	for (; i < n && spool_block_count(spool->block) < SPOOL_BLOCK_RECORDS; i++) {
		const char *user =
			records[i].uid == TRAFFIC_NO_UID
				? NULL
				: names_user(spool->names, records[i].uid, (uint64_t)now.tv_sec);

		if (spool_block_add(spool->block, &records[i], user) < 0)
			break;
	}
	spool_sums_count(&spool->frame.sums, records, i);
	spool->index += i;
	return (ssize_t)i;
}

static ssize_t spool_write(struct traffic_output *output, const struct traffic_record *records,
			   size_t n)
{
	struct spool *spool = output->context;
	bool is_new = output->batch != spool->batch;
	size_t known;
	ssize_t taken;

	/* A block is of one batch. */
	if ((is_new || spool->piece_size ||
	     spool_block_count(spool->block) == SPOOL_BLOCK_RECORDS) &&
	    put_frame(spool, output) < 0)
		return -EAGAIN;
	if (is_new) {
		spool->batch = output->batch;
		spool->index = 0;
	}
	known = known_of(spool, output, n);
	if (known) {
		spool->index += known;
		return (ssize_t)known;
	}
	taken = add_records(spool, output, records, n);
	if (taken > 0)
		return taken;
	traffic_output_fail(output, -ENOMEM, "add to a block");
	return -EAGAIN;
}

static int spool_flush(struct traffic_output *output)
{
	struct spool *spool = output->context;

	if (put_frame(spool, output) < 0 || spool_store_sync(&spool->store, output, false) < 0)
		return -EAGAIN;
	return 0;
}

static void spool_close(struct traffic_output *output)
{
	struct spool *spool = output->context;

	if (spool->block && (spool->piece_size || spool_block_count(spool->block)) &&
	    put_frame(spool, output) < 0)
		traffic_output_lost(output, spool->frame.sums.records,
				    spool->frame.sums.packets[0] + spool->frame.sums.packets[1],
				    spool->frame.sums.bytes[0] + spool->frame.sums.bytes[1]);
	spool_store_sync(&spool->store, output, true);
	spool_store_close(&spool->store);
	spool_block_free(spool->block);
	names_free(spool->names);
	free(spool->piece);
}

const struct traffic_output_type spool_output = {
	.kind = "spool",
	.target = "DIRECTORY",
	.help = "packed batches in segment files, for `traffic-meter export`",
	.context_size = sizeof(struct spool),
	.options = spool_options,
	.preset = spool_preset,
	.init = spool_init,
	.totals = spool_totals,
	.write = spool_write,
	.flush = spool_flush,
	.close = spool_close,
};
