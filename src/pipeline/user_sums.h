/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sums of records by user and direction: what records become when there is no room for them one by one.
 * Detail is lost, bytes are not. A sum is a record of step `user`. Memory grows with the number of users
 * alone.
 */
#ifndef PIPELINE_USER_SUMS_H
#define PIPELINE_USER_SUMS_H

#include <stddef.h>
#include <stdint.h>

#include <traffic_meter/record.h>

/* Zeroes at first. */
struct user_sums {
	struct traffic_record *records; /* the sums */
	size_t n, room;
	uint32_t *slots; /* by hash: the index of a sum + 1, or 0 */
	size_t n_slots;	 /* a power of two, at least twice `room` */
};

/* Add a record to its user's sum. Returns 0, or -ENOMEM and then nothing is changed. */
int user_sums_add(struct user_sums *sums, const struct traffic_record *record);

/* Move up to `room` sums to `records`, in no order. Returns how many. */
size_t user_sums_take(struct user_sums *sums, struct traffic_record *records, size_t room);

void user_sums_free(struct user_sums *sums);

#endif
