// SPDX-License-Identifier: GPL-2.0-or-later
#include "account/account.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "account/state.h"
#include "util/cleanup.h"
#include "util/log.h"

#define INTERVAL_FIRST 2

_Static_assert(sizeof(((struct traffic_record *)0)->interface) == IF_NAMESIZE,
	       "an interface's name fits a record");

int account_open(struct account *account, const struct account_settings *settings)
{
	struct subuid *subuid;
	int r;

	*account = (struct account){ .interval = INTERVAL_FIRST, .clock.fd = -1 };
	if ((r = clock_open(&account->clock)) < 0 ||
	    (r = totals_open(&account->totals, settings->totals, settings->committed)) < 0 ||
	    (!settings->raw_subuids && ((r = subuid_open(&subuid, SUBUID_FILE)) < 0 ||
					(r = owners_open(&account->owners, subuid)) < 0)))
		return r;
	if (settings->cgroup_root &&
	    (r = cgroups_open(&account->cgroups, settings->cgroup_root)) < 0)
		log_warning_errno(r, "walk %s; records will not have cgroups",
				  settings->cgroup_root);
	return 0;
}

void account_close(struct account *account)
{
	account_close_state(account, 0);
	clock_close(&account->clock);
	owners_close(account->owners);
	cgroups_close(account->cgroups);
	network_names_unref(account->networks);
	totals_close(&account->totals);
}

static void free_state(struct state *state)
{
	state_free(state);
}

int account_open_state(struct account *account, const char *directory, const char *instance,
		       uint64_t *ret_batch, bool *ret_behind)
{
	_cleanup_(free_state) struct state state = { 0 };
	bool first = account->totals.n == 0; /* else a killed meter's memory says more */
	int r = state_read(directory, instance, &state);

	for (size_t i = 0; r == 0 && i < state.n; i++)
		r = totals_raise(&account->totals, state.totals[i].uid, state.totals[i].in,
				 state.totals[i].out);
	if (r < 0)
		return r;
	if (first && state.n && !state.clean)
		log_warning(
			"the last meter of the instance '%s' did not end well, and the machine "
			"has restarted since: what it had counted and not written to %s, of one "
			"interval at most, is missing in the totals",
			instance, directory);
	*ret_batch = state.batch;
	*ret_behind = first && (state.behind || !state.clean);
	return 0;
}

int account_start_state(struct account *account, const char *directory, const char *instance)
{
	return state_writer_open(&account->writer, directory, instance);
}

static int put_state(struct account *account, bool clean)
{
	const struct totals *totals = &account->totals;
	_cleanup_(free_state) struct state state = {
		.batch = totals->committed,
		.clean = clean,
		.totals = calloc(totals->n ?: 1, sizeof(*state.totals)),
	};

	if (!state.totals)
		return -ENOMEM;
	for (size_t i = 0; i < totals->n_slots; i++) {
		const struct total *total = &totals->slots[i];
		struct state_total *kept = &state.totals[state.n];

		if (!total->interval)
			continue;
		kept->uid = total->uid;
		totals_committed(totals, total, &kept->in, &kept->out);
		state.n++;
	}
	return state_writer_put(account->writer, &state);
}

void account_write_state(struct account *account)
{
	int r = account->writer ? put_state(account, false) : 0;

	if (r < 0)
		log_warning_errno(r, "write the totals down; the next interval's try follows");
}

int account_close_state(struct account *account, uint64_t deadline_ns)
{
	struct state_writer *writer;
	int r;

	if (!account->writer)
		return 0;
	r = deadline_ns ? put_state(account, true) : 0;
	writer = steal_pointer(account->writer);
	return state_writer_close(writer, deadline_ns) ?: r;
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

uint32_t account_owner(struct account *account, uint32_t uid)
{
	if (account->owners && uid != TRAFFIC_NO_UID)
		(void)owners_find(account->owners, uid, &uid);
	return uid;
}

int account_record(struct account *account, struct traffic_record *record)
{
	uint32_t owner = record->uid;

	if (account->owners && record->uid != TRAFFIC_NO_UID &&
	    owners_find(account->owners, record->uid, &owner) == -EAGAIN)
		return -EAGAIN;
	account->sum.packets[record->direction] += record->packets;
	account->sum.bytes[record->direction] += record->bytes;
	account->sum.step_packets[record->step] += record->packets;

	if (record->uid == TRAFFIC_NO_UID && record->step != TRAFFIC_STEP_TOTAL) {
		account->kernels_packets[record->direction] += record->packets;
		account->kernels_bytes[record->direction] += record->bytes;
	}
	record->uid = owner;
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

void account_set_networks(struct account *account, struct network_names *networks)
{
	network_names_unref(account->networks);
	account->networks = networks;
}

void account_reload(struct account *account)
{
	if (account->owners)
		owners_refresh(account->owners);
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
