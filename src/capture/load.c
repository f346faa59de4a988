// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/load.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "bpf/shared.h"
#include "capture/features.h"
#include "traffic_meter.skel.h"
#include "util/cleanup.h"
#include "util/log.h"

/* The reader is woken each time the ring has filled by another part of this many. */
#define RING_WAKE_PARTS 8

_Static_assert((int)CAPTURE_MATCH_BOTH == METER_MATCH_BOTH &&
		       (int)CAPTURE_MATCH_EITHER == METER_MATCH_EITHER &&
		       (int)CAPTURE_MATCH_REMOTE == METER_MATCH_REMOTE,
	       "both halves mean the same by a match rule");

_Static_assert((int)CAPTURE_RECORDS_FLOW == METER_RECORDS_FLOW &&
		       (int)CAPTURE_RECORDS_PACKET == METER_RECORDS_PACKET,
	       "both halves mean the same by a kind of records");

_Static_assert((int)CAPTURE_INTERFACES_ALL == METER_INTERFACES_ALL &&
		       (int)CAPTURE_INTERFACES_ONLY == METER_INTERFACES_ONLY &&
		       (int)CAPTURE_INTERFACES_EXCEPT == METER_INTERFACES_EXCEPT &&
		       CAPTURE_INTERFACES_MAX == METER_INTERFACES_MAX,
	       "both halves mean the same by a rule of interfaces");

_Static_assert((int)CAPTURE_OWNER_PROCESS == METER_OWNER_PROCESS &&
		       (int)CAPTURE_OWNER_LOGIN == METER_OWNER_LOGIN &&
		       (int)CAPTURE_OWNER_SOCKET == METER_OWNER_SOCKET,
	       "both halves mean the same by a policy");

int load_print_libbpf(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char text[1024];
	size_t length;

	(void)level;
	if (!log_enabled(LOG_LEVEL_DEBUG))
		return 0;
	length = (size_t)vsnprintf(text, sizeof(text), format, arguments);
	if (length >= sizeof(text))
		length = sizeof(text) - 1;
	while (length && text[length - 1] == '\n')
		text[--length] = '\0';
	log_debug("%s", text);
	return 0;
}

static uint64_t round_up_power_of_two(uint64_t value)
{
	uint64_t power = (uint64_t)sysconf(_SC_PAGESIZE);

	while (power < value)
		power <<= 1;
	return power;
}

/* What a slot takes is told by a template, a map of the same kind. libbpf makes one as the object
 * declares it, of one entry; kernels before 5.10 want the size to be the same as well. (Setting the
 * size of libbpf's own template crashes before libbpf 1.2. And ours, which has no BTF, is not taken
 * by 5.15 to 6.2: so each way has its kernels.) */
static int set_template(struct bpf_map *outer, const struct bpf_map *inner, uint32_t entries,
			int *ret_fd)
{
	int fd = bpf_map_create(bpf_map__type(inner), "template", bpf_map__key_size(inner),
				bpf_map__value_size(inner), entries, NULL);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return bpf_map__set_inner_map_fd(outer, fd);
}

static int set_table_sizes(struct bpf_map *slot, struct bpf_map *a, struct bpf_map *b,
			   uint32_t entries, bool same_size, int *ret_template_fd)
{
	int r;

	if ((r = bpf_map__set_max_entries(a, entries)) < 0 ||
	    (r = bpf_map__set_max_entries(b, entries)) < 0)
		return r;
	return same_size ? set_template(slot, a, entries, ret_template_fd) : 0;
}

/* The templates have to live until the maps are loaded. */
struct templates {
	int flows_fd, users_fd;
};

static void templates_close(struct templates *templates)
{
	close_fd(&templates->flows_fd);
	close_fd(&templates->users_fd);
}

/* The factors of the hash by which verdicts on peers are remembered. */
static int set_secret(struct traffic_meter_bpf *skeleton)
{
	__u64 *secret = skeleton->rodata->networks_secret;
	ssize_t size = sizeof(skeleton->rodata->networks_secret);

	if (getrandom(secret, (size_t)size, 0) != size)
		return -EIO;
	for (size_t i = 0; i < (size_t)size / sizeof(*secret); i++)
		secret[i] |= 1;
	return 0;
}

static void free_btf(struct btf **btf)
{
	btf__free(*btf);
}

/* For a kernel without BTF: one that knows no type of the kernel's, as a file. With it libbpf puts an
 * invalid call where the programs read such types, and the verifier holds them to not going there. */
static int make_empty_btf(int *ret_fd)
{
	_cleanup_(free_btf) struct btf *btf = btf__new_empty();
	_cleanup_close_ int fd = -1;
	const void *data;
	uint32_t size;

	if (!btf || btf__add_int(btf, "int", 4, BTF_INT_SIGNED) < 0)
		return -ENOMEM;
	data = btf__raw_data(btf, &size);
	if (!data)
		return -ENOMEM;
	fd = memfd_create("btf", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, data, size) != (ssize_t)size)
		return -EIO;
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* The file is read when the programs are loaded. */
static int open_skeleton(bool btf, int *ret_btf_fd, struct traffic_meter_bpf **ret)
{
	DECLARE_LIBBPF_OPTS(bpf_object_open_opts, options);
	char path[64];
	int r;

	if (!btf) {
		r = make_empty_btf(ret_btf_fd);
		if (r < 0)
			return r;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", *ret_btf_fd);
		options.btf_custom_path = path;
	}
	*ret = traffic_meter_bpf__open_opts(&options);
	return *ret ? 0 : -errno;
}

static enum capture_owner choose_owner(enum capture_owner wanted)
{
	if (!features_have_btf()) {
		log_warning("this kernel has no BTF; bytes are charged to the creator of the "
			    "socket, as with "
			    "--owner socket, the kernel's own to root, and what rootless "
			    "containers send in "
			    "their own networks is counted as well");
		return CAPTURE_OWNER_SOCKET;
	}
	if (wanted == CAPTURE_OWNER_SOCKET || features_have_process_owner())
		return wanted;
	log_warning("this kernel can't tell which process uses a socket; bytes are charged to the "
		    "creator of the socket, as with --owner socket");
	return CAPTURE_OWNER_SOCKET;
}

/* The ring is not used for flow records, but its map is: then it is the smallest there is. */
static int set_sizes(struct traffic_meter_bpf *skeleton, const struct capture_settings *settings,
		     bool same_size, struct templates *templates)
{
	bool packets = settings->records == CAPTURE_RECORDS_PACKET;
	uint64_t ring_bytes =
		round_up_power_of_two(packets ? settings->ring_bytes : CAPTURE_RING_BYTES_MIN);
	int r;

	skeleton->rodata->settings.records = (uint32_t)settings->records;
	skeleton->rodata->settings.ring_wake_bytes = (uint32_t)(ring_bytes / RING_WAKE_PARTS);
	skeleton->rodata->settings.interfaces = (uint32_t)settings->interfaces_rule;
	skeleton->rodata->settings.match = (uint32_t)settings->match;
	skeleton->rodata->settings.networks = settings->networks;
	skeleton->rodata->settings.skip_nested = !settings->count_nested;
	r = bpf_map__set_max_entries(skeleton->maps.packets, (uint32_t)ring_bytes);
	if (r < 0)
		return r;
	r = set_table_sizes(skeleton->maps.flows, skeleton->maps.flows_a, skeleton->maps.flows_b,
			    settings->flow_entries, same_size, &templates->flows_fd);
	if (r < 0)
		return r;
	return set_table_sizes(skeleton->maps.users, skeleton->maps.users_a, skeleton->maps.users_b,
			       settings->user_entries, same_size, &templates->users_fd);
}

/* For a user who has asked for more than there is. */
static int log_refused_sizes(int error, const struct capture_settings *settings)
{
	char ring[64] = "";

	if (settings->records == CAPTURE_RECORDS_PACKET)
		snprintf(ring, sizeof(ring), "--ring-size %llu, ",
			 (unsigned long long)settings->ring_bytes);
	return log_error_errno(error,
			       "make the BPF maps; choose smaller sizes than %s--flow-entries %u, "
			       "--user-entries %u",
			       ring, settings->flow_entries, settings->user_entries);
}

/* Its number; 0: /proc does not say. */
static uint32_t own_netns(void)
{
	struct stat status;

	return stat("/proc/self/ns/net", &status) == 0 ? (uint32_t)status.st_ino : 0;
}

static void destroy_skeleton(struct traffic_meter_bpf **skeleton)
{
	traffic_meter_bpf__destroy(*skeleton);
}

/* Errors of loading are returned unlogged, others logged. */
static int try_load(const struct capture_settings *settings, enum capture_owner owner,
		    bool before_5_10, int sockets_fd, struct traffic_meter_bpf **ret)
{
	_cleanup_(templates_close) struct templates templates = { -1, -1 };
	_cleanup_(destroy_skeleton) struct traffic_meter_bpf *skeleton = NULL;
	_cleanup_close_ int btf_fd = -1;
	bool btf = features_have_btf();
	int r;

	r = open_skeleton(btf, &btf_fd, &skeleton);
	if (!skeleton)
		return r;
	skeleton->rodata->settings.owner = (uint32_t)owner;
	skeleton->rodata->settings.task_btf = features_have_task_btf();
	skeleton->rodata->settings.full_sockets = before_5_10;
	skeleton->rodata->settings.no_types = !btf;
	skeleton->rodata->settings.netns = own_netns();
	if ((r = set_sizes(skeleton, settings, before_5_10, &templates)) < 0 ||
	    (r = set_secret(skeleton)) < 0 ||
	    (sockets_fd >= 0 && (r = bpf_map__reuse_fd(skeleton->maps.sockets, sockets_fd)) < 0) ||
	    (r = traffic_meter_bpf__load(skeleton)) < 0)
		return r;
	*ret = steal_pointer(skeleton);
	return 0;
}

/* One of a former layout is of no use: what is remembered comes again with the next packets. */
static bool is_like_ours(int sockets_fd)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);

	return sockets_fd >= 0 && bpf_obj_get_info_by_fd(sockets_fd, &info, &size) == 0 &&
	       info.type == BPF_MAP_TYPE_SK_STORAGE && info.value_size == METER_REMEMBERED_SIZE;
}

int load_programs(const struct capture_settings *settings, int sockets_fd,
		  struct traffic_meter_bpf **ret)
{
	enum capture_owner owner = choose_owner(settings->owner);
	int r;

	if (!is_like_ours(sockets_fd))
		sockets_fd = -1;
	r = try_load(settings, owner, false, sockets_fd, ret);
	if (r == -EINVAL || r == -EACCES)
		r = try_load(settings, owner, true, sockets_fd, ret);
	if (r == -ENOMEM || r == -E2BIG)
		return log_refused_sizes(r, settings);
	if (r < 0)
		return log_error_errno(r, "load the BPF programs; 'traffic-meter check' tells what "
					  "this machine lacks, --log-level debug what the kernel "
					  "said");
	return 0;
}

/* A preallocated hash: an element has a head of 48 bytes, a table a bucket of 16 for each entry,
 * rounded up to a power of two. */
uint64_t load_table_memory(const struct bpf_map *map)
{
	uint64_t entries = bpf_map__max_entries(map);
	uint64_t buckets = 1;

	while (buckets < entries)
		buckets <<= 1;
	return 2 *
	       (entries * (48 + bpf_map__key_size(map) + bpf_map__value_size(map)) + buckets * 16);
}
