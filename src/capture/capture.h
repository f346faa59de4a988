/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel half from the user's side: load, attach, hand over the untracked list, read records.
 * Only this directory knows libbpf. Errors are logged here, where their cause is known.
 */
#ifndef CAPTURE_CAPTURE_H
#define CAPTURE_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <traffic_meter/option.h>
#include <traffic_meter/record.h>

#include "networks/networks.h"

/* What a ring has to be a multiple of is rounded up to; the kernel's limits. */
#define CAPTURE_RING_BYTES_MIN (4u << 10)
#define CAPTURE_RING_BYTES_MAX (1u << 30)

enum capture_match {
	CAPTURE_MATCH_BOTH,
	CAPTURE_MATCH_EITHER,
	CAPTURE_MATCH_REMOTE,
};

enum capture_records {
	CAPTURE_RECORDS_FLOW,
	CAPTURE_RECORDS_PACKET,
};

enum capture_interfaces {
	CAPTURE_INTERFACES_ALL,
	CAPTURE_INTERFACES_ONLY,
	CAPTURE_INTERFACES_EXCEPT,
};

#define CAPTURE_INTERFACES_MAX 256

/* An alternative name's length, which is more than a name's. */
#define CAPTURE_INTERFACE_NAME_MAX 127

enum capture_owner {
	CAPTURE_OWNER_PROCESS,
	CAPTURE_OWNER_LOGIN,
	CAPTURE_OWNER_SOCKET,
};

struct capture_settings {
	enum capture_owner owner; /* falls back to SOCKET, and says so, where the kernel can't */
	enum capture_records records;
	uint64_t ring_bytes; /* rounded up to a power of two, a page at least */
	uint32_t flow_entries;
	uint32_t user_entries;
	enum capture_match match;
	bool networks; /* capture_set_networks() may be called */
	enum capture_interfaces interfaces_rule;
	struct traffic_strings interfaces; /* the caller's, for as long as the capture lives */
	bool count_nested; /* sockets in network namespaces of nested user namespaces too */
	const char *
		instance; /* what its meters pin and attach is taken over; NULL: nothing is pinned */
	uid_t user;	  /* whose process it will be */
	bool persist;	  /* what is attached stays so at the end */
	bool left_over_only; /* attach nothing: read what a meter that is gone has left */
};

/* What the hooks took on since they were loaded, per direction, and what was left over then. */
struct capture_audit {
	uint64_t packets[2];
	uint64_t bytes[2];
};

/* What the kernel half met beside the users' packets. */
struct capture_notes {
	uint64_t forwarded_packets, forwarded_bytes; /* left a metered interface without a socket */
	uint64_t unremembered; /* packets charged to the socket's creator for want of memory */
};

struct capture;

/* Load the programs, of which features_require() said that they can be; nothing is attached yet. */
int capture_open(struct capture **ret, const struct capture_settings *settings);

/* What is pinned, and will be, belongs to that user. 0 or an error, logged. */
int capture_give(struct capture *capture, uid_t uid, gid_t gid);

/* Attach to a cgroup2 directory, in the place of what a meter of this instance may have left there. */
int capture_attach(struct capture *capture, const char *cgroup_path);

/* Whether what is attached stays so at the end: it is wanted, and can be pinned. */
bool capture_persists(const struct capture *capture);

/* The start failed after the attaching. true: it was in the place of what a meter has left, and all goes on
 * being counted, for the next start; false: it is to be stopped, and does not persist. */
bool capture_give_up(struct capture *capture);

/* Unless they are to persist: take the programs off the cgroup, and wait until none runs any more. What
 * is read after that is all there is. */
void capture_detach(struct capture *capture);

/* All was read: remove what is pinned, unless that is to persist. */
void capture_remove(struct capture *capture);

/* What is pinned stays as it is, for the next meter to go on with; what is not goes. NULL is fine. */
void capture_close(struct capture *capture);

/* Memory of entry_size bytes (a multiple of 8) for each of *entries, zeroes at first, which outlives the
 * process as what is pinned does. One that is there already keeps its size, which is told. */
int capture_keep(struct capture *capture, size_t entry_size, uint32_t *entries, void **ret);

/* A larger one in its place: `fill` is called with the new memory, and what it makes there holds from
 * then on. The former is given back. */
int capture_keep_more(struct capture *capture, uint32_t entries,
		      void (*fill)(void *userdata, void *memory), void *userdata, void **ret);

/* The number of the last span that was committed. */
uint64_t capture_committed(const struct capture *capture);

/* Before the first span: numbers are to be larger than this. */
void capture_number_from(struct capture *capture, uint64_t number);

/* Put a new untracked list in the place of the one in force: each packet is judged by the whole
 * old or the whole new one. On an error the old one stays in force. */
int capture_set_networks(struct capture *capture, const struct network_list *list);

/* For epoll, edge-triggered: readable when the ring's fill crossed a mark; -1: there is none. In between
 * the reader comes by timer. */
int capture_ring_fd(const struct capture *capture);

/* A span: records that are handed on together, and stay in the kernel until that is done. */
struct capture_span {
	uint64_t number; /* one more than that of the span before, over restarts too */
	bool repeated; /* a meter that was killed had begun it: the same records, in the same order */
	bool in_tables; /* of the steps below packet records */
};

/* Begin the next one: 1; 0: there is none now; or an error. */
int capture_begin(struct capture *capture, struct capture_span *ret);

/* Its next record: 1, 0 at its end, or an error. Times are CLOCK_MONOTONIC; the uid's totals and the
 * interface's name are not filled in. */
int capture_next(struct capture *capture, struct traffic_record *ret);

/* The span's records are safe: take them out of the kernel. */
int capture_commit(struct capture *capture);

/* Retire the lower steps' tables if they hold anything, so that the next span is theirs. While the
 * former ones are not committed this does nothing. */
int capture_retire(struct capture *capture);

int capture_read_audit(struct capture *capture, struct capture_audit *ret);
int capture_read_notes(struct capture *capture, struct capture_notes *ret);

/* What the ring and the tables hold that capture_next() has not returned. While traffic flows it is
 * right but for the packets of the moment, and for *ret_twice, which may have been seen in two places
 * on its way from the one to the other. */
int capture_read_held(struct capture *capture, struct capture_audit *ret,
		      struct capture_audit *ret_twice);

/* The policy in force, which may be a fall-back. */
enum capture_owner capture_owner_policy(const struct capture *capture);

/* Bytes of kernel memory: the ring, and both tables of each step. */
uint64_t capture_memory(const struct capture *capture);

/* For epoll: readable when interfaces changed, and then capture_interfaces_changed() is to be
 * called. */
int capture_interfaces_fd(const struct capture *capture);
void capture_interfaces_changed(struct capture *capture);

/* To be called some times a second: goes on with what takes long, hooks on thousands of interfaces. */
void capture_go_on(struct capture *capture);

/* For epoll: readable when the metered cgroup may have gone or come again, and then
 * capture_check_cgroup() is to be called, as it is now and then; -1: it can't go. */
int capture_cgroup_fd(const struct capture *capture);
void capture_check_cgroup(struct capture *capture);

/* Whether attaching and detaching later takes CAP_NET_ADMIN: at another cgroup of that name, and where filters
 * are at interfaces. */
bool capture_needs_net_admin(const struct capture *capture);

/* Nothing is metered until the cgroup is there again. */
bool capture_cgroup_is_gone(const struct capture *capture);

#endif
