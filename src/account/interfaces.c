// SPDX-License-Identifier: GPL-2.0-or-later
#include "account/interfaces.h"

#include <string.h>

const char *interfaces_name(struct interfaces *interfaces, uint32_t ifindex)
{
	__typeof__(interfaces->slots[0]) *slot =
		&interfaces->slots[ifindex & (INTERFACES_SLOTS - 1)];

	if (slot->ifindex != ifindex) {
		slot->ifindex = ifindex;
		memset(slot->name, 0, sizeof(slot->name));
		if (!if_indextoname(ifindex, slot->name))
			slot->name[0] = '\0';
	}
	return slot->name;
}

void interfaces_forget(struct interfaces *interfaces)
{
	memset(interfaces, 0, sizeof(*interfaces));
}
