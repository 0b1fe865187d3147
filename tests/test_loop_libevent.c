/* SPDX-License-Identifier: MIT */
/* Two libevent bases on two threads, by aioevt-libevent.h. */

#define FOREIGN_ADAPTER
#include "foreign.h"

#include "aioevt-libevent.h"

static _Thread_local struct event_base *base;

static void foreign_run(struct aioevt_loop *loop)
{
	struct aioevt_libevent adapter;

	base = event_base_new();
	check(base != NULL);
	check_eq(aioevt_libevent_attach(NULL, base, loop), -EINVAL);
	check_eq(aioevt_libevent_attach(&adapter, NULL, loop), -EINVAL);
	check_eq(aioevt_libevent_attach(&adapter, base, NULL), -EINVAL);
	aioevt_libevent_detach(NULL);
	check_eq(aioevt_libevent_attach(&adapter, base, loop), 0);
	check_eq(event_base_dispatch(base), 0);
	aioevt_libevent_detach(&adapter);
	event_base_free(base);
}

static void foreign_stop(void)
{
	check_eq(event_base_loopbreak(base), 0);
}

static void foreign_end(void)
{
}

/* ---- one that stays attached ---- */

static struct aioevt_libevent attached;

static void foreign_attach(struct aioevt_loop *loop)
{
	base = event_base_new();
	check(base != NULL);
	check_eq(aioevt_libevent_attach(&attached, base, loop), 0);
}

static void foreign_forked(void)
{
	check_eq(event_reinit(base), 0);
}

static void foreign_iterate(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
}
