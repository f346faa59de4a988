// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines of JSON. Whatever bytes a name holds, the line is valid JSON in valid UTF-8: a byte that is
 * no part of a character becomes U+FFFD, and control characters are escaped, also those that JSON
 * would let through to the terminal of whoever looks at the file.
 */
#include "output/json_row.h"

#include <string.h>

#include "output/format.h"

/* A literal, without strlen() at run time. */
#define PUT(to, literal) ((char *)memcpy(to, literal, sizeof(literal) - 1) + sizeof(literal) - 1)

/* c: up to U+009F */
static char *append_escaped(char *to, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";

	switch (c) {
	case '"':
		return PUT(to, "\\\"");
	case '\\':
		return PUT(to, "\\\\");
	case '\n':
		return PUT(to, "\\n");
	case '\t':
		return PUT(to, "\\t");
	}
	to = PUT(to, "\\u00");
	*to++ = digits[c >> 4];
	*to++ = digits[c & 15];
	return to;
}

char *json_row_append_text(char *to, const char *text, size_t n)
{
	*to++ = '"';
	while (n) {
		size_t length = format_character_length(text, n);
		unsigned char first = (unsigned char)*text;

		if (length == 0) {
			to = PUT(to, "\xef\xbf\xbd");
			length = 1;
		} else if (first < 0x20 || first == '"' || first == '\\' || first == 0x7f) {
			to = append_escaped(to, first);
		} else if (first == 0xc2 && (unsigned char)text[1] < 0xa0) {
			to = append_escaped(to, (unsigned char)text[1]);
		} else {
			memcpy(to, text, length);
			to += length;
		}
		text += length;
		n -= length;
	}
	*to++ = '"';
	return to;
}

static char *append_text_or_null(char *to, const char *text, size_t max)
{
	return text && *text ? json_row_append_text(to, text, strnlen(text, max)) : PUT(to, "null");
}

static char *append_uid(char *to, uint32_t uid)
{
	return uid == TRAFFIC_NO_UID ? PUT(to, "null") : format_number(to, uid);
}

/* When, which way, and whose. */
static char *append_owner(char *to, const struct traffic_record *record, const char *user)
{
	to = PUT(to, "{\"time\":");
	to = format_time(to, record->end_ns);
	to = PUT(to, ",\"start\":");
	to = format_time(to, record->start_ns);
	to = PUT(to, ",\"direction\":\"");
	to = format_direction(to, record->direction);
	to = PUT(to, "\",\"uid\":");
	to = append_uid(to, record->uid);
	to = PUT(to, ",\"user\":");
	to = append_text_or_null(to, user, JSON_ROW_USER_MAX);
	to = PUT(to, ",\"login_uid\":");
	return append_uid(to, record->login_uid);
}

/* The ends, which only a record with a family has. */
static char *append_ends(char *to, const struct traffic_record *record)
{
	if (record->family == TRAFFIC_FAMILY_NONE)
		return PUT(to, ",\"protocol\":null,\"src\":null,\"dst\":null,\"src_port\":null,"
			       "\"dst_port\":null");
	to = PUT(to, ",\"protocol\":\"");
	to = format_protocol(to, record->protocol);
	to = PUT(to, "\",\"src\":\"");
	to = format_address(to, record->family, record->source);
	to = PUT(to, "\",\"dst\":\"");
	to = format_address(to, record->family, record->destination);
	to = PUT(to, "\",\"src_port\":");
	to = format_number(to, record->source_port);
	to = PUT(to, ",\"dst_port\":");
	return format_number(to, record->destination_port);
}

static char *append_amounts(char *to, const struct traffic_record *record)
{
	to = PUT(to, ",\"bytes\":");
	to = format_number(to, record->bytes);
	to = PUT(to, ",\"wire_bytes\":");
	to = format_number(to, record->wire_bytes);
	to = PUT(to, ",\"packets\":");
	to = format_number(to, record->packets);
	to = PUT(to, ",\"total_in\":");
	to = format_number(to, record->total_in);
	to = PUT(to, ",\"total_out\":");
	return format_number(to, record->total_out);
}

char *json_row_append(char *to, const struct traffic_record *record, const char *user,
		      uint64_t batch)
{
	to = append_owner(to, record, user);
	to = append_ends(to, record);
	to = PUT(to, ",\"interface\":");
	to = append_text_or_null(to, record->interface, sizeof(record->interface));
	to = append_amounts(to, record);
	to = PUT(to, ",\"program\":");
	to = append_text_or_null(to, record->program, sizeof(record->program));
	to = PUT(to, ",\"cgroup\":");
	to = append_text_or_null(to, record->cgroup, JSON_ROW_CGROUP_MAX);
	to = PUT(to, ",\"step\":\"");
	to = format_step(to, record->step);
	to = PUT(to, "\",\"batch\":");
	to = format_number(to, batch);
	to = PUT(to, ",\"wire_packets\":");
	to = format_number(to, record->wire_packets);
	to = PUT(to, ",\"network\":");
	to = append_text_or_null(to, record->network, JSON_ROW_NAME_MAX);
	to = PUT(to, ",\"workload\":");
	to = append_text_or_null(to, record->workload, JSON_ROW_NAME_MAX);
	return PUT(to, "}\n");
}

/* The text behind `,"key":`, which stands nowhere in a string: a quote in there has a backslash. */
static const char *find_value(const char *line, const char *key)
{
	const char *at = strstr(line, key);

	return at ? at + strlen(key) : NULL;
}

static bool read_number(const char *line, const char *key, uint64_t *ret)
{
	const char *at = find_value(line, key);

	at = at ? format_read_number(at, ret) : NULL;
	return at && (*at == ',' || strcmp(at, "}") == 0);
}

static bool read_uid(const char *line, uint32_t *ret)
{
	const char *at = find_value(line, ",\"uid\":");
	uint64_t number;

	if (at && strncmp(at, "null,", 5) == 0) {
		*ret = TRAFFIC_NO_UID;
		return true;
	}
	if (!read_number(line, ",\"uid\":", &number) || number >= TRAFFIC_NO_UID)
		return false;
	*ret = (uint32_t)number;
	return true;
}

static bool read_direction(const char *line, uint8_t *ret)
{
	const char *at = find_value(line, ",\"direction\":\"");
	bool in = at && strncmp(at, "in\",", 4) == 0;

	*ret = in ? TRAFFIC_IN : TRAFFIC_OUT;
	return in || (at && strncmp(at, "out\",", 5) == 0);
}

bool json_row_read_place(const char *line, struct json_place *ret)
{
	return strncmp(line, "{\"time\":", 8) == 0 && read_direction(line, &ret->direction) &&
	       read_uid(line, &ret->uid) && read_number(line, ",\"total_in\":", &ret->total_in) &&
	       read_number(line, ",\"total_out\":", &ret->total_out) &&
	       read_number(line, ",\"batch\":", &ret->batch);
}

bool json_row_begins(const char *text, size_t n)
{
	static const char start[] = "{\"time\":";
	const size_t length = sizeof(start) - 1;

	return memcmp(text, start, n < length ? n : length) == 0 &&
	       (n <= length || (text[length] >= '0' && text[length] <= '9'));
}
