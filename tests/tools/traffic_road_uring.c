// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The road through io_uring, by system calls: who sends is the calling task, a worker thread of its
 * own (uring-worker) or the ring's polling thread (uring-sqpoll). One operation at a time.
 */
#include "traffic_roads.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CHUNK	65536
#define ENTRIES 4

static uint8_t chunk[CHUNK];

struct ring {
	int fd;
	struct io_uring_params params;
	struct io_uring_sqe *entries;
	/* In the kernel's memory. */
	uint32_t *sq_tail, *sq_flags, *sq_array, *cq_head, *cq_tail;
	struct io_uring_cqe *completions;
};

static int ring_setup(struct ring *ring, uint32_t flags)
{
	memset(ring, 0, sizeof(*ring));
	ring->params.flags = flags;
	ring->params.sq_thread_idle = 1000;
	ring->fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &ring->params);
	return ring->fd;
}

static void *ring_map(const struct ring *ring, uint64_t size, uint64_t offset)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd,
			    (off_t)offset);

	if (memory == MAP_FAILED)
		fail_errno("map the ring");
	return memory;
}

static void ring_open(struct ring *ring, uint32_t flags)
{
	const struct io_uring_params *params = &ring->params;
	uint8_t *submissions, *completions;

	if (ring_setup(ring, flags) < 0)
		fail_errno("make a ring");
	submissions = ring_map(ring, params->sq_off.array + params->sq_entries * sizeof(uint32_t),
			       IORING_OFF_SQ_RING);
	completions = ring_map(
		ring, params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe),
		IORING_OFF_CQ_RING);
	ring->entries =
		ring_map(ring, params->sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	ring->sq_tail = (void *)(submissions + params->sq_off.tail);
	ring->sq_flags = (void *)(submissions + params->sq_off.flags);
	ring->sq_array = (void *)(submissions + params->sq_off.array);
	ring->cq_head = (void *)(completions + params->cq_off.head);
	ring->cq_tail = (void *)(completions + params->cq_off.tail);
	ring->completions = (void *)(completions + params->cq_off.cqes);
}

/* The last thing done: a ring that goes interrupts system calls. Its memory goes with the process. */
static void ring_close(struct ring *ring)
{
	close(ring->fd);
}

/* Hand over the one entry and wait for its completion. */
static int32_t ring_run(struct ring *ring, const struct io_uring_sqe *entry)
{
	bool poll = ring->params.flags & IORING_SETUP_SQPOLL;
	uint32_t tail = *ring->sq_tail, index = tail & (ring->params.sq_entries - 1);
	uint32_t flags = IORING_ENTER_GETEVENTS, head = *ring->cq_head;
	int32_t result;

	ring->entries[index] = *entry;
	ring->sq_array[index] = index;
	__atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_SEQ_CST);
	if (poll && __atomic_load_n(ring->sq_flags, __ATOMIC_SEQ_CST) & IORING_SQ_NEED_WAKEUP)
		flags |= IORING_ENTER_SQ_WAKEUP;
	while (syscall(SYS_io_uring_enter, ring->fd, poll ? 0 : 1, 1, flags, NULL, 0) < 0)
		if (errno != EINTR)
			fail_errno("enter the ring");
	if (__atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE) == head)
		fail("the ring came back with nothing");
	result = ring->completions[head & (ring->params.cq_entries - 1)].res;
	__atomic_store_n(ring->cq_head, head + 1, __ATOMIC_RELEASE);
	return result;
}

static uint64_t ring_transfer(struct ring *ring, int fd, uint8_t operation, uint8_t flags,
			      uint64_t bytes)
{
	uint64_t done = 0;

	while (done < bytes) {
		struct io_uring_sqe entry = {
			.opcode = operation,
			.flags = flags,
			.fd = fd,
			.addr = (uint64_t)(uintptr_t)chunk,
			.len = (uint32_t)(bytes - done < CHUNK ? bytes - done : CHUNK),
			.msg_flags = MSG_NOSIGNAL,
		};
		int32_t length = ring_run(ring, &entry);

		if (length < 0)
			fail("operation %u of the ring: %s", operation, strerror(-length));
		if (length == 0)
			break;
		done += (uint64_t)length;
	}
	return done;
}

static struct moved send_by(const struct arguments *arguments, uint32_t ring_flags, uint8_t flags)
{
	int fd = stream_connect(arguments, 0);
	struct moved moved;
	struct ring ring;

	fill_payload(chunk, sizeof(chunk));
	ring_open(&ring, ring_flags);
	ring_transfer(&ring, fd, IORING_OP_SEND, flags, arguments->bytes);
	moved = stream_sent(arguments, fd);
	ring_close(&ring);
	return moved;
}

struct moved uring_send(const struct arguments *arguments)
{
	return send_by(arguments, 0, 0);
}

struct moved uring_worker_send(const struct arguments *arguments)
{
	return send_by(arguments, 0, IOSQE_ASYNC);
}

struct moved uring_poll_send(const struct arguments *arguments)
{
	return send_by(arguments, IORING_SETUP_SQPOLL, 0);
}

struct moved uring_receive(const struct arguments *arguments)
{
	int fd = stream_accept(arguments, 0);
	struct moved moved = { 0 };
	struct ring ring;

	ring_open(&ring, 0);
	moved.bytes = ring_transfer(&ring, fd, IORING_OP_RECV, 0, arguments->bytes);
	moved.bytes += stream_receive(arguments, fd).bytes;
	ring_close(&ring);
	return moved;
}

/* IORING_OP_SEND came with 5.6, as IORING_FEAT_CUR_PERSONALITY did. Where it is switched off, or a
 * container's filter forbids it, there is no such road either. */
bool uring_is_here(void)
{
	struct ring ring;

	if (ring_setup(&ring, 0) < 0)
		return false;
	ring_close(&ring);
	return ring.params.features & IORING_FEAT_CUR_PERSONALITY;
}

/* Before 5.11 a polled ring takes registered files only, and needs a privilege. */
bool uring_poll_is_here(void)
{
	struct ring ring;

	if (ring_setup(&ring, IORING_SETUP_SQPOLL) < 0)
		return false;
	ring_close(&ring);
	return ring.params.features & IORING_FEAT_SQPOLL_NONFIXED;
}
