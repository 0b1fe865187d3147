/* SPDX-License-Identifier: MIT */
/* Unregistering from another thread waits for the callback that runs, and never in a circle. */

#include "mgr.h"

static struct aioevt *mgr;

static void emit(const char *name)
{
	check_eq(aioevt_emit(mgr, name, AIOEVT_NO_ARGS, AIOEVT_NO_KWARGS), 0);
}

struct gate {
	_Atomic unsigned is_in, may_leave, has_left, n;
};

static void on_gate(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	struct gate *gate = arg;

	(void)evt, (void)data;
	gate->n++;
	gate->is_in = 1;
	await(&gate->may_leave, 1);
	pass_ms(5);
	gate->has_left = 1;
}

static void *open_later(void *arg)
{
	struct gate *gate = arg;

	pass_ms(20);
	gate->may_leave = 1;
	return NULL;
}

enum by { BY_EVT, BY_NAME, BY_FN, BY_CLOSE };

/* When it returns the callback has ended, and it is not called for what was emitted meanwhile. */
static void test_waits(enum by by, uint32_t flags)
{
	struct gate gate = { 0 };
	struct aioevt_evt *evt;
	pthread_t thread;

	mgr = mgr_open();
	check_eq(aioevt_register(mgr, "x", on_gate, &gate, NULL, flags, &evt), 0);
	emit("x");
	emit("x");
	await(&gate.is_in, 1);
	check_eq(pthread_create(&thread, NULL, open_later, &gate), 0);
	if (by == BY_EVT)
		check_eq(aioevt_evt_unregister(evt), !flags);
	else if (by == BY_NAME)
		check_eq(aioevt_unregister(mgr, "x"), !flags);
	else if (by == BY_FN)
		check_eq(aioevt_unregister_fn(mgr, on_gate), !flags);
	else
		mgr = aioevt_close(mgr);
	check_eq(gate.has_left, 1);
	pthread_join(thread, NULL);
	if (mgr)
		emit("x");
	check_eq(gate.n, 1);
	aioevt_evt_unref(evt);
	mgr = aioevt_close(mgr);
}

/* Who unregisters another evt than the one that runs does not wait. */
static void test_no_need(void)
{
	struct gate gate = { 0 }, never = { 0 };

	mgr = mgr_open();
	check_eq(aioevt_on(mgr, "x", on_gate, &gate), 0);
	check_eq(aioevt_on(mgr, "y", on_gate, &never), 0);
	emit("x");
	await(&gate.is_in, 1);
	check_eq(aioevt_unregister(mgr, "y"), 1);
	check_eq(gate.has_left, 0);
	gate.may_leave = 1;
	mgr = aioevt_close(mgr);
	check_eq(never.n, 0);
}

/* Two callbacks on two loops unregister each other: one of them is told, neither hangs. */
struct side {
	struct aioevt_loop *loop;
	struct aioevt_evt *evt, **other;
	_Atomic unsigned *n_in;
	_Atomic int result;
	_Atomic unsigned is_done;
};

static void on_side(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	struct side *side = arg;

	(void)evt, (void)data;
	++*side->n_in;
	await(side->n_in, 2);
	side->result = aioevt_evt_unregister(*side->other);
	side->is_done = 1;
	aioevt_loop_stop(side->loop);
}

static void *run_loop(void *loop)
{
	check_eq(aioevt_loop_run(loop), 0);
	return NULL;
}

static void test_circle(void)
{
	_Atomic unsigned n_in = 0;
	struct side sides[2] = { { .n_in = &n_in }, { .n_in = &n_in } };
	pthread_t threads[2];

	mgr = mgr_open();
	for (int i = 0; i < 2; i++) {
		sides[i].loop = loop_of(mgr);
		sides[i].other = &sides[!i].evt;
		check_eq(aioevt_register(mgr, "x", on_side, &sides[i], sides[i].loop, 0,
					 &sides[i].evt), 0);
		check_eq(pthread_create(&threads[i], NULL, run_loop, sides[i].loop), 0);
	}
	emit("x");
	for (int i = 0; i < 2; i++) {
		await(&sides[i].is_done, 1);
		pthread_join(threads[i], NULL);
	}
	/* the first to ask waited for the second, whose asking would have closed the circle */
	check((sides[0].result == 1 && sides[1].result == -EDEADLK) ||
	      (sides[1].result == 1 && sides[0].result == -EDEADLK));
	for (int i = 0; i < 2; i++) {
		check_eq(aioevt_evt_status(sides[i].evt), -ECANCELED);
		aioevt_evt_unref(sides[i].evt);
		aioevt_loop_unref(sides[i].loop);
	}
	mgr = aioevt_close(mgr);
}

/* All at once: four threads register and unregister, one emits. */
#define N_ROUNDS	300

static _Atomic unsigned is_over;

static void on_valid(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	(void)evt, (void)data;
	check_eq(atomic_load((_Atomic unsigned *)arg), 1);
}

static void *churn(void *arg)
{
	for (int i = 0; i < N_ROUNDS; i++) {
		_Atomic unsigned is_valid = 1;
		struct aioevt_evt *evt;

		check_eq(aioevt_register(mgr, i % 3 ? "x" : "*", on_valid, &is_valid, arg,
					 i % 2 ? AIOEVT_LOSSY : 0, &evt), 0);
		check(aioevt_evt_unregister(evt) >= 0);
		aioevt_evt_unref(evt);
		is_valid = 0;		/* and the memory goes */
	}
	return NULL;
}

static void *emit_until_over(void *arg)
{
	(void)arg;
	while (!is_over) {
		int err = aioevt_emit(mgr, "x", AIOEVT_ARGS(1), AIOEVT_NO_KWARGS);

		check(err == 0 || err == -EAGAIN);
	}
	return NULL;
}

static void test_churn(void)
{
	struct aioevt_loop *loop;
	pthread_t threads[4], runner, emitter;

	mgr = mgr_open();
	loop = loop_of(mgr);
	check_eq(pthread_create(&runner, NULL, run_loop, loop), 0);
	check_eq(pthread_create(&emitter, NULL, emit_until_over, NULL), 0);
	for (int i = 0; i < 4; i++)
		check_eq(pthread_create(&threads[i], NULL, churn, loop), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	is_over = 1;
	pthread_join(emitter, NULL);
	aioevt_loop_stop(loop);
	pthread_join(runner, NULL);
	run_now(loop);
	check_eq(aioevt_n_listeners(mgr, "x"), 0);
	aioevt_loop_unref(loop);
	mgr = aioevt_close(mgr);
}

/*
 * The last of a name goes as another comes, again and again: who has come hears what is emitted
 * from then on.
 */
static void on_heard(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	(void)evt, (void)data;
	++*(_Atomic unsigned *)arg;
}

static void *come_and_go(void *arg)
{
	for (int i = 0; i < 300; i++) {
		_Atomic unsigned n = 0;
		struct aioevt_evt *evt;

		check_eq(aioevt_register(mgr, "x", on_heard, &n, arg, 0, &evt), 0);
		while (aioevt_emit(mgr, "x", AIOEVT_ARGS(1), AIOEVT_NO_KWARGS) == -EAGAIN)
			;
		await(&n, 1);
		check_eq(aioevt_evt_unregister(evt), 1);
		aioevt_evt_unref(evt);
	}
	return NULL;
}

static void test_come_and_go(void)
{
	struct aioevt_loop *loop;
	pthread_t threads[3], runner;

	mgr = mgr_open();
	loop = loop_of(mgr);
	check_eq(pthread_create(&runner, NULL, run_loop, loop), 0);
	for (int i = 0; i < 3; i++)
		check_eq(pthread_create(&threads[i], NULL, come_and_go, loop), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	aioevt_loop_stop(loop);
	pthread_join(runner, NULL);
	aioevt_loop_unref(loop);
	mgr = aioevt_close(mgr);
}

/* All of a name go while one more comes that goes back in its records. */
static void on_nothing(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	(void)evt, (void)data, (void)arg;
}

static void *unregister_until_over(void *arg)
{
	while (!is_over)
		check(aioevt_unregister(mgr, arg) >= 0);
	return NULL;
}

static void test_go_back(void)
{
	static char name[] = "back";
	struct aioevt_loop *loop;
	pthread_t thread;

	is_over = 0;
	mgr = mgr_open();
	loop = loop_of(mgr);
	check_eq(aioevt_emit(mgr, name, AIOEVT_NO_ARGS, AIOEVT_NO_KWARGS), 0);
	check_eq(pthread_create(&thread, NULL, unregister_until_over, name), 0);
	for (int i = 0; i < 5000; i++) {
		check_eq(aioevt_register(mgr, name, on_nothing, NULL, loop, 0, NULL), 0);
		check_eq(aioevt_register_after(mgr, name, 0, on_nothing, NULL, loop, 0, NULL), 0);
	}
	is_over = 1;
	pthread_join(thread, NULL);
	check(aioevt_unregister(mgr, name) >= 0);
	run_now(loop);
	check_eq(aioevt_n_listeners(mgr, name), 0);
	aioevt_loop_unref(loop);
	mgr = aioevt_close(mgr);
}

int main(void)
{
	bus_begin();
	for (enum by by = BY_EVT; by <= BY_CLOSE; by++)
		test_waits(by, 0);
	test_waits(BY_EVT, AIOEVT_ONCE);
	test_waits(BY_NAME, AIOEVT_ONCE);
	test_no_need();
	test_circle();
	test_churn();
	test_come_and_go();
	test_go_back();
	return bus_end();
}
