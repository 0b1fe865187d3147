/* SPDX-License-Identifier: MIT */
/* Two sd-event loops on two threads, by aioevt-sd-event.h. */

#define FOREIGN_ADAPTER
#include "foreign.h"

#include "aioevt-sd-event.h"

static _Thread_local sd_event *event;

/* Without a reference the source lives as long as the event loop, and lets go of the loop then. */
static void test_floating(struct aioevt_loop *loop)
{
	sd_event *other;

	check(sd_event_new(&other) >= 0);
	check_eq(aioevt_sd_event_attach(other, loop, NULL), 0);
	check(!sd_event_unref(other));
}

static void foreign_run(struct aioevt_loop *loop)
{
	sd_event_source *source;

	check(sd_event_new(&event) >= 0);
	check_eq(aioevt_sd_event_attach(NULL, loop, &source), -EINVAL);
	check_eq(aioevt_sd_event_attach(event, NULL, &source), -EINVAL);
	check_eq(aioevt_sd_event_attach(event, loop, &source), 0);
	check_eq(sd_event_loop(event), 0);
	sd_event_source_disable_unref(source);
	sd_event_unref(event);
	test_floating(loop);
}

static void foreign_stop(void)
{
	check(sd_event_exit(event, 0) >= 0);
}

static void foreign_end(void)
{
}

/* ---- one that stays attached ---- */

static void foreign_attach(struct aioevt_loop *loop)
{
	check(sd_event_new(&event) >= 0);
	check_eq(aioevt_sd_event_attach(event, loop, NULL), 0);
}

static void foreign_forked(void)
{
}

static void foreign_iterate(void)
{
	sd_event_run(event, 0);
}
