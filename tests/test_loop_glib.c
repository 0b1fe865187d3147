/* SPDX-License-Identifier: MIT */
/* Two GLib main loops on two threads, by aioevt-glib.h. */

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
