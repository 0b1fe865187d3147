/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_LIB_ENCODE_H
#define AIOEVT_LIB_ENCODE_H

/* From values to bytes; see wire.h for the form. */

#include "value.h"

struct encoder {
	unsigned char *buf;
	size_t size;
	size_t pos;		/* goes on counting beyond size */
	bool is_sorted;		/* maps are: one that is not is -EINVAL */
};

/*
 * Append the list and the map that make data: @n_args values; @n_kwargs values that are key,
 * value, key, value. Maps of up to 32 members that are not in order are put in order without
 * an allocation. Returns 0, or
 *   -EINVAL  a key is not text or has no value; a value has no type; not sorted as it should
 *   -EEXIST  a key is there twice
 *   -E2BIG   nested deeper than VALUE_DEPTH_MAX
 *   -EILSEQ  a text is not UTF-8
 *   -ENOMEM
 */
int encode(struct encoder *e, const struct aioevt_value *args, size_t n_args,
	   const struct aioevt_value *kwargs, size_t n_kwargs);

#endif
