/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers, times, addresses and names as text, for outputs that write millions of rows a second:
 * no locale, no allocation, no snprintf().
 *
 * Each format_x() writes at `to`, without a NUL, and returns the end of the text. None touches more
 * than its FORMAT_X_MAX bytes: the caller makes sure that there is room for so many.
 */
#ifndef OUTPUT_FORMAT_H
#define OUTPUT_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include <traffic_meter/record.h>

#define FORMAT_NUMBER_MAX   20
#define FORMAT_TIME_MAX	    21
#define FORMAT_ADDRESS_MAX  45
#define FORMAT_PROTOCOL_MAX 16
#define FORMAT_WORD_MAX	    8

char *format_number(char *to, uint64_t number);

/* The other way: decimal digits alone. Returns what comes behind them; NULL: there are none, or they
 * are more than 64 bits. */
const char *format_read_number(const char *text, uint64_t *ret);

/* Seconds, a point, and nine digits of nanoseconds. */
char *format_time(char *to, uint64_t time_ns);

/* As inet_ntop() (RFC 5952). TRAFFIC_FAMILY_NONE: nothing. */
char *format_address(char *to, uint8_t family, const uint8_t address[16]);

/* The name in lower case that Linux gives the protocol (/etc/protocols), else its number. */
char *format_protocol(char *to, uint8_t protocol);

/* in | out */
char *format_direction(char *to, uint8_t direction);

/* packet | flow | user | total; another: its number */
char *format_step(char *to, uint8_t step);

/* How many bytes the UTF-8 character at the start of `text` has, 1 to 4. 0: that is none, by
 * RFC 3629 (overlong, a surrogate, above U+10FFFF, cut short by the end). n is at least 1. */
size_t format_character_length(const char *text, size_t n);

#endif
