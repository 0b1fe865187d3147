/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_LAYOUT_COMPUTE_H
#define AIOEVT_LAYOUT_COMPUTE_H

#include "layout.h"

struct aioevt_shm_config;

/*
 * Fill in the defaults of a bus that is made on a file system of @size bytes, 0 if that has no
 * limit. Values that were asked for stay.
 */
void layout_fit(struct aioevt_shm_config *config, uint64_t size);

/* What a bus made with the checked @config looks like. A field of 0: as without a limit. */
void layout_from_config(const struct aioevt_shm_config *config, struct layout *ret_layout);

/*
 * What the bus with this private copy of a header looks like. Returns 0, or -ENOEXEC if a
 * count is out of range or the signature is another build's.
 */
int layout_from_header(const struct bus_header *header, struct layout *ret_layout);

/*
 * Tell the version of the bus with this private copy of a header. Returns 1 if this build knows
 * it, 0 if not, or -ENOEXEC if the header is no bus's.
 */
int layout_version(const struct bus_header *header, uint32_t *ret_version);

#endif
