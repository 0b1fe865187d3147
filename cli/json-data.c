/* SPDX-License-Identifier: MIT */
/* {"args":[...],"kwargs":{...}} to data. */
#include <errno.h>
#include <string.h>

#include "json.h"

static bool is_key(const struct aioevt_value *key, const char *name)
{
	return key->n == strlen(name) && !memcmp(key->string, name, key->n);
}

/* What "aioevt wait --json" adds about the record, and says nothing about the data. */
static bool is_about_record(const struct aioevt_value *key)
{
	return is_key(key, "event") || is_key(key, "seq") || is_key(key, "time") ||
	       is_key(key, "missed");
}

static int refuse(struct json_error *error, const char *why, const struct aioevt_value *key)
{
	snprintf(error->why, sizeof(error->why), "%s%.*s%s", why,
		 key ? (int)(key->n < 60 ? key->n : 60) : 0, key ? key->string : "",
		 key ? "\"" : "");
	return -EINVAL;
}

static int take_member(struct aioevt_member *m, struct data *data,
		       struct json_error *error)
{
	bool is_args = is_key(&m->key, "args");
	struct aioevt_value *target = is_args ? &data->args : &data->kwargs;

	if (is_about_record(&m->key))
		return 0;
	if (!is_args && !is_key(&m->key, "kwargs"))
		return refuse(error, "only \"args\" and \"kwargs\" are data, not \"",
			      &m->key);
	if (m->value.type != target->type)
		return refuse(error, is_args ? "\"args\" is not a list" :
			      "\"kwargs\" is not a map", NULL);

	*target = m->value;
	m->value = value_null();
	return 0;
}

int json_read_data(const char *text, size_t len, struct data *ret_data,
		   struct json_error *ret_error)
{
	_cleanup_(value_deinit) struct aioevt_value map = value_null();
	_cleanup_(data_deinit) struct data data;
	size_t i;
	int err;

	data_init(&data);
	err = json_read(text, len, VALUE_DEPTH_MAX, &map, ret_error);
	if (err < 0)
		return err;
	if (map.type != AIOEVT_MAP)
		return refuse(ret_error, "not {\"args\":[...],\"kwargs\":{...}}", NULL);

	for (i = 0; i < map.n; i++) {
		err = take_member(&map.members[i], &data, ret_error);
		if (err < 0)
			return err;
	}
	*ret_data = data;
	data_init(&data);
	return 0;
}
