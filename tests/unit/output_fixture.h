/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of outputs share: records, a directory of their own, an output at work without its
 * host, and an ear on standard error. */
#ifndef OUTPUT_FIXTURE_H
#define OUTPUT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <traffic_meter/output.h>

#include "util/cleanup.h"
#include "util/options.h"

#define UNUSED __attribute__((unused))

/* One directory a test, removed with all in it. */
static char directory[64];

static UNUSED int make_directory(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/traffic-meter-test-XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	(void)status;
	(void)type;
	(void)ftw;
	return remove(path);
}

static UNUSED int remove_directory(void **state)
{
	(void)state;
	return nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Of the directory; good until the fourth call after. */
static UNUSED const char *path_of(const char *name)
{
	static char paths[4][512];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

/* The whole file as a string, in memory that the next call uses again. */
static UNUSED const char *read_file(const char *path)
{
	static char *text;
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	size_t size = 0, room = 0;

	free(text);
	text = NULL;
	if (!file)
		fail_msg("no file %s", path);
	if (getdelim(&text, &room, '\0', file) < 0) {
		size = 0;
		text = realloc(text, 1);
	} else {
		size = strlen(text);
	}
	text[size] = '\0';
	return text;
}

static UNUSED void write_file(const char *path, const char *text)
{
	_cleanup_fclose_ FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
}

static UNUSED size_t count_lines_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static UNUSED void set_address(struct traffic_record *record, const char *source,
			       const char *destination)
{
	bool ipv6 = strchr(source, ':');
	int family = ipv6 ? AF_INET6 : AF_INET;

	record->family = ipv6 ? TRAFFIC_FAMILY_IPV6 : TRAFFIC_FAMILY_IPV4;
	assert_int_equal(inet_pton(family, source, record->source), 1);
	assert_int_equal(inet_pton(family, destination, record->destination), 1);
}

/* A packet of the user's. */
static UNUSED struct traffic_record make_record(uint32_t uid, enum traffic_direction direction,
						uint64_t bytes)
{
	struct traffic_record record = {
		.start_ns = 1732985432123456789,
		.end_ns = 1732985432123456789,
		.bytes = bytes,
		.wire_bytes = bytes,
		.wire_packets = 1,
		.packets = 1,
		.uid = uid,
		.login_uid = TRAFFIC_NO_UID,
		.direction = (uint8_t)direction,
		.protocol = 6,
		.step = TRAFFIC_STEP_PACKET,
	};

	set_address(&record, "192.168.1.100", "8.8.8.8");
	return record;
}

/* As the host does it. pairs: "header=yes,mode=0600" */
static UNUSED int open_output_as(struct traffic_output *output,
				 const struct traffic_output_type *type, const char *target,
				 const char *pairs, const char *nic_id)
{
	*output = (struct traffic_output){ .type = type, .target = target, .nic_id = nic_id };
	output->context = calloc(1, type->context_size);
	assert_non_null(output->context);
	if (type->preset)
		type->preset(output->context);
	assert_int_equal(options_parse_pairs(type->options, output->context, pairs, "test"), 0);
	return type->init(output);
}

static UNUSED int open_output(struct traffic_output *output, const struct traffic_output_type *type,
			      const char *target, const char *pairs)
{
	return open_output_as(output, type, target, pairs, "eth0");
}

static UNUSED void close_output(struct traffic_output *output)
{
	output->type->close(output);
	options_free(output->type->options, output->context);
	free(output->context);
	output->context = NULL;
}

static UNUSED void write_one(struct traffic_output *output, const struct traffic_record *record)
{
	assert_int_equal(output->type->write(output, record, 1), 1);
}

static UNUSED void write_all(struct traffic_output *output, const struct traffic_record *records,
			     size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t taken = output->type->write(output, records + done, n - done);

		assert_true(taken > 0);
		done += (size_t)taken;
	}
}

static UNUSED void flush_output(struct traffic_output *output)
{
	assert_int_equal(output->type->flush(output), 0);
}

/* Standard error, into memory and back. */
static UNUSED char said[16384];
static UNUSED int capture_fd = -1, real_stderr = -1;

static UNUSED void capture_begin(void)
{
	capture_fd = memfd_create("stderr", MFD_CLOEXEC);
	assert_true(capture_fd >= 0);
	real_stderr = dup(STDERR_FILENO);
	assert_true(dup2(capture_fd, STDERR_FILENO) >= 0);
}

static UNUSED void capture_end(void)
{
	ssize_t length;

	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	length = pread(capture_fd, said, sizeof(said) - 1, 0);
	close(capture_fd);
	assert_true(length >= 0);
	said[length] = '\0';
}

static UNUSED void assert_said(const char *part)
{
	if (!strstr(said, part))
		fail_msg("not said: '%s' but: '%s'", part, said);
}

static UNUSED size_t count_said(const char *part)
{
	size_t n = 0;

	for (const char *at = said; (at = strstr(at, part)); at++)
		n++;
	return n;
}

#endif
