/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_TEST_BUILD_DATA_H
#define AIOEVT_TEST_BUILD_DATA_H

/* What the tests of data share: it is built, or received. */

#include <errno.h>

#include "data.h"
#include "test.h"

static inline struct aioevt_data *new_data(struct aioevt_args args, struct aioevt_kwargs kwargs)
{
	struct aioevt_data *data = NULL;

	check_eq(aioevt_data_new(args, kwargs, &data), 0);
	check(data);
	return data;
}

/* Receive @size bytes into *@slot. */
static inline void receive(struct aioevt_data **slot, const void *bytes, size_t size)
{
	struct aioevt_shm_record record = {
		.seq = 7, .time = 8, .missed = 9, .data = bytes, .size = size,
	};

	check_eq(data_receive(slot, "job.done", &record), 0);
	check(*slot);
}

/* The same data as it is built and as it arrives. */
static inline struct aioevt_data *by_wire(struct aioevt_args args, struct aioevt_kwargs kwargs)
{
	struct aioevt_data *data = NULL;
	char buf[1024];
	size_t size;

	check_eq(data_encode_args(args, kwargs, buf, sizeof(buf), &size), 0);
	receive(&data, buf, size);
	return data;
}

static inline void check_int(const struct aioevt_data *data, size_t i, const char *key, int64_t expected)
{
	int64_t integer = -99;

	check_eq(aioevt_get_int(data, i, key, &integer), 0);
	check_eq(integer, expected);
}

#endif
