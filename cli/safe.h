/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_SAFE_H
#define AIOEVT_SAFE_H

/*
 * Text of others for a terminal. Nothing in it breaks the line, moves the cursor, or turns the
 * direction of writing: such characters are printed as \uXXXX, and bytes that are no UTF-8
 * as \xXX.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SAFE_MAX	12u	/* bytes that one character is printed as, with NUL */

/*
 * The character at @text, of @len bytes that are there: into @buf as it is printed. *ret_code is
 * UINT32_MAX if it is escaped. Returns the bytes that it has in @text.
 */
size_t safe_char(const char *text, size_t len, uint32_t *ret_code, char buf[static SAFE_MAX]);

/* Print it all. Returns how many characters it printed. */
size_t safe_print(FILE *out, const char *text, size_t len);

/* Print a string in a column that is @width characters wide. */
void safe_print_column(FILE *out, const char *text, size_t width);

/* How many characters safe_print() prints for a string. */
size_t safe_width(const char *text);

#endif
