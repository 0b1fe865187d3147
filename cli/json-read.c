/* SPDX-License-Identifier: MIT */
/*
 * jansson parses. Three kinds of numbers would lose something there, and are looked at first:
 * integers over 2^63-1 become {"$int":"..."}; -0 becomes -0.0, since no integer has its sign; a
 * number that is not 0, but too small for a double, is refused like one that is too large.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base64.h"
#include "json.h"
#include "number.h"

#define LONG_DIGITS	19	/* a number with fewer characters fits into 63 bits */

static int __attribute__((__format__(printf, 2, 3)))
refuse(struct json_error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->why, sizeof(error->why), format, args);
	va_end(args);
	return -EINVAL;
}

static int refuse_range(struct json_error *error, const char *text, size_t len)
{
	return refuse(error, "integer %.*s%s is not from -9223372036854775808 to "
		      "18446744073709551615", (int)(len < 60 ? len : 60), text,
		      len < 60 ? "" : "...");
}

/* ---- numbers that jansson would change ------------------------------------------- */

static size_t skip_string(const char *text, size_t len, size_t pos)
{
	for (pos++; pos < len && text[pos] != '"'; pos++)
		if (text[pos] == '\\')
			pos++;
	return pos < len ? pos + 1 : len;
}

static size_t skip_number(const char *text, size_t len, size_t pos)
{
	while (pos < len && text[pos] && strchr("0123456789+-.eE", text[pos]))
		pos++;
	return pos;
}

static bool is_minus_zero(const char *number, size_t len)
{
	return len == 2 && !memcmp(number, "-0", 2);
}

/* Whether it may be a number that jansson would change. */
static bool is_special(const char *number, size_t len)
{
	return len >= LONG_DIGITS || is_minus_zero(number, len) ||
	       (len > 2 && memmem(number + 1, len - 1, "e-", 2)) ||
	       (len > 2 && memmem(number + 1, len - 1, "E-", 2));
}

/*
 * Find the next special number, from *@pos on. Returns its length, and its place in *@pos, or 0.
 */
static size_t find_special(const char *text, size_t len, size_t *pos)
{
	size_t end;

	while (*pos < len) {
		if (text[*pos] == '"') {
			*pos = skip_string(text, len, *pos);
			continue;
		}
		end = skip_number(text, len, *pos);
		if (end > *pos && is_special(text + *pos, end - *pos))
			return end - *pos;
		*pos = end > *pos ? end : *pos + 1;
	}
	return 0;
}

/* Write @number to @out as jansson is to read it. */
static int rewrite_number(const char *number, size_t len, FILE *out, struct json_error *error)
{
	struct aioevt_value integer;
	double real;
	int err = number_parse_integer(number, len, &integer);

	if (err == -ERANGE)
		return refuse_range(error, number, len);
	if (err == 0 && integer.type == AIOEVT_UINT) {
		fprintf(out, "{\"$int\":\"%.*s\"}", (int)len, number);
		return 0;
	}
	err = number_parse_real(number, len, &real);
	if (err == -ERANGE)
		return refuse(error, "number %.*s%s is out of the range of doubles, 5e-324 to "
			      "1.8e308", (int)(len < 60 ? len : 60), number, len < 60 ? "" : "...");
	if (err < 0)
		return err;
	fwrite(number, 1, len, out);
	if (is_minus_zero(number, len))
		fputs(".0", out);
	return 0;
}

/* Copy @text to @out, with the special numbers rewritten. */
static int rewrite(const char *text, size_t len, FILE *out, struct json_error *error)
{
	size_t done = 0, pos = 0, n;
	int err;

	while ((n = find_special(text, len, &pos))) {
		fwrite(text + done, 1, pos - done, out);
		err = rewrite_number(text + pos, n, out, error);
		if (err < 0)
			return err;
		done = pos += n;
	}
	fwrite(text + done, 1, len - done, out);
	return 0;
}

static json_t *load(const char *text, size_t len, struct json_error *error)
{
	json_error_t why;
	json_t *json;

	json = json_loadb(text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES |
			  JSON_ALLOW_NUL, &why);
	/* One line says nothing of lines: it may be of a file that has its own. */
	if (!json && memchr(text, '\n', len))
		refuse(error, "invalid JSON at line %d, column %d: %s", why.line,
		       why.column, why.text);
	else if (!json)
		refuse(error, "invalid JSON at column %d: %s", why.column, why.text);
	return json;
}

static int parse(const char *text, size_t len, json_t **ret_json,
		 struct json_error *error)
{
	char *copy = NULL;
	size_t pos = 0, copy_len;
	FILE *out;
	int err = 0;

	if (find_special(text, len, &pos) == 0) {
		*ret_json = load(text, len, error);
		return *ret_json ? 0 : -EINVAL;
	}

	out = open_memstream(&copy, &copy_len);
	if (!out)
		return -ENOMEM;
	err = rewrite(text, len, out, error);
	if (fclose(out) != 0 && err == 0)
		err = -ENOMEM;
	if (err == 0) {
		*ret_json = load(copy, copy_len, error);
		err = *ret_json ? 0 : -EINVAL;
	}
	free(copy);
	return err;
}

/* ---- from jansson's values ------------------------------------------------------ */

static int convert(const json_t *json, unsigned depth, struct aioevt_value *ret_value,
		   struct json_error *error);

static int convert_bytes(const char *text, size_t len, struct aioevt_value *ret_value,
			 struct json_error *error)
{
	void *data;
	size_t size;
	int err;

	err = base64_read(text, len, &data, &size);
	if (err == -EINVAL)
		return refuse(error, "\"$bytes\" is not Base64 with padding");
	if (err < 0)
		return err;
	*ret_value = value_take(AIOEVT_BYTES, data, size);
	return 0;
}

static int convert_float(const char *text, struct aioevt_value *ret_value,
			 struct json_error *error)
{
	if (!strcmp(text, "NaN"))
		*ret_value = value_double(__builtin_nan(""));
	else if (!strcmp(text, "Infinity"))
		*ret_value = value_double(__builtin_inf());
	else if (!strcmp(text, "-Infinity"))
		*ret_value = value_double(-__builtin_inf());
	else
		return refuse(error, "\"$float\" is not NaN, Infinity or -Infinity");
	return 0;
}

static int convert_int(const char *text, size_t len, struct aioevt_value *ret_value,
		       struct json_error *error)
{
	int err;

	err = number_parse_integer(text, len, ret_value);
	if (err == -ERANGE)
		return refuse_range(error, text, len);
	return err < 0 ? refuse(error, "\"$int\" is not an integer") : 0;
}

/* An object whose only member is @key, which starts with one "$". */
static int convert_tagged(const char *key, const json_t *member, struct aioevt_value *ret_value,
			  struct json_error *error)
{
	const char *text = json_string_value(member);

	if (strcmp(key, "$bytes") && strcmp(key, "$float") && strcmp(key, "$int"))
		return refuse(error, "\"%.60s\" is none of $bytes, $float, $int; a map "
			      "with that key is written {\"$%.60s\":...}", key, key);
	if (!text)
		return refuse(error, "\"%s\" is not a string", key);
	if (key[1] == 'b')
		return convert_bytes(text, json_string_length(member), ret_value, error);
	if (key[1] == 'f')
		return convert_float(text, ret_value, error);
	return convert_int(text, json_string_length(member), ret_value, error);
}

static int convert_list(const json_t *json, unsigned depth, struct aioevt_value *list,
			struct json_error *error)
{
	_cleanup_(value_deinit) struct aioevt_value item = value_null();
	size_t i;
	int err;

	for (i = 0; i < json_array_size(json); i++) {
		err = convert(json_array_get(json, i), depth, &item, error);
		if (err < 0)
			return err;
		err = value_list_add(list, &item);
		if (err < 0)
			return err;
	}
	return 0;
}

static int convert_member(const char *name, const json_t *json, unsigned depth,
			  struct aioevt_value *map, struct json_error *error)
{
	_cleanup_(value_deinit) struct aioevt_value key = value_null(), value = value_null();
	int err;

	err = value_copy(AIOEVT_TEXT, name, strlen(name), &key);
	if (err < 0)
		return err;
	err = convert(json, depth, &value, error);
	if (err < 0)
		return err;
	return value_map_add(map, &key, &value);
}

static int convert_map(json_t *json, unsigned depth, struct aioevt_value *map,
		       struct json_error *error)
{
	bool only = json_object_size(json) == 1;
	const char *key;
	json_t *member;
	int err;

	json_object_foreach(json, key, member) {
		/* an only key with "$" has two of them, or it would be a tag */
		err = convert_member(key + (only && key[0] == '$'), member, depth, map,
				     error);
		if (err < 0)
			return err;
	}
	return value_map_sort(map, NULL);
}

static const char *only_key(json_t *json)
{
	return json_object_size(json) == 1 ? json_object_iter_key(json_object_iter(json)) :
					     "";
}

static bool is_tagged(json_t *json)
{
	const char *key = only_key(json);

	return key[0] == '$' && key[1] != '$';
}

static int convert_container(json_t *json, unsigned depth, struct aioevt_value *ret_value,
			     struct json_error *error)
{
	_cleanup_(value_deinit) struct aioevt_value value = value_null();
	int err;

	if (depth == 0)
		return refuse(error, "lists and maps are nested too deep: %u in one "
			      "argument at most", VALUE_DEPTH_ARG);

	value = json_is_array(json) ? value_list() : value_map();
	err = json_is_array(json) ? convert_list(json, depth - 1, &value, error) :
				    convert_map(json, depth - 1, &value, error);
	if (err < 0)
		return err;
	*ret_value = value;
	value = value_null();
	return 0;
}

static int convert(const json_t *json, unsigned depth, struct aioevt_value *ret_value,
		   struct json_error *error)
{
	json_t *object = (json_t *)(uintptr_t)json;	/* jansson's iterators want it */

	switch (json_typeof(json)) {
	case JSON_NULL:
		*ret_value = value_null();
		return 0;
	case JSON_TRUE:
	case JSON_FALSE:
		*ret_value = value_bool(json_is_true(json));
		return 0;
	case JSON_INTEGER:
		*ret_value = value_int(json_integer_value(json));
		return 0;
	case JSON_REAL:
		*ret_value = value_double(json_real_value(json));
		return 0;
	case JSON_STRING:
		return value_copy(AIOEVT_TEXT, json_string_value(json),
				  json_string_length(json), ret_value);
	case JSON_OBJECT:
		if (is_tagged(object))
			return convert_tagged(only_key(object),
					      json_object_get(json, only_key(object)),
					      ret_value, error);
		/* fall through */
	case JSON_ARRAY:
		return convert_container(object, depth, ret_value, error);
	}
	return -EINVAL;
}

int json_read(const char *text, size_t len, unsigned depth, struct aioevt_value *ret_value,
	      struct json_error *ret_error)
{
	json_t *json = NULL;
	int err;

	err = parse(text, len, &json, ret_error);
	if (err < 0)
		return err;
	err = convert(json, depth, ret_value, ret_error);
	json_decref(json);
	return err;
}
