/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that can still be opened: a Landlock domain, for this thread and those that it starts. */
#ifndef PRIVILEGES_LANDLOCK_H
#define PRIVILEGES_LANDLOCK_H

#include <stdbool.h>
#include <stddef.h>

/* A file, or a directory and all beneath it. Of what is replaced (another directory made under the
 * same name, a file that an editor renames into its place) only the rule of a directory above it
 * speaks. */
struct path_rule {
	const char *path;
	bool write; /* also make, change and remove; else read only */
};

/* From now on nothing else can be opened, and no TCP port used, for good. What is not there is left
 * out. 0, or -errno; -EOPNOTSUPP: the kernel can't. Needs no_new_privs. */
int paths_restrict(const struct path_rule *rules, size_t n);

#endif
