/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_PLACE_H
#define AIOEVT_PLACE_H

/* Where an ear with a cursor begins, and which records are new to it. */

#include "cursor.h"
#include "ear.h"

/*
 * Before listening: find a place for each event of ear->names[@i] that is there. One that is
 * neither in the cursor nor under a pattern of it begins with records to come, or with its
 * newest if the ear wants that one. Returns 0 or an error of the engine.
 */
int place_prepare(struct ear *ear, size_t i);

/* The same after listening, for events that came just before it: all of theirs is new. */
int place_prepare_late(struct ear *ear, size_t i);

/* Where to listen from, for aioevt_shm_listen(). */
enum aioevt_shm_from place_start(struct ear *ear, const char *name, uint64_t *ret_value);

/* Whether this record of @event is new. Puts *missed right: what is known is not missed. */
bool place_takes(struct ear *ear, const char *event, uint64_t seq, uint64_t *missed);

#endif
