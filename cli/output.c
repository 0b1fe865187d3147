/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "json.h"
#include "wire.h"

/* ---- options -------------------------------------------------------------------- */

enum { KEY_FORMAT = 0x300, KEY_JSON, KEY_PRINT_SEQ };

static const struct argp_option options[] = {
	{ "format", KEY_FORMAT, "FORMAT", 0, "plain (default), json or shell", 5 },
	{ "json", KEY_JSON, NULL, 0, "The same as --format json", 5 },
	{ "print-seq", KEY_PRINT_SEQ, NULL, 0,
	  "Print the sequence number on a first line", 5 },
	{ 0 }
};

static enum output_format parse_format(const char *name)
{
	if (!strcmp(name, "plain"))
		return OUTPUT_PLAIN;
	if (!strcmp(name, "json"))
		return OUTPUT_JSON;
	if (!strcmp(name, "shell"))
		return OUTPUT_SHELL;
	complain_usage("--format \"%s\": not plain, json or shell", name);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct output *output = state->input;

	switch (key) {
	case KEY_FORMAT:
		output->format = parse_format(arg);
		return 0;
	case KEY_JSON:
		output->format = OUTPUT_JSON;
		return 0;
	case KEY_PRINT_SEQ:
		output->print_seq = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp output_argp = { .options = options, .parser = parse };

/* ---- records -------------------------------------------------------------------- */

static int print_value(FILE *out, const struct aioevt_value *value)
{
	int err = 0;

	if (value->type == AIOEVT_TEXT || value->type == AIOEVT_BYTES)
		fwrite(value->string, 1, value->n, out);
	else
		err = json_write(out, value);
	fputc('\n', out);
	return err;
}

int output_plain(FILE *out, const struct data *data)
{
	const struct aioevt_member *m = data->kwargs.members;
	size_t i;
	int err;

	for (i = 0; i < data->args.n; i++) {
		err = print_value(out, &data->args.items[i]);
		if (err < 0)
			return err;
	}
	for (i = 0; i < data->kwargs.n; i++) {
		fwrite(m[i].key.string, 1, m[i].key.n, out);
		fputc('=', out);
		err = print_value(out, &m[i].value);
		if (err < 0)
			return err;
	}
	return 0;
}

int output_json(FILE *out, const struct heard *heard, const struct data *data)
{
	int err;

	fputs("{\"event\":", out);
	err = json_write_text(out, heard->event, strlen(heard->event));
	if (err < 0)
		return err;
	fprintf(out, ",\"seq\":%" PRIu64 ",\"time\":%" PRIu64 ",\"args\":", heard->seq,
		heard->time);
	err = json_write(out, &data->args);
	if (err < 0)
		return err;
	fputs(",\"kwargs\":", out);
	err = json_write(out, &data->kwargs);
	if (err < 0)
		return err;
	fprintf(out, ",\"missed\":%" PRIu64 "}\n", heard->missed);
	return 0;
}

static int print_data(const struct output *output, const struct heard *heard,
		      const struct data *data)
{
	if (output->format == OUTPUT_JSON)
		return output_json(stdout, heard, data);
	if (output->format == OUTPUT_SHELL)
		return output_shell(stdout, heard, data);

	if (heard->missed)
		complain("event \"%s\": %" PRIu64 " records before number %" PRIu64
			 " were missed", heard->event, heard->missed, heard->seq);
	if (output->print_seq)
		printf("%" PRIu64 "\n", heard->seq);
	return output_plain(stdout, data);
}

int output_record(const struct output *output, const struct heard *heard)
{
	_cleanup_(data_deinit) struct data data;
	int err;

	data_init(&data);
	err = wire_decode(heard->payload, heard->size, &data);
	if (err == -EBADMSG) {
		complain("event \"%s\": record %" PRIu64 " (%zu bytes) was not written by "
			 "aioevt", heard->event, heard->seq, heard->size);
		return STATUS_TROUBLE;
	}
	check_memory(err);
	check_memory(print_data(output, heard, &data));
	return STATUS_DONE;
}
