/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which user a subordinate uid belongs to. In a rootless container of alice's a process runs as,
 * say, uid 100999, out of the range that /etc/subuid gives to her; its traffic is hers.
 *
 * The file (subuid(5)) is read here. Only where nsswitch.conf names another source for `subid` is
 * libsubid asked instead (account/libsubid.h): for `files` it would do the same, at each call anew.
 */
#ifndef ACCOUNT_SUBUID_H
#define ACCOUNT_SUBUID_H

#include <stdbool.h>
#include <stdint.h>

#define SUBUID_FILE "/etc/subuid"

/* Uids below are never charged to another, whatever a range says: those of the system, of local
 * people, and of systemd's dynamic users. shadow hands out from 100000 on. */
#define SUBUID_FIRST 65536

struct subuid;

/* path: SUBUID_FILE; any other is read whatever nsswitch.conf says. No such file: no ranges. What
 * is wrong with lines of the file is logged. 0 or -ENOMEM. */
int subuid_open(struct subuid **ret, const char *path);
void subuid_close(struct subuid *subuid);

/* The owner of the range that holds the uid; the uid itself where there is none, where the uid has a name
 * of its own (getpwuid), or the owner has no uid. Looks up names, which may take as long as a directory
 * server does, the first time that a range or a uid of one is met. */
uint32_t subuid_owner(struct subuid *subuid, uint32_t uid);

/* To be called now and then: reads the file again if it has changed, has names looked up again that
 * had no uid, and forgets after some minutes what libsubid said. Returns whether the file was read again. */
bool subuid_refresh(struct subuid *subuid);

#endif
