// SPDX-License-Identifier: GPL-2.0-or-later
/* `traffic-meter networks`: checks a list of networks and prints what each line means. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "command/command.h"
#include "networks/named.h"
#include "util/cleanup.h"
#include "util/log.h"

static const char help[] =
	"Usage: traffic-meter networks FILE\n"
	"\n"
	"Checks a list of networks and prints what each line means. FILE is what `traffic-meter "
	"run\n"
	"--untracked FILE` or `--networks FILE` reads; `-` is standard input. Errors are told "
	"with\n"
	"their lines; `run` takes a list without errors only.\n"
	"\n"
	"`#` starts a comment. A line of --untracked is one NETWORK, a line of --networks is NAME\n"
	"NETWORK..., as `campus 192.0.2.0/24 2001:db8::/32`; which of the two a file is shows in "
	"its\n"
	"first line. A NETWORK is\n"
	"  10.0.0.0/8  2001:db8::/32  a network and its prefix length\n"
	"  192.0.2.7  2001:db8::7     one address\n"
	"  10.0.*.*  10.*.5.*         a star is one whole octet of an IPv4 address\n"
	"  2001:db8::*                a star is all the rest of an IPv6 address\n"
	"\n"
	"Exit status: 0 the list is good, 1 it has errors or can't be read, 2 usage.\n";

static int flush_stdout(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_DONE;
	log_error_errno(errno, "write to standard output");
	return EXIT_FAILED;
}

/* An error of the list is told as everybody tells it, and counted. */
static void count_error(void *userdata, const char *path, unsigned int line, const char *text,
			const char *why)
{
	unsigned int *n_errors = userdata;

	++*n_errors;
	network_log_error(NULL, path, line, text, why);
}

static int digits(unsigned int number)
{
	return snprintf(NULL, 0, "%u", number);
}

/* names: NULL for an untracked list. */
static void print_list(const struct network_list *list, const struct named_list *names)
{
	int line_width = list->n ? digits(list->networks[list->n - 1].line) : 1, text_width = 0;
	size_t n_ipv4 = 0, n_no_prefix = 0;
	int name_width = 0;
	char text[NETWORK_TEXT_MAX];

	for (size_t i = 0; names && i < names->n_names; i++)
		if ((int)strlen(names->names[i]) > name_width)
			name_width = (int)strlen(names->names[i]);
	for (size_t i = 0; i < list->n; i++) {
		if (!list->networks[i].bits_dropped)
			continue;
		network_format(&list->networks[i], text);
		if ((int)strlen(text) > text_width)
			text_width = (int)strlen(text);
	}
	for (size_t i = 0; i < list->n; i++) {
		const struct network *network = &list->networks[i];

		n_ipv4 += network->family == 4;
		n_no_prefix += network->prefix_length == NETWORK_NO_PREFIX;
		network_format(network, text);
		printf("%*u  ", line_width, network->line);
		if (names)
			printf("%-*s  ", name_width, names->names[network->name]);
		if (network->bits_dropped)
			printf("%-*s  (address bits behind /%d are written, and taken as 0)\n",
			       text_width, text, network->prefix_length);
		else
			printf("%s\n", text);
	}
	printf("%zu network%s: %zu IPv4, %zu IPv6, %zu with a mask that is no prefix\n", list->n,
	       list->n == 1 ? "" : "s", n_ipv4, list->n - n_ipv4, n_no_prefix);
	if (names)
		printf("%zu name%s; an address in none of the networks is 'internet'\n",
		       names->n_names - 1, names->n_names == 2 ? "" : "s");
}

/* Which of the two lists it is shows in its text. Returns 0 or a negative errno. */
static int check_list(const char *path, unsigned int *ret_errors)
{
	_cleanup_(named_list_free) struct named_list named = { 0 };
	_cleanup_(network_list_free) struct network_list list = { 0 };
	_cleanup_free_ char *data = NULL;
	const char *name = network_text_name(path);
	size_t size = 0;
	int r = network_text_read(path, &data, &size);

	if (r < 0)
		return r;
	if (named_list_is(data, size)) {
		r = named_list_parse(data, size, name, count_error, ret_errors, &named);
		if (r == 0)
			print_list(&named.list, &named);
	} else {
		r = network_list_parse(data, size, name, count_error, ret_errors, &list);
		if (r == 0)
			print_list(&list, NULL);
	}
	return r;
}

static int command_networks(int argc, char **argv)
{
	unsigned int n_errors = 0;
	const char *path;
	int r;

	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			fputs(help, stdout);
			return flush_stdout();
		}
		if (argv[i][0] == '-' && argv[i][1]) {
			log_error("networks: unknown option %s; it takes a FILE and "
				  "--help",
				  argv[i]);
			return EXIT_USAGE;
		}
	}
	if (argc > 1 && strcmp(argv[1], "--") == 0) {
		argc--;
		argv++;
	}
	if (argc != 2) {
		log_error("networks takes one FILE, not %d; see traffic-meter "
			  "networks --help",
			  argc - 1);
		return EXIT_USAGE;
	}

	path = argv[1];
	r = check_list(path, &n_errors);
	if (n_errors) {
		log_error("%s: %u line%s can't be understood; nothing of the list is used",
			  network_text_name(path), n_errors, n_errors == 1 ? "" : "s");
		return EXIT_FAILED;
	}
	if (r < 0) {
		log_error_errno(r, "can't read the list %s", path);
		return EXIT_FAILED;
	}
	return flush_stdout();
}

const struct command networks_command = {
	.name = "networks",
	.help = "check a list of networks and print what it means",
	.run = command_networks,
	.operands = "FILE",
};
