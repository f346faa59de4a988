/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a BPF ring buffer. Unlike libbpf's reader it gives the space back only when told, so that
 * records can stay in the kernel until what was made of them is safe.
 *
 * Layout and protocol: Documentation/bpf/ringbuf.rst in the kernel.
 */
#ifndef CAPTURE_RING_H
#define CAPTURE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
	unsigned long
		*consumer_position; /* shared with the kernel: what the reader has given back */
	const unsigned long *producer_position;
	const char *data;	/* mapped twice in a row, so that no record is cut */
	unsigned long position; /* how far the reader has looked */
	size_t size;
};

/* Map the ring of a map's file descriptor, of `size` bytes. The descriptor stays the caller's. */
int ring_open(struct ring *ring, int map_fd, size_t size);
void ring_close(struct ring *ring);

/* The next record: 1, and *ret_data points into the ring until ring_release(); 0: none yet. */
int ring_next(struct ring *ring, const void **ret_data, size_t *ret_size);

/* Look from where the kernel's room begins. */
void ring_rewind(struct ring *ring);

/* Whether there is nothing from there on. */
bool ring_is_empty(const struct ring *ring);

/* Give all that is before `position` back to the kernel. */
void ring_release(struct ring *ring, unsigned long position);

#endif
