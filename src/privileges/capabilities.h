/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The calling thread's capabilities, as sets of bits: capability CAP_X is bit CAP_X. Threads that it
 * starts later inherit them.
 */
#ifndef PRIVILEGES_CAPABILITIES_H
#define PRIVILEGES_CAPABILITIES_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>

#define CAPABILITY(capability) (UINT64_C(1) << (capability))

/* Whether the build can change them (libcap-ng). */
bool capabilities_built(void);

/* Keep of what there is: `permitted`, and of that `effective` in force. Nothing is left to inherit.
 * 0 or -errno; nothing happens without libcap-ng. */
int capabilities_keep(uint64_t effective, uint64_t permitted);

/* As above with both sets `kept`, for good: the bounding set goes too, where CAP_SETPCAP is there. */
int capabilities_lock(uint64_t kept);

/* "bpf", or NULL where it has no name here. */
const char *capability_name(unsigned int capability);

#endif
