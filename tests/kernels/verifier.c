// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How far each BPF program is from the verifier's limits on this kernel: loads them with the
 * constants that the verifier prunes by in all their values, and prints the worst for each program,
 *
 *	verifier: PROGRAM RECORDS insns=N stack=N
 *
 * N insns: those that it had to walk through. Stack: in bytes, the program's own frame and the largest of
 * those that it calls, as none of these calls another; rounded as the kernel rounds them.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/shared.h"
#include "capture/features.h"
#include "traffic_meter.skel.h"

/* BPF_LOG_STATS of the kernel's bpf_verifier.h: the closing lines alone. */
#define LOG_STATS 4
#define LOG_BYTES 4096

#define PROGRAMS_MAX 16

struct usage {
	unsigned long insns, stack;
};

static const char *const records_names[] = {
	[METER_RECORDS_FLOW] = "flow",
	[METER_RECORDS_PACKET] = "packet",
};

static char logs[PROGRAMS_MAX][LOG_BYTES];

#define FRAME_BYTES 32 /* of which a frame is a multiple: see check_max_stack_depth() */

static unsigned long round_up_frame(unsigned long bytes)
{
	return (bytes + FRAME_BYTES - 1) / FRAME_BYTES * FRAME_BYTES;
}

/* "stack depth 96+32": a frame for each function of the program, the program itself first. */
static int read_stack(const char *log, unsigned long *ret)
{
	const char *words = "stack depth ", *at = strstr(log, words);
	unsigned long own = 0, most = 0;
	char *end;

	if (!at)
		return -EBADMSG;
	at += strlen(words);
	for (;;) {
		unsigned long frame = round_up_frame(strtoul(at, &end, 10));

		if (end == at)
			return -EBADMSG;
		if (!own)
			own = frame;
		else if (frame > most)
			most = frame;
		if (*end != '+')
			break;
		at = end + 1;
	}
	*ret = own + most;
	return 0;
}

/* Raise the usage to what the kernel's log says, where that is more. */
static int add_usage(struct usage *usage, const char *program, const char *log)
{
	const char *processed = strstr(log, "processed ");
	unsigned long insns, stack;

	if (!processed || sscanf(processed, "processed %lu insns", &insns) != 1 ||
	    read_stack(log, &stack)) {
		fprintf(stderr, "verifier: %s: the kernel's words are not understood: %s\n",
			program, log);
		return -EBADMSG;
	}
	if (insns > usage->insns)
		usage->insns = insns;
	if (stack > usage->stack)
		usage->stack = stack;
	return 0;
}

/* The tables' sizes are nothing to the verifier, and large ones take their time. */
static int set_small(struct traffic_meter_bpf *skeleton)
{
	struct bpf_map *maps[] = { skeleton->maps.flows_a, skeleton->maps.flows_b,
				   skeleton->maps.users_a, skeleton->maps.users_b };

	for (size_t i = 0; i < sizeof(maps) / sizeof(*maps); i++) {
		int r = bpf_map__set_max_entries(maps[i], 1);

		if (r < 0)
			return r;
	}
	return bpf_map__set_max_entries(skeleton->maps.packets, 4096);
}

static int load(struct traffic_meter_bpf *skeleton, struct usage usage[PROGRAMS_MAX])
{
	struct bpf_program *program;
	unsigned int n = 0;
	int r = set_small(skeleton);

	if (r < 0)
		return r;
	memset(logs, 0, sizeof(logs));
	bpf_object__for_each_program(program, skeleton->obj)
	{
		if (n == PROGRAMS_MAX)
			return -E2BIG;
		bpf_program__set_log_level(program, LOG_STATS);
		bpf_program__set_log_buf(program, logs[n++], LOG_BYTES);
	}
	r = traffic_meter_bpf__load(skeleton);
	n = 0;
	bpf_object__for_each_program(program, skeleton->obj)
	{
		const char *name = bpf_program__name(program);

		if (r == 0)
			r = add_usage(&usage[n], name, logs[n]);
		else
			fprintf(stderr, "verifier: %s: %s\n", name, logs[n]);
		n++;
	}
	return r;
}

static int load_with(enum meter_records records, enum meter_match match,
		     struct usage usage[PROGRAMS_MAX])
{
	struct traffic_meter_bpf *skeleton = traffic_meter_bpf__open();
	int r;

	if (!skeleton)
		return -errno;
	skeleton->rodata->settings.records = records;
	skeleton->rodata->settings.match = match;
	skeleton->rodata->settings.task_btf = features_have_task_btf();
	/* The other rules and policies leave something out. */
	skeleton->rodata->settings.interfaces = METER_INTERFACES_ONLY;
	skeleton->rodata->settings.owner = METER_OWNER_LOGIN;
	r = load(skeleton, usage);
	if (r < 0)
		fprintf(stderr, "verifier: records %d, match %d: %s\n", records, match,
			strerror(-r));
	traffic_meter_bpf__destroy(skeleton);
	return r;
}

static int print_usage(const char *records, const struct usage usage[PROGRAMS_MAX])
{
	struct traffic_meter_bpf *skeleton = traffic_meter_bpf__open();
	struct bpf_program *program;
	unsigned int n = 0;

	if (!skeleton)
		return -errno;
	bpf_object__for_each_program(program, skeleton->obj)
	{
		printf("verifier: %s %s insns=%lu stack=%lu\n", bpf_program__name(program), records,
		       usage[n].insns, usage[n].stack);
		n++;
	}
	traffic_meter_bpf__destroy(skeleton);
	return 0;
}

static int measure(enum meter_records records)
{
	struct usage usage[PROGRAMS_MAX] = { 0 };

	for (enum meter_match match = METER_MATCH_BOTH; match <= METER_MATCH_REMOTE; match++) {
		int r = load_with(records, match, usage);

		if (r < 0)
			return r;
	}
	return print_usage(records_names[records], usage);
}

int main(void)
{
	if (measure(METER_RECORDS_FLOW) < 0 || measure(METER_RECORDS_PACKET) < 0)
		return 1;
	return fflush(stdout) ? 1 : 0;
}
