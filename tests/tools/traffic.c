// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The system tests' traffic generator: sends exactly what it is told to, to nobody else, and says
 * in one line of name=value what that was in the meter's own measure (skb->len: from the IP header
 * on). This file has the arguments and the way in; traffic_{udp,tcp,raw}.c and traffic_road*.c the
 * traffic.
 *
 * All counts and times are bounded, and an alarm ends the program, so that no test can hang.
 */
#include "traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)

struct command {
	const char *name;
	int (*run)(const struct arguments *arguments);
	bool raw;      /* needs CAP_NET_RAW, under another uid too */
	bool to, bind; /* needs --to, --bind */
	const char *help;
};

static const struct command commands[] = {
	{ "udp-send", udp_send, false, true, false,
	  "--to ADDR PORT --count N --size BYTES [--rate PPS] [--batch] [--connected]\n"
	  "                [--spread-ports P] [--spread-addresses A]: N datagrams to each of P "
	  "ports\n"
	  "                of each of A addresses, from PORT and ADDR on" },
	{ "udp-receive", udp_receive, false, false, true, "--bind ADDR PORT --count N" },
	{ "udp-echo", udp_echo, false, false, true, "--bind ADDR PORT --count N" },
	{ "tcp-serve", tcp_serve, false, false, true,
	  "--bind ADDR PORT --connections N [--reply BYTES] [--ports P] [--expect BYTES]\n"
	  "                P ports from PORT on; --expect: close first, after that many bytes" },
	{ "tcp-send", tcp_send, false, true, false,
	  "--to ADDR PORT --bytes N [--expect-reply BYTES]" },
	{ "tcp-many", tcp_many, false, true, false,
	  "--to ADDR PORT --connections N --bytes BYTES [--expect-reply BYTES]\n"
	  "                one after the other; the peer closes first (tcp-serve --expect)" },
	{ "hands", send_by_many_hands, false, true, false,
	  "--to ADDR --first-uid N [--users N] [--sockets N] [--tcp-sockets N] --count N\n"
	  "                --size BYTES: as root; each of the users, from uid N on, sends count\n"
	  "                datagrams of up to so many bytes on sockets that all of them have" },
	{ "ping", raw_ping, true, true, false, "--to ADDR --count N --size BYTES --ident ID" },
	{ "flood", udp_flood, false, true, false,
	  "--to ADDR PORT --seconds S[.SSS] --size BYTES [--spread FLOWS] [--rate PPS]; SIGTERM "
	  "ends it" },
	{ "raw-ipv4", raw_ipv4, true, true, false,
	  "--to ADDR [PORT] --count N --size BYTES [--options BYTES]\n"
	  "                [--fragment-offset BYTES] [--more-fragments]" },
	{ "raw-ipv6", raw_ipv6, true, true, false,
	  "--to ADDR [PORT] --count N --size BYTES --chain [hop,dst,route,ah,frag,]udp|none\n"
	  "                [--extension-bytes N] [--fragment-offset BYTES] [--more-fragments]" },
	{ "road", road_run, false, false, false,
	  "NAME [--to ADDR PORT | --bind ADDR PORT --connections SENDERS] [--bytes N] [--size "
	  "BYTES]\n"
	  "                [--device NAME --mac MAC] [--late]: all of N by the way of that name; "
	  "without an "
	  "end only\n"
	  "                whether the kernel has it (exit code 77: no); without a name lists "
	  "them" },
};

#define N_COMMANDS (sizeof(commands) / sizeof(*commands))

void fail(const char *format, ...)
{
	va_list arguments;

	fputs("traffic: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(FAILED);
}

void fail_errno(const char *format, ...)
{
	const char *words = strerror(errno);
	va_list arguments;

	fputs("traffic: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, ": %s\n", words);
	exit(FAILED);
}

static void usage(FILE *file)
{
	fputs("usage: traffic COMMAND OPTIONS\n\n", file);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(file, "  %-12s  %s\n", commands[i].name, commands[i].help);
	fputs("\nFor all: --uid N (become that user first), --timeout SECONDS (20),\n"
	      "--from ADDR and --from-port PORT (senders), --ready-fd FD (receivers).\n"
	      "Prints name=value; exit code 0 done, 1 failed, 2 usage, 3 timed out.\n",
	      file);
}

static void refuse(const char *word, const char *why)
{
	fprintf(stderr, "traffic: %s %s; see traffic --help\n", word, why);
	exit(USAGE);
}

socklen_t address_size(const union address *address)
{
	return address->any.sa_family == AF_INET6 ? sizeof(address->v6) : sizeof(address->v4);
}

void address_set_port(union address *address, uint16_t port)
{
	if (address->any.sa_family == AF_INET6)
		address->v6.sin6_port = htons(port);
	else
		address->v4.sin_port = htons(port);
}

size_t ip_header(const union address *address)
{
	return address->any.sa_family == AF_INET6 ? IPV6_HEADER : IPV4_HEADER;
}

/* Numbers only, so that nothing is ever asked of a name server; fe80::1%veth0 is one. */
static union address parse_address(char *word)
{
	union address address = { 0 };
	char *scope = strchr(word, '%');

	if (inet_pton(AF_INET, word, &address.v4.sin_addr) == 1) {
		address.v4.sin_family = AF_INET;
		return address;
	}
	if (scope) {
		*scope++ = '\0';
		address.v6.sin6_scope_id = if_nametoindex(scope);
	}
	if (inet_pton(AF_INET6, word, &address.v6.sin6_addr) != 1 ||
	    (scope && !address.v6.sin6_scope_id))
		refuse(word, "is no IP address");
	address.v6.sin6_family = AF_INET6;
	return address;
}

static uint64_t parse_number(const char *name, const char *word, uint64_t maximum)
{
	uint64_t number;
	char *end;

	if (!word || *word < '0' || *word > '9')
		refuse(name, "needs a number");
	errno = 0;
	number = strtoull(word, &end, 10);
	if (errno || *end || number > maximum)
		refuse(name, "has a number that is wrong or too large");
	return number;
}

/* Options that take one number: where it goes and what it may be at most. */
struct number {
	const char *name;
	size_t offset;
	uint64_t maximum;
};

#define NUMBER(name, member, maximum)                             \
	{                                                         \
		name, offsetof(struct arguments, member), maximum \
	}

static const struct number numbers[] = {
	NUMBER("--count", count, 100000000),
	NUMBER("--size", size, LARGEST_PACKET),
	NUMBER("--rate", rate, 10000000),
	NUMBER("--timeout", timeout_s, 600),
	NUMBER("--connections", connections, 1000000),
	NUMBER("--reply", reply, UINT64_C(1) << 40),
	NUMBER("--bytes", bytes, UINT64_C(1) << 40),
	NUMBER("--expect-reply", expect_reply, UINT64_C(1) << 40),
	NUMBER("--expect", expect, UINT64_C(1) << 40),
	NUMBER("--ports", ports, 4096),
	NUMBER("--spread", spread, 65536),
	NUMBER("--spread-ports", spread_ports, UINT16_MAX),
	NUMBER("--spread-addresses", spread_addresses, 65536),
	NUMBER("--sockets", sockets, 100000),
	NUMBER("--tcp-sockets", tcp_sockets, 100000),
	NUMBER("--users", users, 1000),
	NUMBER("--first-uid", first_uid, UINT32_MAX - 1000),
	NUMBER("--ident", ident, UINT16_MAX),
	NUMBER("--options", option_bytes, 40),
	NUMBER("--extension-bytes", extension_bytes, 2048),
	NUMBER("--fragment-offset", fragment_offset, 65528),
};

/* Returns false when the word is none of these. */
static bool parse_number_option(struct arguments *arguments, const char *name, const char *word)
{
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		if (strcmp(name, numbers[i].name) == 0) {
			*(uint64_t *)(void *)((char *)arguments + numbers[i].offset) =
				parse_number(name, word, numbers[i].maximum);
			return true;
		}
	}
	return false;
}

/* Seconds, with a fraction if need be. */
static uint64_t parse_seconds(const char *name, const char *word)
{
	char *end;
	double seconds;

	if (*word < '0' || *word > '9')
		refuse(name, "needs a number of seconds");
	seconds = strtod(word, &end);
	if (*end || !(seconds <= 600))
		refuse(name, "has a number that is wrong or too large");
	return (uint64_t)(seconds * 1000 + 0.5);
}

static bool parse_flag(struct arguments *arguments, const char *name)
{
	if (strcmp(name, "--batch") == 0)
		arguments->batch = true;
	else if (strcmp(name, "--connected") == 0)
		arguments->connected = true;
	else if (strcmp(name, "--more-fragments") == 0)
		arguments->more_fragments = true;
	else if (strcmp(name, "--late") == 0)
		arguments->late = true;
	else
		return false;
	return true;
}

/* ADDR, and PORT where the next word is one. Moves *index to the last word used. */
static union address parse_end(int argc, char **argv, int *index)
{
	const char *name = argv[*index];
	union address address;

	if (*index + 1 >= argc)
		refuse(name, "needs an address");
	address = parse_address(argv[++*index]);
	if (*index + 1 < argc && argv[*index + 1][0] != '-')
		address_set_port(&address,
				 (uint16_t)parse_number(name, argv[++*index], UINT16_MAX));
	return address;
}

static void parse_arguments(struct arguments *arguments, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		const char *name = argv[i], *word = i + 1 < argc ? argv[i + 1] : NULL;

		if (parse_flag(arguments, name))
			continue;
		if (strcmp(name, "--to") == 0) {
			arguments->to = parse_end(argc, argv, &i);
			continue;
		}
		if (strcmp(name, "--bind") == 0) {
			arguments->bind = parse_end(argc, argv, &i);
			continue;
		}
		if (!word)
			refuse(name, "is unknown, or its value is missing");
		if (strcmp(name, "--from") == 0)
			arguments->from = parse_address(argv[i + 1]);
		else if (strcmp(name, "--from-port") == 0)
			arguments->from_port = (uint16_t)parse_number(name, word, UINT16_MAX);
		else if (strcmp(name, "--seconds") == 0)
			arguments->duration_ms = parse_seconds(name, word);
		else if (strcmp(name, "--chain") == 0)
			arguments->chain = word;
		else if (strcmp(name, "--device") == 0)
			arguments->device = word;
		else if (strcmp(name, "--mac") == 0)
			arguments->mac = word;
		else if (strcmp(name, "--ready-fd") == 0)
			arguments->ready_fd = (int)parse_number(name, word, 1023);
		else if (strcmp(name, "--uid") == 0)
			arguments->uid = (uint32_t)parse_number(name, word, UINT32_MAX - 1);
		else if (!parse_number_option(arguments, name, word))
			refuse(name, "is unknown");
		arguments->has_uid |= strcmp(name, "--uid") == 0;
		i++;
	}
}

/* The raw commands keep the one right that they need, and nothing else of root's. */
static void keep_net_raw(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = 1U << CAP_NET_RAW, .permitted = 1U << CAP_NET_RAW },
	};

	if (syscall(SYS_capset, &header, data) < 0)
		fail_errno("keep CAP_NET_RAW");
}

void become(const struct arguments *arguments, bool raw)
{
	gid_t group = arguments->uid;

	if (!arguments->has_uid || arguments->uid == getuid())
		return;
	if (raw && prctl(PR_SET_KEEPCAPS, 1L, 0L, 0L, 0L) < 0)
		fail_errno("keep capabilities");
	if (setgroups(0, NULL) < 0 || setresgid(group, group, group) < 0 ||
	    setresuid(arguments->uid, arguments->uid, arguments->uid) < 0)
		fail_errno("become user %u", arguments->uid);
	if (raw)
		keep_net_raw();
}

void allow_files(uint64_t n)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		fail_errno("read the limit of open files");
	if (limit.rlim_cur >= n + 16)
		return;
	limit.rlim_cur = n + 16;
	if (limit.rlim_max < limit.rlim_cur || setrlimit(RLIMIT_NOFILE, &limit) < 0)
		fail("%llu open files are not allowed here", (unsigned long long)n + 16);
}

int open_from(const struct arguments *arguments, int type, int protocol)
{
	union address from = arguments->from;
	int fd = socket(arguments->to.any.sa_family, type | SOCK_CLOEXEC, protocol), on = 1;

	if (fd < 0)
		fail_errno("make a socket");
	if (!from.any.sa_family && !arguments->from_port)
		return fd;
	if (!from.any.sa_family)
		from.any.sa_family = arguments->to.any.sa_family;
	if (from.any.sa_family != arguments->to.any.sa_family)
		refuse("--from", "is of another family than --to");
	if (type != SOCK_RAW)
		address_set_port(&from, arguments->from_port);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, &from.any, address_size(&from)) < 0)
		fail_errno("bind to the source address and port %u", arguments->from_port);
	return fd;
}

int open_bound(const struct arguments *arguments, int type)
{
	const union address *address = &arguments->bind;
	int fd = socket(address->any.sa_family, type | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		fail_errno("make a socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, &address->any, address_size(address)) < 0)
		fail_errno("bind");
	return fd;
}

void say_ready(const struct arguments *arguments)
{
	if (puts("ready") < 0 || fflush(stdout) < 0)
		fail_errno("say ready");
	if (arguments->ready_fd >= 0) {
		if (write(arguments->ready_fd, "ready\n", 6) != 6)
			fail_errno("say ready on descriptor %d", arguments->ready_fd);
		close(arguments->ready_fd);
	}
}

uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

void sleep_until(uint64_t time_ns)
{
	struct timespec time = { .tv_sec = (time_t)(time_ns / NS_PER_S),
				 .tv_nsec = (long)(time_ns % NS_PER_S) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR)
		;
}

bool wait_input(int fd, uint64_t time_ns)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	uint64_t now = now_ns();
	int r;

	r = poll(&poll_fd, 1, now >= time_ns ? 0 : (int)((time_ns - now) / 1000000 + 1));
	if (r < 0)
		fail_errno("wait");
	return r > 0;
}

void fill_payload(uint8_t *payload, size_t size)
{
	for (size_t i = 0; i < size; i++)
		payload[i] = (uint8_t)('a' + i % 26);
}

static void on_alarm(int number)
{
	static const char words[] = "traffic: stopped by the alarm\n";

	(void)number;
	if (write(STDERR_FILENO, words, sizeof(words) - 1) < 0)
		_exit(FAILED);
	_exit(TIMED_OUT);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	refuse(name, "is no command");
	return NULL;
}

int main(int argc, char **argv)
{
	struct arguments arguments = { .count = 1,
				       .size = 32,
				       .duration_ms = 1000,
				       .timeout_s = 20,
				       .connections = 1,
				       .expect = UINT64_MAX,
				       .ports = 1,
				       .spread = 1,
				       .spread_ports = 1,
				       .spread_addresses = 1,
				       .sockets = 2,
				       .users = 1,
				       .ident = 1,
				       .extension_bytes = 8,
				       .ready_fd = -1,
				       .chain = "udp" };
	const struct command *command;
	int result;

	if (argc < 2 || strcmp(argv[1], "--help") == 0) {
		usage(argc < 2 ? stderr : stdout);
		return argc < 2 ? USAGE : 0;
	}
	command = find_command(argv[1]);
	if (command->run == road_run) {
		arguments.road = argc > 2 ? argv[2] : "";
		argv += argc > 2;
		argc -= argc > 2;
	}
	parse_arguments(&arguments, argc - 2, argv + 2);
	if (command->to && !arguments.to.any.sa_family)
		refuse(argv[1], "needs --to ADDR PORT");
	if (command->bind && !arguments.bind.any.sa_family)
		refuse(argv[1], "needs --bind ADDR PORT");

	/* The commands keep --timeout themselves and print how far they came; the alarm is for
	 * what blocks all the same. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, on_alarm);
	alarm((unsigned int)(arguments.timeout_s +
			     (command->run == udp_flood ? arguments.duration_ms / 1000 : 0) + 5));
	if (!arguments.late)
		become(&arguments, command->raw || road_needs_raw(arguments.road));
	result = command->run(&arguments);
	if (fflush(stdout) != 0)
		fail_errno("print");
	return result;
}
