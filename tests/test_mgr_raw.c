/* SPDX-License-Identifier: MIT */
/* Emitting out of a signal handler, whatever the interrupted thread was doing. */

#include "mgr.h"

#include <sys/time.h>

static struct aioevt *mgr;
static struct aioevt_raw *raw;
static _Atomic unsigned n_signals, n_refused;
static _Atomic unsigned n_calls;
static int64_t sum;

static void on_signal(int sig)
{
	int err;

	errno = 99;
	err = aioevt_raw_emit(raw, AIOEVT_ARGS(1, "signal"), AIOEVT_KWARGS("sig", sig));
	check_eq(errno, 99);
	check(err == 0 || err == -EAGAIN || err == -EBUSY);
	n_signals++;
	n_refused += err != 0;
}

static void on_call(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	(void)evt, (void)arg;
	sum += arg_of(data);
	n_calls++;
}

static void arm(long interval_us)
{
	struct itimerval it = { { 0, interval_us }, { 0, interval_us } };

	check_eq(setitimer(ITIMER_REAL, &it, NULL), 0);
}

/* Signals arrive while this thread emits to the same event, registers, and runs the loop. */
static void test_interrupted(void)
{
	struct sigaction act = { .sa_handler = on_signal };
	struct aioevt_loop *loop = loop_of(mgr);
	unsigned n_emitted = 0;

	check_eq(aioevt_raw_open(mgr, "x", &raw), 0);
	check_eq(aioevt_register(mgr, "x", on_call, NULL, loop, 0, NULL), 0);
	check_eq(sigaction(SIGALRM, &act, NULL), 0);
	arm(200);
	for (uint64_t end = in_ms(20000); n_signals < 300 && now_ns() < end; ) {
		struct aioevt_evt *evt;

		for (int i = 0; i < 100; i++)
			n_emitted += !aioevt_emit(mgr, "x", AIOEVT_ARGS(1), AIOEVT_NO_KWARGS);
		check_eq(aioevt_register(mgr, "y", on_call, NULL, loop, 0, &evt), 0);
		check(aioevt_evt_unregister(evt) == 1);
		aioevt_evt_unref(evt);
		run_now(loop);
	}
	arm(0);
	check(n_signals >= 300);
	run_now(loop);
	check_eq(sum, n_emitted + n_signals - n_refused);
	check(n_signals > n_refused);
	signal(SIGALRM, SIG_DFL);
	raw = aioevt_raw_close(raw);
	check(!raw);
	aioevt_loop_unref(loop);
}

static void test_refused(void)
{
	static char large[200];
	struct aioevt_data *data;

	memset(large, 'x', sizeof(large) - 1);
	check_eq(aioevt_raw_open(mgr, "a b", &raw), -EINVAL);
	check_eq(aioevt_raw_open(mgr, "r", &raw), 0);
	check_eq(aioevt_raw_emit(raw, AIOEVT_ARGS(large), AIOEVT_NO_KWARGS), -EMSGSIZE);
	check_eq(aioevt_raw_emit(raw, AIOEVT_ARGS("\xff"), AIOEVT_NO_KWARGS), -EILSEQ);
	check_eq(aioevt_raw_emit(raw, AIOEVT_ARGS(5), AIOEVT_NO_KWARGS), 0);
	check_eq(aioevt_last(mgr, "r", &data), 0);
	check_eq(arg_of(data), 5);
	aioevt_data_unref(data);
	/* removed: it says so, and a new one works */
	struct aioevt_shm *bus = bus_open(NULL);
	check_eq(aioevt_shm_event_remove(bus, "r"), 0);
	check_eq(aioevt_raw_emit(raw, AIOEVT_ARGS(6), AIOEVT_NO_KWARGS), -EPIPE);
	aioevt_raw_close(raw);
	check_eq(aioevt_raw_open(mgr, "r", &raw), 0);
	check_eq(aioevt_raw_emit(raw, AIOEVT_ARGS(7), AIOEVT_NO_KWARGS), 0);
	aioevt_raw_close(raw);
	aioevt_shm_close(bus);
}

int main(void)
{
	bus_begin();
	mgr = mgr_open();
	test_interrupted();
	test_refused();
	mgr = aioevt_close(mgr);
	return bus_end();
}
