// SPDX-License-Identifier: GPL-2.0-or-later
#include "export/line.h"

#include <string.h>
#include <time.h>

#include "output/format.h"
#include "output/json_row.h"

/* A literal, without strlen() at run time. */
#define PUT(to, literal) ((char *)memcpy(to, literal, sizeof(literal) - 1) + sizeof(literal) - 1)

static char *put_text(char *to, const char *text, size_t max)
{
	return text && *text ? json_row_append_text(to, text, strnlen(text, max)) : PUT(to, "null");
}

static char *put_uid(char *to, uint32_t uid)
{
	return uid == TRAFFIC_NO_UID ? PUT(to, "null") : format_number(to, uid);
}

static char *put_ends(char *to, const struct traffic_record *record)
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

/* What makes the line one of its kind: machine, batch and place in it. */
static char *put_identity(char *to, const struct export_batch *batch, size_t row)
{
	to = PUT(to, ",\"batch\":");
	to = format_number(to, batch->frame.batch);
	to = PUT(to, ",\"record\":");
	to = format_number(to, batch->frame.first + row);
	return batch->repeated ? PUT(to, ",\"repeated\":true") : to;
}

static char *put_own(char *to, const struct export_batch *batch, size_t row, size_t max)
{
	const struct traffic_record *record = &batch->records->records[row];

	to = PUT(to, "{\"time\":");
	to = format_time(to, record->end_ns);
	to = PUT(to, ",\"start\":");
	to = format_time(to, record->start_ns);
	to = PUT(to, ",\"host\":");
	to = put_text(to, batch->records->host, 256);
	to = PUT(to, ",\"direction\":\"");
	to = format_direction(to, record->direction);
	to = PUT(to, "\",\"uid\":");
	to = put_uid(to, record->uid);
	to = PUT(to, ",\"user\":");
	to = put_text(to, batch->records->users[row], max);
	to = PUT(to, ",\"login_uid\":");
	to = put_uid(to, record->login_uid);
	to = put_ends(to, record);
	to = PUT(to, ",\"interface\":");
	to = put_text(to, record->interface, sizeof(record->interface));
	to = PUT(to, ",\"bytes\":");
	to = format_number(to, record->bytes);
	to = PUT(to, ",\"wire_bytes\":");
	to = format_number(to, record->wire_bytes);
	to = PUT(to, ",\"packets\":");
	to = format_number(to, record->packets);
	to = PUT(to, ",\"wire_packets\":");
	to = format_number(to, record->wire_packets);
	to = PUT(to, ",\"program\":");
	to = put_text(to, record->program, sizeof(record->program));
	to = PUT(to, ",\"cgroup\":");
	to = put_text(to, record->cgroup, max);
	to = PUT(to, ",\"network\":");
	to = put_text(to, record->network, max);
	to = PUT(to, ",\"workload\":");
	to = put_text(to, record->workload, max);
	to = PUT(to, ",\"step\":\"");
	to = format_step(to, record->step);
	*to++ = '"';
	to = put_identity(to, batch, row);
	*to++ = '}';
	return to;
}

/* 2026-11-25T08:00:00.123456Z */
static char *put_date(char *to, uint64_t time_ns)
{
	time_t time = (time_t)(time_ns / 1000000000);
	struct tm tm;
	uint64_t micro = time_ns / 1000 % 1000000;

	gmtime_r(&time, &tm);
	to += strftime(to, 32, "%Y-%m-%dT%H:%M:%S.", &tm);
	for (uint64_t unit = 100000; unit; unit /= 10)
		*to++ = (char)('0' + micro / unit % 10);
	*to++ = 'Z';
	return to;
}

static char *put_ecs_ends(char *to, const struct traffic_record *record)
{
	if (record->family == TRAFFIC_FAMILY_NONE)
		return to;
	to = PUT(to, ",\"network.transport\":\"");
	to = format_protocol(to, record->protocol);
	to = PUT(to, "\",\"source.ip\":\"");
	to = format_address(to, record->family, record->source);
	to = PUT(to, "\",\"destination.ip\":\"");
	to = format_address(to, record->family, record->destination);
	to = PUT(to, "\",\"source.port\":");
	to = format_number(to, record->source_port);
	to = PUT(to, ",\"destination.port\":");
	return format_number(to, record->destination_port);
}

static char *put_ecs(char *to, const struct export_batch *batch, size_t row, size_t max)
{
	const struct traffic_record *record = &batch->records->records[row];

	to = PUT(to, "{\"@timestamp\":\"");
	to = put_date(to, record->end_ns);
	to = PUT(to, "\",\"event.start\":\"");
	to = put_date(to, record->start_ns);
	to = PUT(to, "\",\"event.end\":\"");
	to = put_date(to, record->end_ns);
	to = PUT(to, "\",\"event.kind\":\"event\",\"event.category\":\"network\",\"event.dataset\":"
		     "\"traffic-meter.flow\",\"host.name\":");
	to = put_text(to, batch->records->host, 256);
	to = PUT(to, ",\"network.direction\":\"");
	to = record->direction == TRAFFIC_IN ? PUT(to, "ingress") : PUT(to, "egress");
	to = PUT(to, "\",\"user.id\":");
	if (record->uid == TRAFFIC_NO_UID) {
		to = PUT(to, "null");
	} else {
		*to++ = '"';
		to = format_number(to, record->uid);
		*to++ = '"';
	}
	to = PUT(to, ",\"user.name\":");
	to = put_text(to, batch->records->users[row], max);
	to = put_ecs_ends(to, record);
	to = PUT(to, ",\"network.bytes\":");
	to = format_number(to, record->bytes);
	to = PUT(to, ",\"network.packets\":");
	to = format_number(to, record->packets);
	to = PUT(to, ",\"network.name\":");
	to = put_text(to, record->network, max);
	to = PUT(to, ",\"process.name\":");
	to = put_text(to, record->program, sizeof(record->program));
	to = PUT(to, ",\"observer.ingress.interface.name\":");
	to = put_text(to, record->interface, sizeof(record->interface));
	to = PUT(to, ",\"traffic.login_uid\":");
	to = put_uid(to, record->login_uid);
	to = PUT(to, ",\"traffic.wire_bytes\":");
	to = format_number(to, record->wire_bytes);
	to = PUT(to, ",\"traffic.wire_packets\":");
	to = format_number(to, record->wire_packets);
	to = PUT(to, ",\"traffic.cgroup\":");
	to = put_text(to, record->cgroup, max);
	to = PUT(to, ",\"traffic.workload\":");
	to = put_text(to, record->workload, max);
	to = put_identity(to, batch, row);
	*to++ = '}';
	return to;
}

char *line_append(char *to, const struct export_batch *batch, size_t row, enum line_names names,
		  size_t text_max)
{
	return names == LINE_NAMES_ECS ? put_ecs(to, batch, row, text_max)
				       : put_own(to, batch, row, text_max);
}
