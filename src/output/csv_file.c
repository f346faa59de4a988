// SPDX-License-Identifier: GPL-2.0-or-later
/* Rows and sums of one user's file. Which files there are is for csv.c. */
#include "output/csv_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output/append_tail.h"
#include "util/cleanup.h"

_Static_assert(CSV_ROW_MAX <= CSV_FILE_BUFFER_BYTES, "a row fits in an empty buffer");

struct csv_file *csv_file_new(uint32_t uid)
{
	struct csv_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->uid = uid;
	file->file = APPEND_FILE_CLOSED;
	return file;
}

void csv_file_free(struct csv_file *file)
{
	if (!file)
		return;
	append_file_close(&file->file);
	free(file->buffer);
	free(file);
}

static void set_mark(struct csv_file *file, const char *row)
{
	uint64_t in, out;

	file->mark_known = row && csv_row_read_totals(row, &in, &out) &&
			   !__builtin_add_overflow(in, out, &file->mark);
}

static int mend_end(struct csv_file *file, char *words, size_t words_size)
{
	_cleanup_free_ char *row = NULL;
	int r;

	file->mark_known = file->rotated_seen = false;
	file->cut = 0;
	/* Cut off here, or the end of a file that is no more: the row is written as a whole. */
	file->half = 0;
	if (file->file.is_empty)
		return 0;
	r = append_tail_repair(&file->file, CSV_ROW_MAX, csv_row_begins, &row, &file->cut, words,
			       words_size);
	if (r == 0)
		set_mark(file, row);
	return r;
}

/* At once, not through the buffer: rows may wait there for a file that was deleted. */
static int write_header(struct csv_file *file, const struct csv_folder *folder)
{
	const char *header = csv_row_header(folder->columns);
	size_t written;

	if (!folder->header || !file->file.is_empty)
		return 0;
	return append_file_write(&file->file, header, strlen(header), &written);
}

int csv_file_open(struct csv_file *file, const struct csv_folder *folder, char *words,
		  size_t words_size)
{
	struct append_policy policy;
	char name[NAME_MAX + 1];
	int r;

	csv_folder_policy(folder, file->uid, &policy);
	csv_folder_file_name(folder, file->uid, name);
	r = append_file_open(&file->file, folder->fd, name, &policy, words, words_size);
	if (r < 0)
		return r;
	if ((r = mend_end(file, words, words_size)) < 0 || (r = write_header(file, folder)) < 0)
		append_file_close(&file->file);
	return r;
}

int csv_file_has(struct csv_file *file, const struct csv_folder *folder,
		 const struct traffic_record *record)
{
	if (!file->mark_known && !file->rotated_seen) {
		_cleanup_free_ char *row = NULL;
		struct append_policy policy;
		char name[NAME_MAX + 1];
		int r;

		csv_folder_policy(folder, file->uid, &policy);
		csv_folder_file_name(folder, file->uid, name);
		r = append_tail_of_rotated(folder->fd, name, &policy, CSV_ROW_MAX, &row);
		if (r < 0 && r != -EACCES)
			return r;
		file->rotated_seen = true;
		set_mark(file, row);
	}
	return file->mark_known && record->total_in + record->total_out <= file->mark;
}

/* Whoever owns a file can make it as long as files may be, or have no quota left for it: that must
 * not hold up the others. */
static bool is_users_doing(int error, const struct csv_folder *folder, char *words,
			   size_t words_size)
{
	char text[128];

	if (folder->owner != CSV_OWNER_USER || (error != -EFBIG && error != -EDQUOT))
		return false;
	snprintf(words, words_size, "can't be written to (%s)",
		 strerror_r(-error, text, sizeof(text)));
	return true;
}

/* Keep what has not got out, from the start of a row. */
static void drop_written(struct csv_file *file, size_t written)
{
	size_t out = file->half + written;
	const char *newline = memrchr(file->buffer, '\n', out);
	size_t whole = newline ? (size_t)(newline + 1 - file->buffer) : 0;

	file->half = out - whole;
	file->used -= whole;
	memmove(file->buffer, file->buffer + whole, file->used);
}

int csv_file_write(struct csv_file *file, const struct csv_folder *folder, char *words,
		   size_t words_size)
{
	size_t written;
	int r;

	if (!file->used)
		return 0;
	if (file->file.fd >= 0 && append_file_is_deleted(&file->file))
		append_file_close(&file->file);
	if (file->file.fd < 0) {
		r = csv_file_open(file, folder, words, words_size);
	} else if (file->file.is_empty) {
		/* Emptied (copytruncate): it begins as a new file does, and with a whole row. */
		file->half = 0;
		r = write_header(file, folder);
	} else {
		r = 0;
	}
	if (r < 0)
		return r;
	r = append_file_write(&file->file, file->buffer + file->half, file->used - file->half,
			      &written);
	if (r < 0) {
		drop_written(file, written);
		return is_users_doing(r, folder, words, words_size) ? -EPERM : r;
	}
	file->used = file->half = 0;
	memset(file->held, 0, sizeof(file->held));
	return 0;
}

void csv_file_rest(struct csv_file *file)
{
	if (file->used)
		return;
	free(file->buffer);
	file->buffer = NULL;
}

static void hold(struct csv_file *file, const struct traffic_record *record)
{
	struct csv_held *held = &file->held[record->direction & 1];

	if (!held->records || record->start_ns < held->start_ns)
		held->start_ns = record->start_ns;
	if (record->end_ns > held->end_ns)
		held->end_ns = record->end_ns;
	held->records++;
	held->packets += record->packets;
	held->bytes += record->bytes;
	held->wire_bytes += record->wire_bytes;
	held->wire_packets += record->wire_packets;
	held->total_in = record->total_in;
	held->total_out = record->total_out;
	file->last_direction = record->direction & 1;
}

int csv_file_take(struct csv_file *file, const struct csv_folder *folder,
		  const struct traffic_record *record, char *words, size_t words_size)
{
	if (!file->refused) {
		size_t bound = csv_row_bound(record, folder->columns);
		char *end;

		if (file->used + bound > CSV_FILE_BUFFER_BYTES) {
			int r = csv_file_write(file, folder, words, words_size);

			if (r < 0)
				return r;
		}
		if (!file->buffer)
			file->buffer = malloc(CSV_FILE_BUFFER_BYTES);
		if (!file->buffer)
			return -ENOMEM;
		end = csv_row_append(file->buffer + file->used, record, folder->columns);
		file->used = (size_t)(end - file->buffer);
	}
	hold(file, record);
	return 0;
}

void csv_file_refuse(struct csv_file *file)
{
	append_file_close(&file->file);
	file->refused = true;
	file->used = file->half = 0;
	csv_file_rest(file);
}

static void append_sum(struct csv_file *file, const struct csv_folder *folder, uint8_t direction)
{
	const struct csv_held *held = &file->held[direction];
	const struct traffic_record record = {
		.start_ns = held->start_ns,
		.end_ns = held->end_ns,
		.bytes = held->bytes,
		.wire_bytes = held->wire_bytes,
		.wire_packets = held->wire_packets,
		.packets = held->packets,
		.total_in = held->total_in,
		.total_out = held->total_out,
		.uid = file->uid,
		.login_uid = TRAFFIC_NO_UID,
		.direction = direction,
		.family = TRAFFIC_FAMILY_NONE,
		.step = TRAFFIC_STEP_USER,
	};

	if (held->records)
		file->used = (size_t)(csv_row_append(file->buffer + file->used, &record,
						     folder->columns) -
				      file->buffer);
}

int csv_file_resume(struct csv_file *file, const struct csv_folder *folder)
{
	file->buffer = malloc(CSV_FILE_BUFFER_BYTES);
	if (!file->buffer)
		return -ENOMEM;
	file->refused = false;
	/* The direction seen last comes last, so that the totals in the rows don't go back. */
	append_sum(file, folder, !file->last_direction);
	append_sum(file, folder, file->last_direction);
	return 0;
}
