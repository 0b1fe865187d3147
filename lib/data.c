/* SPDX-License-Identifier: MIT */
#include "data-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "encode.h"
#include "utf8.h"

static struct aioevt_data *new_built(void)
{
	struct aioevt_data *data = calloc(1, sizeof(*data));

	if (!data)
		return NULL;
	atomic_init(&data->n_refs, 1);
	data->args = value_list();
	data->kwargs = value_map();
	return data;
}

static int fill(struct aioevt_data *data, struct aioevt_args args, struct aioevt_kwargs kwargs)
{
	const struct aioevt_value list = aioevt_list(args.values, args.n);
	size_t i;
	int err;

	if (kwargs.n % 2 || (kwargs.n && !kwargs.values))
		return -EINVAL;
	err = value_clone(&list, 2, &data->args);
	if (err < 0)
		return err;
	for (i = 0; i < kwargs.n; i += 2) {
		err = value_map_clone(&data->kwargs, &kwargs.values[i], &kwargs.values[i + 1], 2);
		if (err < 0)
			return err;
	}
	return value_map_sort(&data->kwargs, NULL);
}

int aioevt_data_new(struct aioevt_args args, struct aioevt_kwargs kwargs,
		    struct aioevt_data **ret_data)
{
	struct aioevt_data *data;
	int err;

	if (!ret_data)
		return -EINVAL;
	data = new_built();
	if (!data)
		return -ENOMEM;
	err = fill(data, args, kwargs);
	if (err < 0) {
		aioevt_data_unref(data);
		return err;
	}
	*ret_data = data;
	return 0;
}

int aioevt_data_copy(const struct aioevt_data *data, struct aioevt_data **ret_data)
{
	struct aioevt_args args;
	struct aioevt_kwargs kwargs;

	if (!data)
		return -EINVAL;
	args = (struct aioevt_args){ data->args.items, data->args.n };
	kwargs = (struct aioevt_kwargs){
		(const struct aioevt_value *)data->kwargs.members, 2 * data->kwargs.n
	};
	return aioevt_data_new(args, kwargs, ret_data);
}

struct aioevt_data *aioevt_data_ref(struct aioevt_data *data)
{
	/* data_ref:A  relaxed: who calls has a reference, so there is something to count */
	if (data)
		atomic_fetch_add_explicit(&data->n_refs, 1, memory_order_relaxed);
	return data;
}

void data_free_payloads(struct aioevt_data *data)
{
	struct payload *payload, *older;

	/* data_free_payloads:A  relaxed: nobody else has the data */
	payload = atomic_load_explicit(&data->payload, memory_order_relaxed);
	if (payload)
		payload->older = data->stale;
	else
		payload = data->stale;
	for (; payload; payload = older) {
		older = payload->older;
		free(payload);
	}
	data->stale = NULL;
	/* data_free_payloads:B  relaxed: nobody else has the data */
	atomic_store_explicit(&data->payload, NULL, memory_order_relaxed);
}

static void free_data(struct aioevt_data *data)
{
	struct received *received = received_of(data);

	data_free_payloads(data);
	if (data->is_received) {
		arena_deinit(&received->arena);
		if (received->bytes != received->near_bytes)
			free(received->bytes);
	} else {
		value_deinit(&data->args);
		value_deinit(&data->kwargs);
	}
	free(data);
}

struct aioevt_data *aioevt_data_unref(struct aioevt_data *data)
{
	/*
	 * data_unref:A  acq_rel, pairs with data_unref:A and is_only:A: what the others did with
	 * it comes before it is freed or used again.
	 */
	if (data && atomic_fetch_sub_explicit(&data->n_refs, 1, memory_order_acq_rel) == 1)
		free_data(data);
	return NULL;
}

bool data_is_only(const struct aioevt_data *data)
{
	/* is_only:A  acquire, pairs with data_unref:A */
	return atomic_load_explicit(&data->n_refs, memory_order_acquire) == 1;
}

int aioevt_data_equal(const struct aioevt_data *a, const struct aioevt_data *b)
{
	if (!a || !b)
		return a == b;
	return value_equal(&a->args, &b->args) && value_equal(&a->kwargs, &b->kwargs);
}

/* ---- building --------------------------------------------------------------------------- */

static bool may_change(const struct aioevt_data *data)
{
	/* may_change:A  relaxed: nobody else has the data, or it may not be changed anyway */
	return !data->is_received && data_is_only(data) &&
	       !atomic_load_explicit(&data->is_emitted, memory_order_relaxed);
}

/* Its payload is another now; the one that somebody may look at stays as long as the data. */
static void changed(struct aioevt_data *data)
{
	struct payload *payload;

	/* changed:A  relaxed: nobody else has the data */
	payload = atomic_load_explicit(&data->payload, memory_order_relaxed);
	if (!payload)
		return;
	payload->older = data->stale;
	data->stale = payload;
	/* changed:B  relaxed: nobody else has the data */
	atomic_store_explicit(&data->payload, NULL, memory_order_relaxed);
}

int aioevt_data_add(struct aioevt_data *data, struct aioevt_value value)
{
	_cleanup_(value_deinit) struct aioevt_value copy = value_null();
	int err;

	if (!data)
		return -EINVAL;
	if (!may_change(data))
		return -EBUSY;
	err = value_clone(&value, 3, &copy);
	if (err < 0)
		return err;
	err = value_list_add(&data->args, &copy);
	if (err < 0)
		return err;
	changed(data);
	return 0;
}

int aioevt_data_set(struct aioevt_data *data, const char *key, struct aioevt_value value)
{
	_cleanup_(value_deinit) struct aioevt_value k = value_null(), copy = value_null();
	const struct aioevt_value text = aioevt_text(key);
	int err;

	if (!data || !key)
		return -EINVAL;
	if (!may_change(data))
		return -EBUSY;
	err = value_clone(&text, 3, &k);
	if (err < 0)
		return err;
	err = value_clone(&value, 3, &copy);
	if (err < 0)
		return err;
	err = value_map_set(&data->kwargs, &k, &copy);
	if (err < 0)
		return err;
	changed(data);
	return 0;
}

int aioevt_data_unset(struct aioevt_data *data, const char *key)
{
	if (!data || !key)
		return -EINVAL;
	if (!may_change(data))
		return -EBUSY;
	if (!value_map_unset(&data->kwargs, key, strlen(key)))
		return -ENOENT;
	changed(data);
	return 0;
}

/* ---- looking ---------------------------------------------------------------------------- */

size_t aioevt_data_n_args(const struct aioevt_data *data)
{
	return data ? data->args.n : 0;
}

size_t aioevt_data_n_kwargs(const struct aioevt_data *data)
{
	return data ? data->kwargs.n : 0;
}

const struct aioevt_value *aioevt_data_arg(const struct aioevt_data *data, size_t i)
{
	return data && i < data->args.n ? &data->args.items[i] : NULL;
}

const struct aioevt_value *aioevt_data_kwarg(const struct aioevt_data *data, const char *key)
{
	return data && key ? value_map_find(&data->kwargs, key, strlen(key)) : NULL;
}

const struct aioevt_member *aioevt_data_member(const struct aioevt_data *data, size_t i)
{
	return data && i < data->kwargs.n ? &data->kwargs.members[i] : NULL;
}

const char *aioevt_data_event(const struct aioevt_data *data)
{
	return data && data->is_received ? received_of(data)->event : "";
}

uint64_t aioevt_data_seq(const struct aioevt_data *data)
{
	return data ? data->seq : 0;
}

uint64_t aioevt_data_time(const struct aioevt_data *data)
{
	return data ? data->time : 0;
}

uint64_t aioevt_data_missed(const struct aioevt_data *data)
{
	return data ? data->missed : 0;
}

void data_set_missed(struct aioevt_data *data, uint64_t missed)
{
	data->missed = missed;
}
