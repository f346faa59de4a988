/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The descriptors 0, 1 and 2. */
#ifndef UTIL_STANDARD_H
#define UTIL_STANDARD_H

/* Opens /dev/null as each of the descriptors 0, 1 and 2 that is closed. A program that somebody starts
 * with one of them closed would otherwise get that number for a file of its own, and write messages or
 * records into it. Reading from or writing
 * to them still fails with EBADF. Called first in main(). Returns 0 or a negative errno. */
int standard_open(void);

#endif
