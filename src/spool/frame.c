// SPDX-License-Identifier: GPL-2.0-or-later
#include "spool/frame.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "spool/crc32c.h"

static const char segment_magic[8] = "TMSPOOL\n";
const char spool_frame_magic[SPOOL_MAGIC_SIZE] = "TMF1";

static unsigned char *put32(unsigned char *to, uint32_t number)
{
	number = htole32(number);
	return (unsigned char *)memcpy(to, &number, sizeof(number)) + sizeof(number);
}

static unsigned char *put64(unsigned char *to, uint64_t number)
{
	number = htole64(number);
	return (unsigned char *)memcpy(to, &number, sizeof(number)) + sizeof(number);
}

static uint32_t get32(const unsigned char *from)
{
	uint32_t number;

	memcpy(&number, from, sizeof(number));
	return le32toh(number);
}

static uint64_t get64(const unsigned char *from)
{
	uint64_t number;

	memcpy(&number, from, sizeof(number));
	return le64toh(number);
}

void spool_sums_add(struct spool_sums *sums, const struct spool_sums *more)
{
	sums->records += more->records;
	for (int i = 0; i < 2; i++) {
		sums->packets[i] += more->packets[i];
		sums->bytes[i] += more->bytes[i];
	}
}

struct spool_sums spool_sums_difference(const struct spool_sums *more,
					const struct spool_sums *less)
{
	struct spool_sums sums = { .records = more->records - less->records };

	for (int i = 0; i < 2; i++) {
		sums.packets[i] = more->packets[i] - less->packets[i];
		sums.bytes[i] = more->bytes[i] - less->bytes[i];
	}
	return sums;
}

void spool_sums_count(struct spool_sums *sums, const struct traffic_record *records, size_t n)
{
	sums->records += n;
	for (size_t i = 0; i < n; i++) {
		sums->packets[records[i].direction & 1] += records[i].packets;
		sums->bytes[records[i].direction & 1] += records[i].bytes;
	}
}

void spool_name_format(char name[SPOOL_NAME_MAX], uint64_t number)
{
	snprintf(name, SPOOL_NAME_MAX, "traffic-%020" PRIu64 ".spool", number);
}

bool spool_name_parse(const char *name, uint64_t *ret_number)
{
	char again[SPOOL_NAME_MAX];
	uint64_t number;

	if (sscanf(name, "traffic-%20" SCNu64, &number) != 1)
		return false;
	spool_name_format(again, number);
	if (strcmp(name, again) != 0)
		return false;
	*ret_number = number;
	return true;
}

static unsigned char *put_amounts(unsigned char *to, const struct spool_sums *sums)
{
	to = put64(to, sums->packets[TRAFFIC_IN]);
	to = put64(to, sums->packets[TRAFFIC_OUT]);
	to = put64(to, sums->bytes[TRAFFIC_IN]);
	return put64(to, sums->bytes[TRAFFIC_OUT]);
}

static void get_amounts(const unsigned char *from, struct spool_sums *ret)
{
	ret->packets[TRAFFIC_IN] = get64(from);
	ret->packets[TRAFFIC_OUT] = get64(from + 8);
	ret->bytes[TRAFFIC_IN] = get64(from + 16);
	ret->bytes[TRAFFIC_OUT] = get64(from + 24);
}

void spool_segment_put(unsigned char header[SPOOL_SEGMENT_HEADER],
		       const struct spool_segment *segment)
{
	unsigned char *to = header;

	to = (unsigned char *)memcpy(to, segment_magic, sizeof(segment_magic)) +
	     sizeof(segment_magic);
	to = put32(to, segment->version);
	to = put32(to, 0); /* the checksum's place */
	to = put64(to, segment->id);
	to = put64(to, segment->number);
	to = put64(to, segment->created_ns);
	to = put64(to, segment->before.records);
	put_amounts(to, &segment->before);
	put32(header + 12, crc32c(0, header + 16, SPOOL_SEGMENT_HEADER - 16));
}

int spool_segment_get(const unsigned char header[SPOOL_SEGMENT_HEADER], struct spool_segment *ret)
{
	if (memcmp(header, segment_magic, sizeof(segment_magic)) != 0)
		return -EBADMSG;
	ret->version = get32(header + 8);
	if (ret->version > SPOOL_VERSION)
		return -EPROTONOSUPPORT;
	if (ret->version == 0 ||
	    get32(header + 12) != crc32c(0, header + 16, SPOOL_SEGMENT_HEADER - 16))
		return -EBADMSG;
	ret->id = get64(header + 16);
	ret->number = get64(header + 24);
	ret->created_ns = get64(header + 32);
	ret->before.records = get64(header + 40);
	get_amounts(header + 48, &ret->before);
	return 0;
}

static uint32_t checksum(const unsigned char header[SPOOL_FRAME_HEADER], const void *block,
			 size_t size)
{
	return crc32c(crc32c(0, header + 8, SPOOL_FRAME_HEADER - 8), block, size);
}

void spool_frame_put(unsigned char header[SPOOL_FRAME_HEADER], const struct spool_frame *frame,
		     const void *block)
{
	unsigned char *to = header;

	to = (unsigned char *)memcpy(to, spool_frame_magic, sizeof(spool_frame_magic)) +
	     sizeof(spool_frame_magic);
	to = put32(to, 0); /* the checksum's place */
	to = put32(to, frame->stored_size);
	to = put32(to, frame->raw_size);
	to = put64(to, frame->batch);
	to = put64(to, frame->first);
	to = put32(to, (uint32_t)frame->sums.records);
	to = put32(to, frame->flags);
	to = put64(to, frame->written_ns);
	put_amounts(to, &frame->sums);
	put32(header + 4, checksum(header, block, frame->stored_size));
}

int spool_frame_get(const unsigned char header[SPOOL_FRAME_HEADER], struct spool_frame *ret)
{
	if (memcmp(header, spool_frame_magic, sizeof(spool_frame_magic)) != 0)
		return -EBADMSG;
	ret->stored_size = get32(header + 8);
	ret->raw_size = get32(header + 12);
	ret->batch = get64(header + 16);
	ret->first = get64(header + 24);
	ret->sums.records = get32(header + 32);
	ret->flags = get32(header + 36);
	ret->written_ns = get64(header + 40);
	get_amounts(header + 48, &ret->sums);
	return ret->stored_size > SPOOL_STORED_MAX || ret->raw_size > SPOOL_RAW_MAX ? -EBADMSG : 0;
}

bool spool_frame_verify(const unsigned char header[SPOOL_FRAME_HEADER],
			const struct spool_frame *frame, const void *block)
{
	return get32(header + 4) == checksum(header, block, frame->stored_size);
}
