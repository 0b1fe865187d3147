/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_DUE_H
#define AIOEVT_DUE_H

#include <stdbool.h>
#include <stdint.h>

struct aioevt_shm_listener;
struct aioevt_shm_sub;

/* A sub is looked at: sleep no longer than until its event's earliest timer. */
void listener_note_due(struct aioevt_shm_listener *l, struct aioevt_shm_sub *sub);

/* Fire what is due among the listener's events. Returns whether it was time to look. */
bool listener_fire(struct aioevt_shm_listener *l);

/* Once a second: what others left half done. */
void listener_heal_timers(struct aioevt_shm_listener *l);

#endif
