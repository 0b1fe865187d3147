/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "json.h"
#include "variable.h"

/*
 * Unset the variables of a record before: AIOEVT_NARGS counts those by position, AIOEVT_KEYS
 * names those by key. These two may have come from any environment, so they are used only if
 * they look as this program writes them. Without word splitting, which zsh does not do and IFS
 * changes.
 */
static const char clear[] =
	"case ${AIOEVT_NARGS-} in ''|*[!0-9]*|0?*|?????????*) ;; *) "
	"while [ \"$AIOEVT_NARGS\" -gt 0 ]; do AIOEVT_NARGS=$((AIOEVT_NARGS-1)); "
	"unset -v \"AIOEVT_ARG_$AIOEVT_NARGS\"; done ;; esac\n"
	"case \" ${AIOEVT_KEYS-}\" in *[!0-9A-Za-z_' ']*|*' '[!A]*) ;; *) "
	"eval \"unset -v AIOEVT_KEYS ${AIOEVT_KEYS-}\" ;; esac\n"
	"unset -v AIOEVT_EVENT AIOEVT_SEQ AIOEVT_TIME AIOEVT_MISSED AIOEVT_NARGS AIOEVT_KEYS "
	"AIOEVT_NUL AIOEVT_DROPPED AIOEVT_OMITTED\n";

/* Gives eval a status that ends no shell, under "set -e" neither, if something follows. */
static const char fail[] = "! :\n";

/* ---- the begin and the end ------------------------------------------------------- */

static struct {
	bool is_asked;
	enum { NOTHING, CLEARED, RECORD } printed;	/* the last of it */
	int status;
} eval_text = { .status = STATUS_USAGE };	/* argp ends the program with that by itself */

static void print_end(void)
{
	if (!eval_text.is_asked || eval_text.status == STATUS_DONE)
		return;
	signal(SIGPIPE, SIG_IGN);
	if (eval_text.printed == NOTHING)
		fputs(clear, stdout);
	printf("(exit %d)\n", eval_text.status);	/* and the end flushes it */
}

/* Is it --format, or as much of that as argp takes? Then its value, or NULL: the next word. */
static bool is_format(const char *word, const char **ret_value)
{
	size_t len;

	if (strncmp(word, "--", 2))
		return false;
	word += 2;
	len = strcspn(word, "=");
	*ret_value = word[len] ? word + len + 1 : NULL;
	return len && !strncmp(word, "format", len);
}

/* Of a command line that need not be right. */
static bool asks_for_shell(char **word)
{
	const char *value;
	bool is_known = false;		/* a command that has this format */

	for (; *word && strcmp(*word, "--"); word++) {
		is_known |= !strcmp(*word, "wait") || !strcmp(*word, "get");
		if (!is_known || !is_format(*word, &value))
			continue;
		value = value ? value : word[1];
		if (value && !strcmp(value, "shell"))
			return true;
	}
	return false;
}

void output_expect_shell(int argc, char **argv)
{
	eval_text.is_asked = argc > 0 && asks_for_shell(argv + 1);
	atexit(print_end);
}

int output_begin(const struct output *output, bool is_stream)
{
	eval_text.is_asked = output->format == OUTPUT_SHELL;
	if (!eval_text.is_asked || is_stream)
		return STATUS_DONE;
	eval_text.printed = CLEARED;
	fputs(clear, stdout);
	fputs(fail, stdout);
	return finish_output();
}

void output_set_status(int status)
{
	eval_text.status = status;
}

/* ---- records ---------------------------------------------------------------------- */

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

	if (eval_text.printed != CLEARED)
		fputs(clear, out);
	eval_text.printed = RECORD;
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
