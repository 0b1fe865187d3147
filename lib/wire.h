/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_WIRE_H
#define AIOEVT_WIRE_H

/*
 * Data on the wire: deterministic CBOR (RFC 8949, 4.2) of [[args...], {kwargs}]. Every
 * value has exactly one encoding: integers and lengths in the shortest form, a double in
 * the shortest of half, single and double that keeps its value (NaN is f97e00), map keys
 * text, unique, sorted bytewise by their encoding. No tags, no undefined, no other simple
 * values, no indefinite lengths; depth at most VALUE_DEPTH_MAX.
 */

#include "value.h"

/*
 * Encode @data into @buf. Allocates nothing. Sorted maps only: see value_map_sort().
 * *ret_size is the number of bytes it takes, also on -ENOBUFS. Returns 0, or
 *   -ENOBUFS  @size is less than that; call again with a larger @buf
 *   -E2BIG    nested deeper than VALUE_DEPTH_MAX
 *   -EILSEQ   a text is not UTF-8
 *   -EINVAL   a map is not sorted or has a key twice
 */
int wire_encode(const struct data *data, void *buf, size_t size, size_t *ret_size);

/*
 * Decode what wire_encode() wrote. @buf is copied first, so it may change meanwhile and go
 * away afterwards; no byte is trusted. Returns 0 and data to be freed by data_deinit(),
 * -EBADMSG if the bytes are anything that wire_encode() does not write, or -ENOMEM.
 */
int wire_decode(const void *buf, size_t size, struct data *ret_data);

#endif
