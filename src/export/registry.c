// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of network outputs. Owns no output: each is a file of its own. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "export/export.h"

/* One line an output. EXPORT(socket) means: socket.c defines socket_export. */
#ifdef HAVE_LIBSYSTEMD
#define EXPORT_JOURNAL(EXPORT) EXPORT(journal)
#else
#define EXPORT_JOURNAL(EXPORT)
#endif

#define EXPORTS(EXPORT)        \
	EXPORT(syslog)         \
	EXPORT_JOURNAL(EXPORT) \
	EXPORT(socket)         \
	EXPORT(exec)           \
	EXPORT(ipfix)

#define DECLARE(name) extern const struct export_type name##_export;
#define ENTRY(name)   &name##_export,

EXPORTS(DECLARE)

const struct export_type *const export_types[] = { EXPORTS(ENTRY) NULL };

const struct export_type *export_type_find(const char *kind)
{
	for (size_t i = 0; export_types[i]; i++) {
		if (strcmp(export_types[i]->kind, kind) == 0)
			return export_types[i];
	}
	return NULL;
}

int export_fail(struct export_output *output, int error, const char *format, ...)
{
	char what[200];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	snprintf(output->error, sizeof(output->error), "%s: %s", what, strerrordesc_np(-error));
	return error;
}

int export_refuse(struct export_output *output, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(output->error, sizeof(output->error), format, arguments);
	va_end(arguments);
	return error;
}
