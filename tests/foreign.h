/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_TEST_FOREIGN_H
#define AIOEVT_TEST_FOREIGN_H

/*
 * The same for every foreign loop: two threads run two of them, callbacks are registered on each,
 * a third thread and another process emit; each callback has to run on its loop's thread. Beside
 * that, a process with an idle loop counts its wakes. After it is included, a test has
 *
 *	static void foreign_run(struct aioevt_loop *loop);	runs until foreign_stop()
 *	static void foreign_stop(void);				in a callback
 *	static void foreign_end(void);				after both have run
 *
 * and if it has an adapter, FOREIGN_ADAPTER and
 *
 *	static void foreign_attach(struct aioevt_loop *loop);	by the adapter, for the rest of the process
 *	static void foreign_forked(void);			first in a forked child
 *	static void foreign_iterate(void);			what is ready, without waiting
 */

#include "mgr.h"

/* A call of the adapter is a wake of the foreign loop. */
static _Atomic unsigned n_wakes;

static inline int counted_process(struct aioevt_loop *loop)
{
	n_wakes++;
	return aioevt_loop_process(loop);
}
#define aioevt_loop_process counted_process

#define N_EMITS		2000u	/* by each: more than a ring holds */

static void foreign_run(struct aioevt_loop *loop);
static void foreign_stop(void);
static void foreign_end(void);
#ifdef FOREIGN_ADAPTER
static void foreign_attach(struct aioevt_loop *loop);
static void foreign_forked(void);
static void foreign_iterate(void);
#endif

struct side {
	struct aioevt *mgr;
	struct aioevt_loop *loop;
	pthread_t thread;
	_Atomic unsigned n, n_inside, n_timeouts, is_ready;
	int64_t last[2];		/* of each emitter */
};

static void check_thread(const struct side *side)
{
	check(pthread_equal(pthread_self(), side->thread));
	check(aioevt_loop_current(side->mgr) == side->loop);
}

/* Args: who emits, a number that rises. */
static void on_record(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	struct side *side = arg;
	int64_t who = arg_of(data), n;

	(void)evt;
	check_thread(side);
	check(who == 0 || who == 1);
	check_eq(aioevt_get_int(data, 1, NULL, &n), 0);
	check_eq(n, side->last[who] + 1);
	side->last[who] = n;
	side->n++;
}

static void on_inside(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	struct side *side = arg;

	(void)evt, (void)data;
	check_thread(side);
	side->n_inside++;
}

static void on_timeout(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	struct side *side = arg;

	check_thread(side);
	check(!data);
	check_eq(aioevt_evt_status(evt), -ETIMEDOUT);
	side->n_timeouts++;
}

/* Registered without a loop, inside of one: it is that one. */
static void on_ready(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	struct side *side = arg;

	(void)evt, (void)data;
	check_thread(side);
	check_eq(aioevt_on(side->mgr, "inside", on_inside, side), 0);
	check_eq(aioevt_wait_on(side->mgr, "never", aioevt_in_ms(20), on_timeout, side, NULL, NULL),
		 0);
	side->is_ready = 1;
}

static void on_quit(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	(void)evt, (void)data;
	check_thread(arg);
	foreign_stop();
}

static void *run_side(void *arg)
{
	struct side *side = arg;

	side->thread = pthread_self();
	foreign_run(side->loop);
	return NULL;
}

static void emit_all(struct aioevt *mgr, int who)
{
	for (unsigned i = 1; i <= N_EMITS; i++)
		check_eq(aioevt_emit_wait(mgr, "x", AIOEVT_ARGS(who, i), AIOEVT_NO_KWARGS, SOON),
			 0);
}

static void *emit_thread(void *mgr)
{
	emit_all(mgr, 0);
	return NULL;
}

static int emit_process(struct child *me, void *arg)
{
	struct aioevt *mgr;

	(void)arg;
	check_eq(hear(me), 'g');
	mgr = mgr_open();
	emit_all(mgr, 1);
	aioevt_close(mgr);
	return 0;
}

static void side_begin(struct side *side, struct aioevt *mgr, pthread_t *ret_thread)
{
	side->mgr = mgr;
	side->loop = loop_of(mgr);
	check_eq(aioevt_register(mgr, "x", on_record, side, side->loop, 0, NULL), 0);
	check_eq(aioevt_register(mgr, "ready", on_ready, side, side->loop, 0, NULL), 0);
	check_eq(aioevt_register(mgr, "quit", on_quit, side, side->loop, 0, NULL), 0);
	check_eq(pthread_create(ret_thread, NULL, run_side, side), 0);
}

static void emit_word(struct aioevt *mgr, const char *name)
{
	check_eq(aioevt_emit(mgr, name, AIOEVT_NO_ARGS, AIOEVT_NO_KWARGS), 0);
}

/* ---- idle ------------------------------------------------------------------------------------ */

#define IDLE_MS		2300u		/* with three re-checks at most */

struct idle {
	unsigned n_wakes;
	bool is_settled;
};

/* First when the loop has come to rest, then when it was idle for long enough. */
static void on_idle(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	struct idle *idle = arg;

	check(!data);
	if (idle->is_settled) {
		idle->n_wakes = n_wakes - idle->n_wakes;
		foreign_stop();
		return;
	}
	idle->is_settled = true;
	idle->n_wakes = n_wakes;
	check_eq(aioevt_wait_on(aioevt_evt_manager(evt), "never", aioevt_in_ms(IDLE_MS), on_idle,
				idle, NULL, NULL), 0);
}

static int count_idle(struct child *me, void *arg)
{
	struct idle idle = { 0 };
	struct aioevt_loop *loop;
	struct aioevt *mgr;

	(void)me, (void)arg;
	bus_rename("idle");
	mgr = mgr_open();
	loop = loop_of(mgr);
	check_eq(aioevt_register(mgr, "idle", on_inside, NULL, loop, 0, NULL), 0);
	check_eq(aioevt_register(mgr, "idle.>", on_inside, NULL, loop, 0, NULL), 0);
	check_eq(aioevt_wait_on(mgr, "never", aioevt_in_ms(50), on_idle, &idle, loop, NULL), 0);
	foreign_run(loop);
	aioevt_loop_unref(loop);
	aioevt_close(mgr);
	fprintf(stderr, "idle for %u ms: %u wakes\n", IDLE_MS, idle.n_wakes);
	check(idle.n_wakes <= 4);	/* one for the end */
	return 0;
}

/* ---- a forked child, and an error that lasts ------------------------------------------------- */

#ifdef FOREIGN_ADAPTER
struct errors {
	unsigned n;
	int err;
};

static void on_error(struct aioevt_loop *loop, int err, void *arg)
{
	struct errors *errors = arg;

	(void)loop;
	errors->n++;
	errors->err = err;
}

/* The descriptor is readable: the child looks once, is told, and leaves it alone. */
static void be_forked(struct errors *errors)
{
	n_wakes = 0;
	alarm(30);
	foreign_forked();
	for (int i = 0; i < 100; i++)
		foreign_iterate();
	check(n_wakes <= 1);			/* sd-event refuses by itself */
	check_eq(errors->n, n_wakes);
	check(!errors->n || errors->err == -ECHILD);
	_exit(0);
}

static int fail(struct child *me, void *arg)
{
	struct errors errors = { 0 };
	struct aioevt_loop *loop;
	struct aioevt *mgr;
	uint64_t limit;
	int status;
	pid_t pid;

	(void)me, (void)arg;
	bus_rename("fail");
	make_bus();
	check_eq(aioevt_open(NULL, NULL, AIOEVT_EXISTING, &mgr), 0);
	loop = loop_of(mgr);
	check_eq(aioevt_loop_on_error(loop, on_error, &errors), 0);
	foreign_attach(loop);
	pid = fork();
	check(pid >= 0);
	if (!pid)
		be_forked(&errors);
	check_eq(waitpid(pid, &status, 0), pid);
	check_eq(status, 0);

	check_eq(aioevt_shm_unlink(NULL), 0);
	limit = in_ms(20000);
	while (!errors.n) {
		check(now_ns() < limit);
		foreign_iterate();
	}
	check_eq(errors.err, -ENOENT);
	n_wakes = errors.n = 0;
	for (limit = in_ms(400); now_ns() < limit; )
		foreign_iterate();
	check(n_wakes <= 2);			/* it is tried again, and more and more rarely */
	check_eq(errors.n, n_wakes);
	return 0;
}
#endif

int main(void)
{
	static struct side sides[2];
	pthread_t threads[2], emitter;
	struct child child, idler;
	struct aioevt *mgr;

	bus_begin();
	idler = spawn(count_idle, NULL);	/* takes its time beside the others */
	child = spawn(emit_process, NULL);
	mgr = mgr_open();
	for (int i = 0; i < 2; i++)
		side_begin(&sides[i], mgr, &threads[i]);
	emit_word(mgr, "ready");
	for (int i = 0; i < 2; i++)
		await(&sides[i].is_ready, 1);
	emit_word(mgr, "inside");
	check_eq(pthread_create(&emitter, NULL, emit_thread, mgr), 0);
	say(&child, 'g');
	for (int i = 0; i < 2; i++) {
		await(&sides[i].n, 2 * N_EMITS);
		await(&sides[i].n_inside, 1);
		await(&sides[i].n_timeouts, 1);
	}
	pthread_join(emitter, NULL);
	end_child(&child);
	emit_word(mgr, "quit");
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		check(!aioevt_loop_unref(sides[i].loop));
		check_eq(sides[i].n, 2 * N_EMITS);
	}
	aioevt_close(mgr);
	foreign_end();
	end_child(&idler);
#ifdef FOREIGN_ADAPTER
	child = spawn(fail, NULL);
	end_child(&child);
#endif
	return bus_end();
}

#endif
