/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much was moved, each way: what all live numbers are made of. */
#ifndef LIVE_AMOUNTS_H
#define LIVE_AMOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include <traffic_meter/record.h>

/* The indexes of `way` are enum traffic_direction. */
struct amounts {
	struct amounts_way {
		uint64_t bytes;
		uint64_t wire_bytes;
		uint64_t packets;
		uint64_t wire_packets;
	} way[2];
};

static inline void amounts_add_record(struct amounts *sum, const struct traffic_record *record)
{
	struct amounts_way *way = &sum->way[record->direction];

	way->bytes += record->bytes;
	way->wire_bytes += record->wire_bytes;
	way->packets += record->packets;
	way->wire_packets += record->wire_packets;
}

static inline void amounts_add(struct amounts *sum, const struct amounts *more)
{
	for (int i = 0; i < 2; i++) {
		sum->way[i].bytes += more->way[i].bytes;
		sum->way[i].wire_bytes += more->way[i].wire_bytes;
		sum->way[i].packets += more->way[i].packets;
		sum->way[i].wire_packets += more->way[i].wire_packets;
	}
}

/* Raises each number that is lower than in `other`. */
static inline void amounts_raise(struct amounts *sum, const struct amounts *other)
{
	for (int i = 0; i < 2; i++) {
		if (sum->way[i].bytes < other->way[i].bytes)
			sum->way[i].bytes = other->way[i].bytes;
		if (sum->way[i].wire_bytes < other->way[i].wire_bytes)
			sum->way[i].wire_bytes = other->way[i].wire_bytes;
		if (sum->way[i].packets < other->way[i].packets)
			sum->way[i].packets = other->way[i].packets;
		if (sum->way[i].wire_packets < other->way[i].wire_packets)
			sum->way[i].wire_packets = other->way[i].wire_packets;
	}
}

static inline bool amounts_are_zero(const struct amounts *amounts)
{
	return !amounts->way[0].packets && !amounts->way[1].packets;
}

/* Per second, each way. */
struct rates {
	struct rates_way {
		float bytes;
		float wire_bytes;
		float packets;
		float wire_packets;
	} way[2];
};

static inline void rates_add(struct rates *sum, const struct rates *more)
{
	for (int i = 0; i < 2; i++) {
		sum->way[i].bytes += more->way[i].bytes;
		sum->way[i].wire_bytes += more->way[i].wire_bytes;
		sum->way[i].packets += more->way[i].packets;
		sum->way[i].wire_packets += more->way[i].wire_packets;
	}
}

/* What was added since `before`, divided by the seconds in between. */
static inline struct rates rates_between(const struct amounts *before, const struct amounts *now,
					 float seconds)
{
	struct rates rates;

	for (int i = 0; i < 2; i++) {
		const struct amounts_way *a = &before->way[i], *b = &now->way[i];

		rates.way[i] = (struct rates_way){
			.bytes = (float)(b->bytes - a->bytes) / seconds,
			.wire_bytes = (float)(b->wire_bytes - a->wire_bytes) / seconds,
			.packets = (float)(b->packets - a->packets) / seconds,
			.wire_packets = (float)(b->wire_packets - a->wire_packets) / seconds,
		};
	}
	return rates;
}

static inline float rates_all(const struct rates *rates)
{
	return rates->way[0].bytes + rates->way[1].bytes;
}

#endif
