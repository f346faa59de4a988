/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process's descriptors: the standard ones, and how many there may be. */
#ifndef UTIL_DESCRIPTORS_H
#define UTIL_DESCRIPTORS_H

/* Opens /dev/null as each of the descriptors 0, 1 and 2 that is closed. A program that somebody starts
 * with one of them closed would otherwise get that number for a file of its own, and write messages or
 * records into it. Reading from or writing to them still fails with EBADF. Called first in main().
 * Returns 0 or a negative errno. */
int descriptors_open_standard(void);

/* Raises the limit of open files to the hard limit. The soft limit is what programs that use select() get,
 * and too few for thousands of users and interfaces. */
void descriptors_raise_limit(void);

#endif
