// SPDX-License-Identifier: GPL-2.0-or-later
/* Lists of networks: from text, with all errors told, from files, and compiled in. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "networks/compiled.h"
#include "networks/networks.h"

/* What a list's errors were. */
struct told {
	unsigned int n;
	unsigned int lines[16];
	char last_path[64], last_text[128], last_why[NETWORK_WHY_MAX];
};

static void remember(void *userdata, const char *path, unsigned int line, const char *text,
		     const char *why)
{
	struct told *told = userdata;

	if (told->n < 16)
		told->lines[told->n] = line;
	told->n++;
	snprintf(told->last_path, sizeof(told->last_path), "%s", path);
	snprintf(told->last_text, sizeof(told->last_text), "%s", text);
	snprintf(told->last_why, sizeof(told->last_why), "%s", why);
}

static int parse_list(const char *text, struct told *told, struct network_list *ret)
{
	*told = (struct told){ 0 };
	return network_list_parse(text, strlen(text), "list", remember, told, ret);
}

static void assert_means(const struct network_list *list, size_t i, unsigned int line,
			 const char *means)
{
	char text[NETWORK_TEXT_MAX];

	assert_true(i < list->n);
	assert_int_equal(list->networks[i].line, line);
	network_format(&list->networks[i], text);
	assert_string_equal(text, means);
}

static void test_list(void **state)
{
	struct network_list list;
	struct told told;

	(void)state;
	assert_int_equal(parse_list("# the campus\n"
				    "10.0.0.0/8\n"
				    "\n"
				    "   \t \n"
				    "\t 192.168.1.*  # the lab\n"
				    "2001:db8::*# no space\n"
				    "10.0.0.0/8\n"
				    " # indented\n"
				    "192.0.2.7",
				    &told, &list),
			 0);
	assert_int_equal(told.n, 0);
	assert_int_equal(list.n, 5);
	assert_means(&list, 0, 2, "10.0.0.0/8");
	assert_means(&list, 1, 5, "192.168.1.0/24");
	assert_means(&list, 2, 6, "2001:db8::/32");
	assert_means(&list, 3, 7, "10.0.0.0/8");
	assert_means(&list, 4, 9, "192.0.2.7/32");
	network_list_free(&list);
	assert_null(list.networks);
	assert_int_equal(list.n, 0);
}

static void test_list_empty(void **state)
{
	static const char *const texts[] = { "", "\n", "\r\n", "#", "# \xc3\xa4\xf6 any bytes\n",
					     " " };
	struct network_list list;
	struct told told;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		assert_int_equal(parse_list(texts[i], &told, &list), 0);
		assert_int_equal(list.n, 0);
		network_list_free(&list);
	}
	assert_int_equal(network_list_parse(NULL, 0, "list", remember, &told, &list), 0);
	network_list_free(&list);
}

static void test_list_crlf(void **state)
{
	struct network_list list;
	struct told told;

	(void)state;
	assert_int_equal(parse_list("# DOS\r\n10.0.0.0/8\r\n\r\n10.1.0.0/16 # x\r\n10.2.*.*\r",
				    &told, &list),
			 0);
	assert_int_equal(list.n, 3);
	assert_means(&list, 0, 2, "10.0.0.0/8");
	assert_means(&list, 1, 4, "10.1.0.0/16");
	assert_means(&list, 2, 5, "10.2.0.0/16");
	network_list_free(&list);

	/* Elsewhere a CR is no line end. */
	assert_int_equal(parse_list("10.0.0.0/8\r10.1.0.0/16\n", &told, &list), -EINVAL);
	assert_int_equal(told.n, 1);
	assert_string_equal(told.last_text, "10.0.0.0/8?10.1.0.0/16");
	assert_int_equal(parse_list("10.0.0.0/8\r\r\n", &told, &list), -EINVAL);
}

/* Every line is looked at, every error told, and nothing is changed. */
static void test_list_errors(void **state)
{
	struct network one = { .family = 4, .prefix_length = 32 };
	struct network_list list = { &one, 1, 1 };
	struct told told;

	(void)state;
	assert_int_equal(parse_list("300.0.0.0\n"
				    "10.0.0.0/8\n"
				    "# x\n"
				    "  10.0.0.0/33  # y\r\n"
				    "\n"
				    "10.1.0.0/16\n"
				    "10.0.0",
				    &told, &list),
			 -EINVAL);
	assert_int_equal(told.n, 3);
	assert_int_equal(told.lines[0], 1);
	assert_int_equal(told.lines[1], 4);
	assert_int_equal(told.lines[2], 7);
	assert_string_equal(told.last_path, "list");
	assert_string_equal(told.last_text, "10.0.0");
	assert_string_equal(told.last_why, "has 3 of 4 octets; write 10.0.0.* or 10.0.0.0/24");
	assert_ptr_equal(list.networks, &one);
	assert_int_equal(list.n, 1);
}

static void test_list_nul(void **state)
{
	static const char data[] = "10.0.0.0/8\n10.0.0.0\0/8\n10.1.0.0/16 # \0\n10.2.0.0/16\n\0";
	struct network_list list;
	struct told told = { 0 };

	(void)state;
	assert_int_equal(network_list_parse(data, sizeof(data) - 1, "list", remember, &told, &list),
			 -EINVAL);
	assert_int_equal(told.n, 3);
	assert_int_equal(told.lines[0], 2);
	assert_int_equal(told.lines[1], 3);
	assert_int_equal(told.lines[2], 5);
	assert_non_null(strstr(told.last_why, "NUL byte"));
	assert_string_equal(told.last_text, "?");
}

static void test_list_long_line(void **state)
{
	char data[4200];
	struct network_list list;
	struct told told = { 0 };

	(void)state;
	memset(data, ' ', sizeof(data));
	memcpy(data, "10.0.0.0/8", 10);
	memcpy(data + 4096, "\n", 1);
	memcpy(data + 4097, "10.1.0.0/16", 11);
	assert_int_equal(network_list_parse(data, 4108, "list", remember, &told, &list), 0);
	assert_int_equal(list.n, 2);
	network_list_free(&list);

	memcpy(data + 4096, " \n", 2);
	assert_int_equal(network_list_parse(data, 4098, "list", remember, &told, &list), -EINVAL);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.lines[0], 1);
	assert_string_equal(told.last_why, "is a line of 4097 bytes; at most 4096 are read");
	assert_int_equal(strlen(told.last_text), 64);
	assert_memory_equal(told.last_text, "10.0.0.0/8 ", 11);
}

/* What a terminal would obey is not shown as it is. */
static void test_list_unprintable(void **state)
{
	struct network_list list;
	struct told told;

	(void)state;
	assert_int_equal(parse_list("\x1b[31mred\x07\xff", &told, &list), -EINVAL);
	assert_string_equal(told.last_text, "?[31mred??");
}

static void test_list_add(void **state)
{
	struct network network = { .family = 4, .prefix_length = 32 };
	struct network_list list = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		network.line = i;
		assert_int_equal(network_list_add(&list, &network), 0);
	}
	assert_int_equal(list.n, 1000);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(list.networks[i].line, i);
	network_list_free(&list);
	network_list_free(&list);
}

/* ---- files ---- */

static void write_all(int fd, const char *text, size_t size)
{
	assert_int_equal(write(fd, text, size), size);
}

static void test_read_file(void **state)
{
	char path[] = "/tmp/test_networks.XXXXXX";
	int fd = mkstemp(path);
	struct told told = { 0 };
	struct network_list list;

	(void)state;
	assert_true(fd >= 0);
	write_all(fd, "10.0.0.0/8\n", 11);
	assert_int_equal(network_list_read(path, remember, &told, &list), 0);
	assert_int_equal(list.n, 1);
	network_list_free(&list);

	write_all(fd, "10.0.0\n", 7);
	assert_int_equal(network_list_read(path, remember, &told, &list), -EINVAL);
	assert_string_equal(told.last_path, path);
	assert_int_equal(told.lines[0], 2);
	close(fd);
	unlink(path);

	assert_int_equal(network_list_read(path, remember, &told, &list), -ENOENT);
	assert_int_equal(network_list_read("/tmp", remember, &told, &list), -EISDIR);
	assert_int_equal(network_list_read("/dev/null/x", remember, &told, &list), -ENOTDIR);
	assert_int_equal(network_list_read("/dev/null", remember, &told, &list), 0);
	assert_int_equal(list.n, 0);
	network_list_free(&list);
	assert_int_equal(told.n, 1);
}

/* A file without an end costs an error, not the memory. */
static void test_read_endless(void **state)
{
	struct told told = { 0 };
	struct network_list list;

	(void)state;
	assert_int_equal(network_list_read("/dev/zero", remember, &told, &list), -EFBIG);
	assert_int_equal(told.n, 0);
}

/* From standard input and from a pipe by its name, in one piece or several. */
static void test_read_pipe(void **state)
{
	int saved = dup(STDIN_FILENO), fds[2];
	struct told told = { 0 };
	struct network_list list;
	char path[32];

	(void)state;
	for (int by_name = 0; by_name < 2; by_name++) {
		assert_int_equal(pipe(fds), 0);
		for (int i = 0; i < 1000; i++)
			write_all(fds[1], "10.0.0.0/8\n2001:db8::*\n", 23);
		close(fds[1]);
		snprintf(path, sizeof(path), "/dev/fd/%d", fds[0]);
		dup2(fds[0], STDIN_FILENO);
		assert_int_equal(network_list_read(by_name ? path : "-", remember, &told, &list),
				 0);
		close(fds[0]);
		assert_int_equal(list.n, 2000);
		assert_means(&list, 1999, 2000, "2001:db8::/32");
		network_list_free(&list);
	}

	assert_int_equal(pipe(fds), 0);
	write_all(fds[1], "x\n", 2);
	close(fds[1]);
	dup2(fds[0], STDIN_FILENO);
	close(fds[0]);
	assert_int_equal(network_list_read("-", remember, &told, &list), -EINVAL);
	assert_string_equal(told.last_path, "standard input");
	dup2(saved, STDIN_FILENO);
	close(saved);
}

static void test_log_error(void **state)
{
	char path[] = "/tmp/test_networks.XXXXXX", text[256] = "";
	int fd = mkstemp(path), saved = dup(STDERR_FILENO);
	struct network_list list;
	int r;

	(void)state;
	assert_true(fd >= 0);
	unlink(path);
	dup2(fd, STDERR_FILENO);
	r = network_list_parse("\n10.0.0.0/99\n", 13, "/etc/list", network_log_error, NULL, &list);
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_int_equal(r, -EINVAL);
	assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
	close(fd);
	assert_non_null(strstr(text, "/etc/list:2: `10.0.0.0/99`: prefix length /99 is over 32\n"));
}

static void test_many(void **state)
{
	enum { N = 100000 };
	char *data = malloc(N * 64);
	struct network_list list;
	struct told told = { 0 };
	size_t size = 0;
	clock_t start;
	double seconds;

	(void)state;
	assert_non_null(data);
	for (unsigned int i = 0; i < N; i++)
		size += (size_t)(i % 2 ? sprintf(data + size, "%u.%u.%u.0/24\n", 1 + i / 65536,
						 i / 256 % 256, i % 256)
				       : sprintf(data + size, "2001:db8:%x:%x:5678:9abc::/%u\n",
						 i >> 16, i & 0xffff, 96 + i % 33));
	start = clock();
	assert_int_equal(network_list_parse(data, size, "list", remember, &told, &list), 0);
	seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
	print_message("100,000 networks: %.1f ms\n", seconds * 1e3);
	assert_true(seconds < 0.5);
	assert_int_equal(list.n, N);
	assert_means(&list, 1, 2, "1.0.1.0/24");
	assert_means(&list, N - 1, N, "2.134.159.0/24");
	network_list_free(&list);
	free(data);
}

/* ---- compiled networks ---- */

static void test_compiled(void **state)
{
	static const struct ipv4_mask ipv4[] = {
		{ __builtin_bswap32(0x0a000000), __builtin_bswap32(0xff000000) },
		{ __builtin_bswap32(0xc0a80101), __builtin_bswap32(0xffffff00) },
		{ __builtin_bswap32(0x0a000500), __builtin_bswap32(0xff00ff00) },
		{ __builtin_bswap32(0x0a010000), __builtin_bswap32(0xffff1000) },
		{ __builtin_bswap32(0xc0000207), __builtin_bswap32(0xffffffff) },
		{ 0, 0 },
	};
	static const struct ipv6_mask ipv6[] = {
		{ { 0x20, 0x01, 0x0d, 0xb8 }, 32 },
		{ { 0x20, 0x01, 0x0d, 0xb8, 0xff }, 33 },
		{ { [15] = 1 }, 128 },
		{ { 0xff }, 0 },
	};
	static const char *const means[] = {
		"10.0.0.0/8",
		"192.168.1.0/24",
		"10.0.5.0 mask 255.0.255.0",
		"10.1.0.0 mask 255.255.16.0",
		"192.0.2.7/32",
		"0.0.0.0/0",
		"2001:db8::/32",
		"2001:db8:8000::/33",
		"::1/128",
		"::/0",
	};
	static const uint8_t mask[16] = { 255, 255, 255, 255, 0x80 };
	struct network_list list = { 0 };
	struct network before = { .family = 4, .prefix_length = 32, .line = 7 };

	(void)state;
	assert_int_equal(network_list_add(&list, &before), 0);
	assert_int_equal(network_list_add_compiled(&list, ipv4, 6, ipv6, 4), 0);
	assert_int_equal(list.n, 11);
	assert_means(&list, 0, 7, "0.0.0.0/32");
	for (size_t i = 0; i < 10; i++)
		assert_means(&list, i + 1, 0, means[i]);
	assert_memory_equal(list.networks[8].mask, mask, 16);
	assert_int_equal(list.networks[2].address[3], 0);
	assert_int_equal(list.networks[3].prefix_length, NETWORK_NO_PREFIX);
	assert_int_equal(network_list_add_compiled(&list, NULL, 0, NULL, 0), 0);
	assert_int_equal(list.n, 11);
	network_list_free(&list);
}

static void test_compiled_bad_prefix(void **state)
{
	static const struct ipv4_mask ipv4[] = { { 0, 0 } };
	static const struct ipv6_mask ipv6[] = { { { 0x20 }, 8 }, { { 0x20 }, 129 } };
	int saved = dup(STDERR_FILENO), fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct network_list list = { 0 };
	int r;

	(void)state;
	dup2(fd, STDERR_FILENO);
	r = network_list_add_compiled(&list, ipv4, 1, ipv6, 2);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fd);
	assert_int_equal(r, -EINVAL);
	assert_int_equal(list.n, 0);
	assert_int_equal(network_list_add_compiled(&list, NULL, 0, ipv6, 1), 0);
	assert_int_equal(list.n, 1);
	network_list_free(&list);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_list_empty),
		cmocka_unit_test(test_list_crlf),
		cmocka_unit_test(test_list_errors),
		cmocka_unit_test(test_list_nul),
		cmocka_unit_test(test_list_long_line),
		cmocka_unit_test(test_list_unprintable),
		cmocka_unit_test(test_list_add),
		cmocka_unit_test(test_read_file),
		cmocka_unit_test(test_read_endless),
		cmocka_unit_test(test_read_pipe),
		cmocka_unit_test(test_log_error),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_compiled),
		cmocka_unit_test(test_compiled_bad_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
