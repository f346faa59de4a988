// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/features.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "capture/cgroup.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/test_features.h"

/* Debian 11's linux/bpf.h is older. */
#define GET_CURRENT_TASK_BTF ((enum bpf_func_id)158)

static uint64_t effective_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &header, data))
		return 0;
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

static int probe_privileges(char *detail, unsigned int detail_size)
{
	static const struct {
		int capability;
		const char *name;
	} needed[] = {
		{ CAP_BPF, "CAP_BPF" },
		{ CAP_NET_ADMIN, "CAP_NET_ADMIN" },
		{ CAP_PERFMON, "CAP_PERFMON" },
	};
	uint64_t effective = effective_capabilities();
	unsigned int used = 0;

	if (effective & 1ull << CAP_SYS_ADMIN && effective & 1ull << CAP_NET_ADMIN)
		return 1;
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]) && used < detail_size; i++)
		if (!(effective & 1ull << needed[i].capability))
			used += (unsigned int)snprintf(detail + used, detail_size - used, "%s%s",
						       used ? ", " : "missing ", needed[i].name);
	return !used;
}

static int probe_cgroup2(char *detail, unsigned int detail_size)
{
	_cleanup_free_ char *root = NULL;
	int r = cgroup_find_root(&root);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		snprintf(detail, detail_size, "mounted at %s", root);
	return r < 0 ? r : 1;
}

static int probe_ring_buffer(char *detail, unsigned int detail_size)
{
	struct utsname names;

	if (uname(&names) == 0)
		snprintf(detail, detail_size, "Linux %s", names.release);
	return libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL);
}

static int probe_cgroup_skb(char *detail, unsigned int detail_size)
{
	(void)detail;
	(void)detail_size;
	return libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_CGROUP_SKB, NULL);
}

static int probe_btf(char *detail, unsigned int detail_size)
{
	(void)detail;
	(void)detail_size;
	return !feature_is_off("btf") && access("/sys/kernel/btf/vmlinux", R_OK) == 0;
}

bool features_have_btf(void)
{
	return probe_btf(NULL, 0) == 1;
}

static int probe_jit(char *detail, unsigned int detail_size)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/sys/net/core/bpf_jit_enable", "re");
	int digit;

	(void)detail;
	(void)detail_size;
	/* Without the file the kernel was built to compile always, or it hides it from a container. */
	if (!file)
		return 1;
	digit = fgetc(file);
	return digit == EOF ? -EIO : digit != '0';
}

static bool has_helper(enum bpf_func_id helper)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SKB, helper, NULL) == 1;
}

bool features_have_process_owner(void)
{
	return features_have_btf() && !feature_is_off("skc_to_tcp_sock") &&
	       has_helper(BPF_FUNC_skc_to_tcp_sock);
}

bool features_have_task_btf(void)
{
	return !feature_is_off("task_btf") && has_helper(GET_CURRENT_TASK_BTF);
}

static int probe_process_owner(char *detail, unsigned int detail_size)
{
	if (!features_have_process_owner())
		return 0;
	if (!features_have_task_btf())
		snprintf(detail, detail_size, "by probe reads, as before Linux 5.11");
	return 1;
}

/* A question about the loopback's programs, which a kernel that doesn't know the kind refuses. */
static int probe_tcx(char *detail, unsigned int detail_size)
{
	unsigned int n = 0;

	(void)detail;
	(void)detail_size;
	return bpf_prog_query((int)if_nametoindex("lo"), FEATURES_TCX_EGRESS, 0, NULL, NULL, &n) ==
	       0;
}

bool features_have_tcx(void)
{
	return probe_tcx(NULL, 0) == 1;
}

const struct feature features[] = {
	{ "privileges", true,
	  "the meter loads BPF programs: run it as root, or with the capabilities CAP_BPF, "
	  "CAP_NET_ADMIN and CAP_PERFMON",
	  probe_privileges },
	{ "cgroup v2", true, NULL, probe_cgroup2, cgroup_explain_lack },
	{ "BPF ring buffer", true,
	  "the kernel is too old: Linux 5.8 or newer is needed (RHEL 9, Debian 11, Ubuntu 22.04, "
	  "SLES 15 SP4 have it)",
	  probe_ring_buffer },
	{ "cgroup_skb programs", true,
	  "the kernel was built without CONFIG_CGROUP_BPF: install the distribution's own kernel",
	  probe_cgroup_skb },
	{ "kernel BTF", false,
	  "what rootless containers send in their own networks can't be told from the rest, nor "
	  "the "
	  "kernel's own packets from root's; install the distribution's own kernel, which has "
	  "CONFIG_DEBUG_INFO_BTF",
	  probe_btf },
	{ "owner by process", false,
	  "bytes are charged to the creator of the socket, as with --owner socket: Linux 5.9 with "
	  "BTF is needed",
	  probe_process_owner },
	{ "TCX links", false,
	  "a killed meter leaves its filter at the interfaces, where it counts packet sockets' "
	  "frames, until the next one starts: Linux 6.6 is needed",
	  probe_tcx },
	{ "BPF JIT", false,
	  "programs are interpreted, several times slower: 'sysctl net.core.bpf_jit_enable=1'",
	  probe_jit },
	{ 0 },
};

const char *features_lack(const struct feature *feature)
{
	return feature->lack ?: feature->explain();
}

int features_require(void)
{
	for (const struct feature *feature = features; feature->name; feature++) {
		char detail[128] = "";
		int r;

		if (!feature->required)
			continue;
		r = feature->probe(detail, sizeof(detail));
		if (r > 0)
			continue;
		if (r < 0)
			return log_error_errno(r, "probe for %s", feature->name);
		log_error("%s: not there%s%s%s; %s", feature->name, *detail ? " (" : "", detail,
			  *detail ? ")" : "", features_lack(feature));
		return feature->probe == probe_privileges ? -EPERM : -EOPNOTSUPP;
	}
	return 0;
}
