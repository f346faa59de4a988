// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A segment is read by one descriptor to its end, also when its name is gone. Then the next one by
 * number that is there. Its header says what all frames before it sum up to; what that is more than
 * the place's sums was missed.
 */
#include "spool/reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"

#define WAIT_MS 1000

static int fail(struct spool_reader *reader, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(struct spool_reader *reader, int error, const char *format, ...)
{
	char what[160];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	snprintf(reader->error, sizeof(reader->error), "%s: %s", what, strerrordesc_np(-error));
	return error;
}

/* The segment with the smallest number from `from` on. Returns 1, 0: none, or a negative errno. */
static int find_segment(const char *path, uint64_t from, uint64_t *ret_number)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	uint64_t number, best = 0;
	int found = 0;

	if (!directory)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(directory))) {
		if (!spool_name_parse(entry->d_name, &number) || number < from)
			continue;
		if (!found || number < best)
			best = number;
		found = 1;
	}
	closedir(directory);
	if (found)
		*ret_number = best;
	return found;
}

static int find_newest(const char *path, uint64_t *ret_number)
{
	uint64_t number = 0;
	int r, found = 0;

	while ((r = find_segment(path, number, &number)) > 0) {
		*ret_number = number++;
		found = 1;
	}
	return r < 0 ? r : found;
}

/* Returns the descriptor, or a negative errno; -ENOENT: it has just gone. */
static int open_segment(struct spool_reader *reader, uint64_t number)
{
	char name[SPOOL_NAME_MAX];
	_cleanup_close_ int directory = open(reader->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd;

	spool_name_format(name, number);
	fd = directory < 0
		     ? -1
		     : openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0)
		return fd;
	return errno == ENOENT ? -ENOENT : fail(reader, -errno, "open %s/%s", reader->path, name);
}

/* Returns 1, 0 when the header is not written yet, or an error with words. */
static int read_header(struct spool_reader *reader, int fd, uint64_t number,
		       struct spool_segment *ret)
{
	unsigned char header[SPOOL_SEGMENT_HEADER];
	ssize_t n = pread(fd, header, sizeof(header), 0);
	int r;

	if (n < 0)
		return fail(reader, -errno, "read segment %" PRIu64, number);
	if (n < (ssize_t)sizeof(header))
		return 0;
	r = spool_segment_get(header, ret);
	if (r == -EPROTONOSUPPORT) {
		snprintf(reader->error, sizeof(reader->error),
			 "segment %" PRIu64 " is of version %" PRIu32
			 ", and this program knows %d: "
			 "install the newer traffic-meter",
			 number, ret->version, SPOOL_VERSION);
		return r;
	}
	return r < 0 ? fail(reader, r, "segment %" PRIu64 " has no good header", number) : 1;
}

static void close_segment(struct spool_reader *reader)
{
	if (reader->fd >= 0)
		close(steal_fd(&reader->fd));
}

/* Goes on at the beginning of a segment. */
static void enter(struct spool_reader *reader, const struct spool_segment *segment)
{
	struct spool_place *place = &reader->place;

	if (place->id && place->id != segment->id) {
		reader->other_spool = true;
		place->batch = place->records = 0;
	} else if (place->id) {
		/* A spool that lost its end in a power loss may sum up to less than was read. */
		struct spool_sums missed = spool_sums_difference(&segment->before, &place->sums);

		if (segment->before.records > place->sums.records)
			spool_sums_add(&reader->missed, &missed);
	}
	place->id = segment->id;
	place->segment = segment->number;
	place->offset = SPOOL_SEGMENT_HEADER;
	place->sums = segment->before;
}

/* Opens a segment and reads its header. One whose header is damaged, or not there, is passed over when a
 * later one is there: *number becomes that one's. Returns as read_header(). */
static int open_readable(struct spool_reader *reader, uint64_t *number, struct spool_segment *ret)
{
	int r;

	for (;;) {
		reader->fd = open_segment(reader, *number);
		if (reader->fd < 0) {
			r = steal_fd(&reader->fd);
			return r == -ENOENT ? 0 : r;
		}
		r = read_header(reader, reader->fd, *number, ret);
		if (r > 0)
			return r;
		close_segment(reader);
		if ((r < 0 && r != -EBADMSG) ||
		    find_segment(reader->path, *number + 1, number) <= 0)
			return r;
	}
}

/* Opens the segment that the place is in, or the first one after it. Returns 1, 0: none there yet. */
static int open_place(struct spool_reader *reader, uint64_t from)
{
	struct spool_segment segment = { 0 };
	uint64_t number = 0;
	int r = find_segment(reader->path, from, &number);

	/* A spool that was made anew begins with 1 again. */
	if (r == 0 && reader->place.id && from > 1)
		r = find_segment(reader->path, 0, &number) > 0 && number < reader->place.segment
			    ? 1
			    : 0;
	if (r < 0)
		return fail(reader, r, "list %s", reader->path);
	if (r == 0)
		return 0;
	r = open_readable(reader, &number, &segment);
	if (r <= 0)
		return r;
	if (segment.id == reader->place.id && number < reader->place.segment) {
		close_segment(reader); /* read long ago */
		return 0;
	}
	reader->fd_number = number;
	if (segment.id != reader->place.id || number != reader->place.segment)
		enter(reader, &segment);
	return 1;
}

/* The frame at the place. Returns 1; 0 when it is not there as a whole; -EBADMSG: no frame begins here. */
static int read_frame(struct spool_reader *reader, struct spool_frame *frame)
{
	unsigned char header[SPOOL_FRAME_HEADER];
	off_t at = (off_t)reader->place.offset;
	ssize_t n = pread(reader->fd, header, sizeof(header), at);

	if (n < 0)
		return fail(reader, -errno, "read segment %" PRIu64, reader->fd_number);
	if (n < (ssize_t)sizeof(header))
		return 0;
	if (spool_frame_get(header, frame) < 0)
		return -EBADMSG;
	if (frame->stored_size > reader->block_room) {
		free(reader->block);
		reader->block = malloc(frame->stored_size);
		reader->block_room = reader->block ? frame->stored_size : 0;
		if (!reader->block)
			return fail(reader, -ENOMEM, "read a frame");
	}
	n = pread(reader->fd, reader->block, frame->stored_size, at + (off_t)sizeof(header));
	if (n < 0)
		return fail(reader, -errno, "read segment %" PRIu64, reader->fd_number);
	if (n < (ssize_t)frame->stored_size)
		return 0;
	return spool_frame_verify(header, frame, reader->block) ? 1 : -EBADMSG;
}

static void pass(struct spool_reader *reader, const struct spool_frame *frame)
{
	struct spool_place *place = &reader->place;

	place->offset += SPOOL_FRAME_HEADER + frame->stored_size;
	place->batch = frame->batch;
	place->records = frame->first + frame->sums.records;
	spool_sums_add(&place->sums, &frame->sums);
}

/* After a power loss the end of a segment that was read may be cut off and written anew: go through it
 * from its beginning on, and pass the frames that were read before. */
static int find_place_again(struct spool_reader *reader)
{
	struct spool_segment segment;
	int r = read_header(reader, reader->fd, reader->fd_number, &segment);

	if (r <= 0)
		return r;
	reader->known_batch = reader->place.batch;
	reader->known_records = reader->place.records;
	reader->place.offset = SPOOL_SEGMENT_HEADER;
	reader->place.sums = segment.before;
	return 1;
}

static bool was_read(const struct spool_reader *reader, const struct spool_frame *frame)
{
	return frame->batch < reader->known_batch ||
	       (frame->batch == reader->known_batch &&
		frame->first + frame->sums.records <= reader->known_records);
}

/* Has the segment become shorter than the place, or is the place no frame's beginning any more? */
static bool is_cut(struct spool_reader *reader, int result)
{
	struct stat status;

	return result == -EBADMSG ||
	       (fstat(reader->fd, &status) == 0 && status.st_size < (off_t)reader->place.offset);
}

/* Is there a later segment? Then nothing more comes into this one. */
static bool is_over(struct spool_reader *reader)
{
	uint64_t number;
	struct stat status;

	if (find_segment(reader->path, reader->fd_number + 1, &number) > 0)
		return true;
	return fstat(reader->fd, &status) == 0 && status.st_nlink == 0;
}

/* The next frame of the open segment. Returns as spool_reader_next(). */
static int next_here(struct spool_reader *reader, struct spool_frame *frame)
{
	int r;

	while ((r = read_frame(reader, frame)) > 0) {
		pass(reader, frame);
		if (!was_read(reader, frame)) {
			reader->known_batch = 0;
			return 1;
		}
	}
	return r;
}

/* Looks for a whole frame behind a damaged one. Returns whether the place is before one now. Frames in
 * between are missing in the place's sums, so they are missed when the next segment begins. */
static bool pass_damage(struct spool_reader *reader)
{
	char window[16384];
	off_t at = (off_t)reader->place.offset + 1;
	struct spool_frame frame;
	ssize_t n;

	while ((n = pread(reader->fd, window, sizeof(window), at)) >= SPOOL_MAGIC_SIZE) {
		const char *end = window + n, *found = window;

		while ((found = memmem(found, (size_t)(end - found), spool_frame_magic,
				       SPOOL_MAGIC_SIZE))) {
			reader->place.offset = (uint64_t)at + (uint64_t)(found++ - window);
			if (read_frame(reader, &frame) > 0)
				return true;
		}
		at += n - (SPOOL_MAGIC_SIZE - 1);
	}
	return false;
}

int spool_reader_next(struct spool_reader *reader, struct spool_frame *frame,
		      const void **ret_block)
{
	for (;;) {
		int r = 1;

		if (reader->fd < 0)
			r = open_place(reader, reader->place.segment);
		if (r <= 0)
			return r;
		r = next_here(reader, frame);
		if (r == 0 || r == -EBADMSG) {
			bool over = is_over(reader);

			/* Again: something may have been appended before it was over. */
			if (over || (is_cut(reader, r) && find_place_again(reader) > 0))
				r = next_here(reader, frame);
			while (over && (r == 0 || r == -EBADMSG) && pass_damage(reader))
				r = next_here(reader, frame);
			if (!over && r == -EBADMSG)
				r = 0; /* being written, or damaged: the next segment tells */
			if (over && r != 1 && (r == 0 || r == -EBADMSG)) {
				close_segment(reader);
				r = open_place(reader, reader->fd_number + 1);
				if (r <= 0)
					return r;
				continue;
			}
		}
		if (r > 0)
			*ret_block = reader->block;
		return r;
	}
}

/* Sets the place behind all frames of a segment that were written before the time. */
static int seek_in(struct spool_reader *reader, uint64_t number, uint64_t time_ns)
{
	struct spool_frame frame = { 0 };
	int r;

	reader->place = (struct spool_place){ .segment = number };
	r = open_place(reader, number);
	if (r <= 0)
		return r;
	while ((r = read_frame(reader, &frame)) > 0 && frame.written_ns < time_ns)
		pass(reader, &frame);
	return r == -EBADMSG ? 0 : r;
}

int spool_reader_seek(struct spool_reader *reader, enum spool_from from, uint64_t time_ns)
{
	uint64_t number = 0;
	int r;

	if (from == SPOOL_OLDEST)
		return 0;
	if (from == SPOOL_NEWEST) {
		r = find_newest(reader->path, &number);
		r = r > 0 ? seek_in(reader, number, UINT64_MAX) : r;
		return r < 0 ? r : 0;
	}
	while ((r = find_segment(reader->path, number, &number)) > 0) {
		close_segment(reader);
		r = seek_in(reader, number++, time_ns);
		if (r != 0) /* a frame of that time, or an error */
			break;
	}
	return r < 0 ? r : 0;
}

static void watch(struct spool_reader *reader)
{
	if (reader->inotify_fd >= 0)
		return;
	reader->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (reader->inotify_fd >= 0 && inotify_add_watch(reader->inotify_fd, reader->path,
							 IN_CREATE | IN_MODIFY | IN_MOVED_TO |
								 IN_DELETE_SELF | IN_MOVE_SELF) < 0)
		close(steal_fd(&reader->inotify_fd));
}

bool spool_reader_wait(struct spool_reader *reader, int stop_fd)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct pollfd fds[2] = { { .fd = stop_fd, .events = POLLIN }, { .events = POLLIN } };
	ssize_t n;

	if (reader->inotify_fd < 0) {
		watch(reader);
		/* What came before the watch is told by nobody: look at once. */
		if (reader->inotify_fd >= 0)
			return poll(fds, 1, 0) > 0;
	}
	fds[1].fd = reader->inotify_fd;
	poll(fds, 2, WAIT_MS);
	n = reader->inotify_fd >= 0 ? read(reader->inotify_fd, events, sizeof(events)) : 0;
	for (char *at = events; n > 0 && at < events + n;) {
		const struct inotify_event *event = (const struct inotify_event *)(void *)at;

		/* The directory is gone; there may be another one by that name. */
		if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) {
			close(steal_fd(&reader->inotify_fd));
			break;
		}
		at += sizeof(*event) + event->len;
	}
	return fds[0].revents != 0;
}

/* Sums of the frames in a segment, by their headers. */
static void add_frames(int fd, struct spool_sums *sums)
{
	unsigned char header[SPOOL_FRAME_HEADER];
	off_t at = SPOOL_SEGMENT_HEADER;
	struct spool_frame frame;

	while (pread(fd, header, sizeof(header), at) == sizeof(header) &&
	       spool_frame_get(header, &frame) == 0) {
		spool_sums_add(sums, &frame.sums);
		at += (off_t)sizeof(header) + frame.stored_size;
	}
}

int spool_measure(const char *path, struct spool_extent *ret)
{
	struct spool_reader reader = SPOOL_READER_CLOSED;
	struct spool_segment segment = { 0 };
	uint64_t number = 0;
	int r;

	*ret = (struct spool_extent){ 0 };
	reader.path = path;
	while ((r = find_segment(path, number, &number)) > 0) {
		_cleanup_close_ int fd = open_segment(&reader, number++);
		struct stat status;

		if (fd < 0 || fstat(fd, &status) < 0)
			continue;
		ret->segments++;
		ret->bytes += (uint64_t)status.st_size;
		if (read_header(&reader, fd, number - 1, &segment) <= 0)
			continue;
		if (!ret->oldest_ns)
			ret->oldest_ns = segment.created_ns;
		ret->id = segment.id;
		ret->end = segment.before;
		add_frames(fd, &ret->end);
	}
	return r;
}

void spool_reader_close(struct spool_reader *reader)
{
	close_segment(reader);
	if (reader->inotify_fd >= 0)
		close(steal_fd(&reader->inotify_fd));
	free(reader->block);
	reader->block = NULL;
	reader->block_room = 0;
}
