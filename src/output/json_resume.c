// SPDX-License-Identifier: GPL-2.0-or-later
#include "output/json_resume.h"

#include <errno.h>
#include <fcntl.h>

#include "output/append_tail.h"
#include "util/cleanup.h"

void json_resume_set(struct json_resume *resume, const char *line)
{
	if (resume->place_known || resume->is_past)
		return;
	resume->place_known = line && json_row_read_place(line, &resume->place);
}

static int ask_rotated(struct json_resume *resume, const struct traffic_output *output,
		       const struct append_policy *policy)
{
	_cleanup_free_ char *line = NULL;
	int r = append_tail_of_rotated(AT_FDCWD, output->target, policy, JSON_ROW_MAX, &line);

	if (r < 0 && r != -EACCES)
		return r;
	resume->rotated_seen = true;
	json_resume_set(resume, line);
	return 0;
}

static bool is_place(const struct json_place *place, const struct traffic_record *record)
{
	return record->uid == place->uid && record->direction == place->direction &&
	       record->total_in == place->total_in && record->total_out == place->total_out;
}

/* The place belongs to no record of its batch: somebody changed the file. */
static void end_search(struct json_resume *resume, struct traffic_output *output)
{
	resume->is_past = true;
	if (resume->records)
		traffic_output_lost(output, resume->records, resume->packets, resume->bytes);
}

int json_resume_pass_over(struct json_resume *resume, struct traffic_output *output,
			  const struct append_policy *policy, const struct traffic_record *records,
			  size_t n)
{
	const struct json_place *place = &resume->place;
	int r;

	if (resume->is_past)
		return 0;
	if (output->repeated && !resume->place_known && !resume->rotated_seen) {
		r = ask_rotated(resume, output, policy);
		if (r < 0)
			return r;
	}
	if (!output->repeated || !resume->place_known || output->batch > place->batch) {
		end_search(resume, output);
		return 0;
	}
	if (output->batch < place->batch)
		return (int)n; /* that whole batch was written before */
	for (size_t i = 0; i < n; i++) {
		if (is_place(place, &records[i])) {
			resume->is_past = true;
			return (int)i + 1;
		}
		resume->records++;
		resume->packets += records[i].packets;
		resume->bytes += records[i].bytes;
	}
	return (int)n;
}
