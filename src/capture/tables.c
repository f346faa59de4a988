// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/tables.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "util/cleanup.h"

int tables_open(struct tables *tables, int outer_fd, const int inner_fd[2], size_t key_size,
		size_t value_size)
{
	*tables = (struct tables){
		.outer_fd = outer_fd,
		.inner_fd = { inner_fd[0], inner_fd[1] },
		.key_size = key_size,
		.value_size = value_size,
		.keys = calloc(TABLES_PIECE, key_size),
		.values = calloc(TABLES_PIECE, value_size),
	};
	return tables->keys && tables->values ? 0 : -ENOMEM;
}

void tables_close(struct tables *tables)
{
	free(tables->keys);
	free(tables->values);
	*tables = (struct tables){ 0 };
}

bool tables_active_used(const struct tables *tables)
{
	char key[64];

	return tables->key_size <= sizeof(key) &&
	       bpf_map_get_next_key(tables->inner_fd[tables->active], NULL, key) == 0;
}

void tables_wait(const struct tables *tables)
{
	uint32_t slot = 0;

	if (tables->keys)
		bpf_map_update_elem(tables->outer_fd, &slot, &tables->inner_fd[tables->active],
				    BPF_ANY);
}

int tables_retire(struct tables *tables)
{
	unsigned int next = !tables->active;
	uint32_t slot = 0;

	if (tables->retired)
		return -EBUSY;
	/* The kernel waits for all running programs before it returns. */
	if (bpf_map_update_elem(tables->outer_fd, &slot, &tables->inner_fd[next], BPF_ANY))
		return -errno;
	tables->active = next;
	tables->retired = true;
	tables->n = tables->position = 0;
	tables->begun = tables->last_piece = false;
	return 0;
}

/* Deleting while reading is safe here, and only here: nobody else has the table. */
static int read_piece(struct tables *tables)
{
	int fd = tables->inner_fd[!tables->active];
	uint32_t n = TABLES_PIECE;
	int r;

	r = bpf_map_lookup_and_delete_batch(fd, tables->begun ? &tables->cursor : NULL,
					    &tables->cursor, tables->keys, tables->values, &n,
					    NULL);
	if (r && errno != ENOENT)
		return -errno;
	tables->begun = true;
	tables->last_piece = r != 0; /* ENOENT comes with the last entries */
	tables->n = n;
	tables->position = 0;
	return 0;
}

int tables_next(struct tables *tables, const void **ret_key, const void **ret_value)
{
	int r;

	while (tables->retired && tables->position == tables->n) {
		if (tables->last_piece) {
			tables->retired = false;
			break;
		}
		r = read_piece(tables);
		if (r < 0)
			return r;
	}
	if (!tables->retired)
		return 0;
	*ret_key = (char *)tables->keys + tables->position * tables->key_size;
	*ret_value = (char *)tables->values + tables->position * tables->value_size;
	tables->position++;
	return 1;
}

typedef void (*see_fn)(void *userdata, const void *key, const void *value);

static void see_entries(const struct tables *tables, const void *keys, const void *values,
			uint32_t n, see_fn see, void *userdata)
{
	for (uint32_t i = 0; i < n; i++)
		see(userdata, (const char *)keys + i * tables->key_size,
		    (const char *)values + i * tables->value_size);
}

static int look_into(const struct tables *tables, int fd, see_fn see, void *userdata)
{
	_cleanup_free_ void *keys = calloc(TABLES_PIECE, tables->key_size);
	_cleanup_free_ void *values = calloc(TABLES_PIECE, tables->value_size);
	uint32_t cursor, *from = NULL;
	int r;

	if (!keys || !values)
		return -ENOMEM;
	do {
		uint32_t n = TABLES_PIECE;

		r = bpf_map_lookup_batch(fd, from, &cursor, keys, values, &n, NULL);
		if (r && errno != ENOENT)
			return -errno;
		see_entries(tables, keys, values, n, see, userdata);
		from = &cursor;
	} while (!r);
	return 0;
}

int tables_look(const struct tables *tables, see_fn see, void *userdata)
{
	uint32_t read = tables->retired ? tables->n - tables->position : 0;
	int r;

	see_entries(tables, (const char *)tables->keys + tables->position * tables->key_size,
		    (const char *)tables->values + tables->position * tables->value_size, read, see,
		    userdata);
	r = tables->retired ? look_into(tables, tables->inner_fd[!tables->active], see, userdata)
			    : 0;
	return r < 0 ? r : look_into(tables, tables->inner_fd[tables->active], see, userdata);
}
