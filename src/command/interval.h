/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The line that people are told of an interval: in the log at level info, and by the service manager. */
#ifndef COMMAND_INTERVAL_H
#define COMMAND_INTERVAL_H

#include "account/account.h"
#include "capture/capture.h"

void interval_tell(const struct account_sum *sum, uint64_t duration_ns,
		   enum capture_records records);

#endif
