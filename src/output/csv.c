// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * csv:DIRECTORY, one file of rows a user. Owns the table of the files: which users have one, which
 * are open (a bounded number; the least recently used gives way), which are refused. A file's rows
 * are csv_file.c's, the directory is csv_folder.c's.
 *
 * A refused file (in /tmp anybody can put a symbolic link at another user's name) must not hold up
 * the others, so its user's records are summed meanwhile. A write that fails is the whole
 * directory's business more often than not (a full disk): then the output takes nothing more, and
 * the records wait where they are.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/queue.h>
#include <sys/resource.h>

#include <traffic_meter/output.h>

#include "output/csv_file.h"
#include "output/csv_folder.h"
#include "output/csv_totals.h"
#include "util/log.h"

/* With CSV_FILE_BUFFER_BYTES each: 4 MiB of rows at most. */
#define OPEN_FILES_MAX 256

#define BUCKETS 4096

#define MODE_DEFAULT UINT32_MAX

TAILQ_HEAD(csv_list, csv_file);

struct csv {
	/* of the SPEC */
	bool header;
	int columns;   /* enum csv_columns */
	int owner;     /* enum csv_owner */
	uint32_t mode; /* MODE_DEFAULT: as the owner wants it */
	char *group;

	struct csv_folder folder;
	struct csv_file *table[BUCKETS]; /* chains by uid */
	struct csv_file *last;		 /* found last: rows come in bursts. May be NULL */
	struct csv_list open;		 /* the most recently used first */
	struct csv_list refused;
	size_t n_open, open_max;
	bool torn_said;
	char words[160]; /* why a file was refused */
};

static const char *const column_choices[] = {
	[CSV_COLUMNS_ORIGINAL] = "original",
	[CSV_COLUMNS_ALL] = "all",
	NULL,
};

static const char *const owner_choices[] = {
	[CSV_OWNER_METER] = "meter",
	[CSV_OWNER_USER] = "user",
	NULL,
};

static const struct traffic_option csv_options[] = {
	{
		.name = "header",
		.type = TRAFFIC_OPTION_FLAG,
		.offset = offsetof(struct csv, header),
		.help = "names of the columns as a new file's first line (no)",
	},
	{
		.name = "columns",
		.type = TRAFFIC_OPTION_CHOICE,
		.offset = offsetof(struct csv, columns),
		.choices = column_choices,
		.help = "the seven first columns only, or all (all)",
	},
	{
		.name = "owner",
		.type = TRAFFIC_OPTION_CHOICE,
		.offset = offsetof(struct csv, owner),
		.choices = owner_choices,
		.help = "whose new files are: the meter's, or each its user's (meter)",
	},
	{
		.name = "mode",
		.type = TRAFFIC_OPTION_MODE,
		.offset = offsetof(struct csv, mode),
		.metavar = "OCTAL",
		.help = "permissions of new files (0640; 0400 with owner=user)",
	},
	{
		.name = "group",
		.type = TRAFFIC_OPTION_STRING,
		.offset = offsetof(struct csv, group),
		.metavar = "NAME",
		.help = "group of new files (the meter's)",
	},
	{ .name = NULL },
};

static void csv_preset(void *context)
{
	struct csv *csv = context;

	csv->columns = CSV_COLUMNS_ALL;
	csv->mode = MODE_DEFAULT;
	csv->folder.fd = -1;
	TAILQ_INIT(&csv->open);
	TAILQ_INIT(&csv->refused);
}

/* A quarter of what the process may have open: there are other outputs, and the maps. */
static size_t find_open_max(void)
{
	struct rlimit limit;
	size_t n = OPEN_FILES_MAX;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 4 < n)
		n = limit.rlim_cur / 4;
	return n > 8 ? n : 8;
}

static int csv_init(struct traffic_output *output)
{
	struct csv *csv = output->context;
	int r;

	csv->open_max = find_open_max();
	csv->folder.path = output->target;
	csv->folder.nic_id = output->nic_id;
	csv->folder.columns = (enum csv_columns)csv->columns;
	csv->folder.header = csv->header;
	csv->folder.owner = (enum csv_owner)csv->owner;
	if (csv->mode == MODE_DEFAULT)
		csv->mode = csv->owner == CSV_OWNER_USER ? 0400 : 0640;
	r = append_policy_init(&csv->folder.policy, output, csv->mode, csv->group);
	if (r < 0)
		return r;
	if (csv->owner == CSV_OWNER_USER)
		output->needs |= TRAFFIC_NEED_GIVE | TRAFFIC_NEED_OTHERS;
	if (csv->owner == CSV_OWNER_USER && !append_policy_may_give())
		return traffic_output_refuse(output, -EPERM,
					     "owner=user gives files to other users, which takes "
					     "root (CAP_CHOWN and CAP_DAC_OVERRIDE)");
	return csv_folder_open(&csv->folder, output);
}

static struct csv_file **bucket(struct csv *csv, uint32_t uid)
{
	/* Fibonacci hashing: uids come in runs (1000.., 100000..). */
	return &csv->table[uid * UINT32_C(2654435769) >> 20];
}

_Static_assert(BUCKETS == 1 << (32 - 20), "the hash has as many bits as the table");

static struct csv_file *find_file(struct csv *csv, uint32_t uid)
{
	struct csv_file *file = csv->last;

	if (file && file->uid == uid)
		return file;
	file = *bucket(csv, uid);
	while (file && file->uid != uid)
		file = file->next;
	return file;
}

/* Not free: it is on a list still. */
static void forget(struct csv *csv, struct csv_file *file)
{
	struct csv_file **link = bucket(csv, file->uid);

	while (*link != file)
		link = &(*link)->next;
	*link = file->next;
	if (csv->last == file)
		csv->last = NULL;
}

static int fail(struct traffic_output *output, const struct csv_file *file, const char *what, int r)
{
	const struct csv *csv = output->context;
	char name[NAME_MAX + 1];

	csv_folder_file_name(&csv->folder, file->uid, name);
	traffic_output_fail(output, r, "%s %s", what, name);
	return r;
}

/* From the open files to the refused ones. */
static void refuse_file(struct traffic_output *output, struct csv_file *file)
{
	struct csv *csv = output->context;
	char name[NAME_MAX + 1];

	csv_folder_file_name(&csv->folder, file->uid, name);
	log_warning("output csv:%s: %s %s; until then this user's traffic is summed up, "
		    "without addresses",
		    output->target, name, csv->words);
	csv_file_refuse(file);
	TAILQ_REMOVE(&csv->open, file, entry);
	csv->n_open--;
	TAILQ_INSERT_TAIL(&csv->refused, file, entry);
}

/* Close an open file whose rows are written. */
static void close_file_of_user(struct traffic_output *output, struct csv_file *file)
{
	struct csv *csv = output->context;
	char name[NAME_MAX + 1];
	int r = append_file_close(&file->file);

	if (r < 0) {
		csv_folder_file_name(&csv->folder, file->uid, name);
		log_warning_errno(r, "output csv:%s: close %s; its last rows may be missing",
				  output->target, name);
	}
	TAILQ_REMOVE(&csv->open, file, entry);
	csv->n_open--;
	forget(csv, file);
	csv_file_free(file);
}

static int write_file(struct csv *csv, struct csv_file *file)
{
	return csv_file_write(file, &csv->folder, csv->words, sizeof(csv->words));
}

/* Make one open file less: of the least recently used the first that can be written. */
static int evict_file(struct traffic_output *output)
{
	struct csv *csv = output->context;
	struct csv_file *file = TAILQ_LAST(&csv->open, csv_list);
	int r = -EMFILE;

	for (; file; file = TAILQ_PREV(file, csv_list, entry)) {
		r = write_file(csv, file);
		if (r == 0)
			close_file_of_user(output, file);
		else if (r == -EPERM)
			refuse_file(output, file);
		else
			continue;
		return 0;
	}
	return r;
}

static void say_torn(struct traffic_output *output, const struct csv_file *file)
{
	struct csv *csv = output->context;
	char name[NAME_MAX + 1];

	if (!file->cut || csv->torn_said)
		return;
	csv_folder_file_name(&csv->folder, file->uid, name);
	log_notice("output csv:%s: %s ended in half a row, left by a meter or a machine that was "
		   "stopped: its %llu bytes are cut off, and so it is with other files",
		   output->target, name, (unsigned long long)file->cut);
	csv->torn_said = true;
}

/* Open, with what that may need first: the directory, if it was removed and made again, and file
 * descriptors. */
static int open_file(struct traffic_output *output, struct csv_file *file)
{
	struct csv *csv = output->context;
	bool changed;
	int r;

	for (;;) {
		r = csv_file_open(file, &csv->folder, csv->words, sizeof(csv->words));
		if (r == -ENOENT && csv_folder_refresh(&csv->folder, &changed) == 0 && changed)
			continue;
		if ((r == -EMFILE || r == -ENFILE) && evict_file(output) == 0)
			continue;
		break;
	}
	if (r == 0)
		say_torn(output, file);
	/* Only now, as an opening that is refused should cost no other file its place. */
	if (r == 0 && csv->n_open >= csv->open_max) {
		r = evict_file(output);
		if (r < 0)
			append_file_close(&file->file);
	}
	return r;
}

static void add_open(struct csv *csv, struct csv_file *file)
{
	TAILQ_INSERT_HEAD(&csv->open, file, entry);
	csv->n_open++;
}

static int add_file(struct traffic_output *output, uint32_t uid, struct csv_file **ret)
{
	struct csv *csv = output->context;
	struct csv_file *file = csv_file_new(uid);
	int r;

	if (!file) {
		traffic_output_fail(output, -ENOMEM, "add a user");
		return -ENOMEM;
	}
	r = open_file(output, file);
	if (r < 0 && r != -EPERM) {
		fail(output, file, "open", r);
		csv_file_free(file);
		return r;
	}
	file->next = *bucket(csv, uid);
	*bucket(csv, uid) = file;
	add_open(csv, file);
	if (r == -EPERM)
		refuse_file(output, file);
	*ret = file;
	return 0;
}

static void touch(struct csv *csv, struct csv_file *file)
{
	csv->last = file;
	if (file->refused || TAILQ_FIRST(&csv->open) == file)
		return;
	TAILQ_REMOVE(&csv->open, file, entry);
	TAILQ_INSERT_HEAD(&csv->open, file, entry);
}

static int take(struct traffic_output *output, const struct traffic_record *record)
{
	struct csv *csv = output->context;
	struct csv_file *file = find_file(csv, record->uid);
	int r;

	if (!file) {
		r = add_file(output, record->uid, &file);
		if (r < 0)
			return r;
	}
	if (file != csv->last)
		touch(csv, file);

	if (output->repeated) {
		r = csv_file_has(file, &csv->folder, record);
		if (r != 0)
			return r < 0 ? fail(output, file, "see how far rows came in", r) : 0;
	}
	r = csv_file_take(file, &csv->folder, record, csv->words, sizeof(csv->words));
	if (r == -EPERM) {
		refuse_file(output, file);
		r = csv_file_take(file, &csv->folder, record, csv->words, sizeof(csv->words));
	}
	return r < 0 ? fail(output, file, "write", r) : 0;
}

static ssize_t csv_write(struct traffic_output *output, const struct traffic_record *records,
			 size_t n)
{
	size_t taken = 0;

	while (taken < n && take(output, &records[taken]) == 0)
		taken++;
	return taken ? (ssize_t)taken : -EAGAIN;
}

static void retry_refused(struct traffic_output *output)
{
	struct csv *csv = output->context;
	struct csv_file *file, *next;
	char name[NAME_MAX + 1];

	for (file = TAILQ_FIRST(&csv->refused); file; file = next) {
		next = TAILQ_NEXT(file, entry);
		/* Not opened for any reason: it is summed on. */
		if (open_file(output, file) < 0)
			continue;
		if (csv_file_resume(file, &csv->folder) < 0) {
			append_file_close(&file->file);
			continue;
		}
		TAILQ_REMOVE(&csv->refused, file, entry);
		add_open(csv, file);
		csv_folder_file_name(&csv->folder, file->uid, name);
		log_notice("output csv:%s: %s is written again", output->target, name);
	}
}

/* Is the file no longer what its name means? Then close it; its rows go to the one that is. */
static bool let_go(struct csv *csv, struct csv_file *file)
{
	char name[NAME_MAX + 1];

	csv_folder_file_name(&csv->folder, file->uid, name);
	if (file->file.fd < 0 || append_file_is_named(&file->file, csv->folder.fd, name))
		return false;
	append_file_close(&file->file);
	return true;
}

static int csv_flush(struct traffic_output *output)
{
	struct csv *csv = output->context;
	struct csv_file *file, *next;
	char name[NAME_MAX + 1];
	bool changed, failed = false;
	int r;

	/* Where the path means nothing now, the files that are open go on. */
	csv_folder_refresh(&csv->folder, &changed);
	retry_refused(output);

	for (file = TAILQ_FIRST(&csv->open); file; file = next) {
		next = TAILQ_NEXT(file, entry);
		r = write_file(csv, file);
		/* On a file system that failed and is gone there is nothing to wait for. */
		if (r < 0 && r != -EPERM && let_go(csv, file))
			r = write_file(csv, file);
		if (r == -EPERM) {
			refuse_file(output, file);
		} else if (r < 0) {
			if (!failed)
				fail(output, file, "write", r);
			failed = true;
		} else {
			csv_file_rest(file);
			append_file_write_back(&file->file);
			csv_folder_file_name(&csv->folder, file->uid, name);
			if (!append_file_is_named(&file->file, csv->folder.fd, name))
				close_file_of_user(output, file);
		}
	}
	return failed ? -EAGAIN : 0;
}

/* What is held still is lost. */
static void free_files(struct traffic_output *output, struct csv_list *list)
{
	struct csv_file *file;

	while ((file = TAILQ_FIRST(list))) {
		for (int i = 0; i < 2; i++)
			traffic_output_lost(output, file->held[i].records, file->held[i].packets,
					    file->held[i].bytes);
		TAILQ_REMOVE(list, file, entry);
		csv_file_free(file);
	}
}

static void csv_close(struct traffic_output *output)
{
	struct csv *csv = output->context;

	/* flush() came before, unless the host gives this output up in the middle. */
	if (csv->folder.fd >= 0)
		csv_flush(output);
	free_files(output, &csv->open);
	free_files(output, &csv->refused);
	csv_folder_close(&csv->folder);
}

/* A row does not have its batch. */
static int csv_totals(struct traffic_output *output, uint64_t known, traffic_total_tell *tell,
		      void *userdata)
{
	const struct csv *csv = output->context;
	int r = csv_totals_tell(&csv->folder, tell, userdata);

	(void)known;
	return r < 0 ? traffic_output_fail(output, r, "read the files' last rows") : 0;
}

const struct traffic_output_type csv_output = {
	.kind = "csv",
	.target = "DIRECTORY",
	.help = "one file of comma-separated rows for each user",
	.sums_up = true,
	.context_size = sizeof(struct csv),
	.options = csv_options,
	.preset = csv_preset,
	.init = csv_init,
	.totals = csv_totals,
	.write = csv_write,
	.flush = csv_flush,
	.close = csv_close,
};
