/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_COUNT_H
#define AIOEVT_COUNT_H

#include <stdint.h>

/* The number from @min to @max that @option has, or end the program with STATUS_USAGE. */
uint64_t parse_count(const char *option, const char *text, uint64_t min, uint64_t max);

/* The same for bytes, which may be followed by K, M or G: units of 1024. */
uint64_t parse_size(const char *option, const char *text, uint64_t min, uint64_t max);

#endif
