// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/decode.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

_Static_assert((int)TRAFFIC_IN == METER_IN && (int)TRAFFIC_OUT == METER_OUT,
	       "both halves mean the same by a direction");

static void decode_owner(const struct owner *owner, struct traffic_record *record)
{
	record->uid = owner->uid;
	record->login_uid = owner->login_uid;
	record->cgroup_id = owner->cgroup;
	/* The kernel's, NUL-terminated but for what a fuzzer makes. */
	memcpy(record->program, owner->program, sizeof(record->program) - 1);
}

int decode_packet(const void *data, size_t size, struct traffic_record *ret)
{
	struct packet_record head;
	struct traffic_record record = { 0 };
	size_t address_size;

	if (size < sizeof(head))
		return -EBADMSG;
	memcpy(&head, data, sizeof(head));
	if (head.family == TRAFFIC_FAMILY_IPV4 && size == sizeof(struct packet_record_ipv4))
		address_size = 4;
	else if (head.family == TRAFFIC_FAMILY_IPV6 && size == sizeof(struct packet_record_ipv6))
		address_size = 16;
	else
		return -EBADMSG;
	if (head.direction >= METER_DIRECTIONS)
		return -EBADMSG;

	memcpy(record.source, (const char *)data + sizeof(head), address_size);
	memcpy(record.destination, (const char *)data + sizeof(head) + address_size, address_size);
	record.start_ns = record.end_ns = head.time_ns;
	record.bytes = head.bytes;
	record.wire_bytes = head.wire_bytes;
	record.wire_packets = head.wire_packets ? head.wire_packets : 1;
	record.packets = 1;
	decode_owner(&head.owner, &record);
	record.ifindex = head.ifindex;
	record.source_port = ntohs(head.source_port);
	record.destination_port = ntohs(head.destination_port);
	record.direction = head.direction;
	record.family = head.family;
	record.protocol = head.protocol;
	record.step = TRAFFIC_STEP_PACKET;
	*ret = record;
	return 0;
}

static void decode_value(const struct table_value *value, uint64_t extra_packets,
			 struct traffic_record *record)
{
	record->start_ns = value->first_ns;
	record->end_ns = value->last_ns > value->first_ns ? value->last_ns : value->first_ns;
	record->bytes = value->sum.bytes;
	record->wire_bytes = value->sum.bytes + value->extra_bytes;
	record->wire_packets = value->sum.packets + extra_packets;
	record->packets = value->sum.packets;
}

int decode_flow(const struct flow_key *key, const struct flow_value *value,
		struct traffic_record *ret)
{
	if (key->direction >= METER_DIRECTIONS ||
	    (key->family != TRAFFIC_FAMILY_IPV4 && key->family != TRAFFIC_FAMILY_IPV6))
		return -EBADMSG;
	*ret = (struct traffic_record){
		.ifindex = key->ifindex,
		.source_port = ntohs(key->source_port),
		.destination_port = ntohs(key->destination_port),
		.direction = key->direction,
		.family = key->family,
		.protocol = key->protocol,
		.step = TRAFFIC_STEP_FLOW,
	};
	memcpy(ret->source, key->source, sizeof(ret->source));
	memcpy(ret->destination, key->destination, sizeof(ret->destination));
	decode_owner(&value->owner, ret);
	ret->uid = key->uid;
	decode_value(&value->value, value->extra_packets, ret);
	return 0;
}

int decode_user(const struct user_key *key, const struct user_value *value,
		struct traffic_record *ret)
{
	if (key->direction >= METER_DIRECTIONS)
		return -EBADMSG;
	*ret = (struct traffic_record){
		.uid = key->uid,
		.login_uid = TRAFFIC_NO_UID,
		.direction = (uint8_t)key->direction,
		.step = TRAFFIC_STEP_USER,
	};
	decode_value(&value->value, value->extra_packets, ret);
	return 0;
}

void decode_total(enum meter_direction direction, const struct audit_value *difference,
		  uint64_t now_ns, struct traffic_record *ret)
{
	*ret = (struct traffic_record){
		.start_ns = now_ns,
		.end_ns = now_ns,
		.bytes = difference->total.bytes,
		.wire_bytes = difference->total.bytes + difference->total_extra_bytes,
		.wire_packets = difference->total.packets + difference->total_extra_packets,
		.packets = difference->total.packets,
		.uid = TRAFFIC_NO_UID,
		.login_uid = TRAFFIC_NO_UID,
		.direction = (uint8_t)direction,
		.step = TRAFFIC_STEP_TOTAL,
	};
}
