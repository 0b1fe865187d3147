/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_DURATION_H
#define AIOEVT_DURATION_H

#include <stdint.h>

#define NS_PER_S	UINT64_C(1000000000)
#define DURATION_MAX	UINT64_C(3153600000)	/* seconds: 100 years */

/*
 * Parse seconds, with a fraction or not, or a number with ms, s, m, h, d or w. Returns 0,
 * -EINVAL if it is of no such form, or -ERANGE if it is over DURATION_MAX.
 */
int duration_parse(const char *text, uint64_t *ret_ns);

/* Print roughly how long it is, for people: 3ms, 2.5s, 12m, 3h, 4d. */
void duration_print(uint64_t ns, char *buf, unsigned size);

#endif
