// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/standard.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int standard_open(void)
{
	/* open() returns the lowest number that is free, and all below are taken. The wrong way round, so
	 * that records to a closed standard output still fail (EBADF) and are not lost in silence. */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
			return -errno;
	return 0;
}
