/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scope, not discipline, gives back what a function owns on every way out. */
#ifndef UTIL_CLEANUP_H
#define UTIL_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))

static inline void free_pointer(void *pointer)
{
	free(*(void **)pointer);
}

/* Closes without touching errno, so that the error being returned survives. */
static inline void close_fd(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void close_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

#define _cleanup_free_	 _cleanup_(free_pointer)
#define _cleanup_close_	 _cleanup_(close_fd)
#define _cleanup_fclose_ _cleanup_(close_file)

/* Hand over what a cleanup variable holds: the caller owns it, the variable is empty. */
#define steal_pointer(pointer)                           \
	({                                               \
		__typeof__(pointer) _stolen = (pointer); \
		(pointer) = NULL;                        \
		_stolen;                                 \
	})

static inline int steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

#endif
