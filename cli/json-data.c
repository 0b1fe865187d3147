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

/* Of what is about the record, what a record needs. */
static int take_about(struct aioevt_member *m, struct json_record *record, struct json_error *error)
{
	if (is_key(&m->key, "event")) {
		if (m->value.type != AIOEVT_TEXT)
			return refuse(error, "\"event\" is not a text", NULL);
		record->event = m->value;
		m->value = value_null();
	} else if (is_key(&m->key, "time")) {
		if (m->value.type != AIOEVT_INT || m->value.integer < 0)
			return refuse(error, "\"time\" is not a number of nanoseconds", NULL);
		record->time = (uint64_t)m->value.integer;
	}
	return 0;
}

static int take_member(struct aioevt_member *m, struct json_record *record, bool is_record,
		       struct json_error *error)
{
	bool is_args = is_key(&m->key, "args");
	struct aioevt_value *target = is_args ? &record->data.args : &record->data.kwargs;

	if (is_about_record(&m->key))
		return is_record ? take_about(m, record, error) : 0;
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

void json_record_deinit(struct json_record *record)
{
	data_deinit(&record->data);
	value_deinit(&record->event);
}

static int read_members(const char *text, size_t len, bool is_record,
			struct json_record *ret_record, struct json_error *ret_error)
{
	_cleanup_(value_deinit) struct aioevt_value map = value_null();
	struct json_record record = { .event = value_null() };
	size_t i;
	int err;

	err = json_read(text, len, VALUE_DEPTH_MAX, &map, ret_error);
	if (err < 0)
		return err;
	if (map.type != AIOEVT_MAP)
		return refuse(ret_error, "not {\"args\":[...],\"kwargs\":{...}}", NULL);

	data_init(&record.data);
	for (i = 0; i < map.n && !err; i++)
		err = take_member(&map.members[i], &record, is_record, ret_error);
	if (err < 0) {
		json_record_deinit(&record);
		return err;
	}
	*ret_record = record;
	return 0;
}

int json_read_data(const char *text, size_t len, struct data *ret_data,
		   struct json_error *ret_error)
{
	struct json_record record;
	int err;

	err = read_members(text, len, false, &record, ret_error);
	if (err == 0)
		*ret_data = record.data;
	return err;
}

int json_read_record(const char *text, size_t len, struct json_record *ret_record,
		     struct json_error *ret_error)
{
	return read_members(text, len, true, ret_record, ret_error);
}
