// SPDX-License-Identifier: GPL-2.0-or-later
#include "privileges/capabilities.h"

#include <errno.h>
#include <stddef.h>

#ifdef HAVE_LIBCAP_NG

#include <cap-ng.h>
#include <sys/prctl.h>

bool capabilities_built(void)
{
	return true;
}

static bool has(uint64_t set, unsigned int capability)
{
	return capability < 64 && set & CAPABILITY(capability);
}

/* What is not permitted now can't be kept, and asking for it would fail for all of them. */
static int choose(uint64_t effective, uint64_t permitted)
{
	uint64_t there = 0;

	if (capng_get_caps_process())
		return -EIO;
	for (unsigned int i = 0; i <= CAP_LAST_CAP; i++)
		if (capng_have_capability(CAPNG_PERMITTED, i))
			there |= CAPABILITY(i);
	capng_clear(CAPNG_SELECT_CAPS);
	for (unsigned int i = 0; i <= CAP_LAST_CAP; i++)
		if ((has(permitted & there, i) && capng_update(CAPNG_ADD, CAPNG_PERMITTED, i)) ||
		    (has(effective & permitted & there, i) &&
		     capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, i)))
			return -EIO;
	return 0;
}

int capabilities_keep(uint64_t effective, uint64_t permitted)
{
	int r = choose(effective, permitted);

	return r == 0 && capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : r;
}

int capabilities_lock(uint64_t kept)
{
	int r = choose(kept | CAPABILITY(CAP_SETPCAP), kept | CAPABILITY(CAP_SETPCAP));

	if (r < 0 || capng_apply(CAPNG_SELECT_CAPS))
		return r < 0 ? r : -EPERM;
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP)) {
		capng_clear(CAPNG_SELECT_BOUNDS);
		if (capng_apply(CAPNG_SELECT_BOUNDS))
			return -EPERM;
	}
	r = choose(kept, kept);
	if (r < 0 || capng_apply(CAPNG_SELECT_CAPS))
		return r < 0 ? r : -EPERM;
	/* libcap-ng before 0.8 knows no ambient set. */
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) ? -errno : 0;
}

const char *capability_name(unsigned int capability)
{
	return capng_capability_to_name(capability);
}

#else

bool capabilities_built(void)
{
	return false;
}

int capabilities_keep(uint64_t effective, uint64_t permitted)
{
	(void)effective, (void)permitted;
	return 0;
}

int capabilities_lock(uint64_t kept)
{
	(void)kept;
	return 0;
}

const char *capability_name(unsigned int capability)
{
	(void)capability;
	return NULL;
}

#endif
