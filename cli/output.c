/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "json.h"
#include "wire.h"

/* ---- options -------------------------------------------------------------------- */

enum { KEY_FORMAT = 0x300, KEY_JSON, KEY_PRINT_SEQ, KEY_UTC };

static const struct argp_option options[] = {
	{ "format", KEY_FORMAT, "FORMAT", 0, "plain, json, shell or as in \"{seq} {0} {host}\"", 5 },
	{ "json", KEY_JSON, NULL, 0, "The same as --format json", 5 },
	{ "null", '0', NULL, 0, "End with NUL what else ends with a newline", 5 },
	{ "print-seq", KEY_PRINT_SEQ, NULL, 0,
	  "Print the sequence number on a first line", 5 },
	{ "utc", KEY_UTC, NULL, 0, "{time} is UTC, not local time", 5 },
	{ 0 }
};

static enum output_format parse_format(struct output *output, const char *name)
{
	if (!strcmp(name, "plain"))
		return OUTPUT_PLAIN;
	if (!strcmp(name, "json"))
		return OUTPUT_JSON;
	if (!strcmp(name, "shell"))
		return OUTPUT_SHELL;
	if (!strchr(name, '{'))
		complain_usage("--format \"%.300s\": not plain, json or shell, and no template, "
			       "which has a \"{\"", name);
	template_check(name);
	output->template = name;
	return OUTPUT_TEMPLATE;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct output *output = state->input;

	switch (key) {
	case KEY_FORMAT:
		output->format = parse_format(output, arg);
		return 0;
	case KEY_JSON:
		output->format = OUTPUT_JSON;
		return 0;
	case '0':
		output->nul = true;
		return 0;
	case KEY_PRINT_SEQ:
		output->print_seq = true;
		return 0;
	case KEY_UTC:
		output->utc = true;
		return 0;
	case ARGP_KEY_END:
		if (output->nul && output->format == OUTPUT_SHELL)
			complain_usage("--null beside --format shell: a shell reads no NUL");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp output_argp = { .options = options, .parser = parse };

/* ---- records -------------------------------------------------------------------- */

static bool has_nul(const struct aioevt_value *value)
{
	return value->n && memchr(value->string, '\0', value->n);
}

int output_value(FILE *out, const struct aioevt_value *value, bool nul)
{
	if ((value->type != AIOEVT_TEXT && value->type != AIOEVT_BYTES) || (nul && has_nul(value)))
		return json_write(out, value);
	fwrite(value->string, 1, value->n, out);
	return 0;
}

int output_plain(FILE *out, const struct data *data, bool nul)
{
	const struct aioevt_member *m = data->kwargs.members;
	int end = nul ? '\0' : '\n', err = 0;
	size_t i;

	for (i = 0; i < data->args.n && err == 0; i++) {
		err = output_value(out, &data->args.items[i], nul);
		fputc(end, out);
	}
	for (i = 0; i < data->kwargs.n && err == 0; i++) {
		err = output_value(out, &m[i].key, nul);
		fputc('=', out);
		if (err == 0)
			err = output_value(out, &m[i].value, nul);
		fputc(end, out);
	}
	return err;
}

int output_object(FILE *out, const struct heard *heard, const struct data *data)
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
	fprintf(out, ",\"missed\":%" PRIu64 "}", heard->missed);
	return 0;
}

int output_json(FILE *out, const struct heard *heard, const struct data *data)
{
	int err = output_object(out, heard, data);

	fputc('\n', out);
	return err;
}

static void tell_missed(const struct heard *heard)
{
	complain("event \"%s\": %" PRIu64 " records before number %" PRIu64 " were missed",
		 heard->event, heard->missed, heard->seq);
}

static int print_template(const struct output *output, const struct heard *heard,
			  const struct data *data)
{
	int err;

	if (heard->missed && !template_tells_missed(output->template))
		tell_missed(heard);
	err = output_template(stdout, output, heard, data);
	putchar(output->nul ? '\0' : '\n');
	return err;
}

static int print_plain(const struct output *output, const struct heard *heard,
		       const struct data *data)
{
	if (heard->missed)
		tell_missed(heard);
	if (output->print_seq)
		printf("%" PRIu64 "%c", heard->seq, output->nul ? '\0' : '\n');
	return output_plain(stdout, data, output->nul);
}

static int print_data(const struct output *output, const struct heard *heard,
		      const struct data *data)
{
	int err;

	switch (output->format) {
	case OUTPUT_JSON:
		err = output_object(stdout, heard, data);
		putchar(output->nul ? '\0' : '\n');
		return err;
	case OUTPUT_SHELL:
		return output_shell(stdout, heard, data);
	case OUTPUT_TEMPLATE:
		return print_template(output, heard, data);
	case OUTPUT_PLAIN:
		break;
	}
	return print_plain(output, heard, data);
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
