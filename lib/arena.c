/* SPDX-License-Identifier: MIT */
#include "arena.h"

#include <stdlib.h>

static void use_chunk(struct arena *arena)
{
	arena->next = arena->chunks->values;
	arena->n_left = arena->chunks->n;
}

void arena_init(struct arena *arena, struct aioevt_value *first, size_t n)
{
	*arena = (struct arena){ .next = first, .n_left = n, .first = first, .n_first = n };
}

static void free_older_than(struct arena_chunk *chunk)
{
	struct arena_chunk *older;

	while ((older = chunk->older)) {
		chunk->older = older->older;
		free(older);
	}
}

void arena_deinit(struct arena *arena)
{
	if (arena->chunks) {
		free_older_than(arena->chunks);
		free(arena->chunks);
	}
	arena_init(arena, arena->first, arena->n_first);
}

void arena_reset(struct arena *arena)
{
	if (!arena->chunks) {
		arena->next = arena->first;
		arena->n_left = arena->n_first;
	} else if (arena->chunks->n > ARENA_KEEP) {
		arena_deinit(arena);
	} else {
		free_older_than(arena->chunks);
		use_chunk(arena);
	}
}

/* A large chunk, which is not kept, is no larger than it has to be. */
static size_t choose_size(const struct arena *arena, size_t n, size_t most)
{
	size_t size = 2 * (arena->chunks ? arena->chunks->n : arena->n_first);

	if (most < ARENA_KEEP)
		most = ARENA_KEEP;
	if (size > most)
		size = most;
	if (size < 16)
		size = 16;
	return size > n ? size : n;
}

struct aioevt_value *arena_grow(struct arena *arena, size_t n, size_t most)
{
	size_t size = choose_size(arena, n, most);
	struct arena_chunk *chunk;

	if (size > (SIZE_MAX - sizeof(*chunk)) / sizeof(chunk->values[0]))
		return NULL;
	chunk = malloc(sizeof(*chunk) + size * sizeof(chunk->values[0]));
	if (!chunk)
		return NULL;

	chunk->older = arena->chunks;
	chunk->n = size;
	arena->chunks = chunk;
	use_chunk(arena);
	return arena_take(arena, n, most);
}
