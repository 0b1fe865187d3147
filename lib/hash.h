/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_HASH_H
#define AIOEVT_HASH_H

#include <stdint.h>

/* FNV-1a, of the names that a program chose itself. The registry on the bus has a keyed hash. */
static inline uint32_t hash_name(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return hash ^ hash >> 15;
}

#endif
