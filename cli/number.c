/* SPDX-License-Identifier: MIT */
#include "number.h"

#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX	17	/* as many give back any double */
#define PLAIN_MIN	(-5)	/* decimal exponents printed without "e" */
#define PLAIN_MAX	16

/*
 * Print @real as "d.ddde+x" with as few digits as give it back, but no fewer than @least.
 * Returns the number of digits.
 */
static int print_digits(double real, int least, char buf[static NUMBER_MAX])
{
	int n;

	for (n = least; n <= DIGITS_MAX; n++) {
		snprintf(buf, NUMBER_MAX, "%.*e", n - 1, real);
		if (strtod(buf, NULL) == real)
			return n;
	}
	return DIGITS_MAX;
}

/*
 * Find the shortest decimal digits (no point, no trailing zeros) that give back @real,
 * and the decimal exponent of the first. Returns the number of digits.
 *
 * A decimal of at most DBL_DIG digits survives the way through a normal double. So if fewer
 * digits than DBL_DIG give back @real, they are its DBL_DIG digits less the zeros at the end,
 * and one attempt finds them. Subnormal doubles are less precise: one digit may do for them.
 */
static int find_digits(double real, char *digits, int *ret_exponent)
{
	char buf[NUMBER_MAX];
	int n = print_digits(real, real < DBL_MIN ? 1 : DBL_DIG, buf);

	*ret_exponent = atoi(strchr(buf, 'e') + 1);
	digits[0] = buf[0];
	memcpy(digits + 1, buf + 2, (size_t)(n - 1));
	while (n > 1 && digits[n - 1] == '0')
		n--;
	digits[n] = '\0';
	return n;
}

/* digits = "12345": 123.45, 12345000.0 */
static void print_large(char *out, const char *digits, int n, int exponent)
{
	int i;

	for (i = 0; i <= exponent; i++)
		*out++ = i < n ? digits[i] : '0';
	*out++ = '.';
	strcpy(out, n > exponent + 1 ? digits + exponent + 1 : "0");
}

/* 0.0012345 */
static void print_small(char *out, const char *digits, int exponent)
{
	out += sprintf(out, "0.");
	while (++exponent < 0)
		*out++ = '0';
	strcpy(out, digits);
}

void number_print_double(double real, char *buf)
{
	char digits[DIGITS_MAX + 1];
	int n, exponent;

	if (signbit(real))
		*buf++ = '-';
	n = find_digits(fabs(real), digits, &exponent);

	if (exponent >= 0 && exponent < PLAIN_MAX)
		print_large(buf, digits, n, exponent);
	else if (exponent < 0 && exponent >= PLAIN_MIN)
		print_small(buf, digits, exponent);
	else if (n == 1)
		sprintf(buf, "%ce%d", digits[0], exponent);
	else
		sprintf(buf, "%c.%se%d", digits[0], digits + 1, exponent);
}

void number_print(const struct aioevt_value *value, char *buf)
{
	if (value->type == AIOEVT_DOUBLE)
		number_print_double(value->real, buf);
	else if (value->type == AIOEVT_UINT)
		sprintf(buf, "%" PRIu64, value->natural);
	else
		sprintf(buf, "%" PRId64, value->integer);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Whether it is digits with a "-" before them or not, without a needless zero. */
static bool is_integer(const char *text, size_t len)
{
	size_t i, first = len && text[0] == '-';

	if (len == first)
		return false;
	for (i = first; i < len; i++)
		if (!is_digit(text[i]))
			return false;
	return text[first] != '0' || len == 1;
}

int number_parse_integer(const char *text, size_t len, struct aioevt_value *ret_value)
{
	uint64_t natural = 0;
	bool minus;
	size_t i;

	if (!is_integer(text, len))
		return -EINVAL;

	minus = text[0] == '-';
	for (i = minus; i < len; i++)
		if (__builtin_mul_overflow(natural, 10u, &natural) ||
		    __builtin_add_overflow(natural, (uint64_t)(text[i] - '0'), &natural))
			return -ERANGE;
	if (minus && natural > (uint64_t)INT64_MAX + 1)
		return -ERANGE;

	*ret_value = minus ? value_int(-1 - (int64_t)(natural - 1)) : value_uint(natural);
	return 0;
}

/* Whether a digit that is not 0 stands before the exponent. */
static bool has_digit(const char *text, size_t len)
{
	for (size_t i = 0; i < len && text[i] != 'e' && text[i] != 'E'; i++)
		if (text[i] >= '1' && text[i] <= '9')
			return true;
	return false;
}

int number_parse_real(const char *text, size_t len, double *ret_real)
{
	char *copy = strndup(text, len);
	double real;

	if (!copy)
		return -ENOMEM;
	real = strtod(copy, NULL);
	free(copy);
	if (isinf(real) || (real == 0 && has_digit(text, len)))
		return -ERANGE;
	*ret_real = real;
	return 0;
}

/* Whether there is nothing but digits, points and "-". */
static bool is_decimal(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!is_digit(text[i]) && text[i] != '.' && text[i] != '-')
			return false;
	return true;
}

int number_parse(const char *text, size_t len, struct aioevt_value *ret_value)
{
	char typed[NUMBER_MAX], printed[NUMBER_MAX];
	double real;

	if (number_parse_integer(text, len, ret_value) == 0)
		return 0;
	if (len >= sizeof(typed) || !is_decimal(text, len))
		return -EINVAL;

	memcpy(typed, text, len);
	typed[len] = '\0';
	real = strtod(typed, NULL);
	number_print_double(real, printed);
	if (strcmp(typed, printed))
		return -EINVAL;

	*ret_value = value_double(real);
	return 0;
}
