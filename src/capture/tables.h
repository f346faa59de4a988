/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables that retire: two hash maps and the ARRAY_OF_MAPS slot that names the one in use. After a
 * swap nobody writes the retired one, and it is emptied in pieces as the reader has room.
 */
#ifndef CAPTURE_TABLES_H
#define CAPTURE_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TABLES_PIECE 512

struct tables {
	int outer_fd;
	int inner_fd[2];
	unsigned int active; /* which of inner_fd the programs write */
	bool retired;	     /* the other one has entries to read */
	size_t key_size, value_size;

	/* The piece that was read last. */
	void *keys, *values;
	uint32_t n, position;
	uint32_t cursor; /* the kernel's: where the next piece begins */
	bool begun, last_piece;
};

/* The descriptors stay the caller's. inner_fd[0] is the one in use. 0 or -ENOMEM. */
int tables_open(struct tables *tables, int outer_fd, const int inner_fd[2], size_t key_size,
		size_t value_size);
void tables_close(struct tables *tables);

/* Whether the table in use holds anything. */
bool tables_active_used(const struct tables *tables);

/* Put the empty table in the place of the one in use. Returns when no program can write the
 * retired one any more. 0; -EBUSY: the one that retired before is not read to its end; or an
 * error of bpf(2). */
int tables_retire(struct tables *tables);

/* The one that retired last: the caller's to add to until its first entry is read. */
static inline int tables_retired_fd(const struct tables *tables)
{
	return tables->inner_fd[!tables->active];
}

/* Return when no program runs any more that was running now: the kernel waits for them at each change
 * of the slot, also one that puts in what is there. */
void tables_wait(const struct tables *tables);

/* Take the next entry out of the retired table. 1, and the pointers are good until the next call;
 * 0: it is empty; or an error of bpf(2). */
int tables_next(struct tables *tables, const void **ret_key, const void **ret_value);

/* Call `see` for each entry that tables_next() has not returned yet, of both tables, taking none.
 * 0, -ENOMEM, or an error of bpf(2). */
int tables_look(const struct tables *tables,
		void (*see)(void *userdata, const void *key, const void *value), void *userdata);

#endif
