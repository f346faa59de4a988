/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a spool's files: names of segments, the header of a segment, the header of a frame.
 * The meter (output/spool.c) writes them, `export` reads them. docs/spool.md has the layout in words.
 *
 * A spool is a directory of segments. A segment is a header and frames. A frame is a header and a
 * block (block.h): records of one batch, in the order in which the meter made them. All numbers are
 * little-endian.
 */
#ifndef SPOOL_FRAME_H
#define SPOOL_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <traffic_meter/record.h>

#define SPOOL_VERSION	     1
#define SPOOL_SEGMENT_HEADER 80 /* bytes */
#define SPOOL_FRAME_HEADER   80 /* bytes */

/* What each frame begins with. No NUL behind it. */
#define SPOOL_MAGIC_SIZE 4
extern const char spool_frame_magic[SPOOL_MAGIC_SIZE];

/* A frame that claims more than this is damaged. */
#define SPOOL_STORED_MAX (64U << 20)
#define SPOOL_RAW_MAX	 (256U << 20)

/* "traffic-00000000000000000042.spool" and a NUL. */
#define SPOOL_NAME_MAX 40

/* Sums of records, by direction. */
struct spool_sums {
	uint64_t records;
	uint64_t packets[2];
	uint64_t bytes[2];
};

struct spool_segment {
	uint32_t version;
	uint64_t id;	     /* of the spool: random, made with its first segment */
	uint64_t number;     /* of the segment; the next one has number + 1 */
	uint64_t created_ns; /* ns since 1970-01-01 UTC */
	struct spool_sums
		before; /* of all frames in all segments before this one, since the first */
};

enum spool_flag {
	SPOOL_REPEATED =
		1, /* a meter that died had begun this batch: a reader of csv or json may know it */
};

struct spool_frame {
	uint32_t stored_size; /* bytes of the gzip'd block behind the header */
	uint32_t raw_size;    /* of the block when it is unpacked */
	uint64_t batch;	      /* number; grows over restarts too */
	uint64_t first;	      /* so many records of the batch are in frames before this one */
	uint32_t flags;	      /* enum spool_flag, or'ed */
	uint64_t written_ns;  /* ns since 1970-01-01 UTC */
	struct spool_sums sums;
};

void spool_sums_add(struct spool_sums *sums, const struct spool_sums *more);

/* more >= less in each number. */
struct spool_sums spool_sums_difference(const struct spool_sums *more,
					const struct spool_sums *less);

/* Adds the records. */
void spool_sums_count(struct spool_sums *sums, const struct traffic_record *records, size_t n);

void spool_name_format(char name[SPOOL_NAME_MAX], uint64_t number);

/* Returns whether the name is a segment's, with its number. */
bool spool_name_parse(const char *name, uint64_t *ret_number);

void spool_segment_put(unsigned char header[SPOOL_SEGMENT_HEADER],
		       const struct spool_segment *segment);

/* Returns 0, -EPROTONOSUPPORT for a version above ours (ret->version is set), or -EBADMSG. */
int spool_segment_get(const unsigned char header[SPOOL_SEGMENT_HEADER], struct spool_segment *ret);

/* The header of a frame, with the checksum over it and the block. */
void spool_frame_put(unsigned char header[SPOOL_FRAME_HEADER], const struct spool_frame *frame,
		     const void *block);

/* Reads a header alone: sizes that make sense. Returns 0 or -EBADMSG. */
int spool_frame_get(const unsigned char header[SPOOL_FRAME_HEADER], struct spool_frame *ret);

/* Whether the checksum in the header fits it and the block of frame->stored_size bytes. */
bool spool_frame_verify(const unsigned char header[SPOOL_FRAME_HEADER],
			const struct spool_frame *frame, const void *block);

#endif
