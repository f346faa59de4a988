/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From settings to programs and maps in the kernel: sizes, constants, fall-backs. */
#ifndef CAPTURE_LOAD_H
#define CAPTURE_LOAD_H

#include "capture/capture.h"

#include <bpf/libbpf.h>

struct traffic_meter_bpf;

/* For libbpf_set_print(): what libbpf says is for --log-level debug. */
int load_print_libbpf(enum libbpf_print_level level, const char *format, va_list arguments);

/* sockets_fd: of the map in which a meter before has remembered sockets, or -1.
 * *ret is the caller's, to be freed with traffic_meter_bpf__destroy(). An error is logged. */
int load_programs(const struct capture_settings *settings, int sockets_fd,
		  struct traffic_meter_bpf **ret);

/* Bytes of kernel memory that two preallocated hash tables such as this one take. */
uint64_t load_table_memory(const struct bpf_map *map);

#endif
