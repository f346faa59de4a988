// SPDX-License-Identifier: GPL-2.0-or-later
#include "command/control.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/log.h"

#define INSTANCE_LENGTH_MAX 64

/* Connections that wait to be accepted; the kernel's own limit is lower on most machines. */
#define BACKLOG 128

int control_verify_instance(const char *instance)
{
	size_t length = strlen(instance);

	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)instance[i]) && !strchr("-_.", instance[i]))
			length = 0;
	if (length > 0 && length <= INSTANCE_LENGTH_MAX && instance[0] != '.')
		return 0;
	log_error("instance '%.*s': it names a socket, so write 1 to %d letters, digits, '-', '_' "
		  "or '.'",
		  INSTANCE_LENGTH_MAX, instance, INSTANCE_LENGTH_MAX);
	return -EINVAL;
}

static int make_directory(void)
{
	return mkdir(CONTROL_DIRECTORY, 0755) && errno != EEXIST ? -errno : 0;
}

/* The file stays when the lock goes: who removes it could remove another's. */
int control_lock(const char *instance, int *ret_fd, pid_t *ret_pid)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	char text[16] = "";
	int r = make_directory();

	if (r < 0)
		return r;
	if (asprintf(&path, CONTROL_DIRECTORY "/%s.lock", instance) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	/* Whoever can read the file can lock it, and so keep every meter from starting. Earlier versions
	 * made it readable to all. */
	if (fchmod(fd, 0600))
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK)
			return -errno;
		if (pread(fd, text, sizeof(text) - 1, 0) < 0)
			return -errno;
		*ret_pid = (pid_t)strtol(text, NULL, 10);
		return -EBUSY;
	}
	r = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) || pwrite(fd, text, (size_t)r, 0) != r)
		return errno ? -errno : -EIO;
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* The mode comes with the making: there is no moment at which others may connect. */
static int bind_closed(int fd, const struct sockaddr_un *address)
{
	mode_t before = umask(0117);
	int r = bind(fd, (const struct sockaddr *)address, sizeof(*address)) ? -errno : 0;

	umask(before);
	return r;
}

int control_listen(const char *instance, int *ret_fd)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_un address;
	int r = client_address(instance, &address);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (make_directory() < 0)
		return -errno;
	unlink(address.sun_path);
	r = bind_closed(fd, &address);
	if (r < 0 || listen(fd, BACKLOG))
		return r < 0 ? r : -errno;
	*ret_fd = steal_fd(&fd);
	return 0;
}

void control_remove(const char *instance)
{
	struct sockaddr_un address;

	if (client_address(instance, &address) == 0)
		unlink(address.sun_path);
}
