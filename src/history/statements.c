// SPDX-License-Identifier: GPL-2.0-or-later
#ifdef HAVE_SQLITE3

#include "history/statements.h"

#include <stdio.h>

#define SUM(column) #column " = " #column " + excluded." #column

/* %1$s is the level. */
static const char *const level_texts[LEVEL_STATEMENTS] = {
	[ADD_USER] =
		"INSERT INTO user_%1$s VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
		" ON CONFLICT DO UPDATE SET " SUM(in_bytes) ", " SUM(out_bytes) ", " SUM(in_wire_bytes) ", " SUM(
			out_wire_bytes) ", " SUM(in_packets) ", " SUM(out_packets) ", " SUM(in_wire_packets) ", " SUM(out_wire_packets),
	[ADD_DETAIL] = "INSERT INTO detail_%1$s VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
		       " ON CONFLICT DO UPDATE SET " SUM(in_bytes) ", " SUM(out_bytes) ", " SUM(
			       in_wire_more) ", " SUM(out_wire_more),
	[READ_USER] = "SELECT in_bytes, out_bytes, in_wire_bytes, out_wire_bytes, in_packets,"
		      " out_packets, in_wire_packets, out_wire_packets FROM user_%1$s"
		      " WHERE time = ? AND user = ?",
	[READ_DETAIL] = "SELECT remote, service, origin, in_bytes, out_bytes, in_wire_more,"
			" out_wire_more FROM detail_%1$s WHERE time = ? AND user = ?",
	[REMOVE_USER] = "DELETE FROM user_%1$s WHERE time = ? AND user = ?",
	[REMOVE_DETAIL] = "DELETE FROM detail_%1$s WHERE time = ? AND user = ?",
	[NEXT_TIME] = "SELECT min(time) FROM user_%1$s WHERE time >= ?",
	[NEXT_USER] = "SELECT min(user) FROM user_%1$s WHERE time = ? AND user > ?",
};

static const char *const other_texts[OTHER_STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[FIND_TEXT] = "SELECT id FROM text WHERE text = ?",
	[ADD_TEXT] = "INSERT INTO text (text) VALUES (?)",
	[FIND_ORIGIN] = "SELECT id FROM origin WHERE login = ? AND network = ? AND interface = ?"
			" AND program = ? AND workload = ?",
	[ADD_ORIGIN] = "INSERT INTO origin (login, network, interface, program, workload)"
		       " VALUES (?, ?, ?, ?, ?)",
	[READ_ORIGIN] =
		"SELECT login, network, interface, program, workload FROM origin WHERE id = ?",
	[ADD_NAME] = "INSERT INTO user VALUES (?, ?) ON CONFLICT DO UPDATE SET name = excluded.name"
		     " WHERE name <> excluded.name",
	[WRITE_PROGRESS] = "UPDATE progress SET batch = ?, records = ?",
	[READ_PROGRESS] = "SELECT batch, records FROM progress",
	[ADD_COVERAGE] = "INSERT INTO coverage (start, \"end\", ended_well) VALUES (?, ?, 0)",
	[WRITE_COVERAGE] =
		"UPDATE coverage SET \"end\" = max(\"end\", ?), ended_well = ? WHERE id = ?",
	[LAST_COVERAGE] = "SELECT id, \"end\", ended_well FROM coverage ORDER BY id DESC LIMIT 1",
	[WRITE_LEVEL] = "UPDATE level SET closed_until = ?, expired_until = ?, closed_user = ?"
			" WHERE id = ?",
	[WRITE_LIMITS] = "UPDATE level SET keep_s = ?, rows = ? WHERE id = ?",
};

static int prepare(struct statements *statements, const char *text, sqlite3_stmt **statement,
		   const int64_t *values, int n, sqlite3_stmt **ret)
{
	int r = SQLITE_OK;

	if (!*statement)
		r = sqlite3_prepare_v2(statements->database, text, -1, statement, NULL);
	if (r != SQLITE_OK)
		return r;
	sqlite3_reset(*statement);
	for (int i = 0; i < n && r == SQLITE_OK; i++)
		r = sqlite3_bind_int64(*statement, i + 1, values[i]);
	*ret = *statement;
	return r;
}

int statements_level(struct statements *statements, enum history_level level,
		     enum level_statement which, const int64_t *values, int n, sqlite3_stmt **ret)
{
	sqlite3_stmt **statement = &statements->of_level[level][which];
	char text[512];

	if (!*statement)
		snprintf(text, sizeof(text), level_texts[which], history_level_names[level]);
	return prepare(statements, text, statement, values, n, ret);
}

int statements_other(struct statements *statements, enum other_statement which,
		     const int64_t *values, int n, sqlite3_stmt **ret)
{
	return prepare(statements, other_texts[which], &statements->others[which], values, n, ret);
}

int statements_run(sqlite3_stmt *statement)
{
	int r = sqlite3_step(statement);

	sqlite3_reset(statement);
	return r == SQLITE_DONE || r == SQLITE_ROW ? SQLITE_OK : r;
}

int statements_run_level(struct statements *statements, enum history_level level,
			 enum level_statement which, const int64_t *values, int n)
{
	sqlite3_stmt *statement;
	int r = statements_level(statements, level, which, values, n, &statement);

	return r == SQLITE_OK ? statements_run(statement) : r;
}

int statements_run_other(struct statements *statements, enum other_statement which,
			 const int64_t *values, int n)
{
	sqlite3_stmt *statement;
	int r = statements_other(statements, which, values, n, &statement);

	return r == SQLITE_OK ? statements_run(statement) : r;
}

int statements_read(sqlite3_stmt *statement, int64_t *ret, int *ret_null)
{
	int r = sqlite3_step(statement);

	*ret_null = 1;
	if (r == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL) {
		*ret = sqlite3_column_int64(statement, 0);
		*ret_null = 0;
	}
	sqlite3_reset(statement);
	return r == SQLITE_ROW || r == SQLITE_DONE ? SQLITE_OK : r;
}

void statements_finish(struct statements *statements)
{
	for (int level = 0; level < HISTORY_LEVELS; level++)
		for (int i = 0; i < LEVEL_STATEMENTS; i++)
			sqlite3_finalize(statements->of_level[level][i]);
	for (int i = 0; i < OTHER_STATEMENTS; i++)
		sqlite3_finalize(statements->others[i]);
	*statements = (struct statements){ 0 };
}

#endif
