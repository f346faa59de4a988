// SPDX-License-Identifier: GPL-2.0-or-later
/* Times as people write them. mktime() does the calendar, so days of 23 and 25 hours are right. */
#include "query/period.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Years beyond are typing errors, and calendars and charts need an end. */
#define FIRST_YEAR 1970
#define LAST_YEAR  9999

static const char *const unit_names[] = { "hour", "day", "week", "month", "year" };

static int64_t to_seconds(struct tm tm)
{
	tm.tm_isdst = -1;
	return mktime(&tm);
}

static struct tm to_calendar(int64_t time_s)
{
	time_t time = (time_t)time_s;
	struct tm tm = { 0 };

	localtime_r(&time, &tm);
	return tm;
}

/* The first second of the unit that tm is in. */
static void floor_to(struct tm *tm, enum span_unit unit)
{
	tm->tm_sec = tm->tm_min = 0;
	if (unit >= SPAN_DAY)
		tm->tm_hour = 0;
	if (unit == SPAN_WEEK)
		tm->tm_mday -= (tm->tm_wday + 6) % 7;
	if (unit >= SPAN_MONTH)
		tm->tm_mday = 1;
	if (unit == SPAN_YEAR)
		tm->tm_mon = 0;
}

static void shift_by(struct tm *tm, enum span_unit unit, int n)
{
	switch (unit) {
	case SPAN_HOUR:
		break; /* hours are not of the calendar: see span_around() */
	case SPAN_DAY:
		tm->tm_mday += n;
		break;
	case SPAN_WEEK:
		tm->tm_mday += 7 * n;
		break;
	case SPAN_MONTH:
		tm->tm_mon += n;
		break;
	case SPAN_YEAR:
		tm->tm_year += n;
		break;
	}
}

struct span span_around(int64_t time_s, enum span_unit unit, int shift)
{
	struct tm tm, end;

	if (unit == SPAN_HOUR) {
		/* Not by mktime(), which could not tell the two hours of an autumn night apart. Where
		 * the zone's offset is no whole hour, so is the hour's begin. */
		struct tm now = to_calendar(time_s);
		int64_t begin_s =
			time_s - now.tm_min * INT64_C(60) - now.tm_sec + (int64_t)shift * 3600;

		return (struct span){ begin_s, begin_s + 3600 };
	}
	tm = to_calendar(time_s);
	floor_to(&tm, unit);
	shift_by(&tm, unit, shift);
	end = tm;
	shift_by(&end, unit, 1);
	return (struct span){ to_seconds(tm), to_seconds(end) };
}

/* "this-month", "last-week"; *ret is untouched when it is none. */
static bool parse_word(const char *text, int64_t now_s, struct span *ret)
{
	static const struct {
		const char *word;
		int shift;
	} days[] = { { "today", 0 }, { "yesterday", -1 }, { "tomorrow", 1 } };
	int shift;

	if (strcmp(text, "now") == 0) {
		*ret = (struct span){ now_s, now_s };
		return true;
	}
	for (size_t i = 0; i < sizeof(days) / sizeof(*days); i++)
		if (strcmp(text, days[i].word) == 0) {
			*ret = span_around(now_s, SPAN_DAY, days[i].shift);
			return true;
		}
	if (strncmp(text, "this-", 5) == 0)
		shift = 0;
	else if (strncmp(text, "last-", 5) == 0)
		shift = -1;
	else
		return false;
	for (int unit = SPAN_HOUR; unit <= SPAN_YEAR; unit++)
		if (strcmp(text + 5, unit_names[unit]) == 0) {
			*ret = span_around(now_s, (enum span_unit)unit, shift);
			return true;
		}
	return false;
}

/* "-7d": so long before now. */
static int parse_age(const char *text, int64_t now_s, struct span *ret)
{
	static const struct {
		const char *names;
		int unit; /* of the calendar, or -1: seconds below */
		int n;
	} units[] = {
		{ " s sec second seconds ", -1, 1 }, { " min m minute minutes ", -1, 60 },
		{ " h hour hours ", -1, 3600 },	     { " d day days ", SPAN_DAY, 1 },
		{ " w week weeks ", SPAN_WEEK, 1 },  { " mo month months ", SPAN_MONTH, 1 },
		{ " y year years ", SPAN_YEAR, 1 },
	};
	char name[16];
	size_t length;
	int n;

	errno = 0;
	n = (int)strtol(text + 1, (char **)&text, 10);
	length = strlen(text);
	if (errno || n < 0 || n > 100000000 || length < 1 || length > sizeof(name) - 3)
		return -EINVAL;
	name[0] = ' ';
	memcpy(name + 1, text, length);
	memcpy(name + 1 + length, " ", 2);
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		struct tm tm = to_calendar(now_s);
		int64_t time_s;

		if (!strstr(units[i].names, name))
			continue;
		if (units[i].unit >= 0 && n > 1000000)
			return -EINVAL;
		shift_by(&tm, (enum span_unit)units[i].unit, -n);
		time_s = units[i].unit < 0 ? now_s - (int64_t)n * units[i].n : to_seconds(tm);
		if (time_s < 0)
			return -EINVAL;
		*ret = (struct span){ time_s, time_s };
		return 0;
	}
	return -EINVAL;
}

/* So many digits, a number from `least` to `most`; NULL: it is none. Else the text behind it. */
static const char *parse_number(const char *text, int digits, int least, int most, int *ret)
{
	int number = 0;

	for (int i = 0; i < digits; i++, text++) {
		if (!isdigit((unsigned char)*text))
			return NULL;
		number = number * 10 + (*text - '0');
	}
	if (number < least || number > most)
		return NULL;
	*ret = number;
	return text;
}

/* HH:MM or HH:MM:SS, and maybe Z, to the end of text. */
static int parse_clock(const char *text, struct tm *tm, bool *ret_utc)
{
	text = parse_number(text, 2, 0, 23, &tm->tm_hour);
	if (!text || *text++ != ':')
		return -EINVAL;
	text = parse_number(text, 2, 0, 59, &tm->tm_min);
	if (text && *text == ':')
		text = parse_number(text + 1, 2, 0, 60, &tm->tm_sec);
	if (!text)
		return -EINVAL;
	*ret_utc = *text == 'Z';
	text += *ret_utc;
	return *text ? -EINVAL : 0;
}

static int verify_date(struct tm wanted, const struct tm *got)
{
	return wanted.tm_mday == got->tm_mday && wanted.tm_mon == got->tm_mon ? 0 : -EINVAL;
}

static int parse_moment(const char *text, struct tm tm, struct span *ret)
{
	int64_t time_s;
	bool utc;

	if (parse_clock(text, &tm, &utc) < 0)
		return -EINVAL;
	time_s = utc ? timegm(&tm) : to_seconds(tm);
	*ret = (struct span){ time_s, time_s };
	return 0;
}

static int parse_date(const char *text, struct span *ret)
{
	struct tm tm = { .tm_mday = 1 }, got;
	enum span_unit unit = SPAN_MONTH;

	text = parse_number(text, 4, FIRST_YEAR, LAST_YEAR, &tm.tm_year);
	if (!text || *text++ != '-')
		return -EINVAL;
	text = parse_number(text, 2, 1, 12, &tm.tm_mon);
	if (!text)
		return -EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	if (*text == '-') {
		text = parse_number(text + 1, 2, 1, 31, &tm.tm_mday);
		unit = SPAN_DAY;
	}
	if (!text)
		return -EINVAL;
	got = tm;
	timegm(&got); /* the 31st of June becomes the 1st of July */
	if (verify_date(tm, &got) < 0)
		return -EINVAL;
	if (unit == SPAN_DAY && (*text == ' ' || *text == 'T'))
		return parse_moment(text + 1, tm, ret);
	if (*text)
		return -EINVAL;
	tm.tm_hour = 12;
	*ret = span_around(to_seconds(tm), unit, 0);
	return 0;
}

int span_parse(const char *text, int64_t now_s, struct span *ret)
{
	struct tm today = to_calendar(now_s);
	struct span span;
	int r = -EINVAL;

	if (parse_word(text, now_s, ret))
		return 0;
	if (text[0] == '-') {
		r = parse_age(text, now_s, &span);
	} else if (text[0] == '@' && isdigit((unsigned char)text[1])) {
		char *end;
		long long time_s;

		errno = 0;
		time_s = strtoll(text + 1, &end, 10);
		if (!errno && !*end && time_s < INT64_C(253402300800)) {
			span = (struct span){ time_s, time_s };
			r = 0;
		}
	} else if (strlen(text) > 2 && text[2] == ':') {
		today.tm_sec = 0;
		r = parse_moment(text, today, &span);
	} else {
		r = parse_date(text, &span);
	}
	if (r == 0)
		*ret = span;
	return r;
}
