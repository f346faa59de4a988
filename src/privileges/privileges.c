// SPDX-License-Identifier: GPL-2.0-or-later
#include "privileges/privileges.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"

#define TASKS "/proc/self/task"

static void close_directory(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

/* Its line "Name:\tvalue", or NULL. */
static const char *value_of(const char *line, const char *name)
{
	size_t length = strlen(name);

	return strncmp(line, name, length) == 0 ? line + length : NULL;
}

static void add_line(struct privileges_held *held, const char *line)
{
	const char *value;

	if ((value = value_of(line, "Uid:\t")))
		held->uid = (uid_t)strtoul(value + strcspn(value, "\t"), NULL, 10); /* effective */
	else if ((value = value_of(line, "Gid:\t")))
		held->gid = (gid_t)strtoul(value + strcspn(value, "\t"), NULL, 10);
	else if ((value = value_of(line, "CapPrm:\t")) || (value = value_of(line, "CapEff:\t")))
		held->capabilities |= strtoull(value, NULL, 16);
	else if ((value = value_of(line, "NoNewPrivs:\t")))
		held->no_new_privs = held->no_new_privs && *value == '1';
	else if ((value = value_of(line, "Seccomp:\t")))
		held->seccomp = held->seccomp && *value == '2';
}

static int add_thread(struct privileges_held *held, const char *name)
{
	char path[sizeof(TASKS "//status") + 256];
	_cleanup_fclose_ FILE *file = NULL;
	char line[256];

	snprintf(path, sizeof(path), TASKS "/%s/status", name);
	file = fopen(path, "re");
	if (!file)
		return errno == ENOENT ? 0 : -errno; /* it has ended */
	while (fgets(line, sizeof(line), file))
		add_line(held, line);
	return ferror(file) ? -EIO : 0;
}

/* What its permissions let us do, and is refused all the same. */
static bool is_in_landlock(void)
{
	_cleanup_close_ int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 && errno == EACCES && access("/", R_OK) == 0;
}

int privileges_read(struct privileges_held *ret)
{
	_cleanup_(close_directory) DIR *tasks = opendir(TASKS);
	const struct dirent *entry;

	*ret = (struct privileges_held){ .no_new_privs = true, .seccomp = true };
	if (!tasks)
		return -errno;
	while ((entry = readdir(tasks))) {
		int r = isdigit((unsigned char)*entry->d_name) ? add_thread(ret, entry->d_name) : 0;

		if (r < 0)
			return r;
	}
	ret->landlock = is_in_landlock();
	return 0;
}
