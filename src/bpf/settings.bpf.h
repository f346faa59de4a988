/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What user space sets before the programs are loaded; what stands here is for who loads them bare. */
#ifndef BPF_SETTINGS_BPF_H
#define BPF_SETTINGS_BPF_H

#include "vmlinux.h"

#include "shared.h"

/* One cache line, which every packet reads. */
const volatile struct meter_settings settings __attribute__((aligned(32))) = {
	.records = METER_RECORDS_FLOW,
	.owner = METER_OWNER_SOCKET,
	.interfaces = METER_INTERFACES_ALL,
	.match = METER_MATCH_BOTH,
	.ring_wake_bytes = 2 << 20,
	.networks = true,
	.skip_nested = true,
};

#endif
