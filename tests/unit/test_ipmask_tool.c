// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The real ipmask_tool (environment variable IPMASK_TOOL, or ./ipmask_tool): its header is compiled
 * with the structures of the original program, and its values compared with the list's own.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "networks/compiled.h"
#include "networks/networks.h"

static const char list_text[] = "# all kinds\n"
				"10.0.0.0/8\n"
				"10.0.*.*\n"
				"192.168.1.*\r\n"
				"10.*.5.*\n"
				"192.0.2.7\n"
				"10.0.0.1/9\n"
				"255.255.255.255\n"
				"*.*.*.*\n"
				"2001:db8::*\n"
				"2001:db8:abcd:1234:5678:9abc:def0:*\n"
				"2001:db8::7\n"
				"2001:db8:ffff::/33\n"
				"::/0\n"
				"::ffff:1.2.3.4";

/* What came of running a program. */
struct outcome {
	int status; /* exit status; -1: it did not exit by itself */
	char out[16384], err[4096];
	size_t out_size;
};

static char directory[] = "/tmp/test_ipmask_tool.XXXXXX";

static char *path_in(const char *name)
{
	char *path;

	assert_true(asprintf(&path, "%s/%s", directory, name) > 0);
	return path;
}

static void write_file(const char *path, const char *data, size_t size)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static size_t read_back(const char *name, char *text, size_t size)
{
	char *path = path_in(name);
	FILE *file = fopen(path, "r");
	size_t n;

	assert_non_null(file);
	n = fread(text, 1, size - 1, file);
	text[n] = '\0';
	fclose(file);
	unlink(path);
	free(path);
	return n;
}

static void redirect(int fd, const char *path, int flags)
{
	int opened = open(path, flags, 0600);

	if (opened < 0 || dup2(opened, fd) < 0)
		_exit(126);
}

/* stdin_path, stdout_path: NULL: nothing to read, and kept in ret->out. */
static void run(char *const argv[], const char *stdin_path, const char *stdout_path,
		struct outcome *ret)
{
	char *out = path_in("stdout"), *err = path_in("stderr");
	int status;
	pid_t pid;

	write_file(out, "", 0);
	pid = fork();
	if (pid == 0) {
		redirect(STDIN_FILENO, stdin_path ? stdin_path : "/dev/null", O_RDONLY);
		redirect(STDOUT_FILENO, stdout_path ? stdout_path : out,
			 O_WRONLY | O_CREAT | O_TRUNC);
		redirect(STDERR_FILENO, err, O_WRONLY | O_CREAT | O_TRUNC);
		execvp(argv[0], argv);
		_exit(127);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	ret->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	ret->out_size = read_back("stdout", ret->out, sizeof(ret->out));
	read_back("stderr", ret->err, sizeof(ret->err));
	free(out);
	free(err);
}

static void run_tool(const char *argument, const char *stdin_path, const char *stdout_path,
		     struct outcome *ret)
{
	const char *tool = getenv("IPMASK_TOOL");
	char *argv[] = { (char *)(tool ? tool : "./ipmask_tool"), (char *)argument, NULL };

	run(argv, stdin_path, stdout_path, ret);
}

/* Put the text in a file of that name and run the tool on it. */
static void run_tool_on(const char *name, const char *text, struct outcome *ret)
{
	char *path = path_in(name);

	write_file(path, text, strlen(text));
	run_tool(path, NULL, NULL, ret);
	unlink(path);
	free(path);
}

/* Compile a header and turn its arrays, as the program has them in memory, into a list. */
static void compile_header(const char *header, struct network_list *ret)
{
	static const char program[] =
		"#include <stdint.h>\n"
		"#include <stdio.h>\n"
		"struct ipv4_mask { uint32_t network, mask; };\n"
		"struct ipv6_mask { uint8_t network[16]; uint32_t prefix_length; };\n"
		"#include \"untracked_masks.h\"\n"
		"int main(void)\n"
		"{\n"
		"	const size_t n[2] = { sizeof(untracked_ipv4) / sizeof(struct ipv4_mask),\n"
		"			      sizeof(untracked_ipv6) / sizeof(struct ipv6_mask) "
		"};\n"
		"	fwrite(n, sizeof(n), 1, stdout);\n"
		"	fwrite(untracked_ipv4, 1, sizeof(untracked_ipv4), stdout);\n"
		"	fwrite(untracked_ipv6, 1, sizeof(untracked_ipv6), stdout);\n"
		"	return 0;\n"
		"}\n";
	const char *cc = getenv("CC");
	char *header_path = path_in("untracked_masks.h"), *source = path_in("program.c");
	char *binary = path_in("program"), *command, *sh[] = { "sh", "-c", NULL, NULL };
	char *run_it[] = { binary, NULL };
	static struct outcome outcome;
	static struct ipv4_mask ipv4[64];
	static struct ipv6_mask ipv6[64];
	size_t n[2];

	write_file(header_path, header, strlen(header));
	write_file(source, program, strlen(program));
	assert_true(asprintf(&command, "%s -std=gnu11 -Wall -Wextra -Werror -o %s %s",
			     cc && *cc ? cc : "cc", binary, source) > 0);
	sh[2] = command;
	run(sh, NULL, NULL, &outcome);
	if (outcome.status != 0)
		fail_msg("%s: %s", command, outcome.err);
	run(run_it, NULL, NULL, &outcome);
	assert_int_equal(outcome.status, 0);
	unlink(header_path);
	unlink(source);
	unlink(binary);
	free(header_path);
	free(source);
	free(binary);
	free(command);

	memcpy(n, outcome.out, sizeof(n));
	assert_true(n[0] <= 64 && n[1] <= 64);
	assert_int_equal(outcome.out_size, sizeof(n) + n[0] * sizeof(*ipv4) + n[1] * sizeof(*ipv6));
	memcpy(ipv4, outcome.out + sizeof(n), n[0] * sizeof(*ipv4));
	memcpy(ipv6, outcome.out + sizeof(n) + n[0] * sizeof(*ipv4), n[1] * sizeof(*ipv6));
	assert_int_equal(network_list_add_compiled(ret, ipv4, n[0], ipv6, n[1]), 0);
}

static void no_error(void *userdata, const char *path, unsigned int line, const char *text,
		     const char *why)
{
	(void)userdata;
	fail_msg("%s:%u: %s: %s", path, line, text, why);
}

static void test_values(void **state)
{
	static struct outcome outcome;
	struct network_list list, compiled = { 0 };
	size_t i = 0;

	(void)state;
	run_tool_on("list", list_text, &outcome);
	assert_string_equal(outcome.err, "");
	assert_int_equal(outcome.status, 0);
	compile_header(outcome.out, &compiled);
	assert_int_equal(
		network_list_parse(list_text, sizeof(list_text) - 1, "list", no_error, NULL, &list),
		0);
	assert_int_equal(compiled.n, 14);
	assert_int_equal(compiled.n, list.n);

	/* The list has its IPv4 networks first, as the header has. */
	for (i = 0; i < list.n; i++) {
		assert_int_equal(compiled.networks[i].family, list.networks[i].family);
		assert_memory_equal(compiled.networks[i].address, list.networks[i].address, 16);
		assert_memory_equal(compiled.networks[i].mask, list.networks[i].mask, 16);
		assert_int_equal(compiled.networks[i].prefix_length,
				 list.networks[i].prefix_length);
	}
	network_list_free(&list);
	network_list_free(&compiled);
}

/* Programs and people read the original's form. */
static void test_form(void **state)
{
	static struct outcome outcome;
	const char *arrays;

	(void)state;
	run_tool_on("list", "2001:db8::*\n10.0.0.0/8\n10.*.5.*\n", &outcome);
	assert_int_equal(outcome.status, 0);
	arrays = strstr(outcome.out, "static const");
	assert_non_null(arrays);
	assert_string_equal(arrays,
			    "static const struct ipv4_mask untracked_ipv4[] = {\n"
			    "\t{ __builtin_bswap32(0x0a000000), __builtin_bswap32(0xff000000) },"
			    " /* 10.0.0.0/8 */\n"
			    "\t{ __builtin_bswap32(0x0a000500), __builtin_bswap32(0xff00ff00) },"
			    " /* 10.0.5.0 mask 255.0.255.0 */\n"
			    "};\n"
			    "static const struct ipv6_mask untracked_ipv6[] = {\n"
			    "\t{ { 0x20, 0x01, 0x0d, 0xb8, 0x00, 0x00, 0x00, 0x00,"
			    " 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 }, 32 },"
			    " /* 2001:db8::/32 */\n"
			    "};\n");
}

static void test_empty(void **state)
{
	static struct outcome outcome;
	struct network_list compiled = { 0 };

	(void)state;
	run_tool("-", NULL, NULL, &outcome);
	assert_int_equal(outcome.status, 0);
	assert_non_null(strstr(outcome.out, "from standard input."));
	compile_header(outcome.out, &compiled);
	assert_int_equal(compiled.n, 0);
	network_list_free(&compiled);
}

/* No name of a file ends the comment it is told in. */
static void test_name_in_comment(void **state)
{
	static const char *const names[] = { "*", "*\\", "x\n#error y", "\xff\x1b[31m" };
	static struct outcome outcome;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct network_list compiled = { 0 };

		run_tool_on(names[i], "10.0.0.0/8\n", &outcome);
		assert_int_equal(outcome.status, 0);
		assert_null(strstr(outcome.out, directory));
		compile_header(outcome.out, &compiled);
		assert_int_equal(compiled.n, 1);
		network_list_free(&compiled);
	}
	run_tool_on("my list.txt", "", &outcome);
	assert_non_null(strstr(outcome.out, " * Generated by ipmask_tool from my list.txt.\n"));
}

static void test_errors(void **state)
{
	static struct outcome outcome;

	(void)state;
	run_tool_on("list", "10.0.0.0/8\n300.0.0.0/8\n\n10.0.0.0/33\n", &outcome);
	assert_int_equal(outcome.status, 1);
	assert_string_equal(outcome.out, "");
	assert_non_null(strstr(outcome.err, "list:2: `300.0.0.0/8`: octet 300 is over 255\n"));
	assert_non_null(
		strstr(outcome.err, "list:4: `10.0.0.0/33`: prefix length /33 is over 32\n"));
	assert_non_null(strstr(outcome.err, "2 lines"));

	run_tool("/nonexistent/list", NULL, NULL, &outcome);
	assert_int_equal(outcome.status, 1);
	assert_string_equal(outcome.out, "");
	assert_non_null(strstr(outcome.err, "/nonexistent/list: No such file or directory\n"));

	run_tool(directory, NULL, NULL, &outcome);
	assert_int_equal(outcome.status, 1);
}

static void test_usage(void **state)
{
	static struct outcome outcome;

	(void)state;
	run_tool("--help", NULL, NULL, &outcome);
	assert_int_equal(outcome.status, 0);
	assert_int_equal(strncmp(outcome.out, "Usage: ipmask_tool FILE", 23), 0);
	assert_string_equal(outcome.err, "");

	run_tool(NULL, NULL, NULL, &outcome);
	assert_int_equal(outcome.status, 2);
	assert_string_equal(outcome.out, "");
	assert_non_null(strstr(outcome.err, "FILE"));

	run_tool("--nothing", NULL, NULL, &outcome);
	assert_int_equal(outcome.status, 2);
	assert_string_equal(outcome.out, "");
}

static void test_full_disk(void **state)
{
	static struct outcome outcome;
	char *path = path_in("list"), *text = malloc(1000 * 11 + 1);

	(void)state;
	run_tool("-", NULL, "/dev/full", &outcome);
	assert_int_equal(outcome.status, 1);
	assert_non_null(strstr(outcome.err, "No space left on device"));
	run_tool("--help", NULL, "/dev/full", &outcome);
	assert_int_equal(outcome.status, 1);

	/* More than one buffer of it. */
	assert_non_null(text);
	for (size_t i = 0; i < 1000; i++)
		strcpy(text + i * 11, "10.0.0.0/8\n");
	write_file(path, text, 11000);
	run_tool("-", path, "/dev/full", &outcome);
	assert_int_equal(outcome.status, 1);
	assert_non_null(strstr(outcome.err, "No space left on device"));
	unlink(path);
	free(path);
	free(text);
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),	  cmocka_unit_test(test_form),
		cmocka_unit_test(test_empty),	  cmocka_unit_test(test_name_in_comment),
		cmocka_unit_test(test_errors),	  cmocka_unit_test(test_usage),
		cmocka_unit_test(test_full_disk),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
