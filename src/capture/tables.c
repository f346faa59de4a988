// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/tables.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "capture/slot.h"
#include "util/cleanup.h"

#define KEY_SIZE_MAX 64

static int verify_sizes(struct tables *tables)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(tables->inner_fd[0], &info, &size))
		return -errno;
	if (info.key_size != tables->key_size || info.key_size > KEY_SIZE_MAX ||
	    info.value_size > tables->value_size)
		return -EPROTO;
	tables->kernel_value_size = info.value_size;
	return 0;
}

int tables_open(struct tables *tables, int outer_fd, const int inner_fd[2], size_t key_size,
		size_t value_size)
{
	int r;

	*tables = (struct tables){
		.outer_fd = outer_fd,
		.inner_fd = { inner_fd[0], inner_fd[1] },
		.key_size = key_size,
		.value_size = value_size,
		.reading = -1,
	};
	if ((r = verify_sizes(tables)) < 0 || (r = slot_read(outer_fd, inner_fd)) < 0)
		return r;
	tables->active = r;
	tables->keys = calloc(TABLES_PIECE, key_size);
	tables->values = calloc(TABLES_PIECE, tables->kernel_value_size);
	tables->value = calloc(1, value_size);
	return tables->keys && tables->values && tables->value ? 0 : -ENOMEM;
}

void tables_close(struct tables *tables)
{
	free(tables->keys);
	free(tables->values);
	free(tables->value);
	*tables = (struct tables){ 0 };
}

bool tables_used(const struct tables *tables, int which)
{
	char key[KEY_SIZE_MAX];

	return bpf_map_get_next_key(tables->inner_fd[which], NULL, key) == 0;
}

void tables_wait(const struct tables *tables)
{
	if (tables->keys)
		slot_write(tables->outer_fd, tables->inner_fd[tables->active]);
}

int tables_swap(struct tables *tables)
{
	/* The kernel waits for all running programs before it returns. */
	int r = slot_write(tables->outer_fd, tables->inner_fd[!tables->active]);

	if (r == 0)
		tables->active = !tables->active;
	return r;
}

void tables_read(struct tables *tables, int which)
{
	tables->reading = which;
	tables->n = tables->position = 0;
	tables->begun = tables->last_piece = false;
}

static int read_piece(struct tables *tables)
{
	uint32_t n = TABLES_PIECE;
	int r;

	r = bpf_map_lookup_batch(tables->inner_fd[tables->reading],
				 tables->begun ? &tables->cursor : NULL, &tables->cursor,
				 tables->keys, tables->values, &n, NULL);
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

	while (tables->reading >= 0 && tables->position == tables->n) {
		if (tables->last_piece) {
			tables->reading = -1;
			break;
		}
		r = read_piece(tables);
		if (r < 0)
			return r;
	}
	if (tables->reading < 0)
		return 0;
	memcpy(tables->value, tables->values + tables->position * tables->kernel_value_size,
	       tables->kernel_value_size);
	*ret_key = tables->keys + tables->position * tables->key_size;
	*ret_value = tables->value;
	tables->position++;
	return 1;
}

/* Deleting while reading is safe here, and only here: nobody else has the table. */
int tables_empty(const struct tables *tables, int which)
{
	uint32_t cursor, *from = NULL;
	int r;

	do {
		uint32_t n = TABLES_PIECE;

		r = bpf_map_lookup_and_delete_batch(tables->inner_fd[which], from, &cursor,
						    tables->keys, tables->values, &n, NULL);
		if (r && errno != ENOENT)
			return -errno;
		from = &cursor;
	} while (!r);
	return 0;
}

int tables_look(const struct tables *tables, int which,
		void (*see)(void *userdata, const void *key, const void *value), void *userdata)
{
	_cleanup_free_ char *keys = calloc(TABLES_PIECE, tables->key_size);
	_cleanup_free_ char *values = calloc(TABLES_PIECE, tables->kernel_value_size);
	_cleanup_free_ char *value = calloc(1, tables->value_size);
	uint32_t cursor, *from = NULL;
	int r;

	if (!keys || !values || !value)
		return -ENOMEM;
	do {
		uint32_t n = TABLES_PIECE;

		r = bpf_map_lookup_batch(tables->inner_fd[which], from, &cursor, keys, values, &n,
					 NULL);
		if (r && errno != ENOENT)
			return -errno;
		for (uint32_t i = 0; i < n; i++) {
			memcpy(value, values + i * tables->kernel_value_size,
			       tables->kernel_value_size);
			see(userdata, keys + i * tables->key_size, value);
		}
		from = &cursor;
	} while (!r);
	return 0;
}
