// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/hooks.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"
#include "util/log.h"

static const struct {
	const char *name;
	enum bpf_attach_type type;
} hook_kinds[METER_DIRECTIONS] = {
	[METER_IN] = { "ingress", BPF_CGROUP_INET_INGRESS },
	[METER_OUT] = { "egress", BPF_CGROUP_INET_EGRESS },
};

/* The inode of a cgroup's directory is its id. A link whose cgroup is gone has none. */
static bool is_of_cgroup(int link_fd, int cgroup_fd)
{
	struct bpf_link_info info = { 0 };
	uint32_t size = sizeof(info);
	struct stat status;

	return bpf_obj_get_info_by_fd(link_fd, &info, &size) == 0 &&
	       fstat(cgroup_fd, &status) == 0 && info.cgroup.cgroup_id == status.st_ino;
}

/* The pinned link with our program, or -ENOENT. */
static int take_over(const struct pins *pins, int direction, int cgroup_fd, int program_fd)
{
	_cleanup_close_ int fd = pins_get(pins, hook_kinds[direction].name);

	if (fd < 0)
		return fd;
	if (is_of_cgroup(fd, cgroup_fd) && bpf_link_update(fd, program_fd, NULL) == 0)
		return steal_fd(&fd);
	pins_detach(pins, hook_kinds[direction].name);
	return -ENOENT;
}

static int attach(const struct pins *pins, int direction, int cgroup_fd, int program_fd)
{
	_cleanup_close_ int fd = take_over(pins, direction, cgroup_fd, program_fd);
	int r;

	if (fd >= 0)
		return steal_fd(&fd);
	fd = bpf_link_create(program_fd, cgroup_fd, hook_kinds[direction].type, NULL);
	if (fd < 0)
		return -errno;
	r = pins_put(pins, fd, hook_kinds[direction].name);
	return r < 0 ? r : steal_fd(&fd);
}

/* Does a program there forbid ours? On the metered cgroup each one that was not attached with
 * BPF_F_ALLOW_MULTI does, above it one that was attached without any flag. */
static bool forbids(int cgroup_fd, enum bpf_attach_type type, bool above, uint32_t *ret_program)
{
	uint32_t programs[64], n = sizeof(programs) / sizeof(*programs), flags = 0;

	if (bpf_prog_query(cgroup_fd, type, 0, &flags, programs, &n) || n == 0)
		return false;
	*ret_program = programs[0];
	return !(flags & BPF_F_ALLOW_MULTI) && !(above && flags & BPF_F_ALLOW_OVERRIDE);
}

/* Says whose fault EPERM is. Returns the error. */
static int explain_refusal(const char *path, int cgroup_fd, enum bpf_attach_type type)
{
	_cleanup_free_ char *at = strdup(path);
	_cleanup_close_ int fd = fcntl(cgroup_fd, F_DUPFD_CLOEXEC, 3);
	uint32_t program;

	for (size_t n = at ? strlen(at) : 0; n > 1 && at[n - 1] == '/'; n--)
		at[n - 1] = '\0';
	for (bool above = false; at && fd >= 0; above = true) {
		char *slash = strrchr(at, '/');
		int up;

		if (forbids(fd, type, above, &program)) {
			log_error("attach to the cgroup %s: the BPF program %u, which somebody "
				  "attached to %s, allows no other one there or below (it was "
				  "attached without BPF_F_ALLOW_MULTI); 'bpftool cgroup show %s' "
				  "shows it: end who attached it, or meter another cgroup",
				  path, program, at, at);
			return -EPERM;
		}
		up = slash && slash != at ? openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
					  : -1;
		close_fd(&fd);
		fd = up;
		if (slash)
			*slash = '\0';
	}
	return log_error_errno(-EPERM, "attach to the cgroup %s", path);
}

int hooks_attach(struct hooks *hooks, const struct pins *pins, const char *cgroup_path,
		 int cgroup_fd, int program_fd)
{
	for (int i = 0; i < METER_DIRECTIONS; i++) {
		int r = attach(pins, i, cgroup_fd, program_fd);

		if (r == -EPERM)
			return explain_refusal(cgroup_path, cgroup_fd, hook_kinds[i].type);
		if (r < 0)
			return log_error_errno(r, "attach to the cgroup %s", cgroup_path);
		hooks->fds[i] = r;
	}
	return 0;
}

void hooks_detach(struct hooks *hooks, const struct pins *pins)
{
	for (int i = 0; i < METER_DIRECTIONS; i++) {
		if (hooks->fds[i] >= 0)
			bpf_link_detach(hooks->fds[i]);
		pins_detach(pins, hook_kinds[i].name);
	}
	hooks_close(hooks);
}

void hooks_close(struct hooks *hooks)
{
	for (int i = 0; i < METER_DIRECTIONS; i++)
		close_fd(&hooks->fds[i]);
	*hooks = HOOKS_NONE;
}
