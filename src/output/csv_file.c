// SPDX-License-Identifier: GPL-2.0-or-later
/* Rows and sums of one user's file. Which files there are is for csv.c. */
#include "output/csv_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

int csv_file_open(struct csv_file *file, const struct csv_folder *folder, char *words,
		  size_t words_size)
{
	const char *header = csv_row_header(folder->columns);
	char name[NAME_MAX + 1];
	size_t written;
	int r;

	csv_folder_file_name(folder, file->uid, name);
	r = append_file_open(&file->file, folder->fd, name, &folder->policy, words, words_size);
	if (r < 0 || !folder->header || !file->file.is_empty)
		return r;
	/* At once, not through the buffer: rows may wait there for a file that was deleted. */
	r = append_file_write(&file->file, header, strlen(header), &written);
	if (r < 0)
		append_file_close(&file->file);
	return r;
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
		if (r < 0)
			return r;
	}
	r = append_file_write(&file->file, file->buffer, file->used, &written);
	if (r < 0) {
		file->used -= written;
		memmove(file->buffer, file->buffer + written, file->used);
		return r;
	}
	file->used = 0;
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
	file->used = 0;
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
