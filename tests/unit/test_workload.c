// SPDX-License-Identifier: GPL-2.0-or-later
/* Workloads: each pattern, what is nearly one, which of two wins, names of any bytes and length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "account/workload.h"
#include "pipeline/batch.h"

#define HEX60 "56789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0"
#define HEX64 "0a1b" HEX60
#define SHORT "0a1b56789abc"
#define POD   "0b1c2d3e_4f50_6172_8394_a5b6c7d8e9f0"

struct example {
	const char *path, *workload; /* NULL: none */
};

static const struct example examples[] = {
	{ "/system.slice/slurmstepd.scope/job_6/step_0/user/task_special", "slurm:6" },
	{ "/system.slice/node-7_slurmstepd.scope/job_4294967295/step_batch", "slurm:4294967295" },
	{ "/hpc.slice/a_b_slurmstepd.scope/job_17", "slurm:17" },
	{ "/system.slice/slurmstepd.scope/sEKNKTV3WPV500/step_0/user", "slurm:sEKNKTV3WPV500" },
	{ "/system.slice/n1_slurmstepd.scope/s0123456789ABZ", "slurm:s0123456789ABZ" },
	{ "/slurm/uid_1000/job_12/step_0", "slurm:12" },
	{ "/slurm_node7/uid_1000/job_12", "slurm:12" },
	{ "/pbs_jobs.service/jobid/1234.pbs-server", "pbs:1234.pbs-server" },
	{ "/pbs_jobs.service/jobid/12[3].s/below", "pbs:12[3].s" },
	{ "/system.slice/docker-" HEX64 ".scope", "docker:" SHORT },
	{ "/system.slice/docker-" HEX64 ".scope/init.scope", "docker:" SHORT },
	{ "/docker/" HEX64, "docker:" SHORT },
	{ "/docker/" HEX64 "/system.slice/cron.service", "docker:" SHORT },
	{ "/machine.slice/libpod-" HEX64 ".scope/container", "podman:" SHORT },
	{ "/libpod-" HEX64 ".scope", "podman:" SHORT },
	{ "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" HEX64 ".scope",
	  "podman:" SHORT },
	{ "/machine.slice/libpod-" HEX64 ".pod/libpod-ffff" HEX60 ".scope", "podman:ffff56789abc" },
	{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" POD
	  ".slice/cri-containerd-" HEX64 ".scope",
	  "pod:0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0" },
	{ "/kubepods.slice/kubepods-pod" POD ".slice/crio-" HEX64 ".scope/container",
	  "pod:0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0" },
	{ "/user.slice/user-7.slice/user@7.service/apptainer-1234.scope", "apptainer:1234" },
	{ "/lxc.payload.web/system.slice/nginx.service", "lxc:web" },
	{ "/lxc.payload.a_b-c", "lxc:a_b-c" },
	{ "/machine.slice/machine-qemu\\x2d1\\x2ddebian\\x2f\\x4B_9.scope/libvirt/emulator",
	  "vm:1-debian/K_9" },
	{ "/machine.slice/machine-qemu\\x2da\\x00\\x2.scope", "vm:a\\x00\\x2" },
	{ "/user.slice/user-1000.slice/session-3.scope", "session:3" },
	{ "/user.slice/user-1000.slice/session-c1.scope/below", "session:c1" },
	{ "/user.slice/user-1000.slice/user@1000.service", "unit:user@1000.service" },
	{ "/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope",
	  "unit:user@1000.service" },
	{ "/system.slice/nginx.service", "unit:nginx.service" },
	{ "/system.slice/system-getty.slice/getty@tty1.service", "unit:system-getty.slice" },
	/* Nearly. */
	{ "/system.slice/slurmstepd.scope/system", "unit:slurmstepd.scope" },
	{ "/system.slice/slurmstepd.scope/job_6x", "unit:slurmstepd.scope" },
	{ "/system.slice/slurmstepd.scope/sEKNKTV3WPV50", "unit:slurmstepd.scope" },
	{ "/system.slice/slurmstepd.scope/sEKNKTV3WPV5000", "unit:slurmstepd.scope" },
	{ "/system.slice/slurmstepd.scope/sIKNKTV3WPV500", "unit:slurmstepd.scope" },
	{ "/system.slice/xslurmstepd.scope/job_6", "unit:xslurmstepd.scope" },
	{ "/system.slice/docker-1" HEX64 ".scope", "unit:docker-1" HEX64 ".scope" },
	{ "/system.slice/docker-" HEX60 ".scope", "unit:docker-" HEX60 ".scope" },
	{ "/docker/" HEX64 "0", NULL },
	{ "/kubepods.slice/kubepods-pod" POD ".slice", NULL },
	{ "/machine.slice/machine-qemu\\x2d.scope", NULL },
	{ "/user.slice/user-1000.slice", NULL },
	{ "/user.slice/user-.slice/session-3.scope", NULL },
	{ "/slurm_/uid_1/job_1", NULL },
	{ "/slurm/uid_/job_1", NULL },
	{ "/lxc.payload.", NULL },
	{ "/system.slice", NULL },
	{ "/system.slice/", NULL },
	{ "/init.scope", NULL },
	{ "/", NULL },
	{ "", NULL },
	{ "system.slice/nginx.service", NULL },
	/* Below a user's own cgroups nobody becomes a job, another's session or a unit. */
	{ "/user.slice/user-7.slice/user@7.service/system.slice/slurmstepd.scope/job_1",
	  "unit:user@7.service" },
	{ "/user.slice/user-7.slice/user@7.service/user.slice/user-0.slice/session-1.scope",
	  "unit:user@7.service" },
	/* The first one wins. */
	{ "/system.slice/slurmstepd.scope/job_6/step_0/user/libpod-" HEX64 ".scope", "slurm:6" },
	{ "/system.slice/a.service/libpod-" HEX64 ".scope/apptainer-1.scope", "podman:" SHORT },
	{ "/system.slice/a.service/apptainer-1.scope", "apptainer:1" },
	/* Any bytes. */
	{ "/system.slice/\xff\n\x01*#<>$~.service", "unit:\xff\n\x01*#<>$~.service" },
	{ "/lxc.payload.\xc3\xa4\x80", "lxc:\xc3\xa4\x80" },
};

static void each_pattern(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
		const char *expected = examples[i].workload ? examples[i].workload : "";
		char workload[WORKLOAD_SIZE] = "untouched";
		int r = workload_of(examples[i].path, workload, sizeof(workload));

		if (r != (examples[i].workload != NULL) || strcmp(workload, expected) != 0)
			fail_msg("%s: %d, '%s' instead of '%s'", examples[i].path, r, workload,
				 expected);
	}
}

static void names_are_cut(void **state)
{
	static char path[65536] = "/system.slice/";
	char ret[200], expected[WORKLOAD_SIZE] = "unit:";

	(void)state;
	memset(path + strlen(path), 'u', sizeof(path) - 1 - strlen(path));
	memset(expected + 5, 'u', sizeof(expected) - 1 - 5);
	memset(ret, '#', sizeof(ret));
	assert_int_equal(workload_of(path, ret, sizeof(ret)), 1);
	assert_string_equal(ret, expected);
	assert_int_equal(ret[WORKLOAD_SIZE], '#');

	for (size_t size = 1; size < 10; size++) {
		memset(ret, '#', sizeof(ret));
		assert_int_equal(workload_of(path, ret, size), 1);
		assert_int_equal(strlen(ret), size - 1);
		assert_memory_equal(ret, expected, size - 1);
		assert_int_equal(ret[size], '#');
	}
	assert_int_equal(workload_of(path, ret, 0), -EINVAL);
}

/* Each path in memory of its own size, cut anywhere: AddressSanitizer sees a read beyond it. */
static void paths_end_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
		for (size_t n = strlen(examples[i].path); n; n--) {
			char *path = strndup(examples[i].path, n), ret[WORKLOAD_SIZE];

			assert_non_null(path);
			assert_in_range(workload_of(path, ret, sizeof(ret)), 0, 1);
			free(path);
		}
	}
}

static void a_batch_keeps_them(void **state)
{
	struct batch *batch = batch_new(1, false, NULL);
	const struct batch_text *kept;

	(void)state;
	assert_non_null(batch);
	assert_non_null(batch_keep_text(batch, 7, "/lxc.payload.a", "lxc:a"));
	assert_non_null(batch_keep_text(batch, 8, "/b", NULL));
	kept = batch_find_text(batch, 7);
	assert_string_equal(kept->path, "/lxc.payload.a");
	assert_string_equal(kept->workload, "lxc:a");
	kept = batch_find_text(batch, 8);
	assert_string_equal(kept->path, "/b");
	assert_null(kept->workload);
	assert_null(batch_find_text(batch, 7 + BATCH_TEXT_SLOTS));
	batch_unref(batch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_pattern),
		cmocka_unit_test(names_are_cut),
		cmocka_unit_test(paths_end_anywhere),
		cmocka_unit_test(a_batch_keeps_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
