/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options as data: one row says an option's name, what values it takes, where the value goes and
 * what help says of it. The command line, the configuration file and the `key=value` of an output
 * SPEC are all read by such rows.
 */
#ifndef TRAFFIC_METER_OPTION_H
#define TRAFFIC_METER_OPTION_H

#include <stddef.h>

enum traffic_option_type {
	TRAFFIC_OPTION_STRING,	/* char *: allocated, freed by the host */
	TRAFFIC_OPTION_STRINGS, /* struct traffic_strings: one value for each time it is given */
	TRAFFIC_OPTION_FLAG, /* bool: yes|no, true|false, on|off, 1|0; on the command line alone: yes */
	TRAFFIC_OPTION_CHOICE, /* int: the index into .choices */
	TRAFFIC_OPTION_NUMBER, /* uint64_t, decimal, from .minimum to .maximum */
	TRAFFIC_OPTION_SIZE, /* uint64_t, bytes: decimal, K, M, G or T may follow (powers of 1024) */
	TRAFFIC_OPTION_MODE, /* uint32_t: permission bits in octal, up to 0777 */
};

struct traffic_strings {
	char **values;
	size_t n;
};

/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): in the order in which a row is read */
struct traffic_option {
	const char *name; /* as in --name, `name = value`, and `,name=value` */
	enum traffic_option_type type;
	size_t offset;			     /* of the value in the struct that the rows describe */
	const char *metavar;		     /* what help calls the value; NULL for a flag */
	const char *const *choices;	     /* for CHOICE: NULL-terminated */
	unsigned long long minimum, maximum; /* for NUMBER and SIZE; maximum 0: no bound */
	const char *help;		     /* one line */
	char letter;			     /* on a command line also -X; 0: none */
};

#endif
