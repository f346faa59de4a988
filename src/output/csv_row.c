// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rows of CSV. Whatever a program or cgroup is called, a row is one line of valid UTF-8: text is
 * quoted by RFC 4180, and what would break the line or the terminal of the reader becomes `?`.
 */
#include "output/csv_row.h"

#include <string.h>

#include "output/format.h"

#define COLUMNS_ORIGINAL "direction,bytes,src_ip,dst_ip,timestamp,total_in,total_out"
#define COLUMNS_MORE                                                                              \
	"packets,wire_bytes,protocol,src_port,dst_port,interface,start,login_uid,program,cgroup," \
	"step,wire_packets,network,workload"

/* All columns but the cgroup, network and workload come to less than 400 bytes, also when the names
 * (15 bytes at most) are all quotes. */
#define ROW_MAX 512

const char *csv_row_header(enum csv_columns columns)
{
	return columns == CSV_COLUMNS_ALL ? COLUMNS_ORIGINAL "," COLUMNS_MORE "\n"
					  : COLUMNS_ORIGINAL "\n";
}

size_t csv_row_bound(const struct traffic_record *record, enum csv_columns columns)
{
	size_t bound = ROW_MAX;

	if (columns == CSV_COLUMNS_ORIGINAL)
		return bound;
	if (record->cgroup)
		bound += 2 * strnlen(record->cgroup, CSV_ROW_CGROUP_MAX);
	if (record->network)
		bound += 2 * strnlen(record->network, CSV_ROW_NAME_MAX);
	if (record->workload)
		bound += 2 * strnlen(record->workload, CSV_ROW_NAME_MAX);
	return bound;
}

/* Is the character at `text` a control character, of ASCII or of Latin 1 (U+0080..U+009F)? */
static bool is_control(const char *text, size_t length)
{
	unsigned char first = (unsigned char)text[0];

	if (length == 1)
		return first < 0x20 || first == 0x7f;
	return length == 2 && first == 0xc2 && (unsigned char)text[1] < 0xa0;
}

/* Text that needs quotes, or has a byte to be looked at more closely. */
static char *append_odd_text(char *to, const char *text, size_t n)
{
	bool quote = memchr(text, ',', n) || memchr(text, '"', n);

	if (quote)
		*to++ = '"';
	while (n) {
		size_t length = format_character_length(text, n);

		if (!length || is_control(text, length)) {
			*to++ = '?';
			length = length ? length : 1;
		} else {
			if (*text == '"')
				*to++ = '"';
			memcpy(to, text, length);
			to += length;
		}
		text += length;
		n -= length;
	}
	if (quote)
		*to++ = '"';
	return to;
}

/* Writes at most 2 * n + 2 bytes. */
static char *append_text(char *to, const char *text, size_t max)
{
	size_t n = strnlen(text, max);

	for (size_t i = 0; i < n; i++) {
		if ((signed char)text[i] < 0x20 || text[i] == 0x7f || text[i] == ',' ||
		    text[i] == '"')
			return append_odd_text(to, text, n);
		to[i] = text[i];
	}
	return to + n;
}

static char *append_original(char *to, const struct traffic_record *record)
{
	to = format_direction(to, record->direction);
	*to++ = ',';
	to = format_number(to, record->bytes);
	*to++ = ',';
	to = format_address(to, record->family, record->source);
	*to++ = ',';
	to = format_address(to, record->family, record->destination);
	*to++ = ',';
	to = format_time(to, record->end_ns);
	*to++ = ',';
	to = format_number(to, record->total_in);
	*to++ = ',';
	return format_number(to, record->total_out);
}

/* Protocol and ports, which only a record with a family has. */
static char *append_ends(char *to, const struct traffic_record *record)
{
	bool known = record->family != TRAFFIC_FAMILY_NONE;

	if (known)
		to = format_protocol(to, record->protocol);
	*to++ = ',';
	if (known)
		to = format_number(to, record->source_port);
	*to++ = ',';
	if (known)
		to = format_number(to, record->destination_port);
	return to;
}

static char *append_more(char *to, const struct traffic_record *record)
{
	*to++ = ',';
	to = format_number(to, record->packets);
	*to++ = ',';
	to = format_number(to, record->wire_bytes);
	*to++ = ',';
	to = append_ends(to, record);
	*to++ = ',';
	to = append_text(to, record->interface, sizeof(record->interface));
	*to++ = ',';
	to = format_time(to, record->start_ns);
	*to++ = ',';
	if (record->login_uid != TRAFFIC_NO_UID)
		to = format_number(to, record->login_uid);
	*to++ = ',';
	to = append_text(to, record->program, sizeof(record->program));
	*to++ = ',';
	if (record->cgroup)
		to = append_text(to, record->cgroup, CSV_ROW_CGROUP_MAX);
	*to++ = ',';
	to = format_step(to, record->step);
	*to++ = ',';
	to = format_number(to, record->wire_packets);
	*to++ = ',';
	if (record->network)
		to = append_text(to, record->network, CSV_ROW_NAME_MAX);
	*to++ = ',';
	if (record->workload)
		to = append_text(to, record->workload, CSV_ROW_NAME_MAX);
	return to;
}

char *csv_row_append(char *to, const struct traffic_record *record, enum csv_columns columns)
{
	to = append_original(to, record);
	if (columns == CSV_COLUMNS_ALL)
		to = append_more(to, record);
	*to++ = '\n';
	return to;
}

bool csv_row_read_totals(const char *row, uint64_t *ret_in, uint64_t *ret_out)
{
	uint64_t bytes;

	if (strncmp(row, "in,", 3) != 0 && strncmp(row, "out,", 4) != 0)
		return false;
	row = format_read_number(strchr(row, ',') + 1, &bytes);
	if (!row || *row != ',')
		return false;
	/* Both addresses and the time, none of which is ever quoted. */
	for (int i = 0; i < 3; i++) {
		row = strchr(row + 1, ',');
		if (!row)
			return false;
	}
	return (row = format_read_number(row + 1, ret_in)) && *row == ',' &&
	       (row = format_read_number(row + 1, ret_out)) && (!*row || *row == ',');
}

/* The common part of two texts, one of them n bytes, is the same. */
static bool agrees(const char *text, size_t n, const char *with)
{
	size_t length = strlen(with);

	return memcmp(text, with, n < length ? n : length) == 0;
}

bool csv_row_begins(const char *text, size_t n)
{
	size_t at;

	if (agrees(text, n, COLUMNS_ORIGINAL))
		return true;
	if (agrees(text, n, "in,"))
		at = 3;
	else if (agrees(text, n, "out,"))
		at = 4;
	else
		return false;
	/* The bytes, and a comma behind them. */
	while (at < n && text[at] >= '0' && text[at] <= '9')
		at++;
	return at >= n || text[at] == ',';
}
