/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_LIB_DATA_INTERNAL_H
#define AIOEVT_LIB_DATA_INTERNAL_H

/*
 * Data is either built: args and kwargs are values of their own, to be changed as long as nobody
 * else has it; or received: they lie in near and the arena, the strings in bytes, and nothing
 * of it changes until the last reference goes, or data_receive() uses the object again.
 *
 * Ordering
 *   data_unref:A / data_unref:A, is_only:A	who finds itself the only one sees all that others did
 *	with the data before they dropped their references.
 *   take_payload:B / take_payload:A,B		who finds the encoded payload sees its bytes.
 */

#include <stdatomic.h>
#include <stdbool.h>

#include "arena.h"
#include "aioevt-shm.h"
#include "data.h"

#define N_NEAR		16u	/* values of received data that need no chunk */
#define NEAR_SIZE	256u	/* bytes of its payload, likewise, with the NUL behind */

/* Args and kwargs encoded, for aioevt_data_payload(). */
struct payload {
	struct payload *older;	/* of before it was changed; somebody may look at it still */
	size_t size;
	unsigned char bytes[];
};

struct aioevt_data {
	atomic_uint n_refs;
	atomic_bool is_emitted;
	bool is_received;
	bool is_foreign;	/* received, but the bytes are no data */
	struct aioevt_value args;
	struct aioevt_value kwargs;
	uint64_t seq;
	uint64_t time;
	uint64_t missed;
	struct payload *_Atomic payload;
	struct payload *stale;
};

/* What is_received says. */
struct received {
	struct aioevt_data data;
	unsigned char *bytes;	/* near_bytes, or from malloc() */
	size_t bytes_room;
	size_t n_bytes;
	struct arena arena;
	char event[AIOEVT_SHM_NAME_MAX + 1];
	struct aioevt_value near[N_NEAR];
	unsigned char near_bytes[NEAR_SIZE];
};


static inline struct received *received_of(const struct aioevt_data *data)
{
	return (struct received *)(uintptr_t)data;
}

/* Whether the caller's reference is the only one. */
bool data_is_only(const struct aioevt_data *data);

/* Forget the encoded payloads. Nobody else has the data. */
void data_free_payloads(struct aioevt_data *data);

#endif
