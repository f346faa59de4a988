// SPDX-License-Identifier: GPL-2.0-or-later
#include "account/account.h"

#include <errno.h>
#include <string.h>

#include "util/log.h"

#define INTERVAL_FIRST 2

_Static_assert(sizeof(((struct traffic_record *)0)->interface) == IF_NAMESIZE,
	       "an interface's name fits a record");

int account_open(struct account *account, const struct account_settings *settings)
{
	int r;

	*account = (struct account){ .interval = INTERVAL_FIRST, .clock.fd = -1 };
	if ((r = clock_open(&account->clock)) < 0 ||
	    (r = totals_open(&account->totals, settings->totals, settings->committed)) < 0 ||
	    (!settings->raw_subuids && (r = subuid_open(&account->subuid, SUBUID_FILE)) < 0))
		return r;
	if (settings->cgroup_root &&
	    (r = cgroups_open(&account->cgroups, settings->cgroup_root)) < 0)
		log_warning_errno(r, "walk %s; records will not have cgroups",
				  settings->cgroup_root);
	return 0;
}

void account_close(struct account *account)
{
	clock_close(&account->clock);
	subuid_close(account->subuid);
	cgroups_close(account->cgroups);
	totals_close(&account->totals);
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
	totals_add(&account->totals, total, record->direction == TRAFFIC_IN ? record->bytes : 0,
		   record->direction == TRAFFIC_OUT ? record->bytes : 0);
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
	if (account->subuid && record->uid != TRAFFIC_NO_UID)
		record->uid = subuid_owner(account->subuid, record->uid);
	record->start_ns = clock_wall_ns(&account->clock, record->start_ns);
	record->end_ns = clock_wall_ns(&account->clock, record->end_ns);
	if (record->ifindex)
		memcpy(record->interface, interfaces_name(&account->interfaces, record->ifindex),
		       sizeof(record->interface));
	return add_to_totals(account, record);
}

const char *account_cgroup(struct account *account, uint64_t id)
{
	return account->cgroups && id ? cgroups_path(account->cgroups, id) : NULL;
}

void account_reload(struct account *account)
{
	if (account->subuid)
		subuid_refresh(account->subuid);
}

struct account_sum account_next_interval(struct account *account)
{
	struct account_sum sum = account->sum;

	account->sum = (struct account_sum){ 0 };
	account->interval =
		account->interval == UINT32_MAX ? INTERVAL_FIRST : account->interval + 1;
	interfaces_forget(&account->interfaces);
	account_reload(account);
	return sum;
}
