// SPDX-License-Identifier: GPL-2.0-or-later
/* By bare system calls: Landlock has no library, and its header is younger than some distributions.
 * The names and numbers are those of include/uapi/linux/landlock.h. */
#include "privileges/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/test_features.h"

#define LANDLOCK_CREATE_RULESET 444
#define LANDLOCK_ADD_RULE	445
#define LANDLOCK_RESTRICT_SELF	446

#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH      1

#define FS_EXECUTE     (UINT64_C(1) << 0)
#define FS_WRITE_FILE  (UINT64_C(1) << 1)
#define FS_READ_FILE   (UINT64_C(1) << 2)
#define FS_READ_DIR    (UINT64_C(1) << 3)
#define FS_REMOVE_DIR  (UINT64_C(1) << 4)
#define FS_REMOVE_FILE (UINT64_C(1) << 5)
#define FS_MAKE_DIR    (UINT64_C(1) << 7)
#define FS_MAKE_REG    (UINT64_C(1) << 8)
#define FS_MAKE_SOCK   (UINT64_C(1) << 9)
#define FS_REFER       (UINT64_C(1) << 13)
#define FS_TRUNCATE    (UINT64_C(1) << 14)
#define FS_IOCTL_DEV   (UINT64_C(1) << 15)
#define FS_BITS(n)     ((UINT64_C(1) << (n)) - 1)

#define NET_BIND_TCP	UINT64_C(1)
#define NET_CONNECT_TCP UINT64_C(2)
#define SCOPE_SIGNAL	UINT64_C(2)

#define OF_FILES (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)
#define READ	 (FS_READ_FILE | FS_READ_DIR)
#define WRITE                                                                                \
	(READ | FS_WRITE_FILE | FS_TRUNCATE | FS_REMOVE_FILE | FS_REMOVE_DIR | FS_MAKE_DIR | \
	 FS_MAKE_REG | FS_MAKE_SOCK | FS_REFER)

struct ruleset {
	uint64_t fs, net, scoped;
};

struct path_beneath {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

/* What each version of the interface came with. A member that it does not know has to be 0. */
static struct ruleset handled_by(long version)
{
	struct ruleset handled = { .fs = FS_BITS(13) };

	if (version >= 2)
		handled.fs |= FS_REFER;
	if (version >= 3)
		handled.fs |= FS_TRUNCATE;
	if (version >= 4)
		handled.net = NET_BIND_TCP | NET_CONNECT_TCP;
	if (version >= 5)
		handled.fs |= FS_IOCTL_DEV;
	if (version >= 6)
		handled.scoped = SCOPE_SIGNAL;
	return handled;
}

static int add_rule(int ruleset_fd, const struct path_rule *rule, uint64_t handled)
{
	_cleanup_close_ int fd = open(rule->path, O_PATH | O_CLOEXEC);
	struct path_beneath beneath = { .allowed = (rule->write ? WRITE : READ) & handled,
					.parent_fd = fd };
	struct stat status;

	if (fd < 0)
		return errno == ENOENT || errno == EACCES || errno == ENOTDIR ? 0 : -errno;
	if (fstat(fd, &status))
		return -errno;
	if (!S_ISDIR(status.st_mode))
		beneath.allowed &= OF_FILES;
	return syscall(LANDLOCK_ADD_RULE, ruleset_fd, RULE_PATH_BENEATH, &beneath, 0) ? -errno : 0;
}

int paths_restrict(const struct path_rule *rules, size_t n)
{
	long version = syscall(LANDLOCK_CREATE_RULESET, NULL, 0, CREATE_RULESET_VERSION);
	struct ruleset handled = handled_by(version);
	_cleanup_close_ int fd = -1;

	/* ENOSYS: before Linux 5.13, or not built in; EOPNOTSUPP: turned off at boot. */
	if (version < 1 || feature_is_off("landlock"))
		return -EOPNOTSUPP;
	fd = (int)syscall(LANDLOCK_CREATE_RULESET, &handled, sizeof(handled), 0);
	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < n; i++) {
		int r = add_rule(fd, &rules[i], handled.fs);

		if (r < 0)
			return r;
	}
	return syscall(LANDLOCK_RESTRICT_SELF, fd, 0) ? -errno : 0;
}
