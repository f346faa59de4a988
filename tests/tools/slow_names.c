// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded into a program it is a directory server: it knows the user tm-owner, uid 50777, and does not answer
 * while the file $SLOW_NAMES is there.
 */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

static int answer(int known, struct passwd *entry, struct passwd **ret)
{
	const char *path = getenv("SLOW_NAMES");

	while (path && access(path, F_OK) == 0)
		usleep(20000);
	*entry = (struct passwd){ .pw_name = (char *)"tm-owner", .pw_uid = 50777, .pw_gid = 50777 };
	*ret = known ? entry : NULL;
	return 0;
}

PUBLIC int getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size,
		      struct passwd **ret)
{
	(void)buffer, (void)size;
	return answer(strcmp(name, "tm-owner") == 0, entry, ret);
}

PUBLIC int getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size,
		      struct passwd **ret)
{
	(void)buffer, (void)size;
	return answer(uid == 50777, entry, ret);
}
