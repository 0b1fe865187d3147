/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_REST_H
#define AIOEVT_REST_H

#include <stdbool.h>

struct aioevt_shm_listener;
struct aioevt_shm_sub;

/* Most events that a listener keeps from being retired because of its patterns. */
#define MAX_AWAKE	16u

/* May this sub be put to rest? */
bool sub_may_rest(const struct aioevt_shm_sub *sub);

/* It has nothing to read: let it, or one that had nothing for longer, rest. */
void sub_idle(struct aioevt_shm_sub *sub);

/* A pattern brought it forth: let it rest at once if there are enough awake. */
void sub_born(struct aioevt_shm_sub *sub);

/* Wake it to be looked at. Returns 0; -EPIPE if its event went; -ENOMEM, -EPROTO. */
int sub_revive(struct aioevt_shm_sub *sub);

/* Is there anything at its place? Without waking it. */
bool sub_peek(const struct aioevt_shm_sub *sub);

/* It is closed while at rest: take its listener's bit off the event, if that is there. */
void sub_forget(struct aioevt_shm_sub *sub);

/* Close the subs at rest of this listener whose events went. */
void rest_sweep(struct aioevt_shm_listener *l);

#endif
