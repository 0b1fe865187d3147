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

/* Bytes of the character at @text, of which @len are there; 0 if they are no UTF-8. */
size_t utf8_char_len(const char *text, size_t len);

/* How many characters valid UTF-8 has. */
size_t utf8_count(const char *text, size_t len);

#endif
