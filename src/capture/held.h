/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a set's ring and tables hold, for the audit: a look that takes nothing. */
#ifndef CAPTURE_HELD_H
#define CAPTURE_HELD_H

#include "capture/capture.h"
#include "capture/set.h"

/* Add it to *ret; ret_twice: add what may have been seen in two places on its way from the one to the
 * other, or NULL: no program writes the set. 0, -ENOMEM or an error of bpf(2). */
int held_of_set(struct set *set, struct capture_audit *ret, struct capture_audit *ret_twice);

#endif
