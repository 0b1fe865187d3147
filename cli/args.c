/* SPDX-License-Identifier: MIT */
#include "args.h"

#include <errno.h>
#include <string.h>

#include "common.h"
#include "json.h"
#include "number.h"
#include "utf8.h"

struct aioevt_value args_text(const char *text, size_t len)
{
	return value_borrow(utf8_valid(text, len) ? AIOEVT_TEXT : AIOEVT_BYTES, text, len);
}

static struct aioevt_value type_word(const char *word)
{
	size_t len = strlen(word);
	struct aioevt_value number;

	if (!strcmp(word, "null"))
		return value_null();
	if (!strcmp(word, "true"))
		return value_bool(true);
	if (!strcmp(word, "false"))
		return value_bool(false);
	if (number_parse(word, len, &number) == 0)
		return number;
	return args_text(word, len);
}

static struct aioevt_value read_json(const char *json)
{
	struct aioevt_value value = value_null();
	struct json_error error;
	int err;

	err = json_read(json, strlen(json), VALUE_DEPTH_ARG, &value, &error);
	if (err == -EINVAL)
		complain_usage("\":=%.200s\": %s", json, error.why);
	check_memory(err);
	return value;
}

/*
 * Length of the key before "=" or ":=", or 0: [A-Za-z_][A-Za-z0-9_.-]*. So "a b=c" and
 * "http://host/?a=b" have none.
 */
static size_t find_key(const char *word)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	size_t n;

	if (!word[0] || !strchr(first, word[0]))
		return 0;
	n = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
		   "0123456789.-");
	return word[n] == '=' || (word[n] == ':' && word[n + 1] == '=') ? n : 0;
}

static void add_positional(struct data *data, struct aioevt_value value)
{
	check_memory(value_list_add(&data->args, &value));
}

void args_add(struct data *data, const char *word, enum args_mode mode)
{
	size_t n = mode == ARGS_VERBATIM ? 0 : find_key(word);
	const char *rest = word + n;
	struct aioevt_value key, value;

	if (mode != ARGS_VERBATIM && rest[0] == ':' && rest[1] == '=') {
		value = read_json(rest + 2);
	} else {
		rest += n > 0;
		value = mode == ARGS_TYPED ? type_word(rest) :
					     args_text(rest, strlen(rest));
	}

	if (!n) {
		add_positional(data, value);
		return;
	}
	key = value_borrow(AIOEVT_TEXT, word, n);
	check_memory(value_map_add(&data->kwargs, &key, &value));
}

void args_finish(struct data *data)
{
	const struct aioevt_value *key;
	size_t i = 0;

	if (value_map_sort(&data->kwargs, &i) == 0)
		return;
	key = &data->kwargs.members[i].key;
	complain_usage("key \"%.*s\" is given twice", (int)(key->n < 200 ? key->n : 200),
		       key->string);
}
