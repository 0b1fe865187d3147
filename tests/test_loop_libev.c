/* SPDX-License-Identifier: MIT */
/* Two libev loops on two threads, by aioevt-libev.h. */

#define FOREIGN_ADAPTER
#include "foreign.h"

#include "aioevt-libev.h"

static _Thread_local struct ev_loop *ev;

static void foreign_run(struct aioevt_loop *loop)
{
	struct aioevt_libev adapter;

	ev = ev_loop_new(EVFLAG_AUTO);
	check(ev != NULL);
	check_eq(aioevt_libev_attach(NULL, ev, loop), -EINVAL);
	check_eq(aioevt_libev_attach(&adapter, NULL, loop), -EINVAL);
	check_eq(aioevt_libev_attach(&adapter, ev, NULL), -EINVAL);
	aioevt_libev_detach(NULL);
	check_eq(aioevt_libev_attach(&adapter, ev, loop), 0);
	ev_run(ev, 0);
	aioevt_libev_detach(&adapter);
	ev_loop_destroy(ev);
}

static void foreign_stop(void)
{
	ev_break(ev, EVBREAK_ALL);
}

static void foreign_end(void)
{
}

/* ---- one that stays attached ---- */

static struct aioevt_libev attached;

static void foreign_attach(struct aioevt_loop *loop)
{
	ev = ev_loop_new(EVFLAG_AUTO);
	check(ev != NULL);
	check_eq(aioevt_libev_attach(&attached, ev, loop), 0);
}

static void foreign_forked(void)
{
	ev_loop_fork(ev);
}

static void foreign_iterate(void)
{
	ev_run(ev, EVRUN_NOWAIT);
}
