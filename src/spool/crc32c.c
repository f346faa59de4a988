// SPDX-License-Identifier: GPL-2.0-or-later
/* By the processor's instruction where there is one, else four bits at a time: 64 bytes of table. */
#include "spool/crc32c.h"

#include <string.h>

static uint32_t by_table(uint32_t crc, const unsigned char *byte, size_t n)
{
	static const uint32_t table[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
		0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
		0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};

	for (; n; n--, byte++) {
		crc ^= *byte;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t
by_instruction(uint32_t crc, const unsigned char *byte, size_t n)
{
	uint64_t wide = crc;

	for (; n >= 8; n -= 8, byte += 8) {
		uint64_t word;

		memcpy(&word, byte, sizeof(word));
		wide = __builtin_ia32_crc32di(wide, word);
	}
	return by_table((uint32_t)wide, byte, n);
}

static int have_instruction(void)
{
	return __builtin_cpu_supports("sse4.2");
}
#else
#define by_instruction by_table
static int have_instruction(void)
{
	return 0;
}
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t n)
{
	return ~(have_instruction() ? by_instruction : by_table)(~crc, data, n);
}
