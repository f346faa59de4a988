// SPDX-License-Identifier: GPL-2.0-or-later
/* `traffic-meter networks`: what it prints and how it ends. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "command/command.h"

static char out[4096], err[4096];

static int redirected(int fd, int to)
{
	int saved = dup(fd);

	assert_true(saved >= 0);
	assert_true(dup2(to, fd) == fd);
	return saved;
}

static void restore(int fd, int saved)
{
	dup2(saved, fd);
	close(saved);
}

static int unnamed_file(const char *text)
{
	char path[] = "/tmp/test_command.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void take(int fd, char *text, size_t size)
{
	ssize_t n = pread(fd, text, size - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	close(fd);
}

/* Run it with two arguments at most and `list` on standard input; fills out and err. */
static int run_to(int to, const char *first, const char *second, const char *list)
{
	char *argv[] = { "networks", (char *)first, (char *)second, NULL };
	int fds[3] = { unnamed_file(list), to, unnamed_file("") }, saved[3], r;

	fflush(stdout);
	for (int fd = 0; fd < 3; fd++)
		saved[fd] = redirected(fd, fds[fd]);
	r = networks_command.run(first ? second ? 3 : 2 : 1, argv);
	fflush(stdout);
	clearerr(stdout);
	for (int fd = 0; fd < 3; fd++)
		restore(fd, saved[fd]);
	close(fds[0]);
	take(to, out, sizeof(out));
	take(fds[2], err, sizeof(err));
	return r;
}

static int run(const char *first, const char *second, const char *list)
{
	return run_to(unnamed_file(""), first, second, list);
}

static void test_good(void **state)
{
	static const char list[] = "# x\n10.0.0.0/8\n10.*.5.*\n\n\n2001:db8::*\n10.0.0.1/9\n\n\n"
				   "fe80::1/64\n";

	(void)state;
	assert_int_equal(run("-", NULL, list), EXIT_DONE);
	assert_string_equal(err, "");
	assert_string_equal(
		out, " 2  10.0.0.0/8\n"
		     " 3  10.0.5.0 mask 255.0.255.0\n"
		     " 6  2001:db8::/32\n"
		     " 7  10.0.0.0/9  (address bits behind /9 are written, and taken as 0)\n"
		     "10  fe80::/64   (address bits behind /64 are written, and taken as 0)\n"
		     "5 networks: 3 IPv4, 2 IPv6, 1 with a mask that is no prefix\n");

	assert_int_equal(run("--", "-", "192.0.2.7"), EXIT_DONE);
	assert_string_equal(out, "1  192.0.2.7/32\n"
				 "1 network: 1 IPv4, 0 IPv6, 0 with a mask that is no prefix\n");
	assert_int_equal(run("-", NULL, ""), EXIT_DONE);
	assert_string_equal(out, "0 networks: 0 IPv4, 0 IPv6, 0 with a mask that is no prefix\n");
}

static void test_bad_list(void **state)
{
	(void)state;
	assert_int_equal(run("-", NULL, "10.0.0.0/8\n10.0.0\n\n300.0.0.0\n"), EXIT_FAILED);
	assert_string_equal(out, "");
	assert_non_null(strstr(err, "standard input:2: `10.0.0`: has 3 of 4 octets; write "
				    "10.0.0.* or 10.0.0.0/24\n"));
	assert_non_null(strstr(err, "standard input:4: `300.0.0.0`: octet 300 is over 255\n"));
	assert_non_null(strstr(err, "2 lines"));

	assert_int_equal(run("/nonexistent/list", NULL, ""), EXIT_FAILED);
	assert_non_null(strstr(err, "/nonexistent/list: No such file or directory\n"));
	assert_int_equal(run("/", NULL, ""), EXIT_FAILED);
	assert_non_null(strstr(err, "Is a directory\n"));
}

static void test_usage(void **state)
{
	(void)state;
	assert_int_equal(run("--help", NULL, ""), EXIT_DONE);
	assert_int_equal(strncmp(out, "Usage: traffic-meter networks FILE\n", 35), 0);
	assert_string_equal(err, "");
	assert_int_equal(run(NULL, NULL, ""), EXIT_USAGE);
	assert_string_equal(out, "");
	assert_non_null(strstr(err, "one FILE"));
	assert_int_equal(run("a", "b", ""), EXIT_USAGE);
	assert_int_equal(run("--", NULL, ""), EXIT_USAGE);
	assert_int_equal(run("--nothing", "a", ""), EXIT_USAGE);
	assert_non_null(strstr(err, "--nothing"));
}

static void test_full_disk(void **state)
{
	(void)state;
	assert_int_equal(run_to(open("/dev/full", O_RDWR), "-", NULL, "10.0.0.0/8\n"), EXIT_FAILED);
	assert_non_null(strstr(err, "standard output: No space left on device\n"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad_list),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
