/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_SIPHASH_H
#define AIOEVT_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/*
 * SipHash-1-3 of @n words: a keyed hash, so that nobody who picks names can pick their
 * buckets. Debian's libraries that offer it (systemd's, OpenSSL's) would each cost the
 * program more to load than this is long.
 */
uint64_t siphash_words(const uint64_t key[2], const uint64_t *words, size_t n);

#endif
