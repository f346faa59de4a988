/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a captured record lacks: wall-clock times, the interface's name, whose a subordinate uid is,
 * the uid's running totals, the cgroup's path, the names of networks. And sums over an interval, for the log.
 */
#ifndef ACCOUNT_ACCOUNT_H
#define ACCOUNT_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include <traffic_meter/record.h>

#include "account/cgroups.h"
#include "account/clock.h"
#include "account/interfaces.h"
#include "account/owners.h"
#include "account/state_writer.h"
#include "account/totals.h"
#include "networks/named.h"

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
	struct state_writer *writer;	/* NULL: totals end with the process, or what is pinned */
	struct owners *owners;		/* NULL: subordinate uids stay as they are */
	struct cgroups *cgroups;	/* NULL: paths are not known */
	struct network_names *networks; /* NULL: networks have no names */
	uint32_t interval;		/* from 2 on, so that a new total was seen in none */
	struct account_sum sum;		/* of the running interval */
	uint64_t kernels_packets[2], kernels_bytes[2]; /* of the kernel's own sockets, so far */
};

struct account_settings {
	bool raw_subuids;	 /* charge subordinate uids as they are, not to their owners */
	const char *cgroup_root; /* mount point of the cgroup2 hierarchy, or NULL */
	const struct totals_memory *totals; /* NULL: totals begin at 0, and end with the process */
	uint64_t committed;		    /* the last span that is not to come again */
};

int account_open(struct account *account, const struct account_settings *settings);
void account_close(struct account *account);

/* Go on from the totals that the instance's last meter left in the directory. *ret_batch: the last number
 * in use then. *ret_behind: it did not end well, and what it added since it last wrote is in no memory
 * either. An error is logged. */
int account_open_state(struct account *account, const char *directory, const char *instance,
		       uint64_t *ret_batch, bool *ret_behind);

/* Keep them there from now on, in a thread. An error is logged. */
int account_start_state(struct account *account, const char *directory, const char *instance);

/* Have the totals written soon, without what may come again. */
void account_write_state(struct account *account);

/* All that was metered is in them: write them once more, until deadline_ns at the latest. 0 or an error,
 * logged; -ETIMEDOUT: a thread hangs. */
int account_close_state(struct account *account, uint64_t deadline_ns);

/* The records from now on are of this span. */
static inline void account_begin(struct account *account, uint64_t span)
{
	totals_begin(&account->totals, span);
}

/* And these are not to come again. */
static inline void account_commit(struct account *account)
{
	totals_commit(&account->totals);
}

/* Complete a record, but for the cgroup's path, and add it up. 0 or -ENOMEM, and then the record has
 * no totals.
 * -EAGAIN: its owner is not known yet; nothing has happened, call again later. */
int account_record(struct account *account, struct traffic_record *record);

/* Whom a uid is charged to: the owner of a subordinate one, else itself. */
uint32_t account_owner(struct account *account, uint32_t uid);

/* The path of a record's cgroup, good until the next call; NULL: not known. */
const char *account_cgroup(struct account *account, uint64_t id);

/* Networks have these names from now on; the reference becomes the account's. */
void account_set_networks(struct account *account, struct network_names *networks);

/* What lies in files may have changed: SIGHUP. */
void account_reload(struct account *account);

/* End the interval; its sums are returned. */
struct account_sum account_next_interval(struct account *account);

#endif
