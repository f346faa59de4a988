// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/slot.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>

int slot_read(int outer_fd, const int inner_fd[2])
{
	uint32_t slot = 0, id;

	if (bpf_map_lookup_elem(outer_fd, &slot, &id))
		return -errno;
	for (int i = 0; i < 2; i++) {
		struct bpf_map_info info = { 0 };
		uint32_t size = sizeof(info);

		if (bpf_obj_get_info_by_fd(inner_fd[i], &info, &size))
			return -errno;
		if (info.id == id)
			return i;
	}
	return -EPROTO;
}

int slot_write(int outer_fd, int inner_fd)
{
	uint32_t slot = 0;

	return bpf_map_update_elem(outer_fd, &slot, &inner_fd, BPF_ANY) ? -errno : 0;
}
