/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_WAITER_H
#define AIOEVT_WAITER_H

struct aioevt;

/* The manager is closing: end the waits of all threads, and see them leave. */
void waits_end(struct aioevt *mgr);

#endif
