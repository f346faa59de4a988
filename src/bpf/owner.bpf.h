/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who a packet is charged to. Kept in the socket's storage, and refreshed when a task is seen using
 * the socket: sshd accepts as root, and the process that then talks to it is another user's.
 *
 * A task uses a socket for sure where an egress hook runs inside its system call:
 *	TCP		when the socket's lock is owned. Softirqs back off from an owned socket, so the
 *			current task is the one inside send, recv, connect or close. Downloads come
 *			there too: reading sends window updates.
 *	UDP, raw	always, but for the kernel's own sockets, which send from softirqs as well.
 * A kernel thread is never an owner.
 */
#ifndef BPF_OWNER_BPF_H
#define BPF_OWNER_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "shared.h"
#include "socket.bpf.h"

#define PF_KTHREAD  0x00200000
#define SOCK_STREAM 1
#define SOCK_DGRAM  2
#define SOCK_RAW    3

const volatile __u32 owner_policy = METER_OWNER_SOCKET;

/* bpf_get_current_task_btf() is there (5.11): fields of the task are plain loads, not probes. */
const volatile bool owner_task_btf;

static __always_inline bool owner_is_kernels(struct bpf_sock *sk)
{
	/* The verifier allows no arithmetic on a bpf_sock; spilled and read back it is a number. */
	struct bpf_sock *volatile slot = sk;
	struct sock *raw;

	bpf_probe_read_kernel(&raw, sizeof(raw), (void *)&slot);
	return BPF_CORE_READ_BITFIELD_PROBED(raw, sk_kern_sock);
}

static __always_inline bool owner_in_system_call(struct bpf_sock *sk)
{
	struct sock *tcp;

	if (sk->type == SOCK_DGRAM || sk->type == SOCK_RAW)
		return true;
	if (sk->type != SOCK_STREAM)
		return false;
	tcp = (struct sock *)bpf_skc_to_tcp_sock(sk);
	return tcp && tcp->sk_lock.owned;
}

static __always_inline void owner_take(struct remembered *kept, __u32 uid, __u32 login_uid,
				       const char *program)
{
	kept->cred_uid = uid;
	kept->owner.login_uid = login_uid;
	bpf_probe_read_kernel(kept->owner.program, sizeof(kept->owner.program), program);
	kept->owner.uid =
		owner_policy == METER_OWNER_LOGIN && login_uid != METER_NO_UID ? login_uid : uid;
}

static __always_inline void owner_refresh(struct remembered *kept, struct bpf_sock *sk)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct cred *cred = task->cred;
	__u32 uid = cred->uid.val;

	if (kept->cred == (__u64)cred && kept->cred_uid == uid)
		return;
	if (task->flags & PF_KTHREAD || (sk->type != SOCK_STREAM && owner_is_kernels(sk)))
		return;
	kept->cred = (__u64)cred;
	owner_take(kept, uid,
		   bpf_core_field_exists(task->loginuid) ? task->loginuid.val : METER_NO_UID,
		   task->comm);
}

/* The same by probes, for 5.9 and 5.10. */
static __always_inline void owner_refresh_probed(struct remembered *kept, struct bpf_sock *sk)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	const struct cred *cred = BPF_CORE_READ(task, cred);
	__u32 uid = BPF_CORE_READ(cred, uid.val), login_uid = METER_NO_UID;

	if (kept->cred == (__u64)cred && kept->cred_uid == uid)
		return;
	if (BPF_CORE_READ(task, flags) & PF_KTHREAD ||
	    (sk->type != SOCK_STREAM && owner_is_kernels(sk)))
		return;
	kept->cred = (__u64)cred;
	if (bpf_core_field_exists(task->loginuid))
		login_uid = BPF_CORE_READ(task, loginuid.val);
	owner_take(kept, uid, login_uid, task->comm);
}

static __always_inline void owner_of_socket(struct __sk_buff *skb, struct owner *ret)
{
	__builtin_memset(ret, 0, sizeof(*ret));
	ret->uid = bpf_get_socket_uid(skb);
	ret->login_uid = METER_NO_UID;
}

static __always_inline void owner_find(struct __sk_buff *skb, struct bpf_sock *sk,
				       struct remembered *kept, enum meter_direction direction,
				       struct owner *ret)
{
	if (owner_policy == METER_OWNER_SOCKET || !sk || !kept) {
		owner_of_socket(skb, ret);
		return;
	}
	if (!kept->owner_known) {
		/* First seen: the creator's, until a task is seen using it. */
		owner_of_socket(skb, &kept->owner);
		kept->owner_known = 1;
	}
	if (direction == METER_OUT && owner_in_system_call(sk)) {
		if (owner_task_btf)
			owner_refresh(kept, sk);
		else
			owner_refresh_probed(kept, sk);
	}
	*ret = kept->owner;
}

#endif
