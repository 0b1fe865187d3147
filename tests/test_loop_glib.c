/* SPDX-License-Identifier: MIT */
/* Two GLib main loops on two threads, by aioevt-glib.h. */

#define FOREIGN_ADAPTER
#include "foreign.h"

#include "aioevt-glib.h"

static _Thread_local GMainLoop *main_loop;

static void foreign_run(struct aioevt_loop *loop)
{
	GMainContext *context = g_main_context_new();
	GSource *source = aioevt_glib_attach(context, loop, NULL);
	int err = 0;

	check(!aioevt_glib_attach(context, NULL, &err));
	check_eq(err, -EINVAL);
	aioevt_glib_detach(NULL);
	check(source != NULL);
	main_loop = g_main_loop_new(context, FALSE);
	g_main_loop_run(main_loop);
	aioevt_glib_detach(source);
	g_main_loop_unref(main_loop);
	g_main_context_unref(context);
}

static void foreign_stop(void)
{
	g_main_loop_quit(main_loop);
}

static void foreign_end(void)
{
}

/* ---- one that stays attached ---- */

static GMainContext *here;

static void foreign_attach(struct aioevt_loop *loop)
{
	here = g_main_context_new();
	check(aioevt_glib_attach(here, loop, NULL) != NULL);
}

static void foreign_forked(void)
{
}

static void foreign_iterate(void)
{
	g_main_context_iteration(here, FALSE);
}
