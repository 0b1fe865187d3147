/* SPDX-License-Identifier: MIT */
/*
 * A GLib program: a thread finds things and tells of them by events; their callbacks run where the
 * main context does, beside its timeouts.
 *
 *	cc glib.c $(pkg-config --cflags --libs aioevt-shm glib-2.0)
 */
#include <aioevt-glib.h>
#include <err.h>
#include <stdbool.h>
#include <stdio.h>

static void must(int result, const char *what)
{
	if (result < 0)
		errx(1, "%s: %s", what, aioevt_strerror(result));
}

static gpointer search(gpointer mgr)
{
	for (int n = 2, n_found = 0; n_found < 5; n++) {
		int divisor = 2;

		while (n % divisor)
			divisor++;
		if (divisor < n)
			continue;
		n_found++;
		must(aioevt_emit(mgr, "found.prime", AIOEVT_ARGS(n),
				 AIOEVT_KWARGS("is_last", (bool)(n_found == 5))), "emit");
	}
	return NULL;
}

/* Registered for a pattern. */
static void on_found(struct aioevt_evt *evt, struct aioevt_data *data, void *userdata)
{
	int is_last;
	int64_t n;

	(void)evt;
	must(aioevt_get_int(data, 0, NULL, &n), "n");
	must(aioevt_get_bool(data, 0, "is_last", &is_last), "is_last");
	printf("%s %d\n", aioevt_data_event(data), (int)n);
	if (is_last)
		g_main_loop_quit(userdata);
}

static gboolean on_late(gpointer userdata)
{
	(void)userdata;
	errx(1, "the search takes too long");
}

int main(void)
{
	GMainLoop *main_loop = g_main_loop_new(NULL, FALSE);
	struct aioevt_loop *loop;
	struct aioevt *mgr;
	GSource *source;
	GThread *thread;

	must(aioevt_open(NULL, NULL, AIOEVT_ANONYMOUS, &mgr), "bus");
	must(aioevt_loop_new(mgr, &loop), "loop");
	source = aioevt_glib_attach(NULL, loop, NULL);
	must(aioevt_register(mgr, "found.*", on_found, main_loop, loop, 0, NULL), "found");

	g_timeout_add_seconds(10, on_late, NULL);
	thread = g_thread_new("search", search, mgr);
	g_main_loop_run(main_loop);

	g_thread_join(thread);
	aioevt_glib_detach(source);
	aioevt_loop_unref(loop);
	aioevt_close(mgr);
	g_main_loop_unref(main_loop);
	return 0;
}
