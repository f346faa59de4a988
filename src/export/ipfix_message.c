// SPDX-License-Identifier: GPL-2.0-or-later
/* A template is a list of elements, each with the function's case that writes it: one list makes the
 * template and the records. */
#include "export/ipfix_message.h"

#include <endian.h>
#include <string.h>

#define TEMPLATE_SET	 2
#define OPTIONS_SET	 3
#define TEMPLATE_SET_V9	 0
#define ENTERPRISE_BIT	 0x8000
#define VARIABLE	 65535
#define FLOW_TEMPLATES	 3
#define FIRST_TEMPLATE	 256
#define OPTIONS_TEMPLATE 300

/* Texts are cut here; v9 has fields of fixed lengths (below). */
#define TEXT_MAX 255

enum source {
	FROM_BYTES,
	FROM_PACKETS,
	FROM_WIRE_BYTES,
	FROM_PROTOCOL,
	FROM_SOURCE_PORT,
	FROM_DESTINATION_PORT,
	FROM_SOURCE,
	FROM_DESTINATION,
	FROM_DIRECTION,
	FROM_INTERFACE,
	FROM_PROGRAM,
	FROM_USER,
	FROM_START,
	FROM_END,
	FROM_UID,
	FROM_LOGIN_UID,
	FROM_WORKLOAD,
	FROM_NETWORK,
	FROM_BATCH,
	FROM_RECORD,
	FROM_REPEATED,
	FROM_WIRE_PACKETS,
};

#define ALL  7 /* templates, by bit: IPv4, IPv6, no addresses */
#define V4   1
#define V6   2
#define ENDS 3

struct element {
	uint16_t id;
	uint16_t length; /* VARIABLE: a text in IPFIX */
	uint8_t templates;
	bool is_ours; /* of the enterprise */
	enum source source;
	uint16_t v9_id, v9_length; /* 0: not in v9 */
};

/* Names and numbers: IANA's registry of IPFIX; 40000 is Cisco's NSEL user name, which nfdump reads. */
static const struct element elements[] = {
	{ 152, 8, ALL, false, FROM_START, 152, 8 },    /* flowStartMilliseconds */
	{ 153, 8, ALL, false, FROM_END, 153, 8 },      /* flowEndMilliseconds */
	{ 1, 8, ALL, false, FROM_BYTES, 1, 8 },	       /* octetDeltaCount */
	{ 2, 8, ALL, false, FROM_PACKETS, 2, 8 },      /* packetDeltaCount */
	{ 352, 8, ALL, false, FROM_WIRE_BYTES, 0, 0 }, /* layer2OctetDeltaCount */
	{ 61, 1, ALL, false, FROM_DIRECTION, 61, 1 },  /* flowDirection */
	{ 4, 1, ENDS, false, FROM_PROTOCOL, 4, 1 },    /* protocolIdentifier */
	{ 7, 2, ENDS, false, FROM_SOURCE_PORT, 7, 2 }, /* sourceTransportPort */
	{ 11, 2, ENDS, false, FROM_DESTINATION_PORT, 11, 2 },
	{ 8, 4, V4, false, FROM_SOURCE, 8, 4 },		      /* sourceIPv4Address */
	{ 12, 4, V4, false, FROM_DESTINATION, 12, 4 },	      /* destinationIPv4Address */
	{ 27, 16, V6, false, FROM_SOURCE, 27, 16 },	      /* sourceIPv6Address */
	{ 28, 16, V6, false, FROM_DESTINATION, 28, 16 },      /* destinationIPv6Address */
	{ 82, VARIABLE, ALL, false, FROM_INTERFACE, 82, 16 }, /* interfaceName */
	{ 96, VARIABLE, ALL, false, FROM_PROGRAM, 96, 16 },   /* applicationName */
	{ 371, VARIABLE, ALL, false, FROM_USER, 40000, 65 },  /* userName */
	{ 1, 4, ALL, true, FROM_UID, 0, 0 },
	{ 2, 4, ALL, true, FROM_LOGIN_UID, 0, 0 },
	{ 3, VARIABLE, ALL, true, FROM_WORKLOAD, 0, 0 },
	{ 4, VARIABLE, ALL, true, FROM_NETWORK, 0, 0 },
	{ 5, 8, ALL, true, FROM_BATCH, 0, 0 },
	{ 6, 8, ALL, true, FROM_RECORD, 0, 0 },
	{ 7, 1, ALL, true, FROM_REPEATED, 0, 0 },
	{ 8, 8, ALL, true, FROM_WIRE_PACKETS, 0, 0 },
};

#define N_ELEMENTS (sizeof(elements) / sizeof(elements[0]))

/* exportingProcessId as the scope, then what was observed, what was not sent. */
static const struct {
	uint16_t id, length;
} count_elements[] = {
	{ 144, 4 }, /* exportingProcessId */
	{ 163, 8 }, /* observedFlowTotalCount */
	{ 164, 8 }, /* ignoredPacketTotalCount */
	{ 165, 8 }, /* ignoredOctetTotalCount */
	{ 166, 8 }, /* notSentFlowTotalCount */
	{ 167, 8 }, /* notSentPacketTotalCount */
	{ 168, 8 }, /* notSentOctetTotalCount */
};

#define N_COUNTS (sizeof(count_elements) / sizeof(count_elements[0]))

static unsigned char *put(unsigned char *to, uint64_t number, size_t width)
{
	number = htobe64(number << (64 - 8 * width));
	memcpy(to, &number, width);
	return to + width;
}

static bool is_v9(const struct ipfix_message *message)
{
	return message->style->version == IPFIX_V9;
}

void ipfix_begin(struct ipfix_message *message, const struct ipfix_style *style, void *buffer,
		 size_t size)
{
	*message = (struct ipfix_message){ .style = style, .begin = buffer };
	message->to = message->begin + (style->version == IPFIX_V9 ? 20 : 16);
	/* A set is filled up to four bytes. */
	message->end = message->begin + size - 4;
}

static void end_set(struct ipfix_message *message)
{
	if (!message->set)
		return;
	/* By RFC 7011 padding is shorter than any record, and ours are longer than 3 bytes. */
	while ((message->to - message->set) % 4)
		*message->to++ = 0;
	put(message->set + 2, (uint64_t)(message->to - message->set), 2);
	message->set = NULL;
}

static void begin_set(struct ipfix_message *message, unsigned int id)
{
	if (message->set && message->set_id == id)
		return;
	end_set(message);
	message->set = message->to;
	message->set_id = id;
	message->to = put(message->to, id, 2) + 2;
}

static bool has_element(const struct ipfix_message *message, const struct element *element,
			unsigned int template)
{
	return (element->templates >> template & 1) && (!is_v9(message) || element->v9_id);
}

static void add_template(struct ipfix_message *message, unsigned int template)
{
	unsigned char *head = message->to;
	unsigned int n = 0;

	message->to += 4;
	for (size_t i = 0; i < N_ELEMENTS; i++) {
		const struct element *element = &elements[i];

		if (!has_element(message, element, template))
			continue;
		n++;
		if (is_v9(message)) {
			message->to = put(message->to, element->v9_id, 2);
			message->to = put(message->to, element->v9_length, 2);
			continue;
		}
		message->to =
			put(message->to, element->id | (element->is_ours ? ENTERPRISE_BIT : 0U), 2);
		message->to = put(message->to, element->length, 2);
		if (element->is_ours)
			message->to = put(message->to, message->style->enterprise, 4);
	}
	put(head, FIRST_TEMPLATE + template, 2);
	put(head + 2, n, 2);
	message->n++;
}

static void add_options_template(struct ipfix_message *message)
{
	begin_set(message, OPTIONS_SET);
	message->to = put(message->to, OPTIONS_TEMPLATE, 2);
	message->to = put(message->to, N_COUNTS, 2);
	message->to = put(message->to, 1, 2); /* the first is the scope */
	for (size_t i = 0; i < N_COUNTS; i++) {
		message->to = put(message->to, count_elements[i].id, 2);
		message->to = put(message->to, count_elements[i].length, 2);
	}
	message->n++;
}

void ipfix_add_templates(struct ipfix_message *message)
{
	begin_set(message, is_v9(message) ? TEMPLATE_SET_V9 : TEMPLATE_SET);
	for (unsigned int template = 0; template <FLOW_TEMPLATES; template ++)
		add_template(message, template);
	if (!is_v9(message))
		add_options_template(message);
	end_set(message);
}

void ipfix_add_counts(struct ipfix_message *message, const struct spool_sums *delivered,
		      const struct spool_sums *missed)
{
	const uint64_t counts[N_COUNTS] = {
		message->style->domain,
		delivered->records + missed->records,
		0,
		0,
		missed->records,
		missed->packets[0] + missed->packets[1],
		missed->bytes[0] + missed->bytes[1],
	};

	if (is_v9(message))
		return;
	begin_set(message, OPTIONS_TEMPLATE);
	for (size_t i = 0; i < N_COUNTS; i++)
		message->to = put(message->to, counts[i], count_elements[i].length);
	message->n++;
}

/* A text: with its length before it, or in v9 filled up with zeroes. */
static unsigned char *put_text(unsigned char *to, const char *text, size_t max, size_t fixed)
{
	size_t n = text ? strnlen(text, max) : 0;

	if (fixed) {
		n = n < fixed ? n : fixed - 1;
		memset(to, 0, fixed);
		if (n)
			memcpy(to, text, n);
		return to + fixed;
	}
	if (n < 255) {
		*to++ = (unsigned char)n;
	} else {
		*to++ = 255;
		to = put(to, n, 2);
	}
	if (n)
		memcpy(to, text, n);
	return to + n;
}

static unsigned char *put_element(unsigned char *to, const struct element *element, bool v9,
				  const struct export_batch *batch, size_t row)
{
	const struct traffic_record *record = &batch->records->records[row];
	size_t width = v9 ? element->v9_length : element->length, fixed = v9 ? width : 0;

	switch (element->source) {
	case FROM_BYTES:
		return put(to, record->bytes, width);
	case FROM_PACKETS:
		return put(to, record->packets, width);
	case FROM_WIRE_BYTES:
		return put(to, record->wire_bytes, width);
	case FROM_WIRE_PACKETS:
		return put(to, record->wire_packets, width);
	case FROM_PROTOCOL:
		return put(to, record->protocol, width);
	case FROM_SOURCE_PORT:
		return put(to, record->source_port, width);
	case FROM_DESTINATION_PORT:
		return put(to, record->destination_port, width);
	case FROM_SOURCE:
		return (unsigned char *)memcpy(to, record->source, width) + width;
	case FROM_DESTINATION:
		return (unsigned char *)memcpy(to, record->destination, width) + width;
	case FROM_DIRECTION:
		return put(to, record->direction == TRAFFIC_OUT, width);
	case FROM_INTERFACE:
		return put_text(to, record->interface, sizeof(record->interface), fixed);
	case FROM_PROGRAM:
		return put_text(to, record->program, sizeof(record->program), fixed);
	case FROM_USER:
		return put_text(to, batch->records->users[row], TEXT_MAX, fixed);
	case FROM_START:
		return put(to, record->start_ns / 1000000, width);
	case FROM_END:
		return put(to, record->end_ns / 1000000, width);
	case FROM_UID:
		return put(to, record->uid, width);
	case FROM_LOGIN_UID:
		return put(to, record->login_uid, width);
	case FROM_WORKLOAD:
		return put_text(to, record->workload, TEXT_MAX, fixed);
	case FROM_NETWORK:
		return put_text(to, record->network, TEXT_MAX, fixed);
	case FROM_BATCH:
		return put(to, batch->frame.batch, width);
	case FROM_RECORD:
		return put(to, batch->frame.first + row, width);
	case FROM_REPEATED:
		return put(to, batch->repeated, width);
	}
	return to;
}

bool ipfix_add_flow(struct ipfix_message *message, const struct export_batch *batch, size_t row)
{
	const struct traffic_record *record = &batch->records->records[row];
	unsigned int template = record->family == TRAFFIC_FAMILY_IPV4	? 0
				: record->family == TRAFFIC_FAMILY_IPV6 ? 1
									: 2;
	/* A set's head, the padding of the one before, and the record. */
	unsigned char scratch[IPFIX_RECORD_MAX + 8], *to = scratch;
	size_t n;

	for (size_t i = 0; i < N_ELEMENTS; i++) {
		if (has_element(message, &elements[i], template))
			to = put_element(to, &elements[i], is_v9(message), batch, row);
	}
	n = (size_t)(to - scratch);
	if (message->to + n + 8 > message->end)
		return false;
	begin_set(message, FIRST_TEMPLATE + template);
	memcpy(message->to, scratch, n);
	message->to += n;
	message->n++;
	return true;
}

size_t ipfix_end(struct ipfix_message *message, uint32_t sequence, uint64_t now_ms)
{
	unsigned char head[32], *to = head;
	size_t n_head = is_v9(message) ? 20 : 16;

	end_set(message);
	if (is_v9(message)) {
		to = put(to, 9, 2);
		to = put(to, message->n, 2);
		to = put(to, (uint32_t)(now_ms - message->style->boot_ms), 4);
	} else {
		to = put(to, 10, 2);
		to = put(to, (uint64_t)(message->to - message->begin), 2);
	}
	to = put(to, now_ms / 1000, 4);
	to = put(to, sequence, 4);
	put(to, message->style->domain, 4);
	memcpy(message->begin, head, n_head);
	return (size_t)(message->to - message->begin);
}
