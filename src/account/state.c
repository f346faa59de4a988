// SPDX-License-Identifier: GPL-2.0-or-later
#include "account/state.h"

#include <errno.h>
#include <stdio.h>

#include "account/state_file.h"
#include "util/cleanup.h"
#include "util/log.h"

/* The last one can't be read: go back to the one before, and say so. */
static int read_before(const char *directory, int directory_fd, const struct state_names *names,
		       int error, const char *why, struct state *ret)
{
	_cleanup_(state_free) struct state state = { 0 };
	/* Something that is no file of ours stays where it is. */
	const char *kept = error == -ENOENT || error == -EPERM ? "" : "; it is kept as .unread";
	char why_before[STATE_WORDS_MAX];
	int r;

	r = state_file_read(directory_fd, names->before, &state, why_before);
	if (r == -ENOMEM)
		return log_error_errno(r, "read %s/%s", directory, names->before);
	/* A first start. */
	if (r == -ENOENT && error == -ENOENT)
		return 0;
	if (r < 0) {
		log_warning("%s/%s %s%s; and %s %s: totals and batch numbers begin at 0", directory,
			    names->current, error == -ENOENT ? "is missing" : why, kept,
			    names->before, r == -ENOENT ? "is missing" : why_before);
		ret->behind = true;
		return 0;
	}
	log_warning("%s/%s %s%s: totals go on from %s, the file before it, and lack what was "
		    "metered between the two",
		    directory, names->current, error == -ENOENT ? "is missing" : why, kept,
		    names->before);
	*ret = state;
	state = (struct state){ 0 };
	ret->behind = true;
	return 0;
}

static int read_current(const char *directory, int directory_fd, const struct state_names *names,
			struct state *ret)
{
	char why[STATE_WORDS_MAX];
	int r = state_file_read(directory_fd, names->current, ret, why);

	if (r == -ENOMEM)
		return log_error_errno(r, "read %s/%s", directory, names->current);
	return r < 0 ? read_before(directory, directory_fd, names, r, why, ret) : 0;
}

int state_read(const char *directory, const char *instance, struct state *ret)
{
	struct state state = { 0 };
	_cleanup_close_ int directory_fd = -1;
	char words[STATE_WORDS_MAX];
	struct state_names names;
	int r;

	r = state_names_init(&names, instance, words);
	if (r < 0) {
		log_error("instance %s", words);
		return r;
	}
	r = state_directory_open(directory, false, &directory_fd, words);
	if (r == -ENOENT) {
		*ret = state;
		return 0;
	}
	if (r < 0) {
		log_error("state directory %s: %s", directory, words);
		return r;
	}
	r = read_current(directory, directory_fd, &names, &state);
	if (r < 0)
		return r;
	*ret = state;
	return 0;
}
