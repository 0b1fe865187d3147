/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_NAME_H
#define AIOEVT_NAME_H

#include <stdint.h>

#include "layout.h"

/* An event's name as the table keeps it: length byte, bytes, zeros. Compared by words. */
struct name {
	uint64_t words[NAME_WORDS];
};

/* Pack a checked name. Returns 0, or -EINVAL if it is not one. */
int name_pack(const char *text, struct name *ret_name);

/* Unpack into AIOEVT_SHM_NAME_MAX + 1 bytes. Returns 0, -EPROTO if it is none. */
int name_unpack(const struct name *name, char *ret_text);

#endif
