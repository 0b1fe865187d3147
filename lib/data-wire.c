/* SPDX-License-Identifier: MIT */
/* Data from records and to payloads. */
#include "data-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "decode.h"
#include "encode.h"

#define KEEP_SIZE	(256u << 10)	/* bytes; memory for larger payloads is not kept */

/* ---- receiving -------------------------------------------------------------------------- */

static struct received *new_received(void)
{
	struct received *r = malloc(sizeof(*r));

	if (!r)
		return NULL;
	atomic_init(&r->data.n_refs, 1);
	atomic_init(&r->data.is_emitted, false);
	atomic_init(&r->data.payload, NULL);
	r->data.is_received = true;
	r->data.stale = NULL;
	r->bytes = r->near_bytes;
	r->bytes_room = sizeof(r->near_bytes);
	arena_init(&r->arena, r->near, N_NEAR);
	return r;
}

/* Make room for @size bytes and a NUL. */
static int make_room(struct received *r, size_t size)
{
	unsigned char *bytes;

	if (size < r->bytes_room && r->bytes_room <= KEEP_SIZE)
		return 0;
	if (r->bytes != r->near_bytes)
		free(r->bytes);
	r->bytes = r->near_bytes;
	r->bytes_room = sizeof(r->near_bytes);
	if (size < r->bytes_room)
		return 0;

	bytes = malloc(size + 1);
	if (!bytes)
		return -ENOMEM;
	r->bytes = bytes;
	r->bytes_room = size + 1;
	return 0;
}

static void copy_payload(struct received *r, const struct aioevt_shm_record *record)
{
	if (record->size)
		memcpy(r->bytes, record->data, record->size);
	r->n_bytes = record->size;
}

static int take_record(struct received *r, const struct aioevt_shm_record *record)
{
	int err;

	r->data.seq = record->seq;
	r->data.time = record->time;
	r->data.missed = record->missed;
	arena_reset(&r->arena);
	err = make_room(r, record->size);
	if (err < 0)
		return err;
	copy_payload(r, record);

	err = decode(r->bytes, r->n_bytes, &r->arena, &r->data.args, &r->data.kwargs);
	r->data.is_foreign = err == -EBADMSG;
	if (!r->data.is_foreign)
		return err;
	copy_payload(r, record);
	r->data.args = value_list();
	r->data.kwargs = value_map();
	return 0;
}

static void name_event(struct received *r, const char *event)
{
	size_t len = strnlen(event, sizeof(r->event) - 1);

	memcpy(r->event, event, len);
	r->event[len] = '\0';
}

int data_receive(struct aioevt_data **slot, const char *event,
		 const struct aioevt_shm_record *record)
{
	struct received *r = received_of(*slot);
	int err;

	if (!r || !r->data.is_received || !data_is_only(&r->data)) {
		*slot = aioevt_data_unref(*slot);
		r = new_received();
		if (!r)
			return -ENOMEM;
		*slot = &r->data;
	} else {
		data_free_payloads(&r->data);
	}

	name_event(r, event);
	err = take_record(r, record);
	if (err < 0)
		*slot = aioevt_data_unref(*slot);
	return err;
}

/* ---- encoding --------------------------------------------------------------------------- */

int data_encode_args(struct aioevt_args args, struct aioevt_kwargs kwargs, void *buf, size_t size,
		     size_t *ret_size)
{
	struct encoder e = { .buf = buf, .size = size };
	int err;

	err = encode(&e, args.values, args.n, kwargs.values, kwargs.n);
	if (err < 0)
		return err;
	*ret_size = e.pos;
	return e.pos <= size ? 0 : -ENOBUFS;
}

static int encode_values(const struct aioevt_data *data, void *buf, size_t size, size_t *ret_size)
{
	const struct aioevt_args args = { data->args.items, data->args.n };
	const struct aioevt_kwargs kwargs = {
		(const struct aioevt_value *)data->kwargs.members, 2 * data->kwargs.n
	};

	return data_encode_args(args, kwargs, buf, size, ret_size);
}

int data_encode(const struct aioevt_data *data, void *buf, size_t size, size_t *ret_size)
{
	atomic_bool *is_emitted = (atomic_bool *)(uintptr_t)&data->is_emitted;
	const struct received *r = received_of(data);

	/* data_encode:A  relaxed: it is set once, and tells those off who may not change it anyway */
	if (!atomic_load_explicit(is_emitted, memory_order_relaxed))
		/* data_encode:B  relaxed: likewise */
		atomic_store_explicit(is_emitted, true, memory_order_relaxed);

	if (!data->is_foreign)
		return encode_values(data, buf, size, ret_size);
	*ret_size = r->n_bytes;
	if (r->n_bytes > size)
		return -ENOBUFS;
	if (r->n_bytes)
		memcpy(buf, r->bytes, r->n_bytes);
	return 0;
}

/* What was taken into data can be encoded. NULL: no memory. */
static struct payload *new_payload(const struct aioevt_data *data)
{
	struct payload *payload;
	size_t size = 0;

	encode_values(data, NULL, 0, &size);
	payload = malloc(sizeof(*payload) + size);
	if (!payload)
		return NULL;
	payload->older = NULL;
	payload->size = size;
	if (encode_values(data, payload->bytes, size, &size) == 0)
		return payload;
	free(payload);
	return NULL;
}

/* The payload, encoded at the first call. Several threads may do that: the first wins. */
static struct payload *take_payload(struct aioevt_data *data)
{
	struct payload *mine, *there;

	/* take_payload:A  acquire, pairs with take_payload:B: its bytes */
	there = atomic_load_explicit(&data->payload, memory_order_acquire);
	if (there)
		return there;
	mine = new_payload(data);
	if (!mine)
		return NULL;
	/* take_payload:B  acq_rel, pairs with take_payload:A,B: its bytes, of either */
	if (atomic_compare_exchange_strong_explicit(&data->payload, &there, mine,
						    memory_order_acq_rel, memory_order_acquire))
		return mine;
	free(mine);
	return there;
}

int aioevt_data_payload(struct aioevt_data *data, const void **ret_payload, size_t *ret_size)
{
	const struct payload *payload;

	if (!data || !ret_payload || !ret_size)
		return -EINVAL;
	if (data->is_foreign) {
		*ret_payload = received_of(data)->bytes;
		*ret_size = received_of(data)->n_bytes;
		return -EBADMSG;
	}
	payload = take_payload(data);
	if (!payload)
		return -ENOMEM;
	*ret_payload = payload->bytes;
	*ret_size = payload->size;
	return 0;
}
