/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables that retire: two hash maps and the ARRAY_OF_MAPS slot that names the one in use. After a
 * swap nobody writes the retired one. It is read in pieces, as the reader has room, always in the same
 * order, and emptied when what was read of it is safe.
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
	int active; /* which of inner_fd the programs write */

	/* Of an entry as we know it; of a former layout the values may be shorter. */
	size_t key_size, value_size, kernel_value_size;

	/* The table that is read, and the piece that was read last. */
	int reading; /* -1: none */
	char *keys, *values;
	void *value; /* of the entry that was returned last */
	uint32_t n, position;
	uint32_t cursor; /* the kernel's: where the next piece begins */
	bool begun, last_piece;
};

/* The descriptors stay the caller's. 0 or a negative errno; -EPROTO: the tables' keys or values are not
 * such as these. */
int tables_open(struct tables *tables, int outer_fd, const int inner_fd[2], size_t key_size,
		size_t value_size);
void tables_close(struct tables *tables);

/* Whether one of the two holds anything. */
bool tables_used(const struct tables *tables, int which);

/* Put the other table, which has to be empty, in the place of the one in use. Returns when no program
 * can write the retired one any more. 0 or an error of bpf(2). */
int tables_swap(struct tables *tables);

/* Return when no program runs any more that was running now: the kernel waits for them at each change
 * of the slot, also one that puts in what is there. */
void tables_wait(const struct tables *tables);

/* Read a table that no program writes, from its beginning. */
void tables_read(struct tables *tables, int which);

/* Its next entry. 1, and the pointers are good until the next call; 0: there are no more; or an error of
 * bpf(2). */
int tables_next(struct tables *tables, const void **ret_key, const void **ret_value);

/* Empty a table that no program writes. 0 or an error of bpf(2). */
int tables_empty(const struct tables *tables, int which);

/* Call `see` for each entry of one of the two. 0, -ENOMEM, or an error of bpf(2). */
int tables_look(const struct tables *tables, int which,
		void (*see)(void *userdata, const void *key, const void *value), void *userdata);

#endif
