// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The thing that the meter is compared with: what one writes first when a per-packet meter is
 * asked for. Each packet is a ring record, and each record wakes the reader, as a ring does unless
 * it is told not to. Not made slow on purpose: the headers are read in place, and nothing else of
 * the packet is looked at.
 */
#include "vmlinux.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "record.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20); /* as the meter's */
} packets SEC(".maps");

static __always_inline int record_packet(struct __sk_buff *skb, __u8 direction)
{
	void *data = (void *)(unsigned long)skb->data;
	void *end = (void *)(unsigned long)skb->data_end;
	struct iphdr *ipv4 = data;
	struct ipv6hdr *ipv6 = data;
	struct baseline_record *record;

	/* A packet that finds no room is lost without a word. */
	record = bpf_ringbuf_reserve(&packets, sizeof(*record), 0);
	if (!record)
		return 1;
	record->time_ns = bpf_ktime_get_ns();
	record->uid = bpf_get_socket_uid(skb);
	record->bytes = skb->len;
	record->direction = direction;
	if (skb->protocol == bpf_htons(0x0800) && (void *)(ipv4 + 1) <= end) {
		record->family = 4;
		__builtin_memcpy(record->source, &ipv4->saddr, 4);
		__builtin_memcpy(record->destination, &ipv4->daddr, 4);
	} else if (skb->protocol == bpf_htons(0x86dd) && (void *)(ipv6 + 1) <= end) {
		record->family = 6;
		__builtin_memcpy(record->source, ipv6->saddr, 16);
		__builtin_memcpy(record->destination, ipv6->daddr, 16);
	} else {
		bpf_ringbuf_discard(record, 0);
		return 1;
	}
	bpf_ringbuf_submit(record, 0);
	return 1;
}

SEC("cgroup_skb/ingress")
int baseline_ingress(struct __sk_buff *skb)
{
	return record_packet(skb, 0);
}

SEC("cgroup_skb/egress")
int baseline_egress(struct __sk_buff *skb)
{
	return record_packet(skb, 1);
}

char LICENSE[] SEC("license") = "GPL";
