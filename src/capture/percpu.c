// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/percpu.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int percpu_open(struct percpu *percpu, int fd)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);
	int n_cpus = libbpf_num_possible_cpus();

	if (n_cpus < 0)
		return n_cpus;
	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	*percpu = (struct percpu){
		.fd = fd,
		.n_cpus = n_cpus,
		.size = info.value_size,
		.stride = (info.value_size + 7) & ~(size_t)7,
	};
	percpu->values = calloc((size_t)n_cpus, percpu->stride);
	return percpu->values ? 0 : -ENOMEM;
}

void percpu_close(struct percpu *percpu)
{
	free(percpu->values);
	*percpu = (struct percpu){ .fd = -1 };
}

int percpu_read(struct percpu *percpu, uint32_t key)
{
	return bpf_map_lookup_elem(percpu->fd, &key, percpu->values) ? -errno : 0;
}

void percpu_get(const struct percpu *percpu, int cpu, void *ret, size_t size)
{
	size_t known = size < percpu->size ? size : percpu->size;

	memcpy(ret, percpu->values + (size_t)cpu * percpu->stride, known);
	memset((char *)ret + known, 0, size - known);
}

int percpu_clear(struct percpu *percpu, uint32_t key)
{
	memset(percpu->values, 0, (size_t)percpu->n_cpus * percpu->stride);
	return bpf_map_update_elem(percpu->fd, &key, percpu->values, BPF_ANY) ? -errno : 0;
}
