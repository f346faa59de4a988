// SPDX-License-Identifier: GPL-2.0-or-later
#include "top/help.h"

#include <stddef.h>

const char *const help_lines[] = {
	"Who moves how much at this moment. Rates are those of the last second.",
	"",
	"Tab, Shift-Tab    users, workloads, networks, remotes, interfaces",
	"Enter             open a user: connections, programs, workloads, remotes",
	"Esc, Backspace    back",
	"Up Down PgUp PgDn Home End, mouse, j k       move",
	"F3 /  search      F4 \\  filter       n  names of remote hosts",
	"F6 < > s  sort by a column           I  turn the order",
	"P  sort by rate   T  sort by sum     N  sort by name",
	"F  follow the row under the cursor   Z Space  pause",
	"b  bits or bytes  w  IP or wire bytes",
	"F1 ? h  this page  F10 q  quit",
	"",
	"Filter: words that all have to fit. user:ann  port:443  dst:10.  prog:ssh",
	"net:internet  if:eth0  work:slurm  proto:udp, or a part of a name;",
	"!word turns a word around.",
	"",
	"Wire bytes have the headers of each segment of a large (GSO, GRO) packet.",
	"What has ended is dim, and goes after a minute.",
	NULL,
};
