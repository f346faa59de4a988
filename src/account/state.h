/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What outlives the meter: the running totals of each uid, and the number of the last batch, in a
 * file of the state directory. This is the reading, once, at start; state_writer.h is the writing.
 *
 *	DIRECTORY/INSTANCE.totals		the last one
 *	DIRECTORY/INSTANCE.totals.before	the one before it, for when the last one can't be read
 *	DIRECTORY/INSTANCE.totals.new		one that is being written
 *	DIRECTORY/INSTANCE.totals.unread	one that could not be read, kept for a repair
 *
 * state_text.h has the format.
 */
#ifndef ACCOUNT_STATE_H
#define ACCOUNT_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of one uid. */
struct state_total {
	uint32_t uid;
	uint64_t in, out;
};

struct state {
	uint64_t batch; /* the last number in use */
	bool clean;	/* written at a clean stop: nothing was metered after it */
	bool behind; /* as read: there was a later one that can't be read, so that totals and batch
			 * may be lower than they have been. Not in the file. */
	struct state_total *totals; /* no uid twice; as read: by ascending uid */
	size_t n;
};

/* Read what the instance's last meter left. Where INSTANCE.totals can't be read, INSTANCE.totals.before
 * is; one warning says which, why, and what that means. Where none can be read *ret is empty, with a
 * warning, and without one where there is none: a first start. Only regular files with one name are
 * read, root's or our euid's, that no others may write.
 *
 * 0; or a negative errno, logged: -EPERM: others may write the directory; -EINVAL: the instance is no
 * part of a file name; -ENOMEM. */
int state_read(const char *directory, const char *instance, struct state *ret);

void state_free(struct state *state);

#endif
