/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading a per-CPU array, whose elements may be of a former layout: shorter, and then 0 at the end. */
#ifndef CAPTURE_PERCPU_H
#define CAPTURE_PERCPU_H

#include <stddef.h>
#include <stdint.h>

struct percpu {
	int fd; /* the caller's */
	int n_cpus;
	size_t size, stride; /* of an element, and from one CPU's to the next */
	char *values;
};

/* 0 or a negative errno. */
int percpu_open(struct percpu *percpu, int fd);
void percpu_close(struct percpu *percpu);

/* Read the element of all CPUs. 0 or an error of bpf(2). */
int percpu_read(struct percpu *percpu, uint32_t key);

/* One CPU's, as it was read last. */
void percpu_get(const struct percpu *percpu, int cpu, void *ret, size_t size);

/* Write zeroes to all CPUs. */
int percpu_clear(struct percpu *percpu, uint32_t key);

#endif
