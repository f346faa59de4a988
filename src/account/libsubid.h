/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Subordinate uids from the source that nsswitch.conf names (`subid: sssd`), by libsubid of shadow
 * 4.9 or newer. Built in where its header is found, loaded when it is needed.
 */
#ifndef ACCOUNT_LIBSUBID_H
#define ACCOUNT_LIBSUBID_H

#include <stdint.h>

#define LIBSUBID_NSSWITCH   "/etc/nsswitch.conf"
#define LIBSUBID_LIFETIME_S 300

struct libsubid;
struct subid_range; /* of <shadow/subid.h> */

/* The library's subid_get_uid_ranges(): the number of ranges, allocated, or below 0. */
typedef int (*libsubid_ranges)(const char *user, struct subid_range **ret);

/* *ret is NULL where the source is the file, and, which is logged, where there is another but no
 * libsubid. 0 or -ENOMEM. */
int libsubid_open(struct libsubid **ret, const char *nsswitch);

/* The same with what is to be asked. NULL: no memory. */
struct libsubid *libsubid_new(libsubid_ranges ranges);
void libsubid_close(struct libsubid *libsubid);

/* The owner, or the uid itself. A uid met for the first time may take as long as the source does;
 * the answer is remembered. */
uint32_t libsubid_owner(struct libsubid *libsubid, uint32_t uid);

/* Forget all answers; _expire(): if they are older than LIBSUBID_LIFETIME_S. */
void libsubid_forget(struct libsubid *libsubid);
void libsubid_expire(struct libsubid *libsubid);

#endif
