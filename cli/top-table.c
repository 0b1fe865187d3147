/* SPDX-License-Identifier: MIT */
/* aioevt top: the table and the JSON. */
#include <inttypes.h>
#include <locale.h>
#include <string.h>
#include <wchar.h>

#include "json.h"
#include "safe.h"
#include "top.h"

#define SHOWN_MAX	1024	/* bytes of a name with its characters escaped */
#define NAME_LEAST	8	/* cells */
#define BAR_LEAST	8
#define BAR_MOST	20

struct field {
	const char *title;
	unsigned width;		/* cells, with the space before it */
};

static const struct field fields[] = {
	{ "RATE/S", 8 }, { "RECORDS", 9 }, { "LISTENERS", 10 }, { "RELIABLE", 9 },
	{ "LAG", 8 }, { "PID", 8 },
};
#define N_FIELDS	(sizeof(fields) / sizeof(*fields))

struct shape {
	unsigned name;		/* cells */
	unsigned n_fields;
	unsigned bar;		/* cells; 0: none */
};

/* ---- names ---------------------------------------------------------------------- */

/* Cells that a character takes, or -1 if terminals do not agree. */
static int count_cells(uint32_t code)
{
	static bool is_set;

	if (!is_set) {
		/* For wcwidth() alone. Without it all characters are as wide as a letter. */
		locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);

		if (locale)
			uselocale(locale);
		is_set = true;
	}
	if (code == 0xad || (code >= 0x200b && code <= 0x200d) ||
	    (code >= 0x2060 && code <= 0x206f))
		return -1;
	if (code < 0x7f || uselocale(NULL) == LC_GLOBAL_LOCALE)
		return 1;
	return wcwidth((wchar_t)code);
}

/*
 * Write @name as a terminal can show it, in @room cells at most: "~" stands for what was
 * left out. Returns the cells that it takes.
 */
static unsigned show_name(const char *name, unsigned room, char *buf)
{
	unsigned used = 0, fit = 0;
	char *out = buf, *cut = buf;

	while (*name) {
		char piece[SAFE_MAX];
		uint32_t code;
		size_t len = safe_char(name, strlen(name), &code, piece);
		int cells = code == UINT32_MAX ? (int)strlen(piece) : count_cells(code);

		if (cells < 0)
			cells = snprintf(piece, sizeof(piece), "\\u%04" PRIx32, code);
		if (used + (unsigned)cells > room) {
			strcpy(cut, "~");
			return fit + 1;
		}
		out = stpcpy(out, piece);
		used += (unsigned)cells;
		if (used < room) {
			cut = out;
			fit = used;
		}
		name += len;
	}
	*out = 0;
	return used;
}

static void print_name(FILE *out, const char *name, unsigned width)
{
	char shown[SHOWN_MAX];
	unsigned used = show_name(name, width, shown);

	fprintf(out, "%s%*s", shown, (int)(width - used), "");
}

static unsigned widest_name(const struct top *top)
{
	unsigned widest = NAME_LEAST, n;
	char shown[SHOWN_MAX];

	for (size_t i = 0; i < top->now.rows.n; i++) {
		n = show_name(top->now.rows.v[i].event, SHOWN_MAX, shown);
		if (n > widest)
			widest = n;
	}
	return widest;
}

/* ---- rows ----------------------------------------------------------------------- */

void top_print_number(double number, char *buf, size_t size)
{
	static const char units[] = "kMGTPE";
	const char *unit = units;

	if (number < 99.95) {
		snprintf(buf, size, "%.1f", number);
		return;
	}
	if (number < 99999.5) {
		snprintf(buf, size, "%.0f", number);
		return;
	}
	for (number /= 1000; number >= 999.95 && unit[1]; unit++)
		number /= 1000;
	snprintf(buf, size, "%.1f%c", number, *unit);
}

static void print_count(uint64_t count, char *buf, size_t size)
{
	if (count < 10000000)
		snprintf(buf, size, "%" PRIu64, count);
	else
		top_print_number((double)count, buf, size);
}

/* Columns that do not fit are left out, from the right: part of a number would be another. */
static void find_shape(const struct top *top, unsigned columns, struct shape *shape)
{
	unsigned used = 0, left;

	*shape = (struct shape){ widest_name(top), 0, BAR_MOST };
	while (shape->n_fields < N_FIELDS &&
	       (!columns || NAME_LEAST + used + fields[shape->n_fields].width <= columns))
		used += fields[shape->n_fields++].width;
	if (!columns)
		return;
	left = columns > used ? columns - used : 1;
	shape->bar = 0;
	if (shape->n_fields == N_FIELDS && left >= NAME_LEAST + 2 + BAR_LEAST)
		shape->bar = left > shape->name + 2 + BAR_LEAST ? left - shape->name - 2 :
			     BAR_LEAST;
	if (shape->bar > BAR_MOST)
		shape->bar = BAR_MOST;
	left -= shape->bar ? shape->bar + 2 : 0;
	if (shape->name > left)
		shape->name = left;
}

static void print_titles(FILE *out, const struct shape *shape)
{
	print_name(out, "EVENT", shape->name);
	for (unsigned i = 0; i < shape->n_fields; i++)
		fprintf(out, "%*s", (int)fields[i].width, fields[i].title);
	if (shape->bar)
		fputs("  BAR", out);
}

static void print_bar(FILE *out, const struct top *top, double rate, unsigned width)
{
	unsigned n = 0;

	if (rate > 0)
		n = (unsigned)(rate / top->largest * width + 0.5);
	if (rate > 0 && !n)
		n = 1;		/* little, but something */
	if (n)
		fputs("  ", out);
	while (n--)
		putc('#', out);
}

static void print_row(FILE *out, const struct top *top, const struct shape *shape,
		      const struct row *row)
{
	const struct aioevt_shm_event_info *info = &row->info;
	char text[N_FIELDS][32] = { "-", "", "", "", "-", "-" };

	if (top->has_rates)
		top_print_number(row->rate, text[0], sizeof(text[0]));
	print_count(info->n_records, text[1], sizeof(text[1]));
	print_count(info->n_listeners, text[2], sizeof(text[2]));
	print_count(info->n_reliable, text[3], sizeof(text[3]));
	if (info->slowest_pid) {
		print_count(info->slowest_lag, text[4], sizeof(text[4]));
		snprintf(text[5], sizeof(text[5]), "%d", (int)info->slowest_pid);
	}
	print_name(out, row->event, shape->name);
	for (unsigned i = 0; i < shape->n_fields; i++)
		fprintf(out, "%*s", (int)fields[i].width, text[i]);
	if (shape->bar)
		print_bar(out, top, row->rate, shape->bar);
}

void top_print_table(FILE *out, const struct top *top, unsigned columns, unsigned lines,
		     const char *eol)
{
	size_t i, n = top->now.rows.n, shown = n;
	char more[64];
	struct shape shape;

	if (!n)
		return;
	if (lines && n + 1 > lines)
		shown = lines > 2 ? lines - 2 : 0;
	find_shape(top, columns, &shape);
	print_titles(out, &shape);
	fputs(eol, out);
	for (i = 0; i < shown; i++) {
		print_row(out, top, &shape, top->order[i]);
		fputs(eol, out);
	}
	if (shown == n || lines < 2)
		return;
	snprintf(more, sizeof(more), "... %zu more", n - shown);
	fprintf(out, "%.*s%s", (int)columns, more, eol);
}

/* ---- JSON ----------------------------------------------------------------------- */

static void print_json_row(FILE *out, const struct row *row)
{
	const struct aioevt_shm_event_info *info = &row->info;

	fputs("{\"event\":", out);
	check_memory(json_write_text(out, row->event, strlen(row->event)));
	fprintf(out, ",\"records\":%" PRIu64 ",\"rate\":%.3f,\"listeners\":%" PRIu32
		",\"reliable\":%" PRIu32, info->n_records, row->rate, info->n_listeners,
		info->n_reliable);
	if (info->slowest_pid)
		fprintf(out, ",\"slowest\":{\"lag\":%" PRIu64 ",\"pid\":%d}}",
			info->slowest_lag, (int)info->slowest_pid);
	else
		fputs(",\"slowest\":null}", out);
}

void top_print_json(FILE *out, const struct top *top)
{
	fprintf(out, "{\"time\":%" PRIu64 ",\"interval_ns\":%" PRIu64 ",\"rate\":%.3f,"
		"\"events\":[", top->now.time, top->now.when - top->before.when, top->sum);
	for (size_t i = 0; i < top->now.rows.n; i++) {
		if (i)
			putc(',', out);
		print_json_row(out, top->order[i]);
	}
	fputs("]}\n", out);
}
