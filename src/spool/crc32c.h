/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CRC-32C (Castagnoli, RFC 3720): the checksum of the spool's files. */
#ifndef SPOOL_CRC32C_H
#define SPOOL_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from `crc`, which is 0 for the first piece. */
uint32_t crc32c(uint32_t crc, const void *data, size_t n);

#endif
