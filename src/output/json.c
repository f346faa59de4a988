// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * json:PATH|-, one JSON object a line. Owns the file or standard output that the lines go to; a
 * line's text is json_row.c's.
 *
 * A record is taken when its line is written, so that nothing waits here and nothing can be lost
 * but the rest of one line, which a pipe may cut in two.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <traffic_meter/output.h>

#include "output/append_file.h"
#include "output/append_tail.h"
#include "output/json_resume.h"
#include "output/json_row.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/names.h"

#define BUFFER_BYTES 65536

_Static_assert(JSON_ROW_MAX <= BUFFER_BYTES, "a line fits in the buffer");

/* How long to wait for the reader of a pipe before the host may look after other things. */
#define READER_WAIT_MS 100

struct json {
	/* of the SPEC */
	uint32_t mode;
	char *group;

	bool standard_output;
	bool is_pipe; /* standard output is */
	struct append_policy policy;
	struct append_file file;
	struct json_resume resume;
	bool torn_said;
	struct names *names;
	size_t rest; /* of a line cut in two that the buffer begins with; 0: there is none */
	size_t half; /* so many bytes of it got out */
	uint64_t rest_packets, rest_bytes; /* of the record in that line */
	char buffer[BUFFER_BYTES];
};

static const struct traffic_option json_options[] = {
	{
		.name = "mode",
		.type = TRAFFIC_OPTION_MODE,
		.offset = offsetof(struct json, mode),
		.metavar = "OCTAL",
		.help = "permissions of a new file (0640)",
	},
	{
		.name = "group",
		.type = TRAFFIC_OPTION_STRING,
		.offset = offsetof(struct json, group),
		.metavar = "NAME",
		.help = "group of a new file (the meter's)",
	},
	{ .name = NULL },
};

static void json_preset(void *context)
{
	struct json *json = context;

	json->mode = 0640;
	json->file = APPEND_FILE_CLOSED;
}

static int mend_end(struct traffic_output *output, char *words, size_t words_size)
{
	struct json *json = output->context;
	_cleanup_free_ char *line = NULL;
	uint64_t cut = 0;
	int r;

	if (json->file.is_empty)
		return 0;
	r = append_tail_repair(&json->file, JSON_ROW_MAX, json_row_begins, &line, &cut, words,
			       words_size);
	if (r < 0) {
		append_file_close(&json->file);
		return r;
	}
	json_resume_set(&json->resume, line);
	if (cut && !json->torn_said) {
		json->torn_said = true;
		log_notice("output json:%s: it ended in half a line, left by a meter or a machine "
			   "that was stopped: its %llu bytes are cut off",
			   output->target, (unsigned long long)cut);
	}
	return 0;
}

static int open_path(struct traffic_output *output)
{
	struct json *json = output->context;
	char words[160];
	int r;

	r = append_file_open(&json->file, AT_FDCWD, output->target, &json->policy, words,
			     sizeof(words));
	if (r == 0)
		r = mend_end(output, words, sizeof(words));
	if (r == -EPERM)
		return traffic_output_refuse(output, r, "%s%s", words,
					     strcmp(output->target, "/dev/stdout") == 0
						     ? " (standard output is json:-)"
						     : "");
	if (r == -ENOENT)
		return traffic_output_refuse(output, r,
					     "no such directory; make it: mkdir -m 0750 -p "
					     "\"$(dirname '%s')\"",
					     output->target);
	return r < 0 ? traffic_output_fail(output, r, "open") : 0;
}

static int open_standard_output(struct traffic_output *output)
{
	struct json *json = output->context;
	int flags = fcntl(STDOUT_FILENO, F_GETFL);
	struct stat status;

	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || fstat(STDOUT_FILENO, &status) < 0)
		return traffic_output_refuse(output, -EBADF, "standard output is not open");
	json->standard_output = true;
	json->is_pipe = S_ISFIFO(status.st_mode);
	return 0;
}

static int json_init(struct traffic_output *output)
{
	struct json *json = output->context;
	int r;

	if (!*output->target)
		return traffic_output_refuse(output, -EINVAL, "which file? json:PATH, or json:-");
	json->names = names_new();
	if (!json->names)
		return traffic_output_fail(output, -ENOMEM, "remember names");
	r = append_policy_init(&json->policy, output, json->mode, json->group);
	if (r < 0)
		return r;
	return strcmp(output->target, "-") == 0 ? open_standard_output(output) : open_path(output);
}

/* How much of the n bytes to write at once. A pipe takes up to PIPE_BUF bytes whole or not at all
 * (when it has told that it has room), so whole lines go into it as long as they are that short. */
static size_t piece_of(const struct json *json, const char *text, size_t n)
{
	const char *end;

	if (!json->is_pipe || n <= PIPE_BUF)
		return n;
	end = memrchr(text, '\n', PIPE_BUF);
	return end ? (size_t)(end + 1 - text) : PIPE_BUF;
}

/* Write to standard output, which is never set to O_NONBLOCK: that would be so for the shell too.
 * Returns how much was written; less than n: -EAGAIN or an error in *ret_error. */
static size_t write_standard_output(const struct json *json, const char *text, size_t n,
				    int *ret_error)
{
	struct pollfd ready = { .fd = STDOUT_FILENO, .events = POLLOUT };
	size_t done = 0;

	while (done < n) {
		ssize_t written;
		int r = poll(&ready, 1, READER_WAIT_MS);

		if (r == 0) {
			*ret_error = -EAGAIN;
			return done;
		}
		written = r < 0 ? r
				: write(STDOUT_FILENO, text + done,
					piece_of(json, text + done, n - done));
		if (written > 0) {
			done += (size_t)written;
		} else if (errno != EINTR) {
			*ret_error = -errno;
			return done;
		}
	}
	return done;
}

/* The file that the name means, open. What was there of a line cut in two is cut off by the opening, or
 * in another file: then that line is to be written as a whole. */
static int prepare_file(struct traffic_output *output)
{
	struct json *json = output->context;
	int r;

	if (json->standard_output)
		return 0;
	if (json->file.fd >= 0 && append_file_is_deleted(&json->file))
		append_file_close(&json->file);
	if (json->file.fd >= 0) {
		/* Emptied (copytruncate): the line that was cut in two is in the copy, torn. */
		if (json->file.is_empty)
			json->half = 0;
		return 0;
	}
	r = open_path(output);
	if (r == 0)
		json->half = 0;
	return r;
}

/* The same to the file: all or nothing, but where not even taking back works. */
static size_t write_file(struct traffic_output *output, const char *text, size_t n)
{
	struct json *json = output->context;
	size_t written;
	int r = append_file_write(&json->file, text, n, &written);

	if (r == 0)
		return n;
	traffic_output_fail(output, r, "write");
	/* On a file system that failed and is gone there is nothing to wait for. */
	if (!append_file_is_named(&json->file, AT_FDCWD, output->target))
		append_file_close(&json->file);
	return written;
}

/* Either of the two. Error words are told. */
static size_t put(struct traffic_output *output, const char *text, size_t n)
{
	struct json *json = output->context;
	int r = 0;

	if (!json->standard_output)
		return write_file(output, text, n);
	n = write_standard_output(json, text, n, &r);
	if (r < 0 && r != -EAGAIN)
		traffic_output_fail(output, r, "write to standard output");
	return n;
}

/* Complete the line that was cut. */
static int put_rest(struct traffic_output *output)
{
	struct json *json = output->context;

	if (!json->rest)
		return 0;
	if (prepare_file(output) < 0)
		return -EAGAIN;
	json->half += put(output, json->buffer + json->half, json->rest - json->half);
	if (json->half < json->rest)
		return -EAGAIN;
	json->rest = json->half = 0;
	return 0;
}

/* Fill the buffer with lines. Returns of how many records; *ret_size: their bytes. */
static size_t format_lines(struct json *json, const struct traffic_record *records, size_t n,
			   uint64_t batch, size_t *ret_size)
{
	struct timespec now = { 0 };
	char *to = json->buffer;
	size_t i;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	for (i = 0; i < n && to + JSON_ROW_MAX <= json->buffer + sizeof(json->buffer); i++) {
		const char *user =
			records[i].uid == TRAFFIC_NO_UID
				? NULL
				: names_user(json->names, records[i].uid, (uint64_t)now.tv_sec);

		to = json_row_append(to, &records[i], user, batch);
	}
	*ret_size = (size_t)(to - json->buffer);
	return i;
}

/* How many lines the first `size` bytes begin; *ret_start: where the last of them does, when it ends
 * beyond, else `size`. */
static size_t count_lines(const char *text, size_t size, size_t *ret_start)
{
	size_t at = 0, lines = 0;

	for (*ret_start = size; at < size; lines++) {
		size_t start = at;

		at = (size_t)((const char *)rawmemchr(text + at, '\n') + 1 - text);
		if (at > size)
			*ret_start = start;
	}
	return lines;
}

/* How many records are taken when so much of the buffer got out: also the one whose line was cut in
 * two, which is kept to be completed. */
static size_t keep_rest(struct json *json, const struct traffic_record *records, size_t written)
{
	size_t start, taken = count_lines(json->buffer, written, &start);
	const char *line = json->buffer + start;

	if (start == written)
		return taken;
	json->half = written - start;
	json->rest = (size_t)((const char *)rawmemchr(line, '\n') + 1 - line);
	memmove(json->buffer, line, json->rest);
	json->rest_packets = records[taken - 1].packets;
	json->rest_bytes = records[taken - 1].bytes;
	return taken;
}

static ssize_t json_write(struct traffic_output *output, const struct traffic_record *records,
			  size_t n)
{
	struct json *json = output->context;
	size_t size, written, taken;
	int r;

	if (put_rest(output) < 0)
		return -EAGAIN;
	if (prepare_file(output) < 0)
		return -EAGAIN;
	if (!json->standard_output) {
		r = json_resume_pass_over(&json->resume, output, &json->policy, records, n);
		if (r < 0)
			traffic_output_fail(output, r, "see how far lines came");
		if (r != 0)
			return r < 0 ? -EAGAIN : r;
	}
	taken = format_lines(json, records, n, output->batch, &size);
	written = put(output, json->buffer, size);
	if (written == size)
		return (ssize_t)taken;
	taken = keep_rest(json, records, written);
	return taken ? (ssize_t)taken : -EAGAIN;
}

static int json_flush(struct traffic_output *output)
{
	struct json *json = output->context;
	int r = put_rest(output);

	if (r < 0 || json->standard_output || json->file.fd < 0)
		return r;
	append_file_write_back(&json->file);
	if (append_file_is_named(&json->file, AT_FDCWD, output->target))
		return 0;
	/* The next line opens the name anew. No error that would make the host do that: .resume has to
	 * live as long as the process. */
	r = append_file_close(&json->file);
	if (r == 0)
		return 0;
	traffic_output_fail(output, r, "close; the last lines may be missing");
	return -EAGAIN;
}

static void json_close(struct traffic_output *output)
{
	struct json *json = output->context;

	if (json->rest)
		traffic_output_lost(output, 1, json->rest_packets, json->rest_bytes);
	append_file_close(&json->file);
	names_free(json->names);
}

struct teller {
	uint64_t known;
	traffic_total_tell *tell;
	void *userdata;
};

static int tell_line(void *userdata, const char *line)
{
	const struct teller *teller = userdata;
	struct json_place place;
	struct traffic_total total;

	if (!json_row_read_place(line, &place))
		return 0;
	if (place.batch <= teller->known)
		return 1; /* as are all before it */
	total = (struct traffic_total){
		.uid = place.uid,
		.in = place.total_in,
		.out = place.total_out,
		.batch = place.batch,
	};
	return teller->tell(teller->userdata, &total);
}

static int json_totals(struct traffic_output *output, uint64_t known, traffic_total_tell *tell,
		       void *userdata)
{
	const struct json *json = output->context;
	struct teller teller = { .known = known, .tell = tell, .userdata = userdata };
	int r;

	if (json->standard_output)
		return 0;
	r = append_tail_walk(AT_FDCWD, output->target, &json->policy, JSON_ROW_MAX, tell_line,
			     &teller);
	return r < 0 ? traffic_output_fail(output, r, "read the last lines") : 0;
}

const struct traffic_output_type json_output = {
	.kind = "json",
	.target = "PATH|-",
	.help = "one JSON object a line, to a file or standard output",
	.context_size = sizeof(struct json),
	.options = json_options,
	.preset = json_preset,
	.init = json_init,
	.totals = json_totals,
	.write = json_write,
	.flush = json_flush,
	.close = json_close,
};
