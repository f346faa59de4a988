// SPDX-License-Identifier: GPL-2.0-or-later
#include "row.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define NS_PER_S 1000000000u

static void print_more(FILE *file, const struct traffic_record *record)
{
	/* The names by a switch and not getprotobynumber(), which reads a file for each row. */
	fprintf(file, ",%" PRIu64 ",%" PRIu64, record->packets, record->wire_bytes);
	switch (record->protocol) {
	case IPPROTO_TCP:
		fprintf(file, ",tcp");
		break;
	case IPPROTO_UDP:
		fprintf(file, ",udp");
		break;
	default:
		fprintf(file, ",%u", record->protocol);
	}
	fprintf(file, ",%u,%u,%s,%" PRIu64 ".%09" PRIu64 ",,%s,,packet,%" PRIu64 ",,",
		record->source_port, record->destination_port, record->interface,
		record->start_ns / NS_PER_S, record->start_ns % NS_PER_S, record->program,
		record->wire_packets);
}

int baseline_write_row(const char *directory, const char *nic_id,
		       const struct traffic_record *record, bool all)
{
	int family = record->family == TRAFFIC_FAMILY_IPV4 ? AF_INET : AF_INET6;
	char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN], path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/traffic_user_%s_%" PRIu32 ".log", directory, nic_id,
		 record->uid);
	inet_ntop(family, record->source, source, sizeof(source));
	inet_ntop(family, record->destination, destination, sizeof(destination));
	file = fopen(path, "a");
	if (!file)
		return -errno;
	fprintf(file, "%s,%" PRIu64 ",%s,%s,%" PRIu64 ".%09" PRIu64 ",%" PRIu64 ",%" PRIu64,
		record->direction == TRAFFIC_IN ? "in" : "out", record->bytes, source, destination,
		record->end_ns / NS_PER_S, record->end_ns % NS_PER_S, record->total_in,
		record->total_out);
	if (all)
		print_more(file, record);
	fputc('\n', file);
	return fclose(file) ? -errno : 0;
}
