/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sources that query_open() knows. */
#ifndef QUERY_SOURCE_H
#define QUERY_SOURCE_H

#include "query/query.h"

#ifdef HAVE_SQLITE3
extern const struct query_source_ops history_source; /* history:FILE */
#endif

#endif
