// SPDX-License-Identifier: GPL-2.0-or-later
#include "serve/access.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "util/cleanup.h"
#include "util/log.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

int access_read_token(struct access_rules *rules, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char text[ACCESS_TOKEN_MAX + 2] = "";
	struct stat status;
	ssize_t n;
	size_t length;

	if (fd < 0 || fstat(fd, &status))
		return log_error_errno(-errno, "open the file of the token, %s", path);
	if (!S_ISREG(status.st_mode) || status.st_mode & 07) {
		log_error("%s: the token is to be in a file that others can't read; chmod o= it",
			  path);
		return -EPERM;
	}
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return log_error_errno(-errno, "read the token in %s", path);
	length = strcspn(text, "\r\n");
	for (size_t i = 0; i < length; i++)
		if (text[i] <= ' ' || text[i] > '~')
			length = 0;
	if (length < ACCESS_TOKEN_MIN || length > ACCESS_TOKEN_MAX) {
		log_error(
			"%s: the token is to be one line of %d to %d letters and digits; make one "
			"with 'openssl rand -hex 16'",
			path, ACCESS_TOKEN_MIN, ACCESS_TOKEN_MAX);
		return -EINVAL;
	}
	memcpy(rules->token, text, length);
	rules->token[length] = '\0';
	rules->token_length = length;
	return 0;
}

/* Groups that the process was in when it connected. Linux before 4.13 does not tell them: then the primary
 * group alone counts. */
static bool is_in_group(int fd, gid_t primary, gid_t group)
{
	_cleanup_free_ gid_t *groups = NULL;
	socklen_t size = 0;
	gid_t none;

	if (primary == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, &none, &size) == 0 || errno != ERANGE)
		return false;
	groups = malloc(size);
	if (!groups || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size))
		return false;
	for (size_t i = 0; i < size / sizeof(*groups); i++)
		if (groups[i] == group)
			return true;
	return false;
}

int access_find_peer(const struct access_rules *rules, int fd, struct asker *ret)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		return -errno;
	ret->known = true;
	ret->uid = peer.uid;
	ret->everything =
		peer.uid == 0 || (rules->has_group && is_in_group(fd, peer.gid, rules->group));
	return 0;
}

static int base64_digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* What is behind the colon of "user:password". Empty: there is none. */
static void decode_password(const char *base64, char ret[2 * ACCESS_TOKEN_MAX])
{
	char text[2 * ACCESS_TOKEN_MAX] = "", *colon;
	unsigned int bits = 0, n_bits = 0;
	size_t n = 0;

	for (; base64_digit(*base64) >= 0 && n < sizeof(text) - 1; base64++) {
		bits = bits << 6 | (unsigned int)base64_digit(*base64);
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			text[n++] = (char)(bits >> n_bits);
		}
	}
	text[n] = '\0';
	colon = strchr(text, ':');
	snprintf(ret, sizeof(text), "%s", colon ? colon + 1 : "");
}

static bool is_token(const struct access_rules *rules, const char *text)
{
	unsigned char ours[ACCESS_TOKEN_MAX] = { 0 }, theirs[ACCESS_TOKEN_MAX] = { 0 };
	size_t length = strlen(text);
	volatile unsigned int differ = length != rules->token_length;

	memcpy(ours, rules->token, rules->token_length);
	memcpy(theirs, text, length < sizeof(theirs) ? length : sizeof(theirs));
	for (size_t i = 0; i < sizeof(ours); i++)
		differ |= ours[i] ^ theirs[i];
	return rules->token_length && !differ;
}

bool access_token_is_good(const struct access_rules *rules, const char *authorization)
{
	char password[2 * ACCESS_TOKEN_MAX];

	if (!authorization)
		return false;
	if (strncasecmp(authorization, "Bearer ", 7) == 0)
		return is_token(rules, authorization + 7);
	if (strncasecmp(authorization, "Basic ", 6) != 0)
		return false;
	decode_password(authorization + 6, password);
	return is_token(rules, password);
}

/* An address is no name, and can't be made to point elsewhere. */
static bool is_address(const char *host)
{
	unsigned char address[16];

	return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

bool access_host_is_good(const struct access_rules *rules, const char *host)
{
	char name[256];
	size_t length, port;

	if (!host || strlen(host) >= sizeof(name))
		return false;
	if (*host == '[') {
		length = strcspn(++host, "]");
		port = host[length] ? length + 1 : length;
	} else {
		port = length = strcspn(host, ":");
	}
	if (host[port] &&
	    (host[port] != ':' || host[port + 1 + strspn(host + port + 1, "0123456789")]))
		return false;
	memcpy(name, host, length);
	name[length] = '\0';
	if (is_address(name) || strcasecmp(name, "localhost") == 0)
		return true;
	for (size_t i = 0; i < rules->n_hosts; i++)
		if (strcasecmp(name, rules->hosts[i]) == 0)
			return true;
	return false;
}
