/* SPDX-License-Identifier: MIT */
/* Typed access to what data holds. */
#include "aioevt.h"

#include <errno.h>
#include <string.h>

#define TWO_TO_63	9223372036854775808.0
#define TWO_TO_64	18446744073709551616.0

static int find(const struct aioevt_data *data, size_t i, const char *key,
		const struct aioevt_value **ret_value)
{
	const struct aioevt_value *value;

	value = key ? aioevt_data_kwarg(data, key) : aioevt_data_arg(data, i);
	if (!value)
		return -ENOENT;
	*ret_value = value;
	return 0;
}

static int mismatch(const struct aioevt_value *found, enum aioevt_type asked)
{
	return -AIOEVT_EMISMATCH(found->type, asked);
}

int aioevt_get_bool(const struct aioevt_data *data, size_t i, const char *key, int *ret_bool)
{
	const struct aioevt_value *value;
	int err;

	if (!ret_bool)
		return -EINVAL;
	err = find(data, i, key, &value);
	if (err < 0)
		return err;
	if (value->type != AIOEVT_BOOL)
		return mismatch(value, AIOEVT_BOOL);
	*ret_bool = value->boolean;
	return 0;
}

int aioevt_get_int(const struct aioevt_data *data, size_t i, const char *key, int64_t *ret_int)
{
	const struct aioevt_value *value;
	int err;

	if (!ret_int)
		return -EINVAL;
	err = find(data, i, key, &value);
	if (err < 0)
		return err;
	if (value->type == AIOEVT_UINT)
		return -ERANGE;
	if (value->type != AIOEVT_INT)
		return mismatch(value, AIOEVT_INT);
	*ret_int = value->integer;
	return 0;
}

int aioevt_get_uint(const struct aioevt_data *data, size_t i, const char *key, uint64_t *ret_uint)
{
	const struct aioevt_value *value;
	int err;

	if (!ret_uint)
		return -EINVAL;
	err = find(data, i, key, &value);
	if (err < 0)
		return err;
	if (value->type != AIOEVT_INT && value->type != AIOEVT_UINT)
		return mismatch(value, AIOEVT_UINT);
	if (value->type == AIOEVT_INT && value->integer < 0)
		return -ERANGE;
	*ret_uint = value->natural;
	return 0;
}

/* A whole number as the double that is equal to it, if there is one. */
static int to_double(const struct aioevt_value *value, double *ret_double)
{
	double real;

	if (value->type == AIOEVT_INT) {
		real = (double)value->integer;
		if (real >= TWO_TO_63 || (int64_t)real != value->integer)
			return -ERANGE;
	} else {
		real = (double)value->natural;
		if (real >= TWO_TO_64 || (uint64_t)real != value->natural)
			return -ERANGE;
	}
	*ret_double = real;
	return 0;
}

int aioevt_get_double(const struct aioevt_data *data, size_t i, const char *key,
		      double *ret_double)
{
	const struct aioevt_value *value;
	int err;

	if (!ret_double)
		return -EINVAL;
	err = find(data, i, key, &value);
	if (err < 0)
		return err;
	if (value->type == AIOEVT_INT || value->type == AIOEVT_UINT)
		return to_double(value, ret_double);
	if (value->type != AIOEVT_DOUBLE)
		return mismatch(value, AIOEVT_DOUBLE);
	*ret_double = value->real;
	return 0;
}

int aioevt_get_text(const struct aioevt_data *data, size_t i, const char *key,
		    const char **ret_text, size_t *ret_size)
{
	const struct aioevt_value *value;
	int err;

	if (!ret_text)
		return -EINVAL;
	err = find(data, i, key, &value);
	if (err < 0)
		return err;
	if (value->type != AIOEVT_TEXT)
		return mismatch(value, AIOEVT_TEXT);
	if (!ret_size && memchr(value->string, '\0', value->n))
		return -EILSEQ;
	*ret_text = value->string;
	if (ret_size)
		*ret_size = value->n;
	return 0;
}

int aioevt_get_bytes(const struct aioevt_data *data, size_t i, const char *key,
		     const void **ret_bytes, size_t *ret_size)
{
	const struct aioevt_value *value;
	int err;

	if (!ret_bytes || !ret_size)
		return -EINVAL;
	err = find(data, i, key, &value);
	if (err < 0)
		return err;
	if (value->type != AIOEVT_BYTES)
		return mismatch(value, AIOEVT_BYTES);
	*ret_bytes = value->string;
	*ret_size = value->n;
	return 0;
}
