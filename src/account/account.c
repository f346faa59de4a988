// SPDX-License-Identifier: GPL-2.0-or-later
#include "account/account.h"

#include <errno.h>
#include <string.h>

#define INTERVAL_FIRST 2

_Static_assert(sizeof(((struct traffic_record *)0)->interface) == IF_NAMESIZE,
	       "an interface's name fits a record");

int account_open(struct account *account)
{
	*account = (struct account){ .interval = INTERVAL_FIRST };
	return clock_open(&account->clock);
}

void account_close(struct account *account)
{
	clock_close(&account->clock);
	totals_free(&account->totals);
}

static int add_to_totals(struct account *account, struct traffic_record *record)
{
	struct total *total = totals_get(&account->totals, record->uid);

	if (!total)
		return -ENOMEM;
	if (total->interval != account->interval) {
		total->interval = account->interval;
		account->sum.users++;
	}
	if (record->direction == TRAFFIC_IN)
		total->in += record->bytes;
	else
		total->out += record->bytes;
	record->total_in = total->in;
	record->total_out = total->out;
	return 0;
}

int account_record(struct account *account, struct traffic_record *record)
{
	account->sum.packets[record->direction] += record->packets;
	account->sum.bytes[record->direction] += record->bytes;
	account->sum.step_packets[record->step] += record->packets;

	if (record->uid == TRAFFIC_NO_UID && record->step != TRAFFIC_STEP_TOTAL) {
		account->kernels_packets[record->direction] += record->packets;
		account->kernels_bytes[record->direction] += record->bytes;
	}
	record->start_ns = clock_wall_ns(&account->clock, record->start_ns);
	record->end_ns = clock_wall_ns(&account->clock, record->end_ns);
	if (record->ifindex)
		memcpy(record->interface, interfaces_name(&account->interfaces, record->ifindex),
		       sizeof(record->interface));
	return add_to_totals(account, record);
}

struct account_sum account_next_interval(struct account *account)
{
	struct account_sum sum = account->sum;

	account->sum = (struct account_sum){ 0 };
	account->interval =
		account->interval == UINT32_MAX ? INTERVAL_FIRST : account->interval + 1;
	interfaces_forget(&account->interfaces);
	return sum;
}
