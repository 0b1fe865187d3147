/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_UTF8_H
#define AIOEVT_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether @len bytes are UTF-8: no overlong form, no surrogate, nothing over U+10FFFF,
 * nothing cut off. NUL is a character like others.
 */
bool utf8_valid(const char *text, size_t len);

/* How many characters valid UTF-8 has. */
size_t utf8_count(const char *text, size_t len);

#endif
