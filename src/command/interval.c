// SPDX-License-Identifier: GPL-2.0-or-later
#include "command/interval.h"

#include <inttypes.h>
#include <stdio.h>

#include "util/log.h"
#include "util/notify.h"

/* What had to be counted further down the ladder than the settings want. */
static void format_overload(const struct account_sum *sum, enum capture_records records, char *text,
			    size_t size)
{
	uint64_t by_flow = sum->step_packets[TRAFFIC_STEP_FLOW];
	uint64_t lower =
		sum->step_packets[TRAFFIC_STEP_USER] + sum->step_packets[TRAFFIC_STEP_TOTAL];

	if (records == CAPTURE_RECORDS_FLOW)
		by_flow = 0;
	text[0] = '\0';
	if (by_flow || lower)
		snprintf(text, size,
			 "; overload: %" PRIu64 " packets summed up by flow, %" PRIu64
			 " without addresses",
			 by_flow, lower);
}

void interval_tell(const struct account_sum *sum, uint64_t duration_ns,
		   enum capture_records records)
{
	char overload[128], text[320];

	format_overload(sum, records, overload, sizeof(overload));
	snprintf(text, sizeof(text),
		 "%.1f s: in %" PRIu64 " packets, %" PRIu64 " bytes; out %" PRIu64
		 " packets, %" PRIu64 " bytes; %" PRIu32 " users%s",
		 (double)duration_ns / 1e9, sum->packets[TRAFFIC_IN], sum->bytes[TRAFFIC_IN],
		 sum->packets[TRAFFIC_OUT], sum->bytes[TRAFFIC_OUT], sum->users, overload);
	log_info("%s", text);
	notify_status(text);
}
