// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Makes manual pages and shell completion from the tables of commands, options and outputs, so that they
 * name each option that there is. For the build only; not installed.
 *
 *	manual page FILE.in	the page: FILE.in, in which a line "@options COMMAND@" or "@outputs COMMAND@" is
 *				replaced by a list in mdoc(7)
 *	manual bash|zsh|fish	completion for that shell
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <traffic_meter/output.h>

#include "command/command.h"
#include "util/cleanup.h"
#include "util/log.h"

static bool has_value(const struct traffic_option *option)
{
	return option->type != TRAFFIC_OPTION_FLAG;
}

/* What the manual and the shells call an option's value. */
static const char *value_name(const struct traffic_option *option)
{
	if (option->metavar)
		return option->metavar;
	return option->type == TRAFFIC_OPTION_CHOICE ? "CHOICE" : "VALUE";
}

/* ---- mdoc ---- */

/* Text for the middle of an mdoc line: a backslash starts an escape, a quote ends an argument. */
static void put_mdoc(const char *text)
{
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '"')
			fputs("\\(dq", stdout);
		else
			putchar(*text);
	}
}

static void put_mdoc_choices(const struct traffic_option *option, const char *prefix)
{
	for (size_t i = 0; option->choices[i]; i++)
		printf("%s%s%s", i ? " | " : prefix, "Cm ", option->choices[i]);
}

static void put_mdoc_commands(void)
{
	printf(".Bl -tag -width networks\n");
	for (const struct command *const *command = commands; *command; command++) {
		printf(".It Cm %s\n\\&", (*command)->name);
		put_mdoc((*command)->help);
		printf(".\n");
	}
	printf(".El\n");
}

static void put_mdoc_options(const struct command *command)
{
	if (!command->options)
		printf(".Nm traffic-meter %s\ntakes no options but\n.Fl -help .\n", command->name);
	else
		printf(".Bl -tag -width Ds\n");
	for (const struct traffic_option *option = command->options; option && option->name;
	     option++) {
		printf(".It Fl -%s", option->name);
		if (option->type == TRAFFIC_OPTION_CHOICE)
			put_mdoc_choices(option, " ");
		else if (has_value(option))
			printf(" Ar %s", value_name(option));
		printf("\n\\&");
		put_mdoc(option->help);
		printf(".\n");
	}
	if (command->options)
		printf(".El\n");
}

static void put_mdoc_outputs(const struct command *command)
{
	printf(".Bl -tag -width Ds\n");
	for (size_t i = 0; command->outputs && command->outputs[i]; i++) {
		const struct traffic_output_type *type = command->outputs[i];

		printf(".It Cm %s Ns \\&: Ns Ar %s\n\\&", type->kind, type->target);
		put_mdoc(type->help);
		printf(".\n");
		if (!type->options || !type->options->name)
			continue;
		printf(".Bl -tag -width Ds\n");
		for (const struct traffic_option *option = type->options; option->name; option++) {
			printf(".It Cm %s Ns = Ns ", option->name);
			if (option->type == TRAFFIC_OPTION_CHOICE)
				put_mdoc_choices(option, "");
			else
				printf("Ar %s", option->type == TRAFFIC_OPTION_FLAG
							? "yes|no"
							: value_name(option));
			printf("\n\\&");
			put_mdoc(option->help);
			printf(".\n");
		}
		printf(".El\n");
	}
	printf(".El\n");
}

static int put_page(const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char line[1024], list[16], name[64];

	if (!file)
		return log_error_errno(-errno, "open %s", path);
	while (fgets(line, sizeof(line), file)) {
		const struct command *command;

		if (strcmp(line, "@commands@\n") == 0) {
			put_mdoc_commands();
			continue;
		}
		if (sscanf(line, "@%15[a-z] %63[a-z]@", list, name) != 2) {
			fputs(line, stdout);
			continue;
		}
		command = command_find(name);
		if (!command) {
			log_error("%s: there is no command '%s'", path, name);
			return -EINVAL;
		}
		if (strcmp(list, "options") == 0)
			put_mdoc_options(command);
		else
			put_mdoc_outputs(command);
	}
	return ferror(file) ? log_error_errno(-EIO, "read %s", path) : 0;
}

/* ---- completion ---- */

/* Does the value name a file or a directory? */
static bool takes_path(const struct traffic_option *option)
{
	static const char *const paths[] = { "FILE", "DIR", "DIRECTORY", "PATH" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (option->metavar && strcmp(option->metavar, paths[i]) == 0)
			return true;
	return false;
}

static void put_bash(void)
{
	printf("# bash completion for traffic-meter, made by tools/manual.c\n"
	       "_traffic_meter() {\n"
	       "\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
	       "\tlocal command=${COMP_WORDS[1]} options=\n"
	       "\tCOMPREPLY=()\n"
	       "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
	       "\t\tCOMPREPLY=($(compgen -W '--help --version");
	for (const struct command *const *command = commands; *command; command++)
		printf(" %s", (*command)->name);
	printf("' -- \"$word\"))\n\t\treturn\n\tfi\n\tcase $command in\n");
	for (const struct command *const *command = commands; *command; command++) {
		const struct traffic_option *option;

		printf("\t%s)\n\t\toptions='", (*command)->name);
		for (option = (*command)->options; option && option->name; option++)
			printf("%s--%s", option == (*command)->options ? "" : " ", option->name);
		printf("'\n\t\tcase $before in\n");
		for (option = (*command)->options; option && option->name; option++) {
			if (!has_value(option))
				continue;
			printf("\t\t--%s) ", option->name);
			if (option->type == TRAFFIC_OPTION_CHOICE) {
				printf("COMPREPLY=($(compgen -W '");
				for (size_t i = 0; option->choices[i]; i++)
					printf("%s%s", i ? " " : "", option->choices[i]);
				printf("' -- \"$word\")); return ;;\n");
			} else if (takes_path(option)) {
				printf("COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n");
			} else {
				printf("return ;;\n");
			}
		}
		printf("\t\tesac\n\t\t;;\n");
	}
	printf("\tesac\n"
	       "\tcase $word in\n"
	       "\t-*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
	       "\t*) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
	       "\tesac\n"
	       "}\n"
	       "complete -o filenames -F _traffic_meter traffic-meter\n");
}

/* A text as one word of a shell. */
static void put_quoted(const char *text)
{
	putchar('\'');
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*text);
	}
	putchar('\'');
}

static void put_zsh_option(const struct traffic_option *option)
{
	bool many = option->type == TRAFFIC_OPTION_STRINGS;

	printf("\t\t\t'%s--%s%s[", many ? "*" : "", option->name, has_value(option) ? "=" : "");
	/* Brackets, colons and quotes end a part of the specification. */
	for (const char *c = option->help; *c; c++)
		if (!strchr("[]':", *c))
			putchar(*c);
	putchar(']');
	if (has_value(option)) {
		printf(":%s:", value_name(option));
		if (option->type == TRAFFIC_OPTION_CHOICE) {
			putchar('(');
			for (size_t i = 0; option->choices[i]; i++)
				printf("%s%s", i ? " " : "", option->choices[i]);
			putchar(')');
		} else if (takes_path(option)) {
			fputs("_files", stdout);
		}
	}
	printf("' \\\n");
}

static void put_zsh(void)
{
	printf("#compdef traffic-meter\n"
	       "# zsh completion for traffic-meter, made by tools/manual.c\n"
	       "_traffic_meter() {\n"
	       "\tlocal -a names\n"
	       "\tif (( CURRENT == 2 )); then\n"
	       "\t\tnames=(\n");
	for (const struct command *const *command = commands; *command; command++) {
		printf("\t\t\t%s:", (*command)->name);
		put_quoted((*command)->help);
		printf("\n");
	}
	printf("\t\t)\n"
	       "\t\t_describe command names\n"
	       "\t\treturn\n"
	       "\tfi\n"
	       "\tlocal name=$words[2]\n"
	       "\tshift words\n"
	       "\t(( CURRENT-- ))\n"
	       "\tcase $name in\n");
	for (const struct command *const *command = commands; *command; command++) {
		const struct traffic_option *option = (*command)->options;

		printf("\t%s)\n\t\t_arguments \\\n", (*command)->name);
		for (; option && option->name; option++)
			put_zsh_option(option);
		printf("\t\t\t'*:file:_files'\n\t\t;;\n");
	}
	printf("\tesac\n}\n_traffic_meter \"$@\"\n");
}

static void put_fish(void)
{
	printf("# fish completion for traffic-meter, made by tools/manual.c\n");
	for (const struct command *const *command = commands; *command; command++) {
		printf("complete -c traffic-meter -f -n __fish_use_subcommand -a %s -d ",
		       (*command)->name);
		put_quoted((*command)->help);
		printf("\n");
	}
	for (const struct command *const *command = commands; *command; command++) {
		const struct traffic_option *option = (*command)->options;

		for (; option && option->name; option++) {
			printf("complete -c traffic-meter -n '__fish_seen_subcommand_from %s' -l "
			       "%s",
			       (*command)->name, option->name);
			if (has_value(option))
				printf(takes_path(option) ? " -r -F" : " -x");
			if (option->type == TRAFFIC_OPTION_CHOICE) {
				printf(" -a '");
				for (size_t i = 0; option->choices[i]; i++)
					printf("%s%s", i ? " " : "", option->choices[i]);
				printf("'");
			}
			printf(" -d ");
			put_quoted(option->help);
			printf("\n");
		}
	}
}

int main(int argc, char **argv)
{
	int r = 0;

	if (argc == 3 && strcmp(argv[1], "page") == 0)
		r = put_page(argv[2]);
	else if (argc == 2 && strcmp(argv[1], "bash") == 0)
		put_bash();
	else if (argc == 2 && strcmp(argv[1], "zsh") == 0)
		put_zsh();
	else if (argc == 2 && strcmp(argv[1], "fish") == 0)
		put_fish();
	else {
		fprintf(stderr, "usage: manual page FILE.in | bash | zsh | fish\n");
		return EXIT_USAGE;
	}
	return r < 0 || fflush(stdout) ? EXIT_FAILED : EXIT_DONE;
}
