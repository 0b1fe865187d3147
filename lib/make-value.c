/* SPDX-License-Identifier: MIT */
/* The functions that make values, for other languages and for function pointers; and deadlines. */
#include "value.h"

#include <string.h>

#include "clock.h"

struct aioevt_value aioevt_null(void)
{
	return value_null();
}

struct aioevt_value aioevt_bool(int boolean)
{
	return value_bool(boolean != 0);
}

struct aioevt_value aioevt_int(int64_t integer)
{
	return value_int(integer);
}

struct aioevt_value aioevt_uint(uint64_t natural)
{
	return value_uint(natural);
}

struct aioevt_value aioevt_double(double real)
{
	return value_double(real);
}

struct aioevt_value aioevt_text(const char *text)
{
	return text ? value_borrow(AIOEVT_TEXT, text, strlen(text)) : value_null();
}

struct aioevt_value aioevt_text_n(const char *text, size_t size)
{
	return value_borrow(AIOEVT_TEXT, text, size);
}

struct aioevt_value aioevt_bytes(const void *bytes, size_t size)
{
	return value_borrow(AIOEVT_BYTES, bytes, size);
}

struct aioevt_value aioevt_list(const struct aioevt_value *items, size_t n)
{
	return (struct aioevt_value){
		.type = AIOEVT_LIST, .n = n, .items = (struct aioevt_value *)(uintptr_t)items,
	};
}

struct aioevt_value aioevt_map(const struct aioevt_member *members, size_t n)
{
	return (struct aioevt_value){
		.type = AIOEVT_MAP, .n = n, .members = (struct aioevt_member *)(uintptr_t)members,
	};
}

uint64_t aioevt_in_ns(uint64_t ns)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	return ns < AIOEVT_FOREVER - now ? now + ns : AIOEVT_FOREVER;
}

uint64_t aioevt_in_ms(uint64_t ms)
{
	return aioevt_in_ns(ms < AIOEVT_FOREVER / AIOEVT_MS ? ms * AIOEVT_MS : AIOEVT_FOREVER);
}
