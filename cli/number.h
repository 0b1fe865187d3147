/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_NUMBER_H
#define AIOEVT_NUMBER_H

/* Numbers as text, in one form each: what parses is what is printed. */

#include "value.h"

#define NUMBER_MAX	32	/* bytes of the longest printed number, with NUL */

/*
 * Print a finite double with as few digits as give it back: 2.0, -2.5, 0.1, 1e300. It
 * always has a point or an exponent.
 */
void number_print_double(double real, char *buf);

/* Print a AIOEVT_INT, a AIOEVT_UINT or a finite AIOEVT_DOUBLE. */
void number_print(const struct aioevt_value *value, char *buf);

/*
 * Parse an integer without leading zeros or "+". Returns 0, -EINVAL if it is not of that
 * form (so is -0), or -ERANGE if it is not from -2^63 to 2^64-1.
 */
int number_parse_integer(const char *text, size_t len, struct aioevt_value *ret_value);

/*
 * Parse a number as JSON writes it, with or without an exponent; the form is not checked. Returns 0,
 * -ENOMEM, or -ERANGE if a double cannot hold it: too large, or not 0 and too small.
 */
int number_parse_real(const char *text, size_t len, double *ret_real);

/*
 * Parse an integer, or a decimal fraction (digits, one point, digits) that
 * number_print_double() prints in exactly this form. Returns 0 or -EINVAL.
 */
int number_parse(const char *text, size_t len, struct aioevt_value *ret_value);

#endif
