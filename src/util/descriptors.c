// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "util/log.h"

int descriptors_open_standard(void)
{
	/* open() returns the lowest number that is free, and all below are taken. The wrong way round, so
	 * that records to a closed standard output still fail (EBADF) and are not lost in silence. */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    /* cppcheck-suppress leakReturnValNotUsed */
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
			return -errno;
	return 0;
}

void descriptors_raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		log_debug("the limit of open files stays as it is");
}
