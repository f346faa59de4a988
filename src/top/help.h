/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The help page of the screen. */
#ifndef TOP_HELP_H
#define TOP_HELP_H

/* Ends with NULL. */
extern const char *const help_lines[];

#endif
