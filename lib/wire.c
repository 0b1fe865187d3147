/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "decode.h"
#include "encode.h"

int wire_encode(const struct data *data, void *buf, size_t size, size_t *ret_size)
{
	struct encoder e = { .buf = buf, .size = size, .is_sorted = true };
	int err;

	err = encode(&e, data->args.items, data->args.n,
		     (const struct aioevt_value *)data->kwargs.members, 2 * data->kwargs.n);
	if (err < 0)
		return err;

	*ret_size = e.pos;
	return e.pos <= size ? 0 : -ENOBUFS;
}

/* What is decoded lies in one piece of memory: an arena, and the bytes behind it. */
int wire_decode(const void *buf, size_t size, struct data *ret_data)
{
	_cleanup_(data_deinit) struct data data;
	void *bytes;
	int err;

	data_init(&data);
	data.backing = malloc(sizeof(*data.backing) + size + 1);
	if (!data.backing)
		return -ENOMEM;
	arena_init(data.backing, NULL, 0);
	bytes = data.backing + 1;
	if (size)
		memcpy(bytes, buf, size);

	err = decode(bytes, size, data.backing, &data.args, &data.kwargs);
	if (err < 0)
		return err;

	*ret_data = data;
	data_init(&data);
	return 0;
}
