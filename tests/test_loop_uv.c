/* SPDX-License-Identifier: MIT */
/* Two libuv loops on two threads, by aioevt-uv.h. */

#define FOREIGN_ADAPTER
#include "foreign.h"

#include "aioevt-uv.h"

static _Thread_local struct aioevt_uv adapter;

static void foreign_run(struct aioevt_loop *loop)
{
	uv_loop_t uv;

	check_eq(uv_loop_init(&uv), 0);
	check_eq(aioevt_uv_attach(NULL, &uv, loop), UV_EINVAL);
	check_eq(aioevt_uv_attach(&adapter, NULL, loop), UV_EINVAL);
	check_eq(aioevt_uv_attach(&adapter, &uv, NULL), -EINVAL);
	aioevt_uv_detach(NULL, NULL);
	check_eq(aioevt_uv_attach(&adapter, &uv, loop), 0);
	uv_run(&uv, UV_RUN_DEFAULT);
	check_eq(uv_loop_close(&uv), 0);
	check(!adapter.loop);
}

/* Nothing else is attached: the run ends. */
static void foreign_stop(void)
{
	aioevt_uv_detach(&adapter, NULL);
}

static void foreign_end(void)
{
	uv_library_shutdown();	/* its own descriptors */
}

/* ---- one that stays attached ---- */

static uv_loop_t here;

static void foreign_attach(struct aioevt_loop *loop)
{
	check_eq(uv_loop_init(&here), 0);
	check_eq(aioevt_uv_attach(&adapter, &here, loop), 0);
}

static void foreign_forked(void)
{
	check_eq(uv_loop_fork(&here), 0);
}

static void foreign_iterate(void)
{
	uv_run(&here, UV_RUN_NOWAIT);
}
