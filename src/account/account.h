/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a captured record lacks: wall-clock times, the interface's name, the uid's running totals.
 * And sums over an interval, for the log.
 */
#ifndef ACCOUNT_ACCOUNT_H
#define ACCOUNT_ACCOUNT_H

#include <stdint.h>

#include <traffic_meter/record.h>

#include "account/clock.h"
#include "account/interfaces.h"
#include "account/totals.h"

struct account_sum {
	uint64_t packets[2]; /* by direction */
	uint64_t bytes[2];
	uint64_t step_packets[TRAFFIC_STEP_TOTAL + 1]; /* by the step that counted them */
	uint32_t users;
};

struct account {
	struct clock clock;
	struct interfaces interfaces;
	struct totals totals;
	uint32_t interval;	/* from 2 on, so that a new total was seen in none */
	struct account_sum sum; /* of the running interval */
	uint64_t kernels_packets[2], kernels_bytes[2]; /* of the kernel's own sockets, so far */
};

int account_open(struct account *account);
void account_close(struct account *account);

/* Complete a record and add it up. 0 or -ENOMEM, and then the record has no totals. */
int account_record(struct account *account, struct traffic_record *record);

/* End the interval; its sums are returned. */
struct account_sum account_next_interval(struct account *account);

#endif
