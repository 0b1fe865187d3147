/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_LIB_ARENA_H
#define AIOEVT_LIB_ARENA_H

/*
 * Memory for values that come and go together, used again for the next ones. It grows by
 * chunks, each twice as large as what there was, and keeps the last: so who takes as much
 * time and again gets it without an allocation from the third time on.
 */

#include "value.h"

#define ARENA_KEEP	8192u	/* values; a chunk larger than that is not kept */

struct arena_chunk {
	struct arena_chunk *older;
	size_t n;
	struct aioevt_value values[];
};

struct arena {
	struct aioevt_value *next;	/* free from here on */
	size_t n_left;
	struct arena_chunk *chunks;	/* the newest and largest first */
	struct aioevt_value *first;	/* what the owner gave */
	size_t n_first;
};

/* @n values at @first, which may be none, are used up before any is allocated. */
void arena_init(struct arena *arena, struct aioevt_value *first, size_t n);

/* Take back all that was taken. */
void arena_reset(struct arena *arena);

void arena_deinit(struct arena *arena);

/* The slow half of arena_take(). */
struct aioevt_value *arena_grow(struct arena *arena, size_t n, size_t most);

/*
 * @n values in a row, at least 1, not initialized; with those that will be taken later it is no
 * more than @most. NULL: no memory.
 */
static inline struct aioevt_value *arena_take(struct arena *arena, size_t n, size_t most)
{
	struct aioevt_value *values = arena->next;

	if (n > arena->n_left)
		return arena_grow(arena, n, most);
	arena->next += n;
	arena->n_left -= n;
	return values;
}

#endif
