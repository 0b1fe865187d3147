/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <inttypes.h>
#include <string.h>

#include "json.h"

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
