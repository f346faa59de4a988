/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the packing of a block and its unpacking share: types, and how many columns there are. */
#ifndef SPOOL_COLUMNS_H
#define SPOOL_COLUMNS_H

/* Columns of a block that we write. */
#define COLUMN_N 29

/* ClickHouse 18.16 takes them; it has no IPv6 and no DateTime64. */
#define COLUMN_TYPE_TEXT      "LowCardinality(String)"
#define COLUMN_TYPE_ADDRESS   "LowCardinality(FixedString(16))"
#define COLUMN_TYPE_DIRECTION "Enum8('in' = 0, 'out' = 1)"
#define COLUMN_TYPE_STEP      "Enum8('packet' = 1, 'flow' = 2, 'user' = 3, 'total' = 4)"

/* Of the word before a dictionary: its keys follow, and there is none that other blocks share. */
#define COLUMN_KEYS_FOLLOW 0x600

/* Texts are cut here. */
#define COLUMN_TEXT_MAX 4096

/* Columns of texts. */
enum column_text {
	COLUMN_HOST,
	COLUMN_USER,
	COLUMN_INTERFACE,
	COLUMN_PROGRAM,
	COLUMN_CGROUP,
	COLUMN_NETWORK,
	COLUMN_WORKLOAD,
	COLUMN_TEXTS,
};

#endif
