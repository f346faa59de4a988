// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tables are WITHOUT ROWID and stored in the order of their primary key, time first: what is written
 * together and what is asked together lies together, and there is no further index to keep. Of a
 * detail row the fields that come in few combinations (login user, network, interface, program,
 * workload) are one id, which makes rows a quarter smaller.
 */
#ifdef HAVE_SQLITE3

#include "history/schema.h"

#include <stdio.h>

#define AMOUNTS                                                             \
	" in_bytes INTEGER NOT NULL, out_bytes INTEGER NOT NULL,"           \
	" in_wire_bytes INTEGER NOT NULL, out_wire_bytes INTEGER NOT NULL," \
	" in_packets INTEGER NOT NULL, out_packets INTEGER NOT NULL,"       \
	" in_wire_packets INTEGER NOT NULL, out_wire_packets INTEGER NOT NULL,"

/* The wire bytes of a detail row are kept as what they are more than its bytes, which is small. */
#define TABLES(level)                                                             \
	"CREATE TABLE user_" level " ("                                           \
	" time INTEGER NOT NULL, user INTEGER NOT NULL," AMOUNTS                  \
	" PRIMARY KEY (time, user)) WITHOUT ROWID;"                               \
	"CREATE TABLE detail_" level " ("                                         \
	" time INTEGER NOT NULL, user INTEGER NOT NULL, remote INTEGER NOT NULL," \
	" service INTEGER NOT NULL, origin INTEGER NOT NULL,"                     \
	" in_bytes INTEGER NOT NULL, out_bytes INTEGER NOT NULL,"                 \
	" in_wire_more INTEGER NOT NULL, out_wire_more INTEGER NOT NULL,"         \
	" PRIMARY KEY (time, user, remote, service, origin)) WITHOUT ROWID;"

/* For people. LEFT JOIN: a row counts also where a text were missing. */
#define VIEWS(level)                                                                      \
	"CREATE VIEW usage_" level " AS SELECT d.time AS time, d.user AS uid,"            \
	" u.name AS user, NULLIF(o.login, -1) AS login_uid, r.text AS remote,"            \
	" CASE WHEN d.service = -1 THEN '' WHEN d.service = -2 THEN 'other'"              \
	"  ELSE COALESCE(p.name, d.service / 65536) ||"                                   \
	"   CASE WHEN d.service % 65536 THEN '/' || (d.service % 65536) ELSE '' END"      \
	"  END AS service,"                                                               \
	" n.text AS network, i.text AS interface, g.text AS program, w.text AS workload," \
	" d.in_bytes AS in_bytes, d.out_bytes AS out_bytes,"                              \
	" d.in_bytes + d.in_wire_more AS in_wire_bytes,"                                  \
	" d.out_bytes + d.out_wire_more AS out_wire_bytes"                                \
	" FROM detail_" level " d LEFT JOIN origin o ON o.id = d.origin"                  \
	" LEFT JOIN user u ON u.uid = d.user LEFT JOIN text r ON r.id = d.remote"         \
	" LEFT JOIN protocol p ON p.number = d.service / 65536"                           \
	" LEFT JOIN text n ON n.id = o.network LEFT JOIN text i ON i.id = o.interface"    \
	" LEFT JOIN text g ON g.id = o.program LEFT JOIN text w ON w.id = o.workload;"

#define CLOSED(level) "(SELECT closed_until FROM level WHERE name = '" level "')"

/* Each byte once: of each time the coarsest level that is closed. */
#define ONCE(columns, tables)                                                                   \
	" SELECT 'month' AS level, " columns " FROM " tables "_month"                           \
	"  WHERE time < " CLOSED(                                                               \
		"month") " UNION ALL SELECT 'day', " columns " FROM " tables "_day"             \
			 "  WHERE time >= " CLOSED("month") " AND time < " CLOSED(              \
				 "day") " UNION ALL SELECT 'hour', " columns " FROM " tables    \
					"_hour"                                                 \
					"  WHERE time >= " CLOSED("day") " AND time < " CLOSED( \
						"hour") " UNION ALL SELECT '5min', " columns    \
							" FROM " tables "_5min"                 \
							"  WHERE time >= " CLOSED("hour") ";"

static const char version_1[] =
	"CREATE TABLE text (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);"
	"INSERT INTO text VALUES (0, ''), (1, 'other');"
	"CREATE TABLE user (uid INTEGER PRIMARY KEY, name TEXT NOT NULL);"
	"CREATE TABLE protocol (number INTEGER PRIMARY KEY, name TEXT NOT NULL);"
	"INSERT INTO protocol VALUES (1, 'icmp'), (2, 'igmp'), (4, 'ipip'), (6, 'tcp'), (17, "
	"'udp'),"
	" (33, 'dccp'), (41, 'ipv6'), (47, 'gre'), (50, 'esp'), (51, 'ah'), (58, 'ipv6-icmp'),"
	" (89, 'ospf'), (103, 'pim'), (112, 'vrrp'), (132, 'sctp'), (136, 'udplite');"
	"CREATE TABLE origin (id INTEGER PRIMARY KEY, login INTEGER NOT NULL,"
	" network INTEGER NOT NULL, interface INTEGER NOT NULL, program INTEGER NOT NULL,"
	" workload INTEGER NOT NULL, UNIQUE (workload, program, login, network, interface));"
	"CREATE TABLE level (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
	" closed_until INTEGER NOT NULL, expired_until INTEGER NOT NULL,"
	" closed_user INTEGER NOT NULL, keep_s INTEGER NOT NULL, rows INTEGER NOT NULL);"
	"INSERT INTO level VALUES (0, '5min', 0, 0, -2, 604800, 100), (1, 'hour', 0, 0, -2, "
	"3024000, 30),"
	" (2, 'day', 0, 0, -2, 63115200, 50), (3, 'month', 0, 0, -2, 0, 100);"
	"CREATE TABLE coverage (id INTEGER PRIMARY KEY, start INTEGER NOT NULL,"
	" \"end\" INTEGER NOT NULL, ended_well INTEGER NOT NULL);"
	"CREATE TABLE progress (id INTEGER PRIMARY KEY CHECK (id = 0), batch INTEGER NOT NULL,"
	" records INTEGER NOT NULL);"
	"INSERT INTO progress VALUES (0, 0, 0);" TABLES("5min") TABLES("hour") TABLES("day") TABLES(
		"month") VIEWS("5min") VIEWS("hour") VIEWS("day")
		VIEWS("month") "CREATE VIEW usage AS" ONCE(
			"time, uid, user, login_uid, remote, service, network, interface, program, "
			"workload,"
			" in_bytes, out_bytes, in_wire_bytes, out_wire_bytes",
			"usage") "CREATE VIEW users AS SELECT a.level AS level, a.time AS time, "
				 "a.user AS uid,"
				 " u.name AS user, in_bytes, out_bytes, in_wire_bytes, "
				 "out_wire_bytes, in_packets,"
				 " out_packets, in_wire_packets, out_wire_packets FROM all_users a"
				 " LEFT JOIN user u ON u.uid = a.user;"
				 "CREATE VIEW all_users AS" ONCE(
					 "time, user, in_bytes, out_bytes, in_wire_bytes, "
					 "out_wire_bytes, in_packets,"
					 " out_packets, in_wire_packets, out_wire_packets",
					 "user");

/* migrations[n] makes version n + 1 of version n. Add to the end; never change what is there. */
static const char *const migrations[HISTORY_VERSION] = { version_1 };

static int read_number(sqlite3 *database, const char *query, int *ret)
{
	sqlite3_stmt *statement;
	int r = sqlite3_prepare_v2(database, query, -1, &statement, NULL);

	if (r != SQLITE_OK)
		return r;
	r = sqlite3_step(statement);
	if (r == SQLITE_ROW)
		*ret = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return r == SQLITE_ROW ? SQLITE_OK : r;
}

int schema_read_version(sqlite3 *database, int *ret_version, int *ret_application, int *ret_tables)
{
	int r;

	if ((r = read_number(database, "PRAGMA user_version", ret_version)) != SQLITE_OK ||
	    (r = read_number(database, "PRAGMA application_id", ret_application)) != SQLITE_OK)
		return r;
	return read_number(database, "SELECT count(*) FROM sqlite_master", ret_tables);
}

static int apply(sqlite3 *database, int from)
{
	char pragmas[128];
	int r = SQLITE_OK;

	for (int version = from; version < HISTORY_VERSION && r == SQLITE_OK; version++)
		r = sqlite3_exec(database, migrations[version], NULL, NULL, NULL);
	snprintf(pragmas, sizeof(pragmas), "PRAGMA user_version = %d; PRAGMA application_id = %d",
		 HISTORY_VERSION, HISTORY_APPLICATION_ID);
	return r == SQLITE_OK ? sqlite3_exec(database, pragmas, NULL, NULL, NULL) : r;
}

int schema_migrate(sqlite3 *database, int *ret_from)
{
	int application, tables, r;

	r = sqlite3_exec(database, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (r != SQLITE_OK)
		return r;
	/* Within the transaction: another program may have done it meanwhile. */
	r = schema_read_version(database, ret_from, &application, &tables);
	if (r == SQLITE_OK && *ret_from < HISTORY_VERSION)
		r = apply(database, *ret_from);
	if (r == SQLITE_OK)
		r = sqlite3_exec(database, "COMMIT", NULL, NULL, NULL);
	if (r != SQLITE_OK)
		sqlite3_exec(database, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

#endif
