// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an output may call: it tells errors in words, and losses in numbers. The words and counts
 * are kept in the struct traffic_output; what is done about them is for its thread, pipeline/output_thread.c.
 */
#include <traffic_meter/output.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int traffic_output_fail(struct traffic_output *output, int error, const char *format, ...)
{
	char words[128];
	va_list arguments;
	size_t used;

	va_start(arguments, format);
	vsnprintf(output->error, sizeof(output->error), format, arguments);
	va_end(arguments);
	used = strlen(output->error);
	snprintf(output->error + used, sizeof(output->error) - used, ": %s",
		 strerror_r(-error, words, sizeof(words)));
	return error;
}

int traffic_output_refuse(struct traffic_output *output, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(output->error, sizeof(output->error), format, arguments);
	va_end(arguments);
	return error;
}

void traffic_output_lost(struct traffic_output *output, uint64_t records, uint64_t packets,
			 uint64_t bytes)
{
	output->lost_records += records;
	output->lost_packets += packets;
	output->lost_bytes += bytes;
}
