// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/untracked.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/log.h"

/* A whole list in maps of its own, before it is put anywhere. */
struct loaded {
	int ipv4_fd, ipv6_fd, masked_fd;
	struct networks_set set;
};

static void loaded_close(struct loaded *loaded)
{
	close_fd(&loaded->ipv4_fd);
	close_fd(&loaded->ipv6_fd);
	close_fd(&loaded->masked_fd);
}

static bool is_masked(const struct network *network)
{
	return network->prefix_length == NETWORK_NO_PREFIX;
}

static int create_table(enum bpf_map_type type, const char *name, uint32_t key_size, size_t n,
			uint32_t template)
{
	DECLARE_LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_NO_PREALLOC);
	uint32_t entries = n > template ? (uint32_t)n : template;
	int fd = bpf_map_create(type, name, key_size, sizeof(uint8_t), entries, &options);

	return fd >= 0 ? fd : -errno;
}

static int create_tables(const struct network_list *list, struct loaded *loaded)
{
	size_t ipv4 = 0, ipv6 = 0, masked = 0;

	for (size_t i = 0; i < list->n; i++) {
		masked += is_masked(&list->networks[i]);
		ipv6 += list->networks[i].family == 6;
		ipv4 += list->networks[i].family == 4 && !is_masked(&list->networks[i]);
	}
	loaded->ipv4_fd = create_table(BPF_MAP_TYPE_LPM_TRIE, "untracked_ipv4",
				       sizeof(struct network_ipv4_key), ipv4, NETWORKS_TEMPLATE);
	if (loaded->ipv4_fd < 0)
		return loaded->ipv4_fd;
	loaded->ipv6_fd = create_table(BPF_MAP_TYPE_LPM_TRIE, "untracked_ipv6",
				       sizeof(struct network_ipv6_key), ipv6, NETWORKS_TEMPLATE);
	if (loaded->ipv6_fd < 0)
		return loaded->ipv6_fd;
	loaded->masked_fd =
		create_table(BPF_MAP_TYPE_HASH, "untracked_mask", sizeof(struct network_masked_key),
			     masked, NETWORKS_MASKED_TEMPLATE);
	return loaded->masked_fd < 0 ? loaded->masked_fd : 0;
}

static int add_masked(struct loaded *loaded, const struct network *network)
{
	struct networks_set *set = &loaded->set;
	struct network_masked_key key;
	uint8_t value = 1;
	uint32_t i;

	memcpy(&key.address, network->address, sizeof(key.address));
	memcpy(&key.mask, network->mask, sizeof(key.mask));
	for (i = 0; i < set->masks && set->mask[i] != key.mask; i++)
		;
	if (i == NETWORKS_MASKS_MAX)
		return log_error_errno(-E2BIG,
				       "untracked list: more than %d different masks that are no "
				       "prefix; write some of the networks as prefixes",
				       NETWORKS_MASKS_MAX);
	set->mask[i] = key.mask;
	if (i == set->masks)
		set->masks++;
	return bpf_map_update_elem(loaded->masked_fd, &key, &value, BPF_ANY) ? -errno : 0;
}

static int add_network(struct loaded *loaded, const struct network *network)
{
	uint8_t value = 1;

	if (is_masked(network))
		return add_masked(loaded, network);
	if (network->family == 4) {
		struct network_ipv4_key key = { (uint32_t)network->prefix_length, 0 };

		memcpy(&key.address, network->address, sizeof(key.address));
		loaded->set.ipv4++;
		return bpf_map_update_elem(loaded->ipv4_fd, &key, &value, BPF_ANY) ? -errno : 0;
	} else {
		struct network_ipv6_key key = { .prefix_length = (uint32_t)network->prefix_length };

		memcpy(key.address, network->address, sizeof(key.address));
		loaded->set.ipv6++;
		return bpf_map_update_elem(loaded->ipv6_fd, &key, &value, BPF_ANY) ? -errno : 0;
	}
}

static int put(const struct untracked *untracked, uint32_t index, const struct loaded *loaded)
{
	if (bpf_map_update_elem(untracked->ipv4_fd, &index, &loaded->ipv4_fd, BPF_ANY) ||
	    bpf_map_update_elem(untracked->ipv6_fd, &index, &loaded->ipv6_fd, BPF_ANY) ||
	    bpf_map_update_elem(untracked->masked_fd, &index, &loaded->masked_fd, BPF_ANY))
		return -errno;
	return 0;
}

/* The set is free to be overwritten: the programs that were judging by it before the last switch
 * have ended, since the switch below waits for them. */
static int switch_to(struct untracked *untracked, const struct loaded *loaded)
{
	struct networks_control *control = untracked->control;
	uint32_t index = !control->active;
	int r;

	r = put(untracked, index, loaded);
	if (r < 0)
		return r;
	control->sets[index] = loaded->set;
	control->sets[index].generation = control->sets[!index].generation + 1;
	__atomic_store_n(&control->active, index, __ATOMIC_RELEASE);
	/* Nothing changes by putting the same tables once more, but the kernel waits for the running
	 * programs before it returns. */
	return put(untracked, index, loaded);
}

int untracked_load(struct untracked *untracked, const struct network_list *list)
{
	_cleanup_(loaded_close) struct loaded loaded = { -1, -1, -1, { 0 } };
	int r;

	r = create_tables(list, &loaded);
	for (size_t i = 0; r >= 0 && i < list->n; i++)
		r = add_network(&loaded, &list->networks[i]);
	if (r >= 0)
		r = switch_to(untracked, &loaded);
	if (r < 0 && r != -E2BIG)
		return log_error_errno(r, "load %zu untracked networks into the kernel", list->n);
	return r;
}
