// SPDX-License-Identifier: GPL-2.0-or-later
/* Whatever bytes a name holds, a message is one line of valid UTF-8 in which no value ends early. */
#include "export/syslog_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "output/format.h"

#define PUT(to, literal) ((char *)memcpy(to, literal, sizeof(literal) - 1) + sizeof(literal) - 1)

/* The bytes of `special` get a backslash; what is no UTF-8 or a control character becomes U+FFFD. */
static char *put_value(char *to, const char *text, size_t max, const char *special)
{
	size_t n = text ? strnlen(text, max) : 0;

	while (n) {
		size_t length = format_character_length(text, n);
		unsigned char first = (unsigned char)*text;

		if (length == 0 || first < 0x20 || first == 0x7f ||
		    (first == 0xc2 && (unsigned char)text[1] < 0xa0)) {
			to = PUT(to, "\xef\xbf\xbd");
			length = length ? length : 1;
		} else {
			if (strchr(special, first))
				*to++ = '\\';
			memcpy(to, text, length);
			to += length;
		}
		text += length;
		n -= length;
	}
	return to;
}

/* One of the two kinds of `name=value`. */
struct pairs {
	char *to;
	bool is_sd; /* name="value", else CEF's name=value */
};

static void begin_pair(struct pairs *pairs, const char *name)
{
	pairs->to = stpcpy(pairs->to, " ");
	pairs->to = stpcpy(pairs->to, name);
	pairs->to = stpcpy(pairs->to, pairs->is_sd ? "=\"" : "=");
}

static void end_pair(struct pairs *pairs)
{
	if (pairs->is_sd)
		*pairs->to++ = '"';
}

static void add_text(struct pairs *pairs, const char *name, const char *text, size_t max)
{
	if (!text || !*text)
		return;
	begin_pair(pairs, name);
	pairs->to = put_value(pairs->to, text, max, pairs->is_sd ? "\"\\]" : "\\=");
	end_pair(pairs);
}

static void add_number(struct pairs *pairs, const char *name, uint64_t number)
{
	begin_pair(pairs, name);
	pairs->to = format_number(pairs->to, number);
	end_pair(pairs);
}

static void add_address(struct pairs *pairs, const char *name, uint8_t family,
			const uint8_t address[16])
{
	begin_pair(pairs, name);
	pairs->to = format_address(pairs->to, family, address);
	end_pair(pairs);
}

static void add_protocol(struct pairs *pairs, const char *name, uint8_t protocol)
{
	begin_pair(pairs, name);
	pairs->to = format_protocol(pairs->to, protocol);
	end_pair(pairs);
}

static void add_identity(struct pairs *pairs, const struct export_batch *batch, size_t row)
{
	add_number(pairs, "batch", batch->frame.batch);
	add_number(pairs, "record", batch->frame.first + row);
	if (batch->repeated)
		add_number(pairs, "repeated", 1);
}

static char *put_sd(char *to, const struct syslog_style *style, const struct export_batch *batch,
		    size_t row)
{
	const struct traffic_record *record = &batch->records->records[row];
	struct pairs pairs = { .is_sd = true };

	to = PUT(to, "[traffic@");
	pairs.to = format_number(to, style->enterprise);
	add_text(&pairs, "direction", record->direction == TRAFFIC_IN ? "in" : "out", 3);
	if (record->uid != TRAFFIC_NO_UID)
		add_number(&pairs, "uid", record->uid);
	add_text(&pairs, "user", batch->records->users[row], SYSLOG_TEXT_MAX);
	if (record->login_uid != TRAFFIC_NO_UID)
		add_number(&pairs, "login_uid", record->login_uid);
	if (record->family != TRAFFIC_FAMILY_NONE) {
		add_protocol(&pairs, "protocol", record->protocol);
		add_address(&pairs, "src", record->family, record->source);
		add_address(&pairs, "dst", record->family, record->destination);
		add_number(&pairs, "src_port", record->source_port);
		add_number(&pairs, "dst_port", record->destination_port);
	}
	add_text(&pairs, "interface", record->interface, sizeof(record->interface));
	add_number(&pairs, "bytes", record->bytes);
	add_number(&pairs, "wire_bytes", record->wire_bytes);
	add_number(&pairs, "packets", record->packets);
	add_number(&pairs, "wire_packets", record->wire_packets);
	add_text(&pairs, "program", record->program, sizeof(record->program));
	add_text(&pairs, "cgroup", record->cgroup, SYSLOG_TEXT_MAX);
	add_text(&pairs, "network", record->network, SYSLOG_TEXT_MAX);
	add_text(&pairs, "workload", record->workload, SYSLOG_TEXT_MAX);
	add_identity(&pairs, batch, row);
	*pairs.to++ = ']';
	return pairs.to;
}

/* bytes in and out are the machine's, as `src` and `dst` are the packet's. */
static char *put_cef(char *to, const struct export_batch *batch, size_t row)
{
	const struct traffic_record *record = &batch->records->records[row];
	bool is_in = record->direction == TRAFFIC_IN;
	struct pairs pairs = { 0 };

	pairs.to =
		PUT(to, "CEF:0|traffic-meter|traffic-meter|" VERSION "|flow|network flow|1|start=");
	pairs.to = format_number(pairs.to, record->start_ns / 1000000);
	add_number(&pairs, "end", record->end_ns / 1000000);
	add_number(&pairs, "deviceDirection", !is_in);
	add_number(&pairs, is_in ? "in" : "out", record->bytes);
	add_number(&pairs, "cnt", record->packets);
	if (record->family != TRAFFIC_FAMILY_NONE) {
		add_protocol(&pairs, "proto", record->protocol);
		add_address(&pairs, "src", record->family, record->source);
		add_address(&pairs, "dst", record->family, record->destination);
		add_number(&pairs, "spt", record->source_port);
		add_number(&pairs, "dpt", record->destination_port);
	}
	if (record->uid != TRAFFIC_NO_UID)
		add_number(&pairs, is_in ? "duid" : "suid", record->uid);
	add_text(&pairs, is_in ? "duser" : "suser", batch->records->users[row], SYSLOG_TEXT_MAX);
	add_text(&pairs, is_in ? "dproc" : "sproc", record->program, sizeof(record->program));
	add_text(&pairs, is_in ? "deviceInboundInterface" : "deviceOutboundInterface",
		 record->interface, sizeof(record->interface));
	add_text(&pairs, "dvchost", batch->records->host, 255);
	if (record->workload) {
		add_text(&pairs, "cs1", record->workload, SYSLOG_TEXT_MAX);
		add_text(&pairs, "cs1Label", "workload", 16);
	}
	if (record->network) {
		add_text(&pairs, "cs2", record->network, SYSLOG_TEXT_MAX);
		add_text(&pairs, "cs2Label", "network", 16);
	}
	pairs.to = stpcpy(pairs.to, " externalId=");
	pairs.to = format_number(pairs.to, batch->frame.batch);
	*pairs.to++ = '.';
	pairs.to = format_number(pairs.to, batch->frame.first + row);
	return batch->repeated ? stpcpy(pairs.to, " reason=repeated") : pairs.to;
}

/* A word of the header: printable ASCII without a space. */
static char *put_word(char *to, const char *word, size_t max)
{
	if (!*word)
		*to++ = '-';
	for (size_t i = 0; i < max && word[i]; i++)
		*to++ = (char)(word[i] > ' ' && word[i] < 0x7f ? word[i] : '?');
	return to;
}

static char *put_header(char *to, const struct syslog_style *style,
			const struct export_batch *batch, size_t row)
{
	uint64_t end_ns = batch->records->records[row].end_ns;
	time_t time = (time_t)(end_ns / 1000000000);
	struct tm tm;

	*to++ = '<';
	to = format_number(to, (uint64_t)style->priority);
	*to++ = '>';
	if (style->is_local) {
		localtime_r(&time, &tm);
		to += strftime(to, 32, "%b %e %H:%M:%S traffic-meter[", &tm);
		to = format_number(to, (uint64_t)getpid());
		return PUT(to, "]: ");
	}
	gmtime_r(&time, &tm);
	to += strftime(to, 40, "1 %Y-%m-%dT%H:%M:%S.", &tm);
	for (uint64_t micro = end_ns / 1000 % 1000000, unit = 100000; unit; unit /= 10)
		*to++ = (char)('0' + micro / unit % 10);
	to = PUT(to, "Z ");
	to = put_word(to, batch->records->host, 255);
	to = PUT(to, " traffic-meter ");
	to = format_number(to, (uint64_t)getpid());
	return PUT(to, " flow ");
}

char *syslog_append(char *to, const struct syslog_style *style, const struct export_batch *batch,
		    size_t row)
{
	to = put_header(to, style, batch, row);
	if (style->format == SYSLOG_SD)
		return put_sd(to, style, batch, row);
	if (!style->is_local)
		to = PUT(to, "- ");
	if (style->format == SYSLOG_CEF)
		return put_cef(to, batch, row);
	return line_append(to, batch, row, LINE_NAMES_OWN, SYSLOG_TEXT_MAX);
}

char *syslog_append_counted(char *to, const struct syslog_style *style,
			    const struct export_batch *batch, size_t row)
{
	char count[FORMAT_NUMBER_MAX + 1], *message = to + sizeof(count), *end, *end_count;

	if (style->is_local) {
		to = syslog_append(to, style, batch, row);
		*to++ = '\n';
		return to;
	}
	end = syslog_append(message, style, batch, row);
	end_count = format_number(count, (uint64_t)(end - message));
	*end_count++ = ' ';
	memcpy(to, count, (size_t)(end_count - count));
	memmove(to + (end_count - count), message, (size_t)(end - message));
	return to + (end_count - count) + (end - message);
}
