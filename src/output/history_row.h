/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A record as a row of the history: which service it was, the other machine's network, clean texts. */
#ifndef OUTPUT_HISTORY_ROW_H
#define OUTPUT_HISTORY_ROW_H

#include <traffic_meter/record.h>

#include "history/store.h"

/* In bytes, with the NUL. */
#define HISTORY_NAME_MAX 260

/* The texts of a row. */
struct history_texts {
	char remote[64], network[HISTORY_NAME_MAX], interface[64], program[64];
	char workload[HISTORY_NAME_MAX];
};

/* ipv4_bits, ipv6_bits: prefix lengths of remotes. The row's texts are in `texts`. */
void history_row_make(const struct traffic_record *record, unsigned int ipv4_bits,
		      unsigned int ipv6_bits, struct history_texts *texts, struct store_row *ret);

/* Likewise any text: valid UTF-8 without control characters, cut at what fits. */
void history_text_copy(char *to, size_t size, const char *text);

#endif
