/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one look came to: sums since the meter's start by user and by interface. */
#ifndef LIVE_PICTURE_H
#define LIVE_PICTURE_H

#include <stdint.h>

#include <traffic_meter/record.h>

#include "live/sums.h"

/* An id of struct sums is never 0. */
#define PICTURE_NONE	UINT64_C(0x100000000) /* sockets of the kernel's own: uid TRAFFIC_NO_UID */
#define PICTURE_UNKNOWN UINT64_C(0x100000001) /* step 4, which does not know the user */

/* Of interfaces: what is no user's stands beside the rest. */
#define PICTURE_NOBODYS UINT64_C(0x200000000)

struct picture {
	struct sums users, interfaces;
	uint64_t time_ns; /* CLOCK_MONOTONIC; 0: there is none */
};

static inline uint64_t picture_user_id(uint32_t uid)
{
	return (uint64_t)uid + 1;
}

static inline uint64_t picture_user_of(const struct traffic_record *record)
{
	return record->step == TRAFFIC_STEP_TOTAL ? PICTURE_UNKNOWN : picture_user_id(record->uid);
}

static inline uint64_t picture_interface_of(const struct traffic_record *record)
{
	uint64_t id = (uint64_t)record->ifindex + 1;

	return record->uid == TRAFFIC_NO_UID && record->step != TRAFFIC_STEP_TOTAL
		       ? id | PICTURE_NOBODYS
		       : id;
}

static inline void picture_free(struct picture *picture)
{
	sums_free(&picture->users);
	sums_free(&picture->interfaces);
	*picture = (struct picture){ 0 };
}

#endif
