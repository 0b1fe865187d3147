/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base64.h"
#include "json.h"
#include "number.h"

static int write_chunk(const char *chunk, size_t size, void *out)
{
	return fwrite(chunk, 1, size, out) == size ? 0 : -1;
}

int json_write_text(FILE *out, const char *text, size_t len)
{
	json_t *string;

	/* It checked the text already, so it can fail for want of memory only. */
	string = json_stringn_nocheck(text, len);
	if (!string)
		return -ENOMEM;
	json_dump_callback(string, write_chunk, out, JSON_ENCODE_ANY);
	json_decref(string);
	return 0;
}

static void write_number(FILE *out, const struct aioevt_value *value)
{
	char buf[NUMBER_MAX];

	if (value->type == AIOEVT_DOUBLE && isnan(value->real)) {
		fputs("{\"$float\":\"NaN\"}", out);
	} else if (value->type == AIOEVT_DOUBLE && isinf(value->real)) {
		fprintf(out, "{\"$float\":\"%sInfinity\"}", value->real < 0 ? "-" : "");
	} else {
		number_print(value, buf);
		fputs(buf, out);
	}
}

static void write_bytes(FILE *out, const struct aioevt_value *value)
{
	fputs("{\"$bytes\":\"", out);
	base64_write(out, value->string, value->n);
	fputs("\"}", out);
}

static int write_list(FILE *out, const struct aioevt_value *list)
{
	size_t i;
	int err;

	fputc('[', out);
	for (i = 0; i < list->n; i++) {
		if (i)
			fputc(',', out);
		err = json_write(out, &list->items[i]);
		if (err < 0)
			return err;
	}
	fputc(']', out);
	return 0;
}

/* A key that would be taken for a tag: {"$bytes":1} is written {"$$bytes":1}. */
static int write_only_key(FILE *out, const struct aioevt_value *key)
{
	char buf[256];
	char *text = buf;
	int err;

	if (!key->n || key->string[0] != '$')
		return json_write_text(out, key->string, key->n);

	if (key->n >= sizeof(buf))
		text = malloc(key->n + 1);
	if (!text)
		return -ENOMEM;
	text[0] = '$';
	memcpy(text + 1, key->string, key->n);
	err = json_write_text(out, text, key->n + 1);
	if (text != buf)
		free(text);
	return err;
}

static int write_map(FILE *out, const struct aioevt_value *map)
{
	const struct aioevt_member *m;
	size_t i;
	int err;

	fputc('{', out);
	for (i = 0; i < map->n; i++) {
		m = &map->members[i];
		if (i)
			fputc(',', out);
		err = map->n == 1 ? write_only_key(out, &m->key) :
				    json_write_text(out, m->key.string, m->key.n);
		if (err < 0)
			return err;
		fputc(':', out);
		err = json_write(out, &m->value);
		if (err < 0)
			return err;
	}
	fputc('}', out);
	return 0;
}

int json_write(FILE *out, const struct aioevt_value *value)
{
	switch (value->type) {
	case AIOEVT_NULL:
		fputs("null", out);
		return 0;
	case AIOEVT_BOOL:
		fputs(value->boolean ? "true" : "false", out);
		return 0;
	case AIOEVT_INT:
	case AIOEVT_UINT:
	case AIOEVT_DOUBLE:
		write_number(out, value);
		return 0;
	case AIOEVT_TEXT:
		return json_write_text(out, value->string, value->n);
	case AIOEVT_BYTES:
		write_bytes(out, value);
		return 0;
	case AIOEVT_LIST:
		return write_list(out, value);
	case AIOEVT_MAP:
		return write_map(out, value);
	}
	return -EINVAL;
}
