// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Record header: u32 length with two flag bits, u32 of the kernel's own. */
#define RING_HEADER_SIZE BPF_RINGBUF_HDR_SZ

int ring_open(struct ring *ring, int map_fd, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *consumer, *producer;

	consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (consumer == MAP_FAILED)
		return -errno;
	producer = mmap(NULL, page + 2 * size, PROT_READ, MAP_SHARED, map_fd, (off_t)page);
	if (producer == MAP_FAILED) {
		int r = -errno;

		munmap(consumer, page);
		return r;
	}
	*ring = (struct ring){
		.consumer_position = (unsigned long *)consumer,
		.producer_position = (const unsigned long *)producer,
		.data = producer + page,
		.size = size,
	};
	ring->position = __atomic_load_n(ring->consumer_position, __ATOMIC_ACQUIRE);
	return 0;
}

void ring_close(struct ring *ring)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!ring->data)
		return;
	munmap(ring->consumer_position, page);
	munmap((void *)(ring->data - page), page + 2 * ring->size);
	*ring = (struct ring){ 0 };
}

int ring_next(struct ring *ring, const void **ret_data, size_t *ret_size)
{
	/* Pairs with the kernel's store-release after it has written a record's header. */
	unsigned long produced = __atomic_load_n(ring->producer_position, __ATOMIC_ACQUIRE);

	while (ring->position < produced) {
		const char *header = ring->data + (ring->position & (ring->size - 1));
		uint32_t length = __atomic_load_n((const uint32_t *)header, __ATOMIC_ACQUIRE);
		uint32_t size = length & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

		if (length & BPF_RINGBUF_BUSY_BIT)
			return 0; /* reserved, and still being written */
		ring->position += (RING_HEADER_SIZE + size + 7) & ~7ul;
		if (length & BPF_RINGBUF_DISCARD_BIT)
			continue;
		*ret_data = header + RING_HEADER_SIZE;
		*ret_size = size;
		return 1;
	}
	return 0;
}

void ring_rewind(struct ring *ring)
{
	ring->position = __atomic_load_n(ring->consumer_position, __ATOMIC_ACQUIRE);
}

bool ring_is_empty(const struct ring *ring)
{
	return __atomic_load_n(ring->consumer_position, __ATOMIC_ACQUIRE) ==
	       __atomic_load_n(ring->producer_position, __ATOMIC_ACQUIRE);
}

void ring_release(struct ring *ring, unsigned long position)
{
	__atomic_store_n(ring->consumer_position, position, __ATOMIC_RELEASE);
}
