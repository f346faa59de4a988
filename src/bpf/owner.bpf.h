/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who a packet is charged to. Kept in the socket's storage, and refreshed when a task is seen using
 * the socket: sshd accepts as root, and the process that then talks to it is another user's.
 *
 * A task uses a socket for sure where an egress hook runs inside its system call:
 *	TCP, SCTP	when the socket's lock is owned. Softirqs back off from an owned socket, so the
 *			current task is the one inside send, recv, connect or close. Downloads come
 *			there too: reading sends window updates. A listening TCP socket tells nothing:
 *			softirqs answer a SYN without its lock, whoever is in accept() at the time.
 *	UDP, raw	always.
 * A kernel thread is never an owner, and a socket of the kernel's own has none: it sends from
 * softirqs, and in the tasks of whoever comes along.
 *
 * The user is the process's real uid, as a set-user-ID program works for who has started it. Where that
 * is root's it is the uid for access to files, which follows the effective one: file servers and the like
 * serve a user by taking that on.
 */
#ifndef BPF_OWNER_BPF_H
#define BPF_OWNER_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "settings.bpf.h"
#include "shared.h"
#include "socket.bpf.h"

#define PF_KTHREAD 0x00200000
#define TCP_LISTEN 10

/* How long a program's name may be an old one: 2^8 ticks, 0.26 to 2.6 s. */
#define OWNER_EPOCH_BITS 8

static __always_inline bool owner_in_system_call(struct bpf_sock *sk, __u64 socket)
{
	struct sock *tcp, *raw = (struct sock *)(socket & ~SOCKET_BITS);

	if (socket & SOCKET_DATAGRAM)
		return true;
	tcp = (struct sock *)bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return BPF_CORE_READ(raw, sk_lock.owned);
	return tcp->sk_lock.owned && sk->state != TCP_LISTEN;
}

/* A pointer's low half as a number: the verifier lets no arithmetic be done with pointers, but knows
 * a 32-bit move for one that makes a number. Said in assembly, or the compiler does without it. */
static __always_inline __u64 owner_low_half(const void *pointer)
{
	__u32 low;

	asm volatile("%0 = %1" : "=w"(low) : "w"((__u32)(unsigned long)pointer));
	return low;
}

/* A task's credentials and cgroups in one word, of which the low halves of the addresses are enough:
 * where those of other ones are equal, the uids, which are compared as well, have yet to be the same. With
 * the time in it, so that all is read again now and then: a process may take another name. */
static __always_inline __u64 owner_task_word(const void *cred, const void *cgroups)
{
	__u32 epoch = bpf_jiffies64() >> OWNER_EPOCH_BITS;

	return owner_low_half(cred) << 32 | (owner_low_half(cgroups) ^ epoch);
}

/* The process's name is its first thread's: others may have names of their own. Never empty, which is
 * for where no process was seen. */
static __always_inline void owner_read_program(struct owner *owner,
					       const struct task_struct *leader)
{
	bpf_probe_read_kernel(owner->program, sizeof(owner->program), leader->comm);
	if (!owner->program[0])
		owner->program[0] = '?';
}

/* Who is charged by the policy. */
static __always_inline __u32 owner_charged(__u32 uid, __u32 login_uid)
{
	return settings.owner == METER_OWNER_LOGIN && login_uid != METER_NO_UID ? login_uid : uid;
}

/* Inside a system call: *ret_uid is who is charged for this packet, from the task itself and not from
 * what is kept, as others may be sending by the same socket on other CPUs. No: it is no user's task. */
static __always_inline bool owner_refresh(struct remembered *kept, __u32 *ret_uid)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct cred *cred = task->cred;
	__u64 word = owner_task_word(cred, task->cgroups);
	__u32 uid = cred->uid.val, login_uid = METER_NO_UID;

	if (!uid)
		uid = cred->fsuid.val;
	if (bpf_core_field_exists(task->loginuid))
		login_uid = task->loginuid.val;
	*ret_uid = owner_charged(uid, login_uid);
	if (kept->task == word && kept->owner.uid == uid && kept->owner.login_uid == login_uid)
		return true;
	if (task->flags & PF_KTHREAD)
		return false;
	kept->owner.uid = uid;
	kept->owner.login_uid = login_uid;
	kept->owner.cgroup = task->cgroups->dfl_cgrp->kn->id;
	owner_read_program(&kept->owner, task->group_leader);
	kept->task = word;
	return true;
}

/* The same by probes, for 5.9 and 5.10. */
static __always_inline bool owner_refresh_probed(struct remembered *kept, __u32 *ret_uid)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	const struct cred *cred = BPF_CORE_READ(task, cred);
	__u64 word = owner_task_word(cred, BPF_CORE_READ(task, cgroups));
	__u32 uid = BPF_CORE_READ(cred, uid.val), login_uid = METER_NO_UID;

	if (!uid)
		uid = BPF_CORE_READ(cred, fsuid.val);
	if (bpf_core_field_exists(task->loginuid))
		login_uid = BPF_CORE_READ(task, loginuid.val);
	*ret_uid = owner_charged(uid, login_uid);
	if (kept->task == word && kept->owner.uid == uid && kept->owner.login_uid == login_uid)
		return true;
	if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return false;
	kept->owner.uid = uid;
	kept->owner.login_uid = login_uid;
	kept->owner.cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	owner_read_program(&kept->owner, BPF_CORE_READ(task, group_leader));
	kept->task = word;
	return true;
}

/* Of a socket that no task was seen using: its creator's. The uid is the kernel's own, not the one
 * that a user namespace shows (but where the kernel does not say what it looks like), and read each
 * time: accept() changes it. */
static __always_inline void owner_of_socket(struct __sk_buff *skb, __u64 socket, __u64 cgroup,
					    struct owner *ret)
{
	struct sock *raw = (struct sock *)(socket & ~SOCKET_BITS);

	__builtin_memset(ret, 0, sizeof(*ret));
	ret->cgroup = cgroup;
	if (socket & SOCKET_KERNELS)
		ret->uid = METER_NO_UID;
	else
		ret->uid = settings.no_types ? bpf_get_socket_uid(skb)
					     : BPF_CORE_READ(raw, sk_uid.val);
	ret->login_uid = METER_NO_UID;
}

/* What is known of the owner, and in *ret_uid who is charged. kept: NULL where nothing could be
 * remembered. room: for what is known when that is nowhere else. */
static __always_inline const struct owner *owner_find(struct __sk_buff *skb, struct bpf_sock *sk,
						      struct remembered *kept, __u64 socket,
						      enum meter_direction direction,
						      struct owner *room, __u32 *ret_uid)
{
	bool charged = false;

	if (kept && settings.owner != METER_OWNER_SOCKET && direction == METER_OUT &&
	    !(socket & SOCKET_KERNELS) && owner_in_system_call(sk, socket))
		charged = settings.task_btf ? owner_refresh(kept, ret_uid)
					    : owner_refresh_probed(kept, ret_uid);
	if (kept && kept->task) {
		if (!charged)
			*ret_uid = owner_charged(kept->owner.uid, kept->owner.login_uid);
		return &kept->owner;
	}
	owner_of_socket(skb, socket, kept ? kept->owner.cgroup : bpf_skb_cgroup_id(skb), room);
	*ret_uid = room->uid;
	return room;
}

#endif
