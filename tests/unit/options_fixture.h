/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What test_options and test_config share: an option of each type, and an ear on standard error. */
#ifndef OPTIONS_FIXTURE_H
#define OPTIONS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/cleanup.h"
#include "util/options.h"

#define PREFIX "traffic-meter: error: "

static const char *const records[] = { "flow", "packet", NULL };

struct settings {
	char *cgroup;
	struct traffic_strings interfaces;
	bool persist;
	int records;
	uint64_t interval_s;
	uint64_t ring_size;
	uint64_t unbounded;
	uint32_t mode;
};

#define AT(member) offsetof(struct settings, member)

/* clang-format off */
static const struct traffic_option options[] = {
	{ "cgroup", TRAFFIC_OPTION_STRING, AT(cgroup), "PATH", NULL, 0, 0, "the cgroup to meter" },
	{ "interface", TRAFFIC_OPTION_STRINGS, AT(interfaces), "NAME", NULL, 0, 0,
	  "only these interfaces" },
	{ "persist", TRAFFIC_OPTION_FLAG, AT(persist), NULL, NULL, 0, 0,
	  "go on counting when the program is gone" },
	{ "records", TRAFFIC_OPTION_CHOICE, AT(records), NULL, records, 0, 0,
	  "what one record stands for" },
	{ "interval", TRAFFIC_OPTION_NUMBER, AT(interval_s), "SECONDS", NULL, 1, 3600,
	  "time that one record stands for" },
	{ "ring-size", TRAFFIC_OPTION_SIZE, AT(ring_size), "BYTES", NULL, 65536, 1ULL << 30,
	  "room for packets" },
	{ "unbounded", TRAFFIC_OPTION_SIZE, AT(unbounded), "BYTES", NULL, 1, 0, "no maximum" },
	{ "mode", TRAFFIC_OPTION_MODE, AT(mode), "OCTAL", NULL, 0, 0, "permissions of the files" },
	{ 0 },
};
/* clang-format on */

/* Standard error, into memory and back. */
static char said[8192];
static int capture_fd = -1, real_stderr = -1;

static void capture_begin(void)
{
	capture_fd = memfd_create("stderr", MFD_CLOEXEC);
	assert_true(capture_fd >= 0);
	real_stderr = dup(STDERR_FILENO);
	assert_true(dup2(capture_fd, STDERR_FILENO) >= 0);
}

static void capture_end(void)
{
	ssize_t length;

	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	length = pread(capture_fd, said, sizeof(said) - 1, 0);
	close(capture_fd);
	assert_true(length >= 0);
	said[length] = '\0';
}

#endif
