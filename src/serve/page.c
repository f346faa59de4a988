// SPDX-License-Identifier: GPL-2.0-or-later
/* The page: made here, complete, without a script; the script adds the rates of this moment. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "serve/usage.h"
#include "util/cleanup.h"

/* The files of page/, as they are. */
#define EMBED(name, file)                                                      \
	__asm__(".section .rodata\n" #name ":\n.incbin \"src/serve/page/" file \
		"\"\n.byte 0\n.previous\n");                                   \
	extern const char(name)[] __asm__(#name)

EMBED(page_style, "style.css");
EMBED(page_script, "live.js");

#define WIDTH  1060.0
#define HEIGHT 190.0

static const struct range {
	const char *name, *since, *by;
} ranges[] = {
	{ "day", "-24h", "hour" },
	{ "week", "-7d", "hour" },
	{ "month", "-31d", "day" },
	{ "year", "-1y", "month" },
};

#define N_RANGES (sizeof(ranges) / sizeof(ranges[0]))

static void put_text(struct json_text *text, const char *from)
{
	for (; *from; from++)
		switch (*from) {
		case '&':
			json_text_put(text, "&amp;");
			break;
		case '<':
			json_text_put(text, "&lt;");
			break;
		case '>':
			json_text_put(text, "&gt;");
			break;
		case '"':
			json_text_put(text, "&quot;");
			break;
		case '\'':
			json_text_put(text, "&#39;");
			break;
		default:
			json_text_put_bytes(text, from, 1);
		}
}

static void put_escaped(struct json_text *text, const char *from)
{
	for (; *from; from++)
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.",
			   *from))
			json_text_put_bytes(text, from, 1);
		else
			json_text_printf(text, "%%%02X", (unsigned char)*from);
}

static void put_amount(struct json_text *text, uint64_t bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double value = (double)bytes;
	int unit = 0;

	for (; value >= 999.5 && unit < 6; unit++)
		value /= 1000;
	json_text_printf(text, value < 99.95 && unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

/* A question of the page's own, with the asker's rights, and the page's user where one is named. */
static int ask_history(const struct server *server, const struct ask *ask, const char *since,
		       const char *by, const char *top, struct usage *ret, struct reply *problem)
{
	struct ask own = { .asker = ask->asker, .accept = "" };
	const char *user = target_get(&ask->target, "user");

	own.target.parameters[0] = (struct target_parameter){ "since", since };
	own.target.parameters[1] = (struct target_parameter){ "by", by };
	own.target.parameters[2] = (struct target_parameter){ "top", top };
	own.target.parameters[3] = (struct target_parameter){ "user", user };
	own.target.n = user && *user ? 4 : 3;
	return usage_ask(server, &own, ret, problem);
}

static void put_bars(const struct usage *usage, struct json_text *text)
{
	double width = WIDTH / (double)(usage->n ?: 1), most = 1;

	for (size_t i = 0; i < usage->n; i++)
		if ((double)(usage->rows[i].in + usage->rows[i].out) > most)
			most = (double)(usage->rows[i].in + usage->rows[i].out);
	json_text_printf(text,
			 "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"Bytes received "
			 "and sent over time; the numbers are in the table of times\">",
			 WIDTH, HEIGHT + 20);
	for (int i = 0; i < 3; i++)
		json_text_printf(
			text, "<line class=\"grid\" x1=\"0\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>",
			WIDTH, 14 + (HEIGHT - 14) * i / 2, 14 + (HEIGHT - 14) * i / 2);
	json_text_put(text, "<text x=\"0\" y=\"10\">");
	put_amount(text, (uint64_t)most);
	json_text_put(text, "</text>");
	for (size_t i = 0; i < usage->n; i++) {
		const struct usage_row *row = &usage->rows[i];
		double in = (double)row->in / most * (HEIGHT - 14);
		double out = (double)row->out / most * (HEIGHT - 14);
		double x = width * (double)i + width * 0.1;

		json_text_put(text, "<g><title>");
		put_text(text, row->keys[0] ?: "other");
		json_text_put(text, ": received ");
		put_amount(text, row->in);
		json_text_put(text, ", sent ");
		put_amount(text, row->out);
		json_text_printf(text,
				 "</title><rect class=\"in\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
				 "height=\"%.1f\"/><rect class=\"out\" x=\"%.1f\" y=\"%.1f\" "
				 "width=\"%.1f\" height=\"%.1f\"/></g>",
				 x, HEIGHT - in, width * 0.8, in, x, HEIGHT - in - out, width * 0.8,
				 out);
	}
	if (usage->n) {
		json_text_printf(text, "<text x=\"0\" y=\"%.0f\">", HEIGHT + 16);
		put_text(text, usage->rows[0].keys[0] ?: "");
		json_text_printf(text, "</text><text x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\">",
				 WIDTH, HEIGHT + 16);
		put_text(text, usage->rows[usage->n - 1].keys[0] ?: "other");
		json_text_put(text, "</text>");
	}
	json_text_put(text, "</svg><p class=\"key\"><i class=\"kin\"></i>received<i "
			    "class=\"kout\"></i>sent</p>");
}

static void put_table(const struct usage *usage, const char *title, const char *range,
		      struct json_text *text)
{
	json_text_printf(
		text,
		"<section><h2>%s</h2><div class=\"scroll\" tabindex=\"0\" role=\"region\" "
		"aria-label=\"%s\"><table><thead><tr><th scope=\"col\">%s</th><th "
		"scope=\"col\">received</th><th scope=\"col\">sent</th></tr></thead><tbody>",
		title, title, usage->by[0]);
	for (size_t i = 0; i < usage->n; i++) {
		const struct usage_row *row = &usage->rows[i];
		const char *name = row->other ? "other" : row->keys[0] ?: "not known";
		bool link = range && !row->other && row->keys[0];

		json_text_put(text, "<tr><td>");
		if (link) {
			json_text_printf(text, "<a href=\"/?range=%s&amp;user=", range);
			put_escaped(text, name);
			json_text_put(text, "\">");
		}
		put_text(text, name);
		json_text_put(text, link ? "</a></td><td>" : "</td><td>");
		put_amount(text, row->in);
		json_text_put(text, "</td><td>");
		put_amount(text, row->out);
		json_text_put(text, "</td></tr>");
	}
	json_text_put(text, "</tbody></table></div></section>");
}

static void put_head(const struct ask *ask, const struct range *range, const struct reply *reply,
		     struct json_text *text)
{
	const char *user = target_get(&ask->target, "user");

	json_text_printf(text,
			 "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
			 "<title>traffic-meter</title><meta name=\"viewport\" "
			 "content=\"width=device-width,initial-scale=1\"><link rel=\"icon\" "
			 "href=\"data:,\"><style nonce=\"%s\">",
			 reply->nonce);
	json_text_put(text, page_style);
	json_text_put(text, "</style></head><body><header><h1>");
	if (user && *user) {
		json_text_put(text, "Traffic of ");
		put_text(text, user);
	} else {
		json_text_put(text,
			      ask->asker.everything ? "Traffic of all users" : "Your traffic");
	}
	json_text_put(text, "</h1><nav aria-label=\"period\">");
	for (size_t i = 0; i < N_RANGES; i++) {
		json_text_printf(text, "<a href=\"/?range=%s", ranges[i].name);
		if (user && *user) {
			json_text_put(text, "&amp;user=");
			put_escaped(text, user);
		}
		json_text_printf(text, "\"%s>%s</a>",
				 range == &ranges[i] ? " aria-current=\"page\"" : "",
				 ranges[i].name);
	}
	if (user && *user && ask->asker.everything)
		json_text_printf(text, "<a href=\"/?range=%s\">all users</a>", range->name);
	json_text_put(text, "</nav></header><main>");
}

static void put_live(struct json_text *text)
{
	json_text_put(text,
		      "<section><h2>Now</h2><div class=\"scroll\" tabindex=\"0\" role=\"region\" "
		      "aria-label=\"Now\"><table hidden><thead><tr><th scope=\"col\">user</th><th "
		      "scope=\"col\">receives</th><th scope=\"col\">sends</th></tr></thead><tbody "
		      "id=\"live\"></tbody></table></div><p class=\"note\" id=\"live-note\" "
		      "role=\"status\">The rates of this moment need JavaScript; "
		      "'traffic-meter top' shows them too.</p></section>");
}

static void make_nonce(char ret[33])
{
	unsigned char bytes[16];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		memset(bytes, 0, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		sprintf(ret + 2 * i, "%02x", bytes[i]);
}

/* Says in a table's place why it is not there. */
static void put_problem(const char *title, struct reply *problem, struct json_text *text)
{
	json_text_printf(text, "<section><h2>%s</h2><p class=\"note\">", title);
	put_text(text, problem->body.data ?: "The history can't be read.");
	json_text_put(text, "</p></section>");
	json_text_free(&problem->body);
}

static void ask_table(const struct server *server, const struct ask *ask, const struct range *range,
		      const char *by, const char *title, struct json_text *text)
{
	struct reply problem = { 0 };
	struct usage usage;

	if (ask_history(server, ask, range->since, by, "10", &usage, &problem) < 0) {
		put_problem(title, &problem, text);
		return;
	}
	put_table(&usage, title, strcmp(by, "user") == 0 ? range->name : NULL, text);
	usage_free(&usage);
}

/* What the history has, or why it has not. Returns 0 or -EACCES. */
static int put_history(const struct server *server, const struct ask *ask,
		       const struct range *range, struct json_text *text)
{
	static const char *const tables[][2] = {
		{ "user", "Users" },	   { "network", "Networks" }, { "remote", "Remote hosts" },
		{ "service", "Services" }, { "program", "Programs" }, { "workload", "Workloads" },
	};
	struct reply problem = { 0 };
	struct usage usage;
	int r = ask_history(server, ask, range->since, range->by, "400", &usage, &problem);

	if (r < 0) {
		put_problem("History", &problem, text);
		return r == -EACCES ? r : 0;
	}
	json_text_put(text, "<section><h2>");
	put_amount(text, usage.in);
	json_text_put(text, " received, ");
	put_amount(text, usage.out);
	json_text_printf(text, " sent in the last %s</h2>", range->name);
	put_bars(&usage, text);
	json_text_put(text, "</section><div class=\"columns\">");
	usage_free(&usage);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		ask_table(server, ask, range, tables[i][0], tables[i][1], text);
	json_text_put(text, "</div>");
	return 0;
}

int page_answer(struct server *server, const struct ask *ask, struct reply *reply)
{
	const char *name = target_get(&ask->target, "range") ?: "day";
	const struct range *range = ranges;
	struct json_text *text = &reply->body;
	int r;

	while (range < ranges + N_RANGES && strcmp(range->name, name) != 0)
		range++;
	if (range == ranges + N_RANGES)
		return reply_error(reply, 400, "range= is day, week, month or year");
	make_nonce(reply->nonce);
	reply->type = "text/html; charset=utf-8";
	put_head(ask, range, reply, text);
	put_live(text);
	r = put_history(server, ask, range, text);
	if (r < 0) {
		reply->nonce[0] = '\0';
		return r;
	}
	json_text_printf(
		text,
		"</main><footer><a href=\"/api/v1/usage?since=%s&amp;by=user&amp;"
		"format=csv\">CSV</a> · <a href=\"/api/v1/usage?since=%s&amp;by=user\">JSON</a> "
		"· traffic-meter " VERSION "</footer><script nonce=\"%s\">",
		range->since, range->since, reply->nonce);
	json_text_put(text, page_script);
	json_text_put(text, "</script></body></html>\n");
	return 0;
}
