/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_LIB_DECODE_H
#define AIOEVT_LIB_DECODE_H

/* From bytes to values; see wire.h for the form. */

#include "arena.h"

/*
 * Decode @size bytes at @bytes, a copy that nobody else writes to. Lists and maps lie in @arena
 * (room 0, not to be added to), strings where they are: text gets its NUL over the head of
 * what follows, so there is one byte more than @size to write to. No byte is trusted, and no
 * more values are taken than there are bytes. Returns 0, -EBADMSG (the bytes are spoilt) or
 * -ENOMEM.
 */
int decode(void *bytes, size_t size, struct arena *arena, struct aioevt_value *ret_args,
	   struct aioevt_value *ret_kwargs);

#endif
