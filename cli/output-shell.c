/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "variable.h"

/* Single quotes keep everything but themselves and NUL, in every POSIX shell. */
static void print_quoted(FILE *out, const char *text, size_t len)
{
	size_t i;

	fputc('\'', out);
	for (i = 0; i < len; i++) {
		if (text[i] == '\'')
			fputs("'\\''", out);
		else
			fputc(text[i], out);
	}
	fputc('\'', out);
}

static int print_json(FILE *out, const struct aioevt_value *value)
{
	char *text = NULL;
	size_t len;
	FILE *memory;
	int err;

	memory = open_memstream(&text, &len);
	if (!memory)
		return -ENOMEM;
	err = json_write(memory, value);
	if (fclose(memory) != 0)
		err = -ENOMEM;
	if (err == 0)
		print_quoted(out, text, len);
	free(text);
	return err;
}

static int print_value(FILE *out, const struct aioevt_value *value)
{
	if (!variable_is_string(value) || variable_has_nul(value))
		return print_json(out, value);
	print_quoted(out, value->string, value->n);
	return 0;
}

static int print_args(FILE *out, const struct aioevt_value *args)
{
	size_t i;
	int err;

	fprintf(out, "AIOEVT_NARGS=%zu\n", args->n);
	for (i = 0; i < args->n; i++) {
		fprintf(out, "AIOEVT_ARG_%zu=", i);
		err = print_value(out, &args->items[i]);
		if (err < 0)
			return err;
		fputc('\n', out);
	}
	return 0;
}

static int print_kwargs(FILE *out, const struct aioevt_value *kwargs)
{
	size_t i;
	int err;

	for (i = 0; i < kwargs->n; i++) {
		variable_print_key(out, &kwargs->members[i].key);
		fputc('=', out);
		err = print_value(out, &kwargs->members[i].value);
		if (err < 0)
			return err;
		fputc('\n', out);
	}

	fputs("AIOEVT_KEYS='", out);
	for (i = 0; i < kwargs->n; i++) {
		if (i)
			fputc(' ', out);
		variable_print_key(out, &kwargs->members[i].key);
	}
	fputs("'\n", out);
	return 0;
}

static void print_nul(FILE *out, const struct data *data)
{
	const char *space = "";
	size_t i;

	fputs("AIOEVT_NUL='", out);
	for (i = 0; i < data->args.n; i++) {
		if (!variable_has_nul(&data->args.items[i]))
			continue;
		fprintf(out, "%sAIOEVT_ARG_%zu", space, i);
		space = " ";
	}
	for (i = 0; i < data->kwargs.n; i++) {
		if (!variable_has_nul(&data->kwargs.members[i].value))
			continue;
		fputs(space, out);
		variable_print_key(out, &data->kwargs.members[i].key);
		space = " ";
	}
	fputs("'\n", out);
}

int output_shell(FILE *out, const struct heard *heard, const struct data *data)
{
	int err;

	fputs("AIOEVT_EVENT=", out);
	print_quoted(out, heard->event, strlen(heard->event));
	fprintf(out, "\nAIOEVT_SEQ=%" PRIu64 "\nAIOEVT_TIME=%" PRIu64
		"\nAIOEVT_MISSED=%" PRIu64 "\n", heard->seq, heard->time, heard->missed);
	err = print_args(out, &data->args);
	if (err < 0)
		return err;
	err = print_kwargs(out, &data->kwargs);
	if (err < 0)
		return err;
	print_nul(out, data);
	return 0;
}
