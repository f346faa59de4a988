// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/kept.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/cleanup.h"

static size_t mapped_size(const struct kept *kept)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (kept->entry_size * kept->entries + page - 1) & ~(page - 1);
}

static int map_memory(struct kept *kept)
{
	void *memory =
		mmap(NULL, mapped_size(kept), PROT_READ | PROT_WRITE, MAP_SHARED, kept->fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	kept->memory = memory;
	return 0;
}

int kept_new(struct kept *kept, const char *name, size_t entry_size, uint32_t entries)
{
	DECLARE_LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
	int r;

	*kept = (struct kept){ .entry_size = entry_size, .entries = entries };
	kept->fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, sizeof(uint32_t), (uint32_t)entry_size,
				  entries, &options);
	if (kept->fd < 0)
		return -errno;
	r = map_memory(kept);
	if (r < 0)
		close_fd(&kept->fd);
	return r;
}

static int open_pinned(struct kept *kept, size_t entry_size)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);
	int r;

	if (bpf_obj_get_info_by_fd(kept->fd, &info, &size))
		return -errno;
	if (info.type != BPF_MAP_TYPE_ARRAY || !(info.map_flags & BPF_F_MMAPABLE) ||
	    info.value_size != entry_size)
		return -EPROTO;
	kept->entry_size = entry_size;
	kept->entries = info.max_entries;
	r = map_memory(kept);
	return r;
}

int kept_open(struct kept *kept, const struct pins *pins, const char *name, size_t entry_size,
	      uint32_t entries)
{
	int r;

	kept->fd = pins_get(pins, name);
	if (kept->fd >= 0) {
		r = open_pinned(kept, entry_size);
	} else if (kept->fd == -ENOENT) {
		r = kept_new(kept, name, entry_size, entries);
		if (r == 0)
			r = kept_replace(kept, pins, name);
	} else {
		return kept->fd;
	}
	if (r < 0)
		kept_close(kept);
	return r;
}

int kept_replace(const struct kept *kept, const struct pins *pins, const char *name)
{
	return pins_put(pins, kept->fd, name);
}

void kept_close(struct kept *kept)
{
	if (kept->memory)
		munmap(kept->memory, mapped_size(kept));
	close_fd(&kept->fd);
	*kept = (struct kept){ .fd = -1 };
}
