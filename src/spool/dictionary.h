/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The different values of a column, each with a number by which the rows name it. */
#ifndef SPOOL_DICTIONARY_H
#define SPOOL_DICTIONARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DICTIONARY_KEYS	 8192
#define DICTIONARY_SLOTS ((size_t)2 * DICTIONARY_KEYS)

struct dictionary {
	size_t n_keys;
	size_t used, room; /* bytes of .keys */
	char *keys;	   /* one behind the other, as ClickHouse has them in the block */
	uint32_t ends[DICTIONARY_KEYS];	  /* where each key ends in .keys */
	uint32_t starts[DICTIONARY_KEYS]; /* and where its bytes start, behind its length */
	uint32_t hashes[DICTIONARY_KEYS];
	uint16_t slots[DICTIONARY_SLOTS]; /* number + 1 of a key; 0: free */
	uint16_t last;			  /* the key that was asked for before */
};

/* Forgets all keys; keeps the memory. */
void dictionary_clear(struct dictionary *dictionary);
void dictionary_free(struct dictionary *dictionary);

/* The number of the value, which becomes a key if it is none. The caller adds at most DICTIONARY_KEYS
 * different ones. fixed: the column's type has no lengths, as all values have n bytes.
 * Returns 0 or -ENOMEM. */
int dictionary_add(struct dictionary *dictionary, const void *value, size_t n, bool fixed,
		   uint16_t *ret_key);

#endif
