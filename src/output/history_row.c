// SPDX-License-Identifier: GPL-2.0-or-later
#include "output/history_row.h"

#include <string.h>

#include "output/format.h"

/* Ports from here on are what systems give to clients: neither is a server's then. */
#define EPHEMERAL_MIN 32768

#define SERVICE_NONE (-1)

/* UTF-8 as it is, what is none as U+FFFD, control characters as '?'. Cut at what fits. */
static void copy_text(char *to, size_t size, const char *text, size_t n)
{
	char *end = to + size - 4;

	while (n && to < end) {
		size_t length = format_character_length(text, n);
		unsigned char first = (unsigned char)*text;

		if (!length) {
			memcpy(to, "\xef\xbf\xbd", 3);
			to += 3;
			length = 1;
		} else if (first < 0x20 || first == 0x7f ||
			   (first == 0xc2 && (unsigned char)text[1] < 0xa0)) {
			*to++ = '?';
		} else {
			memcpy(to, text, length);
			to += length;
		}
		text += length;
		n -= length;
	}
	*to = '\0';
}

void history_text_copy(char *to, size_t size, const char *text)
{
	copy_text(to, size, text, strnlen(text, size));
}

static void copy_string(char *to, size_t size, const char *text)
{
	copy_text(to, size, text ?: "", text ? strnlen(text, size) : 0);
}

static void mask(uint8_t address[16], unsigned int bits)
{
	for (unsigned int i = 0; i<16; i++, bits = bits> 8 ? bits - 8 : 0)
		address[i] &= bits >= 8 ? 0xff : (uint8_t)(0xff00 >> bits);
}

static void put_remote(const struct traffic_record *record, unsigned int bits, char *to)
{
	uint8_t address[16];

	memcpy(address, record->direction == TRAFFIC_IN ? record->source : record->destination,
	       sizeof(address));
	mask(address, bits);
	to = format_address(to, record->family, address);
	*to++ = '/';
	to = format_number(to, bits);
	*to = '\0';
}

static int32_t find_service(const struct traffic_record *record)
{
	uint16_t port = record->source_port < record->destination_port ? record->source_port
								       : record->destination_port;

	if (port >= EPHEMERAL_MIN)
		port = 0;
	return record->protocol * 65536 + port;
}

void history_row_make(const struct traffic_record *record, unsigned int ipv4_bits,
		      unsigned int ipv6_bits, struct history_texts *texts, struct store_row *ret)
{
	bool known = record->family != TRAFFIC_FAMILY_NONE;
	int way = record->direction == TRAFFIC_IN ? 0 : 1;

	*texts->remote = '\0';
	if (known)
		put_remote(record, record->family == TRAFFIC_FAMILY_IPV4 ? ipv4_bits : ipv6_bits,
			   texts->remote);
	copy_string(texts->network, sizeof(texts->network), record->network);
	copy_text(texts->interface, sizeof(texts->interface), record->interface,
		  strnlen(record->interface, sizeof(record->interface)));
	copy_text(texts->program, sizeof(texts->program), record->program,
		  strnlen(record->program, sizeof(record->program)));
	/* Logins are many, and nobody asks for one by its number; jobs are asked for. */
	if (record->workload && strncmp(record->workload, "session:", 8) == 0)
		strcpy(texts->workload, "session");
	else
		copy_string(texts->workload, sizeof(texts->workload), record->workload);
	*ret = (struct store_row){
		.time_s = (int64_t)(record->end_ns / 1000000000),
		.user = record->uid,
		.login = record->login_uid,
		.service = known ? find_service(record) : SERVICE_NONE,
		.remote = texts->remote,
		.network = texts->network,
		.interface = texts->interface,
		.program = texts->program,
		.workload = texts->workload,
	};
	ret->amounts.bytes[way] = record->bytes;
	ret->amounts.wire_bytes[way] = record->wire_bytes;
	ret->amounts.packets[way] = record->packets;
	ret->amounts.wire_packets[way] = record->wire_packets;
}
