/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_RELIABLE_H
#define AIOEVT_RELIABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "event-map.h"

/* What an emitter knows of the reliable readers, until their epoch changes. */
struct reliable_limit {
	uint64_t epoch;
	uint64_t limit;			/* numbers below it may be claimed */
};

/* The reader that is furthest behind. */
struct reliable_slowest {
	uint64_t seq;			/* that it needs next; UINT64_MAX if there is none */
	uint32_t listener;
	uint32_t n;			/* reliable readers in all */
};

/*
 * Is the owner of listener @l dead? It does not count then, nor does its cursor, whether or
 * not anybody has reaped it.
 */
bool listener_is_dead(struct aioevt_shm *bus, uint32_t l);

/*
 * May @seq, which ring_next() offered, be claimed? Recomputes the limit if it must. Does
 * not wait; costs system calls only to tell whether a reader in the way is dead.
 */
bool reliable_may_claim(struct event_map *map, const struct ring *ring, uint64_t seq,
			struct reliable_limit *limit);

/*
 * Make listener @l a reliable reader that wants @from, or as much of it as is held. From
 * *ret_from on, which is its place, nothing will be overwritten. Maps what rings began
 * meanwhile. Returns 0, -ENOMEM, -EPROTO.
 */
int reliable_register(struct event_map *map, uint32_t l, uint64_t from, uint64_t *ret_from);
void reliable_unregister(struct event_map *map, uint32_t l);

/* There is room, for another reason: let the emitters that wait for it look. */
void reliable_wake(struct event_map *map);

/* Move its place on: all below @seq is handled. Wakes the emitters that wait for that. */
void reliable_publish(struct event_map *map, uint32_t l, uint64_t seq);

/* Sleep until a reader may have made room, at the latest until @deadline. */
void reliable_sleep(struct event_map *map, const struct ring *ring, uint64_t seq,
		    struct reliable_limit *limit, uint64_t deadline);

/* Readers shall say at once when they have handled records up to @seq; do they have to, of @seq? */
void reliable_want(struct event_map *map, uint64_t seq);
bool reliable_is_wanted(struct event_map *map, uint64_t seq);

/* A reader that was there at some time. */
struct reliable_mark {
	uint32_t listener;
	uint32_t registration : 31, has_handled : 1;
};

enum reliable_stand { RELIABLE_PENDING, RELIABLE_HANDLED, RELIABLE_GONE };

/* Mark those that are there and alive, up to as many as the bus has listeners. Returns how many. */
uint32_t reliable_mark(struct event_map *map, struct reliable_mark *marks);

/* How does one that was marked before @seq was emitted stand to that record? */
enum reliable_stand reliable_look(struct event_map *map, struct reliable_mark *mark,
				  uint64_t seq);

void reliable_find_slowest(struct event_map *map, struct reliable_slowest *ret_slowest);

#endif
