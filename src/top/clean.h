/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text from elsewhere, made fit for a terminal. */
#ifndef TOP_CLEAN_H
#define TOP_CLEAN_H

#include <stddef.h>

/* Copies UTF-8 text, with a '?' in the place of each control character, and not cut inside a character. */
void clean_copy(char *to, size_t size, const char *text);

/* How many columns a text takes on the screen. */
int clean_width(const char *text);

#endif
