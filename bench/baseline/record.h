/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A packet on its way through the baseline's ring: both halves compile this. */
#ifndef BENCH_BASELINE_RECORD_H
#define BENCH_BASELINE_RECORD_H

struct baseline_record {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 uid;
	__u32 bytes;
	__u8 direction; /* 0 in, 1 out */
	__u8 family;	/* 4 or 6 */
	__u8 padding[6];
	__u8 source[16]; /* IPv4 in the first 4 bytes */
	__u8 destination[16];
};

_Static_assert(sizeof(struct baseline_record) == 56, "ring layout");

#endif
