// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Matched by hand: regular expressions of the C library depend on the locale for bytes that are no
 * text, and would have to be compiled and kept somewhere.
 */
#include "account/workload.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CONTAINER_ID	   64 /* hexadecimal digits */
#define CONTAINER_ID_SHORT 12 /* as docker ps and podman ps show it */
#define SLUID		   13 /* after its "s" */

enum name_form {
	AS_IT_IS,
	SHORTENED,	  /* to 12 digits */
	FROM_UNDERSCORES, /* systemd has no "-" in the name of a slice: the kubelet writes "_" */
	UNESCAPED,	  /* \x2d, as systemd escapes names */
};

/*
 * The first pattern that matches the start of the path wins. In a pattern stand for
 *	*	one or more bytes but "/", as few as possible
 *	#	one or more decimal digits
 *	!	the SLUID of a Slurm job, without its "s"
 *	%	64 hexadecimal digits
 *	~	nothing, or any components up to a "/"
 *	$	the end of a component
 *	< >	the start and the end of the name
 * and other bytes for themselves.
 *
 * Where a user can't make cgroups the pattern begins at the root, so that nobody can pretend to be
 * a job of Slurm's or a unit of the system's from below user@UID.service.
 */
static const struct workload_pattern {
	const char *kind;
	const char *path;
	enum name_form form;
} patterns[] = {
	{ "slurm", "/*/slurmstepd.scope/job_<#>$", AS_IT_IS },
	{ "slurm", "/*/*_slurmstepd.scope/job_<#>$", AS_IT_IS },
	{ "slurm", "/*/slurmstepd.scope/<s!>$", AS_IT_IS },
	{ "slurm", "/*/*_slurmstepd.scope/<s!>$", AS_IT_IS },
	{ "slurm", "/slurm/uid_#/job_<#>$", AS_IT_IS },
	{ "slurm", "/slurm_*/uid_#/job_<#>$", AS_IT_IS },
	{ "pbs", "/pbs_jobs.service/jobid/<*>$", AS_IT_IS },
	{ "docker", "/system.slice/docker-<%>.scope$", SHORTENED },
	{ "docker", "/docker/<%>$", SHORTENED },
	{ "podman", "~/libpod-<%>.scope$", SHORTENED },
	{ "pod", "/kubepods.slice~/*-pod<*>.slice/cri-containerd-%.scope$", FROM_UNDERSCORES },
	{ "pod", "/kubepods.slice~/*-pod<*>.slice/crio-%.scope$", FROM_UNDERSCORES },
	{ "apptainer", "~/apptainer-<#>.scope$", AS_IT_IS },
	{ "lxc", "/lxc.payload.<*>$", AS_IT_IS },
	{ "vm", "~/machine-qemu\\x2d<*>.scope$", UNESCAPED },
	{ "session", "/user.slice/user-#.slice/session-<*>.scope$", AS_IT_IS },
	{ "unit", "/user.slice/user-#.slice/<user@#.service>$", AS_IT_IS },
	{ "unit", "/system.slice/<*>$", AS_IT_IS },
};

/* A part of the path. */
struct name {
	const char *start, *end;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Crockford's base 32: no I, L, O, U. */
static bool is_base32(char c)
{
	return is_digit(c) || (c >= 'A' && c <= 'Z' && !strchr("ILOU", c));
}

static size_t length_of(const char *text, size_t max, bool (*is_one)(char c))
{
	size_t n = 0;

	while (n < max && is_one(text[n]))
		n++;
	return n;
}

/* How many bytes a token that has one length only takes; 0: the path has none here. */
static size_t match_one(char token, const char *path)
{
	switch (token) {
	case '#':
		return length_of(path, SIZE_MAX, is_digit);
	case '!':
		return length_of(path, SLUID, is_base32) == SLUID ? SLUID : 0;
	case '%':
		return length_of(path, CONTAINER_ID, is_hex) == CONTAINER_ID ? CONTAINER_ID : 0;
	default:
		return *path == token;
	}
}

/* Calls itself at "*" and "~" only: as deep as a pattern has of these. */
static bool matches(const char *pattern, const char *path, struct name *name)
{
	size_t n;

	for (; *pattern; pattern++) {
		switch (*pattern) {
		case '<':
			name->start = path;
			break;
		case '>':
			name->end = path;
			break;
		case '$':
			if (*path && *path != '/')
				return false;
			break;
		case '*':
			while (*path && *path != '/')
				if (matches(pattern + 1, ++path, name))
					return true;
			return false;
		case '~':
			for (; path && *path == '/'; path = strchr(path + 1, '/'))
				if (matches(pattern + 1, path, name))
					return true;
			return false;
		default:
			n = match_one(*pattern, path);
			if (!n)
				return false;
			path += n;
		}
	}
	return true;
}

static int hex_value(char c)
{
	return is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* The byte at *text as the name has it; moves *text on. An escaped NUL stays as it is. */
static char next_byte(const char **text, const char *end, enum name_form form)
{
	const char *at = *text;

	if (form == UNESCAPED && end - at >= 4 && at[0] == '\\' && at[1] == 'x' && is_hex(at[2]) &&
	    is_hex(at[3])) {
		int byte = hex_value(at[2]) << 4 | hex_value(at[3]);

		if (byte) {
			*text += 4;
			return (char)byte;
		}
	}
	*text += 1;
	return form == FROM_UNDERSCORES && *at == '_' ? '-' : *at;
}

int workload_of(const char *cgroup_path, char *ret, size_t size)
{
	if (!size)
		return -EINVAL;
	if (size > WORKLOAD_SIZE)
		size = WORKLOAD_SIZE;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++) {
		const struct workload_pattern *pattern = &patterns[i];
		struct name name = { 0 };
		size_t n = 0;

		if (!matches(pattern->path, cgroup_path, &name))
			continue;
		if (pattern->form == SHORTENED)
			name.end = name.start + CONTAINER_ID_SHORT;
		for (const char *kind = pattern->kind; *kind && n < size - 1; kind++)
			ret[n++] = *kind;
		if (n < size - 1)
			ret[n++] = ':';
		while (name.start < name.end && n < size - 1)
			ret[n++] = next_byte(&name.start, name.end, pattern->form);
		ret[n] = '\0';
		return 1;
	}
	*ret = '\0';
	return 0;
}
