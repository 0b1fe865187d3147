/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_GLIB_H
#define AIOEVT_GLIB_H

/*
 * A loop of aioevt, driven by a GLib main context: its callbacks run on the thread of @context.
 *
 *	aioevt_loop_new(mgr, &loop);
 *	source = aioevt_glib_attach(NULL, loop, NULL);
 *	aioevt_register(mgr, "name", fn, userdata, loop, 0, NULL);
 *	g_main_loop_run(...);
 *	aioevt_glib_detach(source);
 */

#include <aioevt.h>
#include <errno.h>
#include <glib-unix.h>

struct aioevt_glib_source_ {
	GSource source;
	struct aioevt_loop *loop;	/* held as long as the source */
};

static inline gboolean aioevt_glib_dispatch_(GSource *source, GSourceFunc callback, gpointer data)
{
	struct aioevt_loop *loop = aioevt_loop_ref(((struct aioevt_glib_source_ *)source)->loop);
	int r;

	(void)callback, (void)data;
	r = aioevt_loop_process(loop);
	aioevt_loop_unref(loop);
	return r == -ECHILD ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

static inline void aioevt_glib_finalize_(GSource *source)
{
	aioevt_loop_unref(((struct aioevt_glib_source_ *)source)->loop);
}

static inline GSourceFuncs *aioevt_glib_funcs_(void)
{
	static GSourceFuncs funcs = {
		NULL, NULL, aioevt_glib_dispatch_, aioevt_glib_finalize_, NULL, NULL
	};

	return &funcs;
}

/*
 * @context NULL is the default one. Returns the source, to be given to aioevt_glib_detach(); or NULL,
 * with a negative errno value in *ret_err (may be NULL).
 */
static inline GSource *aioevt_glib_attach(GMainContext *context, struct aioevt_loop *loop,
					  int *ret_err)
{
	int fd = aioevt_loop_get_fd(loop);
	GSource *source;

	if (fd < 0) {
		if (ret_err)
			*ret_err = fd;
		return NULL;
	}
	source = g_source_new(aioevt_glib_funcs_(), sizeof(struct aioevt_glib_source_));
	((struct aioevt_glib_source_ *)source)->loop = aioevt_loop_ref(loop);
	g_source_add_unix_fd(source, fd, G_IO_IN);
	g_source_attach(source, context);
	return source;
}

/* Any thread. Takes NULL. */
static inline void aioevt_glib_detach(GSource *source)
{
	if (!source)
		return;
	g_source_destroy(source);
	g_source_unref(source);
}

#endif
