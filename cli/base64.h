/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_BASE64_H
#define AIOEVT_BASE64_H

/* Base64 of RFC 4648 with padding; one text for each string of bytes. */

#include <stddef.h>
#include <stdio.h>

void base64_write(FILE *out, const void *data, size_t size);

/*
 * Decode into a buffer from malloc(). Returns 0, -EINVAL if it is not what
 * base64_write() writes, or -ENOMEM.
 */
int base64_read(const char *text, size_t len, void **ret_data, size_t *ret_size);

#endif
