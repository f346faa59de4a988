// SPDX-License-Identifier: GPL-2.0-or-later
#include "export/cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "spool/crc32c.h"
#include "util/cleanup.h"

#define SLOT_SIZE 2048
#define SYNC_S	  5

struct field {
	const char *name;
	size_t offset;
};

#define SUMS(name, member)                                                                        \
	{ name "_records",                                                                        \
	  offsetof(struct export_cursor, member) + offsetof(struct spool_sums, records) },        \
		{ name "_packets_in", offsetof(struct export_cursor, member) +                    \
					      offsetof(struct spool_sums, packets[TRAFFIC_IN]) }, \
		{ name "_packets_out",                                                            \
		  offsetof(struct export_cursor, member) +                                        \
			  offsetof(struct spool_sums, packets[TRAFFIC_OUT]) },                    \
		{ name "_bytes_in", offsetof(struct export_cursor, member) +                      \
					    offsetof(struct spool_sums, bytes[TRAFFIC_IN]) },     \
	{                                                                                         \
		name "_bytes_out", offsetof(struct export_cursor, member) +                       \
					   offsetof(struct spool_sums, bytes[TRAFFIC_OUT])        \
	}

static const struct field fields[] = {
	{ "sequence", offsetof(struct export_cursor, sequence) },
	{ "spool", offsetof(struct export_cursor, place.id) },
	{ "segment", offsetof(struct export_cursor, place.segment) },
	{ "offset", offsetof(struct export_cursor, place.offset) },
	{ "batch", offsetof(struct export_cursor, place.batch) },
	{ "batch_records", offsetof(struct export_cursor, place.records) },
	SUMS("place", place.sums),
	SUMS("delivered", delivered),
	SUMS("missed", missed),
	SUMS("repeated", repeated),
};

#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static uint64_t *number_of(struct export_cursor *cursor, size_t field)
{
	return (uint64_t *)(void *)((char *)cursor + fields[field].offset);
}

/* The value behind `name ` at a line's start, up to the line's end. */
static bool find_line(const char *text, const char *name, char *to, size_t size)
{
	size_t length = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		size_t n;

		line += *line == '\n';
		if (strncmp(line, name, length) != 0 || line[length] != ' ')
			continue;
		line += length + 1;
		n = strcspn(line, "\n");
		if (n >= size)
			n = size - 1;
		memcpy(to, line, n);
		to[n] = '\0';
		return true;
	}
	return false;
}

static bool parse_slot(char *slot, struct export_cursor *ret)
{
	char *end = memmem(slot, SLOT_SIZE, "checksum ", 9);
	char word[32];

	if (!end || strtoul(end + 9, NULL, 16) != crc32c(0, slot, (size_t)(end - slot)))
		return false;
	*end = '\0';
	for (size_t i = 0; i < N_FIELDS; i++) {
		if (find_line(slot, fields[i].name, word, sizeof(word)))
			*number_of(ret, i) = strtoull(word, NULL, 10);
	}
	ret->is_sending = find_line(slot, "sending", word, sizeof(word)) && strcmp(word, "1") == 0;
	find_line(slot, "spec", ret->spec, sizeof(ret->spec));
	find_line(slot, "error", ret->error, sizeof(ret->error));
	return true;
}

static int read_slots(struct export_cursor *cursor)
{
	char text[2 * SLOT_SIZE + 1] = "";
	ssize_t n = pread(cursor->fd, text, sizeof(text) - 1, 0);
	bool found = false;

	if (n < 0)
		return -errno;
	for (size_t i = 0; i < 2; i++) {
		struct export_cursor slot = { .fd = cursor->fd };

		text[(i + 1) * SLOT_SIZE - 1] = '\0';
		if (parse_slot(text + i * SLOT_SIZE, &slot) &&
		    (!found || slot.sequence > cursor->sequence)) {
			*cursor = slot;
			found = true;
		}
	}
	return found ? 1 : n == 0 ? 0 : -EBADMSG;
}

int export_cursor_open(struct export_cursor *cursor, const char *directory, const char *name)
{
	char path[PATH_MAX];

	*cursor = (struct export_cursor){ .fd = -1 };
	if (snprintf(path, sizeof(path), "%s/%s.cursor", directory, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	cursor->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (cursor->fd < 0)
		return -errno;
	if (flock(cursor->fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return read_slots(cursor);
}

int export_cursor_read(struct export_cursor *cursor, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	*cursor = (struct export_cursor){ .fd = fd };
	int r = fd < 0 ? -errno : read_slots(cursor);

	cursor->fd = -1;
	return r;
}

static void put_line(char *text, size_t *used, const char *name, const char *value)
{
	*used += (size_t)snprintf(text + *used, SLOT_SIZE - *used, "%s ", name);
	for (; *value && *used < SLOT_SIZE - 64; value++)
		text[(*used)++] = (char)((unsigned char)*value < ' ' ? '?' : *value);
	text[(*used)++] = '\n';
}

int export_cursor_write(struct export_cursor *cursor, bool now)
{
	char text[SLOT_SIZE] = "";
	struct timespec time = { 0 };
	size_t used = 0;
	ssize_t n;

	cursor->sequence++;
	for (size_t i = 0; i < N_FIELDS; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s %" PRIu64 "\n",
					 fields[i].name, *number_of(cursor, i));
	put_line(text, &used, "sending", cursor->is_sending ? "1" : "0");
	put_line(text, &used, "spec", cursor->spec);
	put_line(text, &used, "error", cursor->error);
	snprintf(text + used, sizeof(text) - used, "checksum %08" PRIx32 "\n",
		 crc32c(0, text, used));
	n = pwrite(cursor->fd, text, sizeof(text), (off_t)(cursor->sequence % 2 * SLOT_SIZE));
	if (n != sizeof(text))
		return n < 0 ? -errno : -ENOSPC;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
	if (!now && (uint64_t)time.tv_sec - cursor->synced_s < SYNC_S)
		return 0;
	cursor->synced_s = (uint64_t)time.tv_sec;
	return fdatasync(cursor->fd) < 0 ? -errno : 0;
}

void export_cursor_close(struct export_cursor *cursor)
{
	if (cursor->fd >= 0)
		close(steal_fd(&cursor->fd));
}
