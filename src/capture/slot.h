/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one slot of an ARRAY_OF_MAPS, which names the map in use. */
#ifndef CAPTURE_SLOT_H
#define CAPTURE_SLOT_H

/* Which of the two maps it names; or an error of bpf(2), -EPROTO: neither. */
int slot_read(int outer_fd, const int inner_fd[2]);

/* Returns when no program runs any more that may have found the former map there. 0 or an error. */
int slot_write(int outer_fd, int inner_fd);

#endif
