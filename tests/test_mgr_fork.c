/* SPDX-License-Identifier: MIT */
/* A child made by fork() is told so by every call, disturbs nobody, and may open its own manager. */

#include "mgr.h"

static struct aioevt *mgr;
static struct aioevt_loop *loop;
static struct aioevt_evt *evt;
static struct aioevt_raw *raw;
static struct aioevt_data *kept;
static _Atomic unsigned n_calls;

static void on_call(struct aioevt_evt *e, struct aioevt_data *data, void *arg)
{
	(void)e, (void)arg;
	if (!kept)
		kept = aioevt_data_ref(data);
	n_calls++;
}

static int in_child(struct child *me, void *arg)
{
	const char *const names[] = { "x" };
	struct aioevt_loop *l;
	struct aioevt_data *d;
	struct aioevt_raw *r;
	struct aioevt *mine;
	uint64_t t;
	size_t i;

	(void)arg;
	check_eq(aioevt_emit(mgr, "x", AIOEVT_ARGS(-1), AIOEVT_NO_KWARGS), -ECHILD);
	check_eq(aioevt_emit_data(mgr, "x", kept), -ECHILD);
	check_eq(aioevt_emit_wait(mgr, "x", AIOEVT_ARGS(-1), AIOEVT_NO_KWARGS, SOON), -ECHILD);
	check_eq(aioevt_raw_emit(raw, AIOEVT_ARGS(-1), AIOEVT_NO_KWARGS), -ECHILD);
	check_eq(aioevt_raw_open(mgr, "x", &r), -ECHILD);
	check_eq(aioevt_on(mgr, "x", on_call, NULL), -ECHILD);
	check_eq(aioevt_register(mgr, "x", on_call, NULL, loop, 0, NULL), -ECHILD);
	check_eq(aioevt_unregister(mgr, "x"), -ECHILD);
	check_eq(aioevt_unregister_fn(mgr, on_call), -ECHILD);
	check_eq(aioevt_evt_unregister(evt), -ECHILD);
	check_eq(aioevt_evt_status(evt), -ECHILD);
	check_eq(aioevt_wait(mgr, "x", SOON, &d), -ECHILD);
	check_eq(aioevt_wait_any(mgr, names, 1, SOON, &i, &d), -ECHILD);
	check_eq(aioevt_wait_all(mgr, names, 1, SOON, &d), -ECHILD);
	check_eq(aioevt_last(mgr, "x", &d), -ECHILD);
	check_eq(aioevt_n_listeners(mgr, "x"), -ECHILD);
	check_eq(aioevt_set_default_loop(mgr, loop), -ECHILD);
	check_eq(aioevt_loop_new(mgr, &l), -ECHILD);
	check_eq(aioevt_loop_run(loop), -ECHILD);
	check_eq(aioevt_loop_process(loop), -ECHILD);
	check_eq(aioevt_loop_get_fd(loop), -ECHILD);
	check_eq(aioevt_loop_get_timeout(loop, &t), -ECHILD);
	aioevt_loop_stop(loop);
	aioevt_loop_set_spin(loop, 0, 0);
	check_eq(arg_of(kept), 1);		/* data is the child's own memory */
	check(!aioevt_loop_unref(loop));
	check(!aioevt_raw_close(raw));
	check(!aioevt_close(mgr));
	mine = mgr_open();
	check_eq(aioevt_emit(mine, "x", AIOEVT_ARGS(2), AIOEVT_NO_KWARGS), 0);
	aioevt_close(mine);
	say(me, 'd');
	hear(me);
	return 0;
}

int main(void)
{
	struct child child;
	struct aioevt *m;

	bus_begin();
	m = mgr = mgr_open();
	loop = loop_of(mgr);
	check_eq(aioevt_register(mgr, "x", on_call, NULL, NULL, 0, &evt), 0);
	check_eq(aioevt_register(mgr, "x", on_call, NULL, loop, 0, NULL), 0);
	check_eq(aioevt_raw_open(mgr, "x", &raw), 0);
	check(aioevt_loop_get_fd(loop) >= 0);
	check_eq(aioevt_emit(mgr, "x", AIOEVT_ARGS(1), AIOEVT_NO_KWARGS), 0);
	await(&n_calls, 1);
	child = spawn(in_child, NULL);
	check_eq(hear(&child), 'd');
	/* what the child emitted on its own arrives, and all goes on while the child lives */
	await(&n_calls, 2);
	run_now(loop);
	check_eq(n_calls, 4);
	check_eq(aioevt_emit(mgr, "x", AIOEVT_ARGS(3), AIOEVT_NO_KWARGS), 0);
	await(&n_calls, 5);
	end_child(&child);
	aioevt_data_unref(kept);
	aioevt_evt_unref(evt);
	aioevt_raw_close(raw);
	aioevt_loop_unref(loop);
	check(!aioevt_close(m));
	return bus_end();
}
