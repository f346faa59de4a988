/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that outlives the process, where it is pinned: a BPF array that is mapped. */
#ifndef CAPTURE_KEPT_H
#define CAPTURE_KEPT_H

#include <stddef.h>
#include <stdint.h>

#include "capture/pins.h"

struct kept {
	int fd;
	void *memory; /* entries of entry_size bytes in a row, a multiple of 8; zeroes at first */
	size_t entry_size;
	uint32_t entries;
};

/* Open what is pinned by that name, or make it: then it has n entries, else as many as it had. 0 or a
 * negative errno; -EPROTO: what is there is of another kind. */
int kept_open(struct kept *kept, const struct pins *pins, const char *name, size_t entry_size,
	      uint32_t entries);
void kept_close(struct kept *kept);

/* In the place of what is pinned by that name. The former stays open, and the caller's to close. */
int kept_replace(const struct kept *kept, const struct pins *pins, const char *name);

/* The same, not pinned yet. */
int kept_new(struct kept *kept, const char *name, size_t entry_size, uint32_t entries);

#endif
