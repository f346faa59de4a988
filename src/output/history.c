// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * history:FILE, an SQLite database of who moved how many bytes. Owns the way from batches to the store
 * (src/history), and what is done when that fails: records are taken up to a bound, then they wait where
 * they are. The database has how far it came, so that a batch that comes again is not counted twice.
 */
#ifdef HAVE_SQLITE3

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <traffic_meter/output.h>

#include "history/store.h"
#include "output/append_file.h"
#include "output/format.h"
#include "output/history_row.h"
#include "util/names.h"

#define DAY_S 86400

/* For closing buckets and removing rows in one flush(). The next one comes within seconds. */
#define MAINTAIN_NS UINT64_C(40000000)

/* Records that are older than now, as an output held them up: the clock of the buckets waits for them. */
#define HELD_UP_S 30

struct history {
	/* of the SPEC */
	uint64_t keep_days[HISTORY_LEVELS], rows[HISTORY_LEVELS];
	uint64_t ipv4_bits, ipv6_bits;
	uint32_t mode;
	char *group;

	struct store *store; /* NULL: init() has failed */
	struct names *names;
	char name[HISTORY_NAME_MAX];
	uint64_t batch, records;	    /* taken: the batch, and how many of its records */
	uint64_t written_batch, written;    /* by the database, when it was opened */
	uint64_t last_record_s, taken_at_s; /* the newest record's time, and when that was taken */
	uint64_t unwritten_records, unwritten_packets, unwritten_bytes;
};

#define FIELD(field) offsetof(struct history, field)
#define DAYS(level, name_, words)                                                                \
	{                                                                                        \
		.name = name_, .type = TRAFFIC_OPTION_NUMBER, .offset = FIELD(keep_days[level]), \
		.metavar = "DAYS", .maximum = 36500, .help = words                               \
	}
#define ROWS(level, name_, words)                                                           \
	{                                                                                   \
		.name = name_, .type = TRAFFIC_OPTION_NUMBER, .offset = FIELD(rows[level]), \
		.metavar = "N", .minimum = 1, .maximum = 10000, .help = words               \
	}

static const struct traffic_option history_options[] = {
	DAYS(HISTORY_5MIN, "keep-5min", "how long 5 minutes are told apart (7; 0: for ever)"),
	DAYS(HISTORY_HOUR, "keep-hour", "how long hours are (35)"),
	DAYS(HISTORY_DAY, "keep-day", "how long days are (731)"),
	DAYS(HISTORY_MONTH, "keep-month", "how long months are (0)"),
	ROWS(HISTORY_5MIN, "rows-5min", "rows of a user and 5 minutes that stay apart (100)"),
	ROWS(HISTORY_HOUR, "rows-hour", "rows of a user and hour (30)"),
	ROWS(HISTORY_DAY, "rows-day", "rows of a user and day (50)"),
	ROWS(HISTORY_MONTH, "rows-month", "rows of a user and month (100)"),
	{ .name = "ipv4-prefix",
	  .type = TRAFFIC_OPTION_NUMBER,
	  .offset = FIELD(ipv4_bits),
	  .metavar = "BITS",
	  .maximum = 32,
	  .help = "of a remote IPv4 network (24)" },
	{ .name = "ipv6-prefix",
	  .type = TRAFFIC_OPTION_NUMBER,
	  .offset = FIELD(ipv6_bits),
	  .metavar = "BITS",
	  .maximum = 128,
	  .help = "of a remote IPv6 network (48)" },
	{ .name = "mode",
	  .type = TRAFFIC_OPTION_MODE,
	  .offset = FIELD(mode),
	  .metavar = "OCTAL",
	  .help = "permissions of a new file (0640)" },
	{ .name = "group",
	  .type = TRAFFIC_OPTION_STRING,
	  .offset = FIELD(group),
	  .metavar = "NAME",
	  .help = "group of a new file (the meter's)" },
	{ .name = NULL },
};

static void history_preset(void *context)
{
	struct history *history = context;

	*history = (struct history){
		.keep_days = { 7, 35, 731, 0 },
		.rows = { 100, 30, 50, 100 },
		.ipv4_bits = 24,
		.ipv6_bits = 48,
		.mode = 0640,
	};
}

static uint64_t now_s(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec;
}

static const char *name_of(void *userdata, uint32_t uid)
{
	struct history *history = userdata;
	const char *name = names_user(history->names, uid, now_s(CLOCK_MONOTONIC));

	if (!name)
		return NULL;
	history_text_copy(history->name, sizeof(history->name), name);
	return history->name;
}

/* Errors that may pass are sat out. */
static int sit_out(struct traffic_output *output, int error, const char *why)
{
	traffic_output_refuse(output, error, "%s", why);
	return error == -EPROTONOSUPPORT || error == -EMEDIUMTYPE || error == -EPERM ||
			       error == -EALREADY
		       ? error
		       : -EAGAIN;
}

static int history_init(struct traffic_output *output)
{
	struct history *history = output->context;
	struct store_settings settings = {
		.path = output->target,
		.mode = history->mode,
		.name_of = name_of,
		.userdata = history,
	};
	struct append_policy policy;
	char why[STORE_WHY_MAX];
	int r;

	tzset();
	for (int level = 0; level < HISTORY_LEVELS; level++) {
		settings.keep_s[level] = (int64_t)history->keep_days[level] * DAY_S;
		settings.rows[level] = (int64_t)history->rows[level];
	}
	r = append_policy_init(&policy, output, history->mode, history->group);
	if (r < 0)
		return r;
	settings.group = policy.group;
	history->names = names_new();
	if (!history->names)
		return traffic_output_fail(output, -ENOMEM, "remember names");
	r = history_store_new(&history->store, &settings, why);
	if (!history->store)
		return traffic_output_refuse(output, r, "%s", why);
	history_store_progress(history->store, &history->written_batch, &history->written);
	return 0;
}

static int history_totals(struct traffic_output *output, uint64_t known, traffic_total_tell *tell,
			  void *userdata)
{
	const struct history *history = output->context;
	const struct traffic_total total = { .uid = TRAFFIC_NO_UID,
					     .batch = history->written_batch };

	return history->written_batch > known ? tell(userdata, &total) : 0;
}

static int write_out(struct traffic_output *output)
{
	struct history *history = output->context;
	char why[STORE_WHY_MAX];
	int r = history_store_write(history->store, history->batch, history->records,
				    (int64_t)now_s(CLOCK_REALTIME), why);

	if (r < 0)
		return sit_out(output, r, why);
	history->unwritten_records = history->unwritten_packets = history->unwritten_bytes = 0;
	return 0;
}

/* How many of the batch's next records are in the database. */
static uint64_t begin_batch(struct traffic_output *output)
{
	struct history *history = output->context;

	if (output->batch != history->batch) {
		history->batch = output->batch;
		history->records = 0;
		/* The host has begun anew within a batch, with what was not taken. */
		if (!output->repeated && output->batch == history->written_batch)
			history->records = history->written;
	}
	if (!output->repeated || output->batch > history->written_batch)
		return 0;
	if (output->batch < history->written_batch)
		return UINT64_MAX;
	return history->written > history->records ? history->written - history->records : 0;
}

static int take(struct history *history, const struct traffic_record *record)
{
	struct history_texts texts;
	struct store_row row;
	int r;

	history_row_make(record, (unsigned int)history->ipv4_bits, (unsigned int)history->ipv6_bits,
			 &texts, &row);
	r = history_store_add(history->store, &row);
	if (r < 0)
		return r;
	history->last_record_s = (uint64_t)row.time_s;
	history->unwritten_records++;
	history->unwritten_packets += record->packets;
	history->unwritten_bytes += record->bytes;
	return 0;
}

static ssize_t history_write(struct traffic_output *output, const struct traffic_record *records,
			     size_t n)
{
	struct history *history = output->context;
	uint64_t passed_over;
	size_t taken = 0;
	int r = 0;

	if (history_store_pending(history->store) >= STORE_PENDING_MAX) {
		r = write_out(output);
		if (r < 0)
			return r;
	}
	/* A transaction is of whole batches and the first records of one. */
	passed_over = begin_batch(output);
	for (; taken < n && r == 0; taken++) {
		if (taken >= passed_over)
			r = take(history, &records[taken]);
		if (r == 0)
			history->records++;
	}
	if (r < 0) {
		taken--;
		traffic_output_fail(output, r, "add a record");
	}
	history->taken_at_s = now_s(CLOCK_MONOTONIC);
	return taken ? (ssize_t)taken : -EAGAIN;
}

/* The time up to which records have come. */
static int64_t come_up_to(const struct history *history)
{
	uint64_t now = now_s(CLOCK_REALTIME);

	if (now_s(CLOCK_MONOTONIC) < history->taken_at_s + HELD_UP_S &&
	    history->last_record_s < now)
		return (int64_t)history->last_record_s;
	return (int64_t)now;
}

static int history_flush(struct traffic_output *output)
{
	struct history *history = output->context;
	char why[STORE_WHY_MAX];
	int r = write_out(output);

	if (r < 0)
		return r;
	r = history_store_maintain(history->store, come_up_to(history), MAINTAIN_NS, why);
	return r < 0 ? sit_out(output, r, why) : 0;
}

static void history_close(struct traffic_output *output)
{
	struct history *history = output->context;
	bool well = history->store && (!history->unwritten_records || write_out(output) == 0);

	traffic_output_lost(output, history->unwritten_records, history->unwritten_packets,
			    history->unwritten_bytes);
	history_store_free(history->store, well, (int64_t)now_s(CLOCK_REALTIME));
	names_free(history->names);
}

const struct traffic_output_type history_output = {
	.kind = "history",
	.target = "FILE",
	.help = "an SQLite database of usage by time, user, network, service ... for reports",
	.context_size = sizeof(struct history),
	.options = history_options,
	.preset = history_preset,
	.init = history_init,
	.totals = history_totals,
	.write = history_write,
	.flush = history_flush,
	.close = history_close,
};

#endif
