/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_MANAGER_H
#define AIOEVT_MANAGER_H

/*
 * A manager: the bus that it is attached to, which may be another after a while, its loops, the
 * waits of its threads, and what it emits through.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <bsd/sys/queue.h>

#include "aioevt.h"
#include "aioevt-shm.h"
#include "cleanup.h"

struct outlets;
struct wait;

/* An attached bus, as long as anybody of the manager uses it. */
struct link {
	_Atomic unsigned refs;
	struct aioevt_shm *shm;
};

struct aioevt {
	const volatile uint32_t *alive;	/* 0 in a forked child */
	_Atomic unsigned refs;		/* of the memory: its user, its loops */
	_Atomic bool is_closing;
	pthread_mutex_t lock;		/* of all that follows, and outlives a loop's */
	pthread_cond_t changed;		/* a wait has ended */
	struct link *link;		/* the newest */
	char *name;			/* NULL: anonymous */
	struct aioevt_shm_config config;
	uint32_t shm_flags;
	TAILQ_HEAD(, aioevt_loop) loops;
	TAILQ_HEAD(, wait) waits;
	struct aioevt_loop *own_loop;	/* driven by own_thread */
	pthread_t own_thread;
	struct aioevt_loop *default_loop;
	struct outlets *outlets;
};

/* Fail with -EINVAL for NULL, -ECHILD in a forked child, -ESHUTDOWN once it is being closed. */
int manager_check(const struct aioevt *mgr);

struct aioevt *manager_ref(struct aioevt *mgr);
void manager_unref(struct aioevt *mgr);

/* The newest link, to be given back. */
struct link *link_get(struct aioevt *mgr);
void link_put(struct link *link);

static inline void link_putp(struct link **link)
{
	if (*link)
		link_put(*link);
}

/*
 * @stale was found removed (-ESTALE): attach to the bus that has its name now, unless another
 * thread did. Returns 0 and a link to be given back, or the errors of aioevt_shm_open().
 */
int link_renew(struct aioevt *mgr, struct link *stale, struct link **ret_link);

/* The loop that a registration without one goes to. Returns 0 and a counted loop, or an error. */
int manager_pick_loop(struct aioevt *mgr, struct aioevt_loop **ret_loop);

#endif
