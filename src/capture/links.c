// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/links.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/cleanup.h"

/* The kernel fills a buffer of this size, and never more, in one go of a dump. */
#define DUMP_BYTES 32768

struct links {
	const struct traffic_strings *names;
	bool *found; /* of the names, or NULL */
	struct link *links;
	size_t n, size;
};

static void links_free(struct links *links)
{
	free(links->links);
}

static int ask(int fd)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg body;
	} request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = RTM_GETLINK,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.body = { .ifi_family = AF_UNSPEC },
	};

	return send(fd, &request, sizeof(request), 0) == sizeof(request) ? 0 : -errno;
}

static uint32_t number(const struct rtattr *attribute)
{
	uint32_t value = 0;

	if (RTA_PAYLOAD(attribute) >= sizeof(value))
		memcpy(&value, RTA_DATA(attribute), sizeof(value));
	return value;
}

/* Both ends of a veth pair name each other where they are in one namespace, yet neither sends by the
 * other. */
static bool is_veth(const struct rtattr *info)
{
	const struct rtattr *attribute = RTA_DATA(info);
	unsigned int left = (unsigned int)RTA_PAYLOAD(info);

	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if (attribute->rta_type == IFLA_INFO_KIND)
			return strncmp(RTA_DATA(attribute), "veth", RTA_PAYLOAD(attribute)) == 0;
	return false;
}

static bool is_one_of(const struct links *links, const struct rtattr *name)
{
	const struct traffic_strings *names = links->names;
	bool is = false;

	for (size_t i = 0; i < names->n; i++) {
		if (strncmp(names->values[i], RTA_DATA(name), RTA_PAYLOAD(name)) != 0)
			continue;
		if (links->found)
			links->found[i] = true;
		is = true;
	}
	return is;
}

/* There may be several, longer than a name may be. */
static bool has_alternative_name(const struct links *links, const struct rtattr *list)
{
	const struct rtattr *attribute = RTA_DATA(list);
	unsigned int left = (unsigned int)RTA_PAYLOAD(list);
	bool has = false;

	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if (attribute->rta_type == IFLA_ALT_IFNAME && is_one_of(links, attribute))
			has = true;
	return has;
}

static void parse(const struct links *links, const struct nlmsghdr *message, struct link *ret)
{
	const struct ifinfomsg *body = NLMSG_DATA(message);
	const struct rtattr *attribute = IFLA_RTA(body);
	unsigned int left = (unsigned int)IFLA_PAYLOAD(message);
	bool linked = false, elsewhere = false;

	*ret = (struct link){ .ifindex = (uint32_t)body->ifi_index,
			      .type = body->ifi_type,
			      .up = body->ifi_flags & IFF_UP };
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		switch (attribute->rta_type) {
		case IFLA_IFNAME:
			strncpy(ret->name, RTA_DATA(attribute), sizeof(ret->name) - 1);
			ret->named |= is_one_of(links, attribute);
			break;
		case IFLA_PROP_LIST | NLA_F_NESTED:
		case IFLA_PROP_LIST:
			ret->named |= has_alternative_name(links, attribute);
			break;
		case IFLA_MASTER:
			ret->master = number(attribute);
			break;
		case IFLA_LINK:
			linked = number(attribute) && number(attribute) != ret->ifindex;
			break;
		case IFLA_LINK_NETNSID:
			elsewhere = true;
			break;
		case IFLA_LINKINFO:
			elsewhere = elsewhere || is_veth(attribute);
			break;
		}
	}
	ret->upper = linked && !elsewhere;
}

static int add(struct links *links, const struct nlmsghdr *message)
{
	if (links->n == links->size) {
		size_t size = links->size ? links->size * 2 : 16;
		struct link *grown = realloc(links->links, size * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		links->links = grown;
		links->size = size;
	}
	parse(links, message, &links->links[links->n++]);
	return 0;
}

/* 1: there is more to come. */
static int read_piece(int fd, char *buffer, struct links *links)
{
	ssize_t size = recv(fd, buffer, DUMP_BYTES, 0);
	const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;
	unsigned int left;
	int r;

	if (size < 0)
		return errno == EINTR ? 1 : -errno;
	for (left = (unsigned int)size; NLMSG_OK(message, left);
	     message = NLMSG_NEXT(message, left)) {
		if (message->nlmsg_type == NLMSG_DONE)
			return 0;
		if (message->nlmsg_type == NLMSG_ERROR)
			return -EIO;
		if (message->nlmsg_type == RTM_NEWLINK && (r = add(links, message)) < 0)
			return r;
	}
	return 1;
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return left < right ? -1 : left > right;
}

/* A device with ports sends by them. A bridge may have thousands. */
static int mark_masters(struct links *links)
{
	_cleanup_free_ uint32_t *masters = calloc(links->n ?: 1, sizeof(*masters));
	size_t n = 0;

	if (!masters)
		return -ENOMEM;
	for (size_t i = 0; i < links->n; i++)
		if (links->links[i].master)
			masters[n++] = links->links[i].master;
	qsort(masters, n, sizeof(*masters), compare_numbers);
	for (size_t i = 0; i < links->n; i++)
		if (bsearch(&links->links[i].ifindex, masters, n, sizeof(*masters),
			    compare_numbers))
			links->links[i].upper = true;
	return 0;
}

int links_read(const struct traffic_strings *names, bool *ret_found, struct link **ret,
	       size_t *ret_n)
{
	_cleanup_(links_free) struct links links = { .names = names, .found = ret_found };
	_cleanup_free_ char *buffer = malloc(DUMP_BYTES);
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int r;

	if (!buffer)
		return -ENOMEM;
	if (fd < 0)
		return -errno;
	r = ask(fd);
	while (r >= 0 && (r = read_piece(fd, buffer, &links)) == 1)
		;
	if (r < 0 || (r = mark_masters(&links)) < 0)
		return r;
	*ret = steal_pointer(links.links);
	*ret_n = links.n;
	return 0;
}
