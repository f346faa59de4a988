// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Somebody else's use of BPF beside the meter's, until it is ended:
 *
 *	bpf_other tcx INTERFACE			a program at the egress that lets each frame pass at once
 *	bpf_other clsact INTERFACE PRIORITY	the same as a filter
 *	bpf_other hold PATH...			what is pinned there is kept open
 *
 * Prints "ready" when that is so. At once:
 *
 *	bpf_other programs INTERFACE		how many TCX programs are at its egress
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TCX_EGRESS ((enum bpf_attach_type)47)

#define CODE_MOVE_NUMBER 0xb7 /* BPF_ALU64 | BPF_MOV | BPF_K */
#define CODE_EXIT	 0x95 /* BPF_JMP | BPF_EXIT */

static int load_passing(void)
{
	const struct bpf_insn insns[] = { { .code = CODE_MOVE_NUMBER, .imm = TC_ACT_OK },
					  { .code = CODE_EXIT } };

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "passes", "GPL", insns, 2, NULL);
}

static int attach_filter(int program_fd, int ifindex, uint32_t priority)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program_fd, .priority = priority);

	bpf_tc_hook_create(&hook); /* it may be there */
	return bpf_tc_attach(&hook, &options);
}

static int hold(char **paths)
{
	for (; *paths; paths++)
		if (bpf_obj_get(*paths) < 0)
			return -1;
	return 0;
}

static int print_programs(const char *interface)
{
	unsigned int n = 0;

	if (bpf_prog_query((int)if_nametoindex(interface), TCX_EGRESS, 0, NULL, NULL, &n) < 0)
		return -1;
	printf("%u\n", n);
	return 0;
}

int main(int argc, char **argv)
{
	int r = -1;

	if (argc == 3 && strcmp(argv[1], "programs") == 0)
		return print_programs(argv[2]) < 0;
	if (argc == 3 && strcmp(argv[1], "tcx") == 0)
		r = bpf_link_create(load_passing(), (int)if_nametoindex(argv[2]), TCX_EGRESS, NULL);
	else if (argc == 4 && strcmp(argv[1], "clsact") == 0)
		r = attach_filter(load_passing(), (int)if_nametoindex(argv[2]),
				  (uint32_t)strtoul(argv[3], NULL, 10));
	else if (argc > 2 && strcmp(argv[1], "hold") == 0)
		r = hold(argv + 2);
	if (r < 0) {
		perror("bpf_other");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}
