/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One user's CSV file: its rows that are not yet written, and what is done when it can't be.
 *
 * A file is open; or refused (what stands at its name is not ours to write to), and then its
 * records are summed, to be written as one row a direction when the name is free again. What is
 * taken is kept until it is written, whatever happens to the file.
 */
#ifndef OUTPUT_CSV_FILE_H
#define OUTPUT_CSV_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <traffic_meter/record.h>

#include "output/append_file.h"
#include "output/csv_folder.h"

/* Large enough to make the system call cheap beside its rows, small enough for one for each of
 * some hundred open files. */
#define CSV_FILE_BUFFER_BYTES 16384

/* Taken and not yet written, of one direction. */
struct csv_held {
	uint64_t records, packets, bytes, wire_bytes, wire_packets;
	uint64_t start_ns, end_ns;
	uint64_t total_in, total_out; /* of the last record */
};

struct csv_file {
	TAILQ_ENTRY(csv_file) entry; /* in one of the owner's lists */
	struct csv_file *next;	     /* in the owner's table */
	uint32_t uid;
	bool refused;
	uint8_t last_direction;	 /* of the last record taken */
	struct append_file file; /* may be closed while rows wait: opened to write them */
	uint64_t cut;		 /* bytes of a torn row, cut off when it was opened */
	uint64_t mark;		 /* the user's bytes by the last row that was there then */
	bool mark_known;
	bool rotated_seen; /* where there was none, the file before it was asked */
	char *buffer;	   /* NULL: no rows wait */
	size_t used;
	size_t half; /* bytes of the buffer's first row that are in the file, and stayed there */
	struct csv_held held[2]; /* by direction: all that is in the buffer, or the sum */
};

struct csv_file *csv_file_new(uint32_t uid);
void csv_file_free(struct csv_file *file); /* nothing must be held, or it is lost */

/* Open the file, mend its end, and write the header to a new one. -EPERM: refused, words say why. */
int csv_file_open(struct csv_file *file, const struct csv_folder *folder, char *words,
		  size_t words_size);

/* Of a repeated batch: has a meter before this one written the record? Then 1, by the running totals
 * of the last row that it has left, in this file or in the one rotated away; else 0, or an error. */
int csv_file_has(struct csv_file *file, const struct csv_folder *folder,
		 const struct traffic_record *record);

/* Take a record as a row, or into the sum when refused. An error is that of csv_file_write(),
 * when there is no room left: then the record is not taken. */
int csv_file_take(struct csv_file *file, const struct csv_folder *folder,
		  const struct traffic_record *record, char *words, size_t words_size);

/* Hand all rows to the kernel. -EPERM: as csv_file_open(). On an error they are kept. */
int csv_file_write(struct csv_file *file, const struct csv_folder *folder, char *words,
		   size_t words_size);

/* The buffer back to the heap, if no row is in it. */
void csv_file_rest(struct csv_file *file);

/* From rows to sums, and back: csv_file_resume() comes after csv_file_open() and puts the rows of
 * the sums first. 0 or -ENOMEM. */
void csv_file_refuse(struct csv_file *file);
int csv_file_resume(struct csv_file *file, const struct csv_folder *folder);

#endif
