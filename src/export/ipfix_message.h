/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of IPFIX (RFC 7011) and NetFlow v9 (RFC 3954), which share templates and sets and differ in
 * the header and in how long a text is. docs/outputs.md lists the elements.
 */
#ifndef EXPORT_IPFIX_MESSAGE_H
#define EXPORT_IPFIX_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "export/export.h"

/* No record is longer. A message has room for one, at least. */
#define IPFIX_RECORD_MAX  1024
#define IPFIX_MESSAGE_MIN 1280

enum ipfix_version {
	IPFIX_V10,
	IPFIX_V9,
};

struct ipfix_style {
	int version; /* enum ipfix_version */
	uint32_t domain, enterprise;
	uint64_t boot_ms; /* since 1970: v9's times of the header count from here */
};

/* A message under way. */
struct ipfix_message {
	const struct ipfix_style *style;
	unsigned char *begin, *to, *end;
	unsigned char *set; /* that records are added to; NULL: none */
	unsigned int set_id;
	unsigned int n; /* records, of all kinds */
};

/* size: at least IPFIX_MESSAGE_MIN and at most 65,535. */
void ipfix_begin(struct ipfix_message *message, const struct ipfix_style *style, void *buffer,
		 size_t size);

/* All templates, in a message that has nothing else. */
void ipfix_add_templates(struct ipfix_message *message);

/* What was handed on and missed so far, as an options record (IPFIX alone). */
void ipfix_add_counts(struct ipfix_message *message, const struct spool_sums *delivered,
		      const struct spool_sums *missed);

/* Returns false when there is no room for one more. */
bool ipfix_add_flow(struct ipfix_message *message, const struct export_batch *batch, size_t row);

/* Ends the message. sequence: the data records (v9: messages) that went before it. Returns its bytes. */
size_t ipfix_end(struct ipfix_message *message, uint32_t sequence, uint64_t now_ms);

#endif
