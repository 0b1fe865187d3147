/* SPDX-License-Identifier: MIT */
/* Two loops of aioevt's own on two threads. */

#include "foreign.h"

static _Thread_local struct aioevt_loop *own;

static void foreign_run(struct aioevt_loop *loop)
{
	own = loop;
	check_eq(aioevt_loop_run(loop), 0);
}

static void foreign_stop(void)
{
	aioevt_loop_stop(own);
}

static void foreign_end(void)
{
}
