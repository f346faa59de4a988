/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the kernel half's layouts (bpf/shared.h) to records. Times stay CLOCK_MONOTONIC here. */
#ifndef CAPTURE_DECODE_H
#define CAPTURE_DECODE_H

#include <stddef.h>

#include <traffic_meter/record.h>

#include "bpf/shared.h"

/* A ring record of `size` bytes. 0; -EBADMSG: not what the kernel half writes. */
int decode_packet(const void *data, size_t size, struct traffic_record *ret);

/* An entry of the flow table, of the user table. 0 or -EBADMSG. */
int decode_flow(const struct flow_key *key, const struct flow_value *value,
		struct traffic_record *ret);
int decode_user(const struct user_key *key, const struct user_value *value,
		struct traffic_record *ret);

/* What step 4 had to take in one direction: the difference of two readings of the audit. */
void decode_total(enum meter_direction direction, const struct audit_value *difference,
		  uint64_t now_ns, struct traffic_record *ret);

#endif
