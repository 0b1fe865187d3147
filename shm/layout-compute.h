/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_LAYOUT_COMPUTE_H
#define AIOEVT_LAYOUT_COMPUTE_H

#include "layout.h"

struct aioevt_shm_config;

/* What a bus made with the checked @config looks like. */
void layout_from_config(const struct aioevt_shm_config *config, struct layout *ret_layout);

/*
 * What the bus with this private copy of a header looks like. Returns 0, or -ENOEXEC if a
 * count is out of range or the signature is another build's.
 */
int layout_from_header(const struct bus_header *header, struct layout *ret_layout);

#endif
