/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_LIB_DATA_H
#define AIOEVT_LIB_DATA_H

/* Data that was received or built, and what the manager does with it. */

#include <stdatomic.h>

#include "aioevt.h"
#include "aioevt-shm.h"
#include "value.h"

/*
 * Make *slot the data of a record: @event (copied), @record and its payload, which is decoded
 * into memory of its own. *slot is NULL or data that the caller has a reference to; if it is
 * the only one, the same object and its memory are used again, which is the rule in a loop, and
 * costs no allocation; else it is unreferenced. A payload that is no data is no failure: see
 * aioevt_data_payload(). Returns 0 or -ENOMEM (*slot is NULL then).
 */
int data_receive(struct aioevt_data **slot, const char *event,
		 const struct aioevt_shm_record *record);

/* What aioevt_data_missed() says. */
void data_set_missed(struct aioevt_data *data, uint64_t missed);

/*
 * Encode into @buf; *ret_size is what it takes, also on -ENOBUFS. Allocates nothing, but for more than
 * 32 kwargs. Errors as aioevt_emit(). What data_encode() was called for counts as emitted: it is not
 * changed any more. A payload that is no data is given as it came.
 */
int data_encode_args(struct aioevt_args args, struct aioevt_kwargs kwargs, void *buf, size_t size,
		     size_t *ret_size);
int data_encode(const struct aioevt_data *data, void *buf, size_t size, size_t *ret_size);

#endif
