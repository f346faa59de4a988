/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of a state file, for an administrator to read, too:
 *
 *	traffic-meter totals 1			1: the format's version
 *	batch 4711
 *	clean no				or yes
 *	1000 123456789 987654			UID IN OUT, a line a uid, in any order
 *	checksum 1a2b3c4d			CRC-32 (zlib's) of all lines above, eight hex digits
 *
 * Numbers are decimal without signs or leading zeroes, one space between them, nothing else on a
 * line. Who mends a file by hand ends it with "checksum none".
 */
#ifndef ACCOUNT_STATE_TEXT_H
#define ACCOUNT_STATE_TEXT_H

#include <stddef.h>

#include "account/state.h"

/* Bytes of a file: some 1.2 million uids with the longest numbers, more with usual ones. */
#define STATE_TEXT_MAX ((size_t)64 << 20)

/* Bytes of an error's words, with the NUL. */
#define STATE_WORDS_MAX 320

/* 0; -EBADMSG: it is damaged, -ENOTSUP: a newer version, and `words` say why; -ENOMEM. */
int state_text_parse(const char *text, size_t length, struct state *ret,
		     char words[STATE_WORDS_MAX]);

/* Sorts the totals by uid. *ret_text is the caller's to free, *ret_length at most STATE_TEXT_MAX.
 * 0; -EFBIG: too many uids for a file, -ENOMEM. */
int state_text_format(struct state *state, char **ret_text, size_t *ret_length);

#endif
