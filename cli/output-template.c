/* SPDX-License-Identifier: MIT */
/*
 * Templates are read again for each record: that is little beside decoding it, and leaves
 * nothing to free.
 */
#include "output.h"

#include <inttypes.h>
#include <string.h>

#include "json.h"
#include "timestamp.h"
#include "utf8.h"

#define DIGITS		"0123456789"
#define LETTERS		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define KWARGS		"kwargs."

enum field {
	FIELD_TEXT, FIELD_ARG, FIELD_KEY, FIELD_EVENT, FIELD_SEQ, FIELD_TIME, FIELD_TIME_NS,
	FIELD_MISSED, FIELD_ARGS, FIELD_KWARGS, FIELD_JSON,
};

static const struct {
	const char *name;
	enum field field;
} fields[] = {
	{ "event", FIELD_EVENT }, { "seq", FIELD_SEQ }, { "time", FIELD_TIME },
	{ "time_ns", FIELD_TIME_NS }, { "missed", FIELD_MISSED }, { "args", FIELD_ARGS },
	{ "kwargs", FIELD_KWARGS }, { "json", FIELD_JSON },
};
#define N_FIELDS	(sizeof(fields) / sizeof(*fields))

/* A piece of a template. */
struct part {
	enum field field;
	const char *text;	/* FIELD_TEXT, FIELD_KEY */
	size_t n;		/* its bytes; FIELD_ARG: the index */
	const char *why;	/* it is wrong, */
	const char *where;	/* and here */
};

/* ---- reading -------------------------------------------------------------------- */

static bool refuse(struct part *part, const char *where, const char *why)
{
	part->where = where;
	part->why = why;
	return false;
}

static bool is_text(struct part *part, const char *text, size_t n)
{
	part->field = FIELD_TEXT;
	part->text = text;
	part->n = n;
	return true;
}

static bool read_escape(const char **at, struct part *part)
{
	static const char escapes[] = "nt0\\", meanings[] = "\n\t\0\\";
	const char *c = (*at)[1] ? strchr(escapes, (*at)[1]) : NULL;

	if (!c)
		return refuse(part, *at, "\"\\\" without n, t, 0 or \\ behind it");
	*at += 2;
	return is_text(part, &meanings[c - escapes], 1);
}

static size_t read_index(const char *digits, size_t n)
{
	size_t index = 0, i;

	for (i = 0; i < n && index < SIZE_MAX / 100; i++)
		index = 10 * index + (size_t)(digits[i] - '0');
	return index;
}

static bool find_field(const char *name, size_t n, struct part *part)
{
	size_t i;

	for (i = 0; i < N_FIELDS; i++) {
		if (strlen(fields[i].name) != n || memcmp(fields[i].name, name, n))
			continue;
		part->field = fields[i].field;
		return true;
	}
	return false;
}

/* What stands between "{" and "}". */
static bool read_name(const char *name, size_t n, struct part *part)
{
	if (!n)
		return refuse(part, name - 1, "\"{}\" names nothing");
	part->text = name;
	part->n = n;
	if (strspn(name, DIGITS) == n) {
		part->field = FIELD_ARG;
		part->n = read_index(name, n);
		return true;
	}
	if (find_field(name, n, part))
		return true;
	part->field = FIELD_KEY;
	if (n > strlen(KWARGS) && !strncmp(name, KWARGS, strlen(KWARGS))) {
		part->text += strlen(KWARGS);
		part->n -= strlen(KWARGS);
		return true;
	}
	if (!strchr(LETTERS, *name) || strspn(name, LETTERS DIGITS ".-") != n)
		return refuse(part, name, "neither a number nor a name; "
			      "for odd keys there is {kwargs.KEY}");
	return true;
}

static bool read_field(const char **at, struct part *part)
{
	const char *name = *at + 1;
	size_t n = strcspn(name, "{}");

	if (name[n] != '}')
		return refuse(part, *at, "\"{\" without \"}\"; as a character it is \"{{\"");
	*at = name + n + 1;
	return read_name(name, n, part);
}

/* The next part, if there is one; if it is wrong, part->why says so. */
static bool read_part(const char **at, struct part *part)
{
	const char *text = *at;
	size_t n = strcspn(text, "{}\\");

	part->why = NULL;
	if (!*text)
		return false;
	if (n) {
		*at += n;
		return is_text(part, text, n);
	}
	if (*text == '\\')
		return read_escape(at, part);
	if (text[1] == *text) {
		*at += 2;
		return is_text(part, text, 1);
	}
	if (*text == '}')
		return refuse(part, text, "\"}\" without \"{\"; as a character it is \"}}\"");
	return read_field(at, part);
}

void template_check(const char *template)
{
	const char *at = template;
	struct part part;

	while (read_part(&at, &part))
		;
	if (part.why)
		complain_usage("--format \"%.300s\", column %zu: %s", template,
			       utf8_count(template, (size_t)(part.where - template)) + 1,
			       part.why);
}

bool template_tells_missed(const char *template)
{
	struct part part;

	while (read_part(&template, &part))
		if (part.field == FIELD_MISSED || part.field == FIELD_JSON)
			return true;
	return false;
}

/* ---- printing ------------------------------------------------------------------- */

/* A value that is not there is empty. */
static int print_value(FILE *out, const struct output *output, const struct data *data,
		       const struct part *part)
{
	const struct aioevt_value *value = NULL;

	if (part->field == FIELD_KEY)
		value = value_map_find(&data->kwargs, part->text, part->n);
	else if (part->n < data->args.n)
		value = &data->args.items[part->n];
	return value ? output_value(out, value, output->nul) : 0;
}

static int print_part(FILE *out, const struct output *output, const struct heard *heard,
		      const struct data *data, const struct part *part)
{
	char time[TIME_MAX];

	switch (part->field) {
	case FIELD_TEXT:
		fwrite(part->text, 1, part->n, out);
		return 0;
	case FIELD_ARG:
	case FIELD_KEY:
		return print_value(out, output, data, part);
	case FIELD_EVENT:
		fputs(heard->event, out);
		return 0;
	case FIELD_SEQ:
		fprintf(out, "%" PRIu64, heard->seq);
		return 0;
	case FIELD_TIME:
		fputs(time_print(heard->time, output->utc, 9, time), out);
		return 0;
	case FIELD_TIME_NS:
		fprintf(out, "%" PRIu64, heard->time);
		return 0;
	case FIELD_MISSED:
		fprintf(out, "%" PRIu64, heard->missed);
		return 0;
	case FIELD_ARGS:
		return json_write(out, &data->args);
	case FIELD_KWARGS:
		return json_write(out, &data->kwargs);
	case FIELD_JSON:
		return output_object(out, heard, data);
	}
	return 0;
}

int output_template(FILE *out, const struct output *output, const struct heard *heard,
		    const struct data *data)
{
	const char *at = output->template;
	struct part part;
	int err = 0;

	while (err == 0 && read_part(&at, &part))
		err = print_part(out, output, heard, data, &part);
	return err;
}
