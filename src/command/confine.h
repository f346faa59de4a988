/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a meter gives up, and when. It starts with the rights that it was given, and
 *
 *	confine_find, confine_join	as who it will run; its group, for all that it makes
 *	  what only root can make: the socket in /run, pins
 *	confine_give			what the user will write is its own: pins, the state directory
 *	confine_become			the user; what attaching takes is kept
 *	  outputs are opened, programs attached
 *	confine_lock			what metering itself does not take: capabilities, files
 *	  threads are started, which inherit that
 *	confine_calls			system calls, in all threads; starting a thread is one of them
 */
#ifndef COMMAND_CONFINE_H
#define COMMAND_CONFINE_H

#include "command/meter.h"
#include "pipeline/outputs.h"
#include "privileges/identity.h"

/* All: 0 or an error, logged. */
int confine_join(const struct meter_settings *settings, struct identity *ret);
int confine_give(const struct meter_settings *settings, struct capture *capture,
		 const struct identity *identity);
int confine_become(const struct identity *identity);
int confine_lock(const struct meter_settings *settings, const struct capture *capture,
		 const struct outputs *outputs);
int confine_calls(void);

#endif
