/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A look at what the tables of a capture hold, by a thread of its own: nothing is removed, retired or
 * waited for, and the capture's own thread goes on meanwhile.
 */
#ifndef CAPTURE_LOOK_H
#define CAPTURE_LOOK_H

#include <traffic_meter/record.h>

struct capture;
struct look;
struct set;

typedef void look_see_fn(void *userdata, const struct traffic_record *record);

/* Prepares looks at the capture's own set of maps: its descriptors stay the capture's, so close the look
 * first. Returns 0, a negative errno, or -ENOENT when the capture only reads what was left over. */
int look_open(struct look **ret, const struct capture *capture);
int look_open_set(struct look **ret, const struct set *set);
void look_close(struct look *look);

/* Calls `see` for each entry of the tables: records of the steps flow, user and total, which are good
 * during the call. One flow may come several times: its sum is in the table and with each CPU.
 *
 * While the kernel counts, a flow that moves on from a CPU's recent flows to the table may be missed by one
 * look. It is never seen twice, as the tables that sums move to are read first. That does not hold when the
 * capture's thread calls capture_retire() or capture_commit() meanwhile: the caller has to find that out
 * and forget the look. Returns 0 or a negative errno. */
int look_at_tables(struct look *look, look_see_fn *see, void *userdata);

#endif
