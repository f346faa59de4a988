// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A segment is made with its header in one write(), a frame is appended in one, and what a kill or a
 * power loss left of one is cut off at the next opening. Only the last segment can end so: the others
 * were on the disk before it was made.
 */
#include "output/spool_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <traffic_meter/output.h>

#include "util/cleanup.h"
#include "util/log.h"

/* So many segments a spool has when it is full: as much goes at once when it has to make room. */
#define SEGMENTS 16

/* Of one segment, whatever the bound is: a frame more may go over it. */
#define SEGMENT_MIN (4U << 10)
#define SEGMENT_MAX (64U << 20)

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now = { 0 };

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static uint64_t segment_bytes(const struct spool_store *store)
{
	uint64_t size = store->size_bytes / SEGMENTS;

	return size < SEGMENT_MIN ? SEGMENT_MIN : size > SEGMENT_MAX ? SEGMENT_MAX : size;
}

static struct spool_store_segment *last(struct spool_store *store)
{
	return store->n_segments ? &store->segments[store->n_segments - 1] : NULL;
}

static int add_segment(struct spool_store *store, uint64_t number, uint64_t size)
{
	struct spool_store_segment *segments;

	if (store->n_segments == store->room) {
		segments = reallocarray(store->segments, store->room + 64, sizeof(*segments));
		if (!segments)
			return -ENOMEM;
		store->segments = segments;
		store->room += 64;
	}
	store->segments[store->n_segments++] =
		(struct spool_store_segment){ .number = number, .size = size };
	store->total_bytes += size;
	return 0;
}

static int compare_segments(const void *a, const void *b)
{
	const struct spool_store_segment *one = a, *other = b;

	return one->number < other->number ? -1 : one->number > other->number;
}

/* What is there already. Other files are nobody's business. */
static int list_segments(struct spool_store *store)
{
	_cleanup_close_ int fd =
		openat(store->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	DIR *directory;
	int r = 0;

	if (fd < 0 || !(directory = fdopendir(fd)))
		return -errno;
	(void)steal_fd(&fd);
	store->n_segments = 0;
	store->total_bytes = 0;
	while (r == 0 && (entry = readdir(directory))) {
		struct stat status;
		uint64_t number;

		if (spool_name_parse(entry->d_name, &number) &&
		    fstatat(store->directory_fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) ==
			    0 &&
		    S_ISREG(status.st_mode))
			r = add_segment(store, number, (uint64_t)status.st_size);
	}
	closedir(directory);
	if (store->n_segments)
		qsort(store->segments, store->n_segments, sizeof(*store->segments),
		      compare_segments);
	return r;
}

static int open_directory(struct spool_store *store, struct traffic_output *output)
{
	_cleanup_close_ int fd = -1;
	struct stat status;

	if (mkdir(store->path, 0750) == 0) {
		if (store->policy.group != (gid_t)-1 &&
		    chown(store->path, (uid_t)-1, store->policy.group) < 0)
			return traffic_output_fail(output, -errno,
						   "give the directory to the group");
	} else if (errno != EEXIST) {
		return traffic_output_fail(output, -errno, "make the directory");
	}
	fd = open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0)
		return traffic_output_fail(output, -errno, "open the directory");
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? traffic_output_refuse(output, -EBUSY,
						       "another meter writes to this directory; "
						       "give each one a spool of its own")
			       : traffic_output_fail(output, -errno, "lock the directory");
	if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return traffic_output_fail(output, -errno,
					   "directory not writable for the meter's user");
	store->directory_fd = steal_fd(&fd);
	store->device = status.st_dev;
	store->inode = status.st_ino;
	return 0;
}

static int open_segment(struct spool_store *store, struct traffic_output *output, uint64_t number)
{
	char name[SPOOL_NAME_MAX], words[160];
	int r;

	spool_name_format(name, number);
	r = append_file_open(&store->file, store->directory_fd, name, &store->policy, words,
			     sizeof(words));
	if (r == -EPERM)
		return traffic_output_refuse(output, r, "%s %s", name, words);
	return r < 0 ? traffic_output_fail(output, r, "open %s", name) : 0;
}

static int write_piece(struct spool_store *store, struct traffic_output *output, const char *piece,
		       size_t n)
{
	struct spool_store_segment *segment = last(store);
	size_t written;
	int r = append_file_write(&store->file, piece, n, &written);

	/* What can't be taken back is cut off, else nothing behind it could be read. */
	if (r < 0 && written && ftruncate(store->file.fd, (off_t)segment->size) < 0)
		append_file_close(&store->file);
	if (r < 0)
		return r == -ENOSPC || r == -EDQUOT ? r : traffic_output_fail(output, r, "write");
	if (!store->is_dirty)
		store->synced_ns = now_ns(CLOCK_MONOTONIC);
	store->is_dirty = true;
	segment->size += n;
	store->total_bytes += n;
	return 0;
}

/* Begins segment `number`. On an error there is no file of it. */
static int begin_segment(struct spool_store *store, struct traffic_output *output, uint64_t number)
{
	unsigned char header[SPOOL_SEGMENT_HEADER];
	const struct spool_segment segment = {
		.version = SPOOL_VERSION,
		.id = store->id,
		.number = number,
		.created_ns = now_ns(CLOCK_REALTIME),
		.before = store->sums,
	};
	char name[SPOOL_NAME_MAX];
	int r = open_segment(store, output, number);

	if (r == 0)
		r = add_segment(store, number, 0);
	if (r < 0)
		return r;
	spool_segment_put(header, &segment);
	r = write_piece(store, output, (const char *)header, sizeof(header));
	if (r == 0)
		return fsync(store->directory_fd) < 0
			       ? traffic_output_fail(output, -errno,
						     "write the directory to the disk")
			       : 0;
	store->n_segments--;
	append_file_close(&store->file);
	spool_name_format(name, number);
	unlinkat(store->directory_fd, name, 0);
	return r;
}

static int new_id(uint64_t *ret)
{
	return getrandom(ret, sizeof(*ret), 0) == sizeof(*ret) ? 0 : -EIO;
}

/* Goes through the frames of the open file. *ret_end: where the last whole one ends. */
static int read_frames(struct spool_store *store, uint64_t size, uint64_t *ret_end)
{
	unsigned char header[SPOOL_FRAME_HEADER];
	_cleanup_free_ char *block = NULL;
	uint64_t at = SPOOL_SEGMENT_HEADER;
	struct spool_frame frame;

	while (at + sizeof(header) <= size) {
		char *larger;

		if (pread(store->file.fd, header, sizeof(header), (off_t)at) != sizeof(header))
			return -EIO;
		if (spool_frame_get(header, &frame) < 0 ||
		    at + sizeof(header) + frame.stored_size > size)
			break;
		larger = realloc(block, frame.stored_size + 1);
		if (!larger)
			return -ENOMEM;
		block = larger;
		if (pread(store->file.fd, block, frame.stored_size, (off_t)(at + sizeof(header))) !=
		    (ssize_t)frame.stored_size)
			return -EIO;
		if (!spool_frame_verify(header, &frame, block))
			break;
		at += sizeof(header) + frame.stored_size;
		spool_sums_add(&store->sums, &frame.sums);
		store->batch = frame.batch;
		store->records = frame.first + frame.sums.records;
	}
	*ret_end = at;
	return 0;
}

/* Takes up the segment of that index. Returns 1 when its header is torn, too: nothing is in it. */
static int take_up(struct spool_store *store, struct traffic_output *output, size_t index)
{
	struct spool_store_segment *entry = &store->segments[index];
	unsigned char header[SPOOL_SEGMENT_HEADER];
	struct spool_segment segment;
	uint64_t end;
	int r = open_segment(store, output, entry->number);

	if (r < 0)
		return r;
	if (entry->size < sizeof(header) ||
	    pread(store->file.fd, header, sizeof(header), 0) != sizeof(header))
		return 1;
	r = spool_segment_get(header, &segment);
	if (r == -EPROTONOSUPPORT)
		return traffic_output_refuse(output, r,
					     "a newer meter wrote it (version %u, this one knows "
					     "%u): take a directory of its own",
					     segment.version, SPOOL_VERSION);
	if (r < 0)
		return 1;
	store->id = segment.id;
	store->sums = segment.before;
	r = read_frames(store, entry->size, &end);
	if (r < 0)
		return traffic_output_fail(output, r, "read the last segment");
	if (end == entry->size)
		return 0;
	log_notice(
		"output spool:%s: it ended in a torn frame, left by a meter or a machine that was "
		"stopped: its %" PRIu64 " bytes are cut off",
		store->path, entry->size - end);
	if (ftruncate(store->file.fd, (off_t)end) < 0)
		return traffic_output_fail(output, -errno, "cut a torn frame off");
	store->total_bytes -= entry->size - end;
	entry->size = end;
	return 0;
}

/* The last batch is told by the last frame, which a segment just begun has none of. */
static int find_end(struct spool_store *store, struct traffic_output *output)
{
	while (store->n_segments) {
		char name[SPOOL_NAME_MAX];
		int r = take_up(store, output, store->n_segments - 1);

		if (r <= 0)
			return r;
		append_file_close(&store->file);
		spool_name_format(name, last(store)->number);
		log_notice("output spool:%s: %s has no header: it is removed", store->path, name);
		if (unlinkat(store->directory_fd, name, 0) < 0)
			return traffic_output_fail(output, -errno, "remove %s", name);
		store->total_bytes -= last(store)->size;
		store->n_segments--;
	}
	return 0;
}

static int find_batch(struct spool_store *store, struct traffic_output *output)
{
	struct spool_store before = *store;
	int r;

	if (store->batch || store->n_segments < 2)
		return 0;
	before.file = APPEND_FILE_CLOSED;
	r = take_up(&before, output, store->n_segments - 2);
	append_file_close(&before.file);
	if (r == 0) {
		store->batch = before.batch;
		store->records = before.records;
	}
	return r < 0 ? r : 0;
}

int spool_store_open(struct spool_store *store, struct traffic_output *output)
{
	int r = open_directory(store, output);

	if (r < 0)
		return r;
	r = list_segments(store);
	if (r < 0)
		return traffic_output_fail(output, r, "list the directory");
	store->synced_ns = now_ns(CLOCK_MONOTONIC);
	r = find_end(store, output);
	if (r == 0)
		r = find_batch(store, output);
	if (r < 0 || store->n_segments)
		return r;
	r = new_id(&store->id);
	if (r < 0)
		return traffic_output_fail(output, r, "make a number for the spool");
	r = begin_segment(store, output, 1);
	return r == -ENOSPC || r == -EDQUOT ? traffic_output_fail(output, r, "write") : r;
}

/* The oldest segment goes. Never the last one. Returns whether one went. */
static bool remove_oldest(struct spool_store *store)
{
	char name[SPOOL_NAME_MAX];

	if (store->n_segments < 2)
		return false;
	spool_name_format(name, store->segments[0].number);
	if (unlinkat(store->directory_fd, name, 0) < 0 && errno != ENOENT)
		return false;
	store->total_bytes -= store->segments[0].size;
	store->n_segments--;
	store->removed_segments++;
	memmove(store->segments, store->segments + 1, store->n_segments * sizeof(*store->segments));
	return true;
}

static int next_segment(struct spool_store *store, struct traffic_output *output)
{
	int r = spool_store_sync(store, output, true);

	if (r < 0)
		return r;
	append_file_close(&store->file);
	return begin_segment(store, output, last(store) ? last(store)->number + 1 : 1);
}

/* Somebody removed the directory or the segment: what is written to it now would be gone, too. The
 * sums go on, so that a reader knows what it missed. */
static int begin_again(struct spool_store *store, struct traffic_output *output)
{
	uint64_t number = last(store) ? last(store)->number + 1 : 1;
	struct stat status;
	int r;

	append_file_close(&store->file);
	if (stat(store->path, &status) < 0 || status.st_dev != store->device ||
	    status.st_ino != store->inode) {
		if (store->directory_fd >= 0)
			close(steal_fd(&store->directory_fd));
		r = open_directory(store, output);
		if (r < 0)
			return r;
	}
	r = list_segments(store);
	if (r < 0)
		return traffic_output_fail(output, r, "list the directory");
	log_warning("output spool:%s: its last segment was removed by somebody; it goes on with a "
		    "new one",
		    store->path);
	store->is_dirty = false;
	return begin_segment(store, output, number);
}

static bool is_there(struct spool_store *store)
{
	char name[SPOOL_NAME_MAX];

	if (store->file.fd < 0 || !store->n_segments)
		return false;
	spool_name_format(name, last(store)->number);
	return !append_file_is_deleted(&store->file) &&
	       append_file_is_named(&store->file, store->directory_fd, name);
}

static int try_append(struct spool_store *store, struct traffic_output *output, const char *piece,
		      size_t n)
{
	int r = 0;

	if (!is_there(store))
		r = begin_again(store, output);
	else if (last(store)->size > SPOOL_SEGMENT_HEADER &&
		 last(store)->size + n > segment_bytes(store))
		r = next_segment(store, output);
	if (r < 0)
		return r;
	while (store->total_bytes + n > store->size_bytes && remove_oldest(store))
		;
	return write_piece(store, output, piece, n);
}

int spool_store_append(struct spool_store *store, struct traffic_output *output, const char *piece,
		       size_t n, const struct spool_frame *frame)
{
	int r;

	do
		r = try_append(store, output, piece, n);
	while ((r == -ENOSPC || r == -EDQUOT) && remove_oldest(store));
	if (r == -ENOSPC || r == -EDQUOT)
		return traffic_output_fail(output, r, "write");
	if (r < 0)
		return r;
	spool_sums_add(&store->sums, &frame->sums);
	store->batch = frame->batch;
	store->records = frame->first + frame->sums.records;
	return 0;
}

int spool_store_sync(struct spool_store *store, struct traffic_output *output, bool now)
{
	if (!store->is_dirty || store->file.fd < 0 ||
	    (!now && now_ns(CLOCK_MONOTONIC) - store->synced_ns < store->sync_ns))
		return 0;
	if (fdatasync(store->file.fd) < 0)
		return traffic_output_fail(output, -errno, "write to the disk");
	store->is_dirty = false;
	return 0;
}

void spool_store_close(struct spool_store *store)
{
	append_file_close(&store->file);
	if (store->directory_fd >= 0)
		close(steal_fd(&store->directory_fd));
	free(store->segments);
	store->segments = NULL;
	store->n_segments = store->room = 0;
}
