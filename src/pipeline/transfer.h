/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way of records: span by span from capture, completed by account, in batches to the outputs. */
#ifndef COMMAND_TRANSFER_H
#define COMMAND_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "account/account.h"
#include "capture/capture.h"
#include "live/live.h"
#include "pipeline/outputs.h"

struct transfer {
	struct capture *capture; /* the caller's, as the next two */
	struct account *account;
	struct outputs *outputs;
	struct live *live;	  /* likewise; NULL: there are no live numbers */
	struct capture_span span; /* that is under way, if in_span */
	bool in_span, span_is_read;
	uint64_t span_records;
	bool owner_wanted; /* of this record, which was read and is in no batch yet */
	struct traffic_record waiting;
	bool in_a_hurry; /* a span ends when the outputs were given it */

	/* Traffic goes on: begin so many spans more, which is all that there is now, and then what comes
	 * after is the next meter's. */
	bool has_last;
	unsigned int spans_left;
};

/* One of the tables, and the parts of a full ring, and one that was begun. */
#define TRANSFER_LAST_SPANS 6

/* Move what the kernel holds to the outputs, until there is no more, or one of the outputs has no room or
 * has not written all: then the rest waits where it is, and the ladder takes what comes after.
 * 1: no more; 0: the outputs are waited for; or an error, logged. */
int transfer_drain(struct transfer *transfer);

/* Adds to the sum the record that waits for its owner. */
void transfer_add_waiting(const struct transfer *transfer, struct capture_audit *sum);

#endif
