// SPDX-License-Identifier: GPL-2.0-or-later
#include "command/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capture/cgroup.h"
#include "capture/features.h"
#include "command/control.h"
#include "privileges/capabilities.h"
#include "privileges/landlock.h"
#include "privileges/privileges.h"
#include "privileges/seccomp.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/options.h"

#define BPFFS_DIRECTORY "/sys/fs/bpf/traffic-meter"

/* Each target of an output and the two lists, by two names each. */
#define PLACES_MAX (2 * (OUTPUTS_MAX + 2))
#define RULES_MAX  (32 + PLACES_MAX)

#define TO_ATTACH (CAPABILITY(CAP_BPF) | CAPABILITY(CAP_NET_ADMIN))
#define TO_GIVE	  CAPABILITY(CAP_CHOWN)
#define TO_OTHERS (CAPABILITY(CAP_DAC_OVERRIDE) | CAPABILITY(CAP_FOWNER))

struct rules {
	struct path_rule rules[RULES_MAX];
	size_t n;
	char paths[PLACES_MAX][PATH_MAX];
	size_t n_paths;
};

int confine_join(const struct meter_settings *settings, struct identity *ret)
{
	int r = identity_find(ret, settings->user, settings->group);

	return r < 0 ? r : identity_take_groups(ret);
}

/* The directory of the state, which an earlier meter may have made as root. Another user's is left to
 * be complained of by who opens it. */
static int give_directory(const char *path, const struct identity *identity)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;

	if (fd < 0 || fstat(fd, &status))
		return log_error_errno(-errno, "open the state directory %s", path);
	if (status.st_uid == 0 && fchown(fd, identity->uid, identity->gid))
		return log_error_errno(-errno, "give the state directory %s to %s", path,
				       identity->user);
	return 0;
}

int confine_give(const struct meter_settings *settings, struct capture *capture,
		 const struct identity *identity)
{
	const char *state = settings->state_directory;
	int r;

	/* It has to be there before the list of files is closed. */
	if (state && mkdir(state, 0750) && errno != EEXIST)
		return log_error_errno(-errno, "make the state directory %s", state);
	if (!identity->user || identity->uid == 0)
		return 0;
	r = capture_give(capture, identity->uid, identity->gid);
	return r == 0 && state ? give_directory(state, identity) : r;
}

/* Some are given CAP_SYS_ADMIN alone (a container that is older than CAP_BPF), which stands for it. */
static uint64_t without_bpf(void)
{
	struct privileges_held held;

	if (privileges_read(&held) == 0 && held.capabilities & CAPABILITY(CAP_BPF))
		return 0;
	return CAPABILITY(CAP_SYS_ADMIN);
}

/* In force is what attaching takes and no more: so whether a directory can be written is found out
 * as it will be later. */
int confine_become(const struct identity *identity)
{
	uint64_t attach = TO_ATTACH | without_bpf();

	return identity_take_user(identity, attach,
				  attach | TO_GIVE | TO_OTHERS | CAPABILITY(CAP_SETPCAP));
}

/* Before Linux 5.19, unless kernel.unprivileged_bpf_disabled is 0, each call of bpf() takes CAP_BPF,
 * on a map that one has too. Without it -1 is not even found to be no map. */
static bool bpf_is_closed(void)
{
	union bpf_attr attributes = { .map_fd = (uint32_t)-1 };

	return syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &attributes, sizeof(attributes)) < 0 &&
	       errno == EPERM;
}

/* The measured reasons are in SECURITY.md. */
static int find_capabilities(const struct meter_settings *settings, const struct capture *capture,
			     unsigned int needs, uint64_t *ret)
{
	/* Filters at interfaces that come, and away from all at the stop; links take nothing. */
	bool filters = settings->capture.instance && !features_have_tcx();
	uint64_t kept = 0;
	int r;

	r = capabilities_keep(0, UINT64_MAX);
	if (r < 0)
		return log_error_errno(r, "give up capabilities");
	/* A list that is read again comes in maps of its own. */
	if (settings->untracked || bpf_is_closed())
		kept |= CAPABILITY(CAP_BPF) | without_bpf();
	if (filters || capture_needs_net_admin(capture))
		kept |= CAPABILITY(CAP_NET_ADMIN);
	if (needs & TRAFFIC_NEED_GIVE)
		kept |= TO_GIVE;
	if (needs & TRAFFIC_NEED_OTHERS)
		kept |= TO_OTHERS;
	*ret = kept;
	return 0;
}

static void add_rule(struct rules *rules, const char *path, bool write)
{
	if (rules->n < RULES_MAX)
		rules->rules[rules->n++] = (struct path_rule){ path, write };
}

/* Of a path shorter than PATH_MAX; false where there is none, or where it has /etc in it. */
static bool find_directory(const char *path, char ret[PATH_MAX])
{
	char directory[PATH_MAX];

	snprintf(directory, sizeof(directory), "%s", path);
	return realpath(dirname(directory), ret) && strcmp(ret, "/") != 0 &&
	       strcmp(ret, "/etc") != 0;
}

/* The directory that a path is in, so that it may be made anew; the path itself where that would take
 * /etc along. */
static void add_around(struct rules *rules, const char *path, bool write)
{
	char *around = rules->paths[rules->n_paths];

	if (strlen(path) >= PATH_MAX)
		return;
	rules->n_paths++;
	if (!find_directory(path, around))
		snprintf(around, PATH_MAX, "%s", path);
	add_rule(rules, around, write);
}

static void add_place(struct rules *rules, const char *path, bool write)
{
	char real[PATH_MAX];

	add_around(rules, path, write);
	if (realpath(path, real) && strcmp(real, path) != 0)
		add_around(rules, real, write);
}

static int add_outputs(struct rules *rules, const struct traffic_strings *specs)
{
	for (size_t i = 0; i < specs->n; i++) {
		_cleanup_free_ char *kind = NULL, *target = NULL;
		const char *rest;
		int r = options_split_spec(specs->values[i], &kind, &target, &rest);

		if (r < 0)
			return r;
		if (strcmp(target, "-") != 0)
			add_place(rules, target, true);
	}
	return 0;
}

/* What anybody may read and the C library, its name services and libbpf do. Of /etc single files,
 * since root could read all there is; another user can't. */
static void add_system(struct rules *rules)
{
	static const char *const read[] = {
		"/usr",
		"/lib",
		"/lib32",
		"/lib64",
		"/proc",
		"/sys/devices/system/cpu",
		"/dev/null",
		"/dev/urandom",
		"/var/lib/sss",
		"/var/lib/misc",
		"/var/db",
		"/run/nscd",
		"/run/systemd/userdb",
		"/run/userdb",
		"/run/host/userdb",
		"/etc/passwd",
		"/etc/group",
		"/etc/nsswitch.conf",
		"/etc/subuid",
		"/etc/ld.so.cache",
		"/etc/localtime",
		"/etc/userdb",
	};

	for (size_t i = 0; i < sizeof(read) / sizeof(read[0]); i++)
		add_rule(rules, read[i], false);
	if (geteuid() != 0)
		add_rule(rules, "/etc", false);
}

static int restrict_paths(const struct meter_settings *settings)
{
	_cleanup_free_ struct rules *rules = calloc(1, sizeof(*rules));
	_cleanup_free_ char *cgroups = NULL;
	int r;

	if (!rules)
		return -ENOMEM;
	add_system(rules);
	if (cgroup_find_root(&cgroups) == 0)
		add_rule(rules, cgroups, false);
	add_rule(rules, CONTROL_DIRECTORY, true);
	add_rule(rules, BPFFS_DIRECTORY, true);
	if (settings->state_directory)
		add_rule(rules, settings->state_directory, true);
	if (settings->untracked)
		add_place(rules, settings->untracked, false);
	if (settings->networks)
		add_place(rules, settings->networks, false);
	r = add_outputs(rules, &settings->outputs);
	return r < 0 ? r : paths_restrict(rules->rules, rules->n);
}

/* Better said now than at the SIGHUP. */
static void warn_of_list(const char *path)
{
	char directory[PATH_MAX];

	if (path && geteuid() == 0 && strlen(path) < PATH_MAX && !find_directory(path, directory))
		log_warning(
			"%s: a file that is renamed into its place can't be read by SIGHUP, as "
			"root "
			"keeps no right to all of /etc; put the list in a directory of its own, "
			"or run with --user",
			path);
}

/* What a kernel or a build can't is done without; what fails is not. */
static int judge(int error, const char *what)
{
	if (error != -EOPNOTSUPP)
		return error < 0 ? log_error_errno(error, "set up %s", what) : 0;
	log_notice(
		"%s: not here (the kernel or 'traffic-meter --version' lacks it); the meter runs "
		"without",
		what);
	return 0;
}

int confine_lock(const struct meter_settings *settings, const struct capture *capture,
		 const struct outputs *outputs)
{
	uint64_t kept = 0;
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return log_error_errno(errno, "set no_new_privs");
	r = find_capabilities(settings, capture, outputs_needs(outputs), &kept);
	if (r < 0)
		return r;
	r = restrict_paths(settings);
	if (r == 0) {
		warn_of_list(settings->untracked);
		warn_of_list(settings->networks);
	}
	r = judge(r, "Landlock, the list of files");
	if (r == 0 && capabilities_lock(kept) < 0)
		r = log_error_errno(-EPERM, "give up capabilities");
	return r;
}

int confine_calls(void)
{
	return judge(calls_restrict(), "seccomp, the list of system calls");
}
