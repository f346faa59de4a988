// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is not in the list fails with EPERM and is told by the kernel's log (audit type 1326, with the
 * call's number). It does not kill: a C library that comes with an update may make a call that nobody
 * here has heard of, and a meter that goes on without it is worth more than one that is dead.
 */
#include "privileges/seccomp.h"

#include <errno.h>

#ifdef HAVE_LIBSECCOMP

#include <linux/bpf.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/cleanup.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* By name, as a name that the architecture (or an old libseccomp) lacks is passed over. */
static const char allowed[] =
	/* memory, threads that are there, time */
	"brk mmap mmap2 munmap mremap mprotect madvise futex futex_time64 futex_waitv "
	"set_robust_list rseq exit exit_group gettid sched_yield sched_getaffinity membarrier "
	"restart_syscall getcpu clock_gettime clock_gettime64 clock_getres clock_nanosleep "
	"clock_nanosleep_time64 nanosleep gettimeofday time rt_sigaction rt_sigprocmask "
	"rt_sigreturn sigreturn rt_sigtimedwait sigaltstack getrandom sysinfo uname "
	/* who it is: to ask, never to change */
	"getpid getppid getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 "
	"getgroups getgroups32 getresuid getresgid getrlimit ugetrlimit capget "
	/* files; which ones is Landlock's and their permissions' business */
	"open openat openat2 close close_range read readv pread64 preadv write writev pwrite64 "
	"pwritev lseek _llseek stat stat64 fstat fstat64 lstat lstat64 newfstatat fstatat64 statx "
	"statfs statfs64 fstatfs fstatfs64 access faccessat faccessat2 readlink readlinkat "
	"getdents "
	"getdents64 getcwd fcntl fcntl64 flock dup dup2 dup3 pipe pipe2 truncate ftruncate "
	"ftruncate64 fallocate fsync fdatasync sync_file_range syncfs fadvise64 fadvise64_64 "
	"unlink unlinkat rmdir rename renameat renameat2 link linkat mkdir mkdirat chmod fchmod "
	"fchmodat fchmodat2 chown chown32 fchown fchown32 fchownat utimensat umask "
	/* events */
	"epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 poll ppoll ppoll_time64 "
	"select "
	"_newselect pselect6 eventfd2 timerfd_create timerfd_settime timerfd_gettime signalfd4 "
	"inotify_init1 inotify_add_watch inotify_rm_watch "
	/* sockets, once there is one */
	"connect bind listen accept accept4 send sendto sendmsg sendmmsg recv recvfrom recvmsg "
	"recvmmsg shutdown getsockname getpeername getsockopt setsockopt ";

/* One argument has to be one of some values. */
struct argument_rule {
	const char *name;
	unsigned int argument;
	uint64_t values[20];
	size_t n;
};

#define VALUES(...) \
	.values = { __VA_ARGS__ }, .n = sizeof((uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t)

static const struct argument_rule argument_rules[] = {
	/* Maps and links of the meter's own: no program is loaded any more. */
	{ "bpf", 0,
	  VALUES(BPF_MAP_CREATE, BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM, BPF_MAP_DELETE_ELEM,
		 BPF_MAP_GET_NEXT_KEY, BPF_MAP_LOOKUP_AND_DELETE_ELEM, BPF_MAP_LOOKUP_BATCH,
		 BPF_MAP_LOOKUP_AND_DELETE_BATCH, BPF_MAP_UPDATE_BATCH, BPF_MAP_DELETE_BATCH,
		 BPF_MAP_FREEZE, BPF_OBJ_PIN, BPF_OBJ_GET, BPF_OBJ_GET_INFO_BY_FD, BPF_PROG_QUERY,
		 BPF_PROG_DETACH, BPF_LINK_CREATE, BPF_LINK_UPDATE, BPF_LINK_DETACH) },
	/* Names of interfaces, the C library's look whether a stream is a terminal. */
	{ "ioctl", 1, VALUES(SIOCGIFINDEX, SIOCGIFNAME, TCGETS, FIONREAD, FIONBIO) },
	{ "prctl", 0,
	  VALUES(PR_SET_NAME, PR_GET_NAME, 0x53564d41 /* PR_SET_VMA: malloc's names */) },
	{ "socketpair", 0, VALUES(AF_UNIX) },
};

static int allow(scmp_filter_ctx filter, const char *name, unsigned int n,
		 const struct scmp_arg_cmp *arguments)
{
	int call = seccomp_syscall_resolve_name(name);

	/* Below 0: not a call of this architecture. */
	return call < 0 ? 0 : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, n, arguments);
}

static int allow_names(scmp_filter_ctx filter)
{
	char name[64];
	int n, r = 0;

	for (const char *at = allowed; r == 0 && sscanf(at, "%63s%n", name, &n) == 1; at += n)
		r = allow(filter, name, 0, NULL);
	return r;
}

static int allow_by_argument(scmp_filter_ctx filter, const struct argument_rule *rule)
{
	int r = 0;

	for (size_t i = 0; i < rule->n && r == 0; i++)
		r = allow(
			filter, rule->name, 1,
			&SCMP_CMP(rule->argument, SCMP_CMP_MASKED_EQ, UINT32_MAX, rule->values[i]));
	return r;
}

static int allow_sockets(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp netlink[] = {
		SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, AF_NETLINK),
		SCMP_A2(SCMP_CMP_MASKED_EQ, UINT32_MAX, NETLINK_ROUTE),
	};
	int r = allow(filter, "socket", COUNT(netlink), netlink);

	/* Look-ups of names ask nscd, sssd or systemd. */
	if (r == 0)
		r = allow(filter, "socket", 1, &SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, AF_UNIX));
	return r;
}

/* A signal (abort's) goes to oneself, and limits are asked of oneself. */
static int allow_own(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp own_limits[] = {
		SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, 0),
		SCMP_A2(SCMP_CMP_EQ, 0),
	};
	int r = allow(filter, "tgkill", 1,
		      &SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, (uint64_t)getpid()));

	return r < 0 ? r : allow(filter, "prlimit64", COUNT(own_limits), own_limits);
}

static void release(scmp_filter_ctx *filter)
{
	if (*filter)
		seccomp_release(*filter);
}

int calls_restrict(void)
{
	_cleanup_(release) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (!filter)
		return -ENOMEM;
	/* Told by the kernel's log; of all threads. */
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	r = allow_names(filter);
	if (r < 0)
		return r;
	for (size_t i = 0; i < COUNT(argument_rules); i++)
		if ((r = allow_by_argument(filter, &argument_rules[i])) < 0)
			return r;
	if ((r = allow_sockets(filter)) < 0 || (r = allow_own(filter)) < 0)
		return r;
	r = seccomp_load(filter);
	return r == -EINVAL || r == -ENOSYS ? -EOPNOTSUPP : r;
}

#else

int calls_restrict(void)
{
	return -EOPNOTSUPP;
}

#endif
