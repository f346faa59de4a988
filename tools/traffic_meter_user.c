// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * traffic_meter_user [cgroup_path] [nic_id]: the original's program, as its README has it. Packet
 * records in /tmp/traffic_user_<nic_id>_<uid>.log, untracked networks compiled in.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "capture/cgroup.h"
#include "command/command.h"
#include "command/meter.h"
#include "networks/compiled.h"
#include "pipeline/outputs.h"
#include "util/cleanup.h"
#include "util/descriptors.h"
#include "util/log.h"

#include "untracked_masks.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* user.slice below the cgroup2 mount, wherever that is; NULL, the root, where there is none. */
static char *default_cgroup(void)
{
	_cleanup_free_ char *root = NULL;
	struct stat status;
	char *path = NULL;

	if (cgroup_find_root(&root) < 0 || asprintf(&path, "%s/user.slice", root) < 0)
		return NULL;
	if (stat(path, &status) == 0)
		return path;
	free(path);
	return NULL;
}

static int print_help(void)
{
	printf("usage: traffic_meter_user [cgroup_path] [nic_id]\n\n"
	       "Writes a row for each packet to /tmp/traffic_user_<nic_id>_<uid>.log until "
	       "Ctrl+C:\n"
	       "direction,bytes,src_ip,dst_ip,timestamp,total_in,total_out\n\n"
	       "  cgroup_path  cgroup v2 directory (user.slice, else the whole machine)\n"
	       "  nic_id       label in file names (unknown)\n");
	return fflush(stdout) ? EXIT_FAILED : EXIT_DONE;
}

int main(int argc, char **argv)
{
	_cleanup_(network_list_free) struct network_list list = { 0 };
	_cleanup_free_ char *cgroup = NULL;
	char *outputs[] = { "csv:/tmp,columns=original" };
	struct meter_settings settings = {
		.nic_id = argc > 2 && *argv[2] ? argv[2] : "unknown",
		.compiled = &list,
		.outputs = { outputs, COUNT(outputs) },
		.capture = {
			.records = CAPTURE_RECORDS_PACKET,
			.ring_bytes = 16 << 20,
			.flow_entries = 262144,
			.user_entries = 16384,
		},
		.interval_s = 10,
	};

	if (descriptors_open_standard() < 0)
		return EXIT_FAILED;
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return print_help();
	if (argc > 3) {
		log_error("too many arguments; usage: traffic_meter_user [cgroup_path] [nic_id]");
		return EXIT_USAGE;
	}
	if (outputs_verify_nic_id(settings.nic_id) < 0)
		return EXIT_USAGE;
	if (argc > 1 && *argv[1])
		settings.cgroup = argv[1];
	else /* NOLINTNEXTLINE(clang-analyzer-deadcode.DeadStores): read by what frees it */
		settings.cgroup = cgroup = default_cgroup();
	if (network_list_add_compiled(&list, untracked_ipv4, COUNT(untracked_ipv4), untracked_ipv6,
				      COUNT(untracked_ipv6)) < 0)
		return EXIT_FAILED;
	settings.capture.networks = list.n > 0;
	return meter_run(&settings) < 0 ? EXIT_FAILED : EXIT_DONE;
}
