// SPDX-License-Identifier: GPL-2.0-or-later
/* primitives CGROUP NAME: attaches one pair of programs of primitives.bpf.c until it is ended. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bench/primitives/primitives.skel.h>

static void fail(const char *what)
{
	fprintf(stderr, "primitives: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Attached until the process ends. */
static void attach(const struct primitives_bpf *skeleton, int cgroup_fd, const char *name,
		   const char *direction)
{
	char full[64];
	struct bpf_program *program;

	snprintf(full, sizeof(full), "%s_%s", name, direction);
	program = bpf_object__find_program_by_name(skeleton->obj, full);
	if (!program || !bpf_program__attach_cgroup(program, cgroup_fd))
		fail(full);
}

int main(int argc, char **argv)
{
	struct primitives_bpf *skeleton;
	sigset_t signals;
	int cgroup_fd, number;

	if (argc != 3) {
		fprintf(stderr, "usage: primitives CGROUP empty|header|uid|storage|hash\n");
		return 2;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	cgroup_fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (cgroup_fd < 0)
		fail(argv[1]);
	skeleton = primitives_bpf__open_and_load();
	if (!skeleton)
		fail("load");
	attach(skeleton, cgroup_fd, argv[2], "ingress");
	attach(skeleton, cgroup_fd, argv[2], "egress");
	fprintf(stderr, "primitives: metering %s\n", argv[1]);
	sigwait(&signals, &number);
	primitives_bpf__destroy(skeleton);
	close(cgroup_fd);
	return 0;
}
