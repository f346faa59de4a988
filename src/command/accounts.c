// SPDX-License-Identifier: GPL-2.0-or-later
#include "command/accounts.h"

#include <errno.h>
#include <stdlib.h>

#include "capture/cgroup.h"
#include "util/cleanup.h"
#include "util/log.h"

static int grow_totals(void *userdata, uint32_t n, void (*fill)(void *fill_data, void *memory),
		       void *fill_data, void **ret)
{
	return capture_keep_more(userdata, n, fill, fill_data, ret);
}

int accounts_open(struct account *account, struct capture *capture,
		  const struct meter_settings *settings)
{
	_cleanup_free_ char *root = NULL;
	struct totals_memory totals = {
		.n_slots = TOTALS_SLOTS_FIRST,
		.grow = grow_totals,
		.userdata = capture,
	};
	struct account_settings more = {
		.raw_subuids = settings->raw_subuids,
		.totals = &totals,
		.committed = capture_committed(capture),
	};
	int r = capture_keep(capture, sizeof(struct total), &totals.n_slots, &totals.memory);

	if (r < 0)
		return r;
	r = cgroup_find_root(&root);
	more.cgroup_root = root;
	if (r == 0)
		r = account_open(account, &more);
	return r < 0 ? log_error_errno(r, "begin to keep accounts")
		     : accounts_load_networks(account, settings);
}

static void unref_names(struct network_names **names)
{
	network_names_unref(*names);
}

int accounts_load_networks(struct account *account, const struct meter_settings *settings)
{
	_cleanup_(named_list_free) struct named_list list = { 0 };
	_cleanup_(unref_names) struct network_names *names = NULL;
	const char *path = settings->networks;
	int r;

	if (!path)
		return 0;
	r = named_list_read(path, network_log_error, NULL, &list);
	if (r == -EINVAL)
		return r; /* each line of it was told */
	if (r == 0)
		r = network_names_new(&names, &list);
	if (r < 0)
		return log_error_errno(r, "read the names of networks %s", path);
	account_set_networks(account, steal_pointer(names));
	log_notice("%zu networks with %zu names from %s", list.list.n, list.n_names - 1, path);
	return 0;
}

struct past {
	struct account *account;
	uint64_t batch;
};

static int raise_total(void *userdata, const struct traffic_total *total)
{
	struct past *past = userdata;

	if (past->batch < total->batch)
		past->batch = total->batch;
	return totals_raise(&past->account->totals, total->uid, total->in, total->out);
}

int accounts_open_state(struct account *account, struct capture *capture,
			const struct outputs *outputs, const struct meter_settings *settings)
{
	struct past past = { .account = account };
	bool behind;
	int r;

	if (!settings->state_directory)
		return 0;
	r = account_open_state(account, settings->state_directory, settings->instance, &past.batch,
			       &behind);
	if (r < 0)
		return r;
	if (behind)
		r = outputs_totals(outputs, past.batch, raise_total, &past);
	capture_number_from(capture, past.batch);
	return r;
}

int accounts_start(struct account *account, const struct meter_settings *settings, int event_fd)
{
	int r = account->owners ? owners_start(account->owners, event_fd) : 0;

	if (r < 0)
		return log_error_errno(r, "start a thread for the look-up of owners");
	return settings->state_directory
		       ? account_start_state(account, settings->state_directory, settings->instance)
		       : 0;
}
