/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The history's tables: their text, their version, and the way from one version to the next.
 * docs/history.md describes them for people who query by hand.
 */
#ifndef HISTORY_SCHEMA_H
#define HISTORY_SCHEMA_H

#include <stddef.h>

#include <sqlite3.h>

/* PRAGMA user_version of the tables that this program writes and reads. */
#define HISTORY_VERSION 1

/* PRAGMA application_id: "TMhi". */
#define HISTORY_APPLICATION_ID 0x544d6869

/* Ids that every dictionary `text` has. */
#define HISTORY_TEXT_NONE  0 /* empty: not known */
#define HISTORY_TEXT_OTHER 1 /* `other`: several, folded into one row */

/* Of the columns `user` and `login`: no uid, or not known. */
#define HISTORY_NO_USER (-1)

/* Of the column `service`, which else is protocol * 65536 + port. */
#define HISTORY_SERVICE_NONE  (-1) /* not known */
#define HISTORY_SERVICE_OTHER (-2) /* several, folded into one row */

/* Bring an empty or older database to HISTORY_VERSION, in one transaction. *ret_from: the version
 * that was found, 0 for an empty database. Returns SQLITE_OK or SQLite's code. */
int schema_migrate(sqlite3 *database, int *ret_from);

/* Read PRAGMA user_version and application_id, and whether there are any tables.
 * Returns SQLITE_OK or SQLite's code. */
int schema_read_version(sqlite3 *database, int *ret_version, int *ret_application, int *ret_tables);

#endif
