// SPDX-License-Identifier: GPL-2.0-or-later
/* journal:local, an entry a record, with fields of its own: journalctl TRAFFIC_UID=1001. */
#ifdef HAVE_LIBSYSTEMD
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "export/export.h"
#include "export/line.h"
#include "output/format.h"

#define SOCKET	   "/run/systemd/journal/socket"
#define FIELDS_MAX 28
#define TEXT_MAX   4096

struct entry {
	struct iovec fields[FIELDS_MAX];
	int n;
	char *to; /* in .text */
	char text[FIELDS_MAX * 64 + 6 * (TEXT_MAX + 64) + 1024];
};

static void add(struct entry *entry, const char *name, const char *value, size_t max)
{
	char *begin = entry->to;

	if (!value || !*value)
		return;
	entry->to = stpcpy(entry->to, name);
	max = strnlen(value, max);
	memcpy(entry->to, value, max);
	entry->to += max;
	entry->fields[entry->n++] = (struct iovec){ begin, (size_t)(entry->to - begin) };
}

static void add_number(struct entry *entry, const char *name, uint64_t number)
{
	char text[FORMAT_NUMBER_MAX + 1];

	*format_number(text, number) = '\0';
	add(entry, name, text, sizeof(text));
}

static void add_ends(struct entry *entry, const struct traffic_record *record)
{
	char text[64];

	if (record->family == TRAFFIC_FAMILY_NONE)
		return;
	*format_protocol(text, record->protocol) = '\0';
	add(entry, "TRAFFIC_PROTOCOL=", text, sizeof(text));
	*format_address(text, record->family, record->source) = '\0';
	add(entry, "TRAFFIC_SRC=", text, sizeof(text));
	*format_address(text, record->family, record->destination) = '\0';
	add(entry, "TRAFFIC_DST=", text, sizeof(text));
	add_number(entry, "TRAFFIC_SRC_PORT=", record->source_port);
	add_number(entry, "TRAFFIC_DST_PORT=", record->destination_port);
}

/* What a person reads in `journalctl` without more. */
static void add_message(struct entry *entry, const struct traffic_record *record, const char *user)
{
	char text[512], who[300], *to = text;

	if (user)
		snprintf(who, sizeof(who), "%.255s", user);
	else if (record->uid == TRAFFIC_NO_UID)
		strcpy(who, "nobody");
	else
		snprintf(who, sizeof(who), "uid %u", record->uid);
	to += snprintf(text, sizeof(text), "%s %s %llu bytes in %llu packets", who,
		       record->direction == TRAFFIC_IN ? "received" : "sent",
		       (unsigned long long)record->bytes, (unsigned long long)record->packets);
	if (record->family != TRAFFIC_FAMILY_NONE) {
		bool is_in = record->direction == TRAFFIC_IN;

		to = stpcpy(to, is_in ? " from " : " to ");
		to = format_address(to, record->family,
				    is_in ? record->source : record->destination);
		*to = '\0';
	}
	add(entry, "MESSAGE=", text, sizeof(text));
}

static void fill(struct entry *entry, const struct export_batch *batch, size_t row)
{
	const struct traffic_record *record = &batch->records->records[row];

	entry->n = 0;
	entry->to = entry->text;
	add_message(entry, record, batch->records->users[row]);
	add(entry, "PRIORITY=", "6", 1);
	add(entry, "SYSLOG_IDENTIFIER=", "traffic-meter", 16);
	add(entry, "TRAFFIC_DIRECTION=", record->direction == TRAFFIC_IN ? "in" : "out", 3);
	if (record->uid != TRAFFIC_NO_UID)
		add_number(entry, "TRAFFIC_UID=", record->uid);
	add(entry, "TRAFFIC_USER=", batch->records->users[row], TEXT_MAX);
	if (record->login_uid != TRAFFIC_NO_UID)
		add_number(entry, "TRAFFIC_LOGIN_UID=", record->login_uid);
	add_ends(entry, record);
	add(entry, "TRAFFIC_INTERFACE=", record->interface, sizeof(record->interface));
	add_number(entry, "TRAFFIC_BYTES=", record->bytes);
	add_number(entry, "TRAFFIC_WIRE_BYTES=", record->wire_bytes);
	add_number(entry, "TRAFFIC_PACKETS=", record->packets);
	add_number(entry, "TRAFFIC_WIRE_PACKETS=", record->wire_packets);
	add(entry, "TRAFFIC_PROGRAM=", record->program, sizeof(record->program));
	add(entry, "TRAFFIC_CGROUP=", record->cgroup, TEXT_MAX);
	add(entry, "TRAFFIC_NETWORK=", record->network, TEXT_MAX);
	add(entry, "TRAFFIC_WORKLOAD=", record->workload, TEXT_MAX);
	add_number(entry, "TRAFFIC_TIME_NS=", record->end_ns);
	add_number(entry, "TRAFFIC_START_NS=", record->start_ns);
	add(entry, "TRAFFIC_HOST=", batch->records->host, 255);
	add_number(entry, "TRAFFIC_BATCH=", batch->frame.batch);
	add_number(entry, "TRAFFIC_RECORD=", batch->frame.first + row);
	if (batch->repeated)
		add(entry, "TRAFFIC_REPEATED=", "1", 1);
}

static int journal_check(struct export_output *output)
{
	return strcmp(output->target, "local") == 0
		       ? 0
		       : export_refuse(output, -EINVAL, "there is one journal: journal:local");
}

/* The library takes a journal that is not there for one that has taken everything. */
static int look(struct export_output *output)
{
	return output->dry_run || access(SOCKET, F_OK) == 0
		       ? 0
		       : export_fail(output, -errno, "reach the journal at %s", SOCKET);
}

static int journal_open(struct export_output *output)
{
	return look(output);
}

static void print(const struct entry *entry)
{
	for (int i = 0; i < entry->n; i++) {
		const char *field = entry->fields[i].iov_base;

		for (size_t k = 0; k < entry->fields[i].iov_len; k++)
			putchar((unsigned char)field[k] < ' ' ? '?' : field[k]);
		putchar('\n');
	}
	putchar('\n');
}

static int journal_send(struct export_output *output, struct export_batch *batch)
{
	struct entry *entry = output->context;
	int r = look(output);

	for (; r == 0 && batch->done < batch->records->n; batch->done += r == 0) {
		fill(entry, batch, batch->done);
		if (output->dry_run)
			print(entry);
		else
			r = sd_journal_sendv(entry->fields, entry->n);
		if (r < 0)
			export_fail(output, r, "write to the journal");
	}
	return r < 0 ? r : 0;
}

static void journal_close(struct export_output *output)
{
	(void)output;
}

const struct export_type journal_export = {
	.kind = "journal",
	.target = "local",
	.help = "an entry a record in systemd's journal, with fields TRAFFIC_UID= and so on",
	.context_size = sizeof(struct entry),
	.check = journal_check,
	.open = journal_open,
	.send = journal_send,
	.close = journal_close,
};
#else
typedef int journal_is_not_built;
#endif
