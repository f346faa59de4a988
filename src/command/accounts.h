/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Account as a meter opens it: with the totals in what capture keeps in the kernel, and on disk. */
#ifndef COMMAND_ACCOUNTS_H
#define COMMAND_ACCOUNTS_H

#include "account/account.h"
#include "capture/capture.h"
#include "command/meter.h"
#include "pipeline/outputs.h"

/* Read the file of networks with names, if there is one. 0 or an error, logged, and then all is as it was. */
int accounts_load_networks(struct account *account, const struct meter_settings *settings);

/* All: 0 or an error, logged. The second asks the outputs, too, where the state may be behind. The last
 * starts threads, and has the event told when an answer is there that a record may wait for. */
int accounts_open(struct account *account, struct capture *capture,
		  const struct meter_settings *settings);
int accounts_open_state(struct account *account, struct capture *capture,
			const struct outputs *outputs, const struct meter_settings *settings);
int accounts_start(struct account *account, const struct meter_settings *settings, int event_fd);

#endif
