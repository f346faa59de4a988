// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sender: UDP over loopback from one process to itself, paced or as fast as it goes, and what that
 * was in one line of name=value. Each packet passes the egress hook with the sending socket's uid
 * and the ingress hook with the receiving one's, which is the same.
 *
 * Pacing: sleeping until each packet's own time with a timer slack of 1 ns, one packet a wake-up,
 * as real traffic comes. What comes late is sent at once, and counted as late.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S   UINT64_C(1000000000)
#define USERS_MAX  1000
#define SIZE_MAX_  1400
#define UDP_HEADER 8

/* A clock reading for so many packets of a flood. */
#define FLOOD_PIECE 64

struct user {
	int sender_fd, sink_fd;
	in_port_t sink_port;
};

struct settings {
	const char *from, *to;
	uint64_t rate, duration_ns, packets, size;
	unsigned int users, first_uid, flows;
	bool take; /* receive what was sent */
};

static struct user users[USERS_MAX];
static char payload[SIZE_MAX_];

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...)
{
	const char *words = strerror(errno);
	va_list arguments;

	fputs("sender: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, ": %s\n", words);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void sleep_until(uint64_t time_ns)
{
	struct timespec time = { (time_t)(time_ns / NS_PER_S), (long)(time_ns % NS_PER_S) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR)
		;
}

/* A socket bound to a free port of the address; *ret is where it is. */
static int open_bound(const char *word, struct sockaddr_storage *ret, socklen_t *ret_size)
{
	struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in ipv4 = { .sin_family = AF_INET };
	int fd;

	if (inet_pton(AF_INET, word, &ipv4.sin_addr) == 1) {
		memcpy(ret, &ipv4, sizeof(ipv4));
		*ret_size = sizeof(ipv4);
	} else if (inet_pton(AF_INET6, word, &ipv6.sin6_addr) == 1) {
		memcpy(ret, &ipv6, sizeof(ipv6));
		*ret_size = sizeof(ipv6);
	} else {
		errno = EINVAL;
		fail("%s", word);
	}
	fd = socket(ret->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)ret, *ret_size) < 0 ||
	    getsockname(fd, (struct sockaddr *)ret, ret_size) < 0)
		fail("a socket at %s", word);
	return fd;
}

/* A socket belongs to the effective uid that made it, so one process can be many users. */
static void open_user(const struct settings *settings, unsigned int index)
{
	struct sockaddr_storage from, to;
	struct user *user = &users[index];
	socklen_t size;

	if (settings->first_uid && seteuid(settings->first_uid + index) < 0)
		fail("become user %u", settings->first_uid + index);
	user->sink_fd = open_bound(settings->to, &to, &size);
	user->sender_fd = open_bound(settings->from, &from, &size);
	user->sink_port = ((struct sockaddr_in *)&to)->sin_port;
	if (!settings->flows && connect(user->sender_fd, (struct sockaddr *)&to, size) < 0)
		fail("connect to %s", settings->to);
	if (settings->first_uid && seteuid(0) < 0)
		fail("become root again");
}

/* Each of the flows has an address of 127.0.0.0/8 of its own, from 127.1.0.0 on. */
static ssize_t send_to_flow(const struct settings *settings, const struct user *user,
			    uint64_t number)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(0x7f010000 + (uint32_t)(number % settings->flows)),
		.sin_port = user->sink_port,
	};

	return sendto(user->sender_fd, payload, settings->size, 0, (struct sockaddr *)&to,
		      sizeof(to));
}

static bool send_one(const struct settings *settings, unsigned int index, uint64_t number)
{
	const struct user *user = &users[index];
	char taken[SIZE_MAX_];
	ssize_t r = settings->flows ? send_to_flow(settings, user, number)
				    : send(user->sender_fd, payload, settings->size, 0);

	if (r < 0) {
		if (errno != ENOBUFS && errno != EAGAIN)
			fail("send");
		return false;
	}
	/* Loopback delivers before send() returns. */
	if (settings->take && recv(user->sink_fd, taken, sizeof(taken), MSG_DONTWAIT) < 0 &&
	    errno != EAGAIN)
		fail("receive");
	return true;
}

static void run(const struct settings *settings)
{
	uint64_t start = now_ns(), end = start + settings->duration_ns, now = start, sent = 0;
	uint64_t late = 0, piece = settings->rate ? 1 : FLOOD_PIECE, tries = 0;
	size_t header = strchr(settings->to, ':') ? 40 : 20;
	unsigned int user = 0;
	double seconds;

	while (now < end && sent < settings->packets) {
		if (settings->rate) {
			uint64_t due = start + tries * NS_PER_S / settings->rate;

			sleep_until(due);
			late += now_ns() - due > NS_PER_S / settings->rate;
		}
		for (uint64_t i = 0; i < piece && sent < settings->packets; i++, tries++) {
			sent += send_one(settings, user, sent);
			user = user + 1 < settings->users ? user + 1 : 0;
		}
		now = now_ns();
	}
	seconds = (double)(now - start) / 1e9;
	printf("packets=%" PRIu64 " ip_bytes=%" PRIu64
	       " seconds=%.3f rate=%.0f late_percent=%.1f\n",
	       sent, sent * (header + UDP_HEADER + settings->size), seconds, (double)sent / seconds,
	       sent ? 100. * (double)late / (double)sent : 0.);
}

static uint64_t number(const char *word, uint64_t maximum)
{
	char *end;
	uint64_t value = strtoull(word, &end, 10);

	if (*end || end == word || value > maximum) {
		errno = EINVAL;
		fail("%s", word);
	}
	return value;
}

static int usage(void)
{
	fputs("usage: sender [--from ADDR] [--to ADDR] [--rate PPS] [--milliseconds N] [--packets "
	      "N]\n"
	      "              [--size BYTES] [--users N] [--first-uid UID] [--flows N] [--take]\n"
	      "rate 0: as fast as it goes; --take: receive what was sent; --flows: to so many "
	      "addresses\n"
	      "of 127.0.0.0/8 in turn (with --to 0.0.0.0 --from 127.0.0.1)\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "from", required_argument, NULL, 'f' },
		{ "to", required_argument, NULL, 't' },
		{ "rate", required_argument, NULL, 'r' },
		{ "milliseconds", required_argument, NULL, 'm' },
		{ "packets", required_argument, NULL, 'p' },
		{ "size", required_argument, NULL, 's' },
		{ "users", required_argument, NULL, 'u' },
		{ "first-uid", required_argument, NULL, 'i' },
		{ "flows", required_argument, NULL, 'l' },
		{ "take", no_argument, NULL, 'k' },
		{ 0 },
	};
	struct settings settings = {
		.from = NULL,
		.to = "127.0.0.1",
		.duration_ns = NS_PER_S,
		.packets = UINT64_MAX,
		.size = 64,
		.users = 1,
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'f':
			settings.from = optarg;
			break;
		case 't':
			settings.to = optarg;
			break;
		case 'r':
			settings.rate = number(optarg, 10000000);
			break;
		case 'm':
			settings.duration_ns = number(optarg, 600000) * 1000000;
			break;
		case 'p':
			settings.packets = number(optarg, UINT32_MAX);
			break;
		case 'l':
			settings.flows = (unsigned int)number(optarg, 0xfe0000);
			break;
		case 's':
			settings.size = number(optarg, SIZE_MAX_);
			break;
		case 'u':
			settings.users = (unsigned int)number(optarg, USERS_MAX);
			break;
		case 'i':
			settings.first_uid = (unsigned int)number(optarg, 1u << 30);
			break;
		case 'k':
			settings.take = true;
			break;
		default:
			return usage();
		}
	}
	if (!settings.from)
		settings.from = settings.to;
	if (prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul) < 0)
		fail("set the timer slack");
	for (unsigned int i = 0; i < settings.users; i++)
		open_user(&settings, i);
	run(&settings);
	return fflush(stdout) ? 1 : 0;
}
