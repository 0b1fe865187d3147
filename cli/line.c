/* SPDX-License-Identifier: MIT */
#include "line.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "safe.h"
#include "timestamp.h"

#define BOLD	"\033[1m"
#define DIM	"\033[2m"
#define CYAN	"\033[36m"
#define NORMAL	"\033[0m"

bool line_may_colour(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return !(no_color && *no_color) && !(term && !strcmp(term, "dumb")) &&
	       isatty(STDOUT_FILENO);
}

/* ---- values --------------------------------------------------------------------- */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* One word, that is nothing else: no number, no constant of JSON, no KEY=VALUE. */
static bool is_plain(const char *text, size_t len)
{
	static const char *const constants[] = { "true", "false", "null" };

	if (!len || !(is_letter(text[0]) || text[0] == '/'))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_letter(text[i]) && !(text[i] >= '0' && text[i] <= '9') &&
		    (!text[i] || !strchr("-./:@%+,", text[i])))
			return false;
	for (size_t i = 0; i < 3; i++)
		if (len == strlen(constants[i]) && !memcmp(text, constants[i], len))
			return false;
	return true;
}

static int print_json(FILE *out, const struct aioevt_value *value)
{
	char *json = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&json, &size);
	int err = stream ? json_write(stream, value) : -ENOMEM;

	if (stream && (fclose(stream) != 0 || !json))
		err = -ENOMEM;
	if (err == 0)
		safe_print(out, json, size);
	free(json);
	return err;
}

static int print_value(FILE *out, const struct aioevt_value *value)
{
	if (value->type != AIOEVT_TEXT || !is_plain(value->string, value->n))
		return print_json(out, value);
	fwrite(value->string, 1, value->n, out);
	return 0;
}

/* ---- the line ------------------------------------------------------------------- */

static void paint(FILE *out, const struct line_style *style, const char *colour)
{
	if (style->colours)
		fputs(colour, out);
}

static int print_kwarg(FILE *out, const struct line_style *style, const struct aioevt_member *m)
{
	int err;

	paint(out, style, CYAN);
	err = print_value(out, &m->key);
	fputc('=', out);
	paint(out, style, NORMAL);
	return err < 0 ? err : print_value(out, &m->value);
}

static void print_head(FILE *out, const struct line_style *style, const struct heard *heard)
{
	char when[TIME_MAX];

	paint(out, style, DIM);
	fputs(time_print(heard->time, style->utc, 3, when), out);
	paint(out, style, NORMAL);
	fputc(' ', out);
	paint(out, style, BOLD);
	safe_print(out, heard->event, strlen(heard->event));
	paint(out, style, NORMAL);
	fputc(' ', out);
	paint(out, style, DIM);
	fprintf(out, "%" PRIu64, heard->seq);
	paint(out, style, NORMAL);
}

int line_print(FILE *out, const struct line_style *style, const struct heard *heard,
	       const struct data *data)
{
	int err = 0;

	print_head(out, style, heard);
	for (size_t i = 0; i < data->args.n && err == 0; i++) {
		fputc(' ', out);
		err = print_value(out, &data->args.items[i]);
	}
	for (size_t i = 0; i < data->kwargs.n && err == 0; i++) {
		fputc(' ', out);
		err = print_kwarg(out, style, &data->kwargs.members[i]);
	}
	fputc('\n', out);
	return err;
}
