/* SPDX-License-Identifier: MIT */
/*
 * A listener that is killed, or stopped, at each instruction of coming or going: registering
 * as a reliable reader, as a lossy one, as an observer, or by a pattern, and letting go. While a reliable
 * reader stands, emitters may be told -EAGAIN, with its pid; never without one, and no
 * longer once it is dead. Whoever went on is never overtaken, from the return of the call.
 */
#include "freeze.h"

static const char *pattern;
static uint32_t flags;

static void ready_listener(void)
{
	victim_attach();
	victim.listener = listener_of(victim.bus);
}

static void ready_new(void)
{
	victim_attach();
}

static void new_listener(void)
{
	freeze_told->err = aioevt_shm_listener_new(victim.bus, &victim.listener);
}

static void free_listener(void)
{
	victim.listener = aioevt_shm_listener_free(victim.listener);
	freeze_told->err = 0;
}

static void subscribe(void)
{
	freeze_told->err = aioevt_shm_listen(victim.listener, pattern, flags,
					     AIOEVT_SHM_FROM_NEW, 0, &victim.sub);
}

static void ready_sub(void)
{
	ready_listener();
	subscribe();
	if (freeze_told->err)
		_exit(4);
}

static void unsubscribe(void)
{
	victim.sub = aioevt_shm_sub_close(victim.sub);
	freeze_told->err = 0;
}

/* ---- survivors ------------------------------------------------------------------------ */

/* An observer is never taken for one that counts: that is the waiter alone. */
static void check_workers(void)
{
	struct aioevt_shm_event_info info;

	if (!(flags & AIOEVT_SHM_OBSERVE))
		return;
	check_eq(aioevt_shm_event_get_info(crew.event, &info), 0);
	check_eq(info.n_listeners - info.n_observers, 1);
}

/* What a dead one held is held no more, at once: before anyone reaps it. */
static void after_listener(void)
{
	if (!crew.bus)
		return;
	crew.may_hold = false;
	crew_emit();
	crew_laps();
	check(!crew.is_held || flags & AIOEVT_SHM_RELIABLE);
}

/* Only a stopped one may hold up emitters. */
static void survive_listener(void)
{
	crew.may_hold = flags & AIOEVT_SHM_RELIABLE && freeze_point.mode != FREEZE_KILL;
	check_workers();
	crew_go_on();
}

/* It came to the end of listen(): from here on it must not be overtaken. */
static void emit_to_it(void)
{
	freeze_told->value[0] = crew.n;
	crew.may_hold = flags & AIOEVT_SHM_RELIABLE;
	crew_laps();
	if (flags & AIOEVT_SHM_RELIABLE)
		check(crew.is_held);
	else
		crew_rest();
	freeze_told->value[1] = crew.n;
}

/* All that was emitted since: told as read or, if lossy, as missed. */
static void verify_reads_all(void)
{
	static _Alignas(8) unsigned char buf[FREEZE_LARGE + 8];
	struct aioevt_shm_sub *which;
	struct aioevt_shm_record r;
	uint64_t next = 0;

	check_eq(freeze_told->err, 0);
	while (next <= freeze_told->value[1]) {
		const struct payload *p = (void *)buf;

		check_eq(aioevt_shm_wait(victim.listener, now_ns() + FREEZE_BOUND, &which), 0);
		check_eq(aioevt_shm_read(which, &r, 1, buf, sizeof(buf)), 1);
		payload_check(p, r.size);
		check_eq(p->who, SURVIVOR);
		/* What it missed while the call lasted, it is told. */
		if (!next && flags & AIOEVT_SHM_RELIABLE)
			check(p->n <= freeze_told->value[0] + 1);
		else if (!next)
			check(p->n - r.missed <= freeze_told->value[0] + 1);
		else
			check_eq(p->n, next + r.missed);
		if (next && flags & AIOEVT_SHM_RELIABLE)
			check_eq(r.missed, 0);
		next = p->n + 1;
	}
	check_eq(aioevt_shm_wait(victim.listener, 0, &which), -ETIMEDOUT);
}

static void verify_gone(void)
{
	check_eq(freeze_told->err, 0);
}

/* It let go: nobody holds up anyone, dead or alive. */
static void emit_past_it(void)
{
	crew.may_hold = false;
	crew_laps();
}

/* ---- the operations -------------------------------------------------------------------- */

static void listener_comes_and_goes(void)
{
	struct freeze op = {
		.what = "listener new", .ready = ready_new, .act = new_listener,
		.verify = verify_gone,
	};

	freeze_run(&op);
	op.what = "listener free";
	op.ready = ready_listener;
	op.act = free_listener;
	freeze_run(&op);
	op.what = "listener free, with a reliable sub";
	pattern = "frozen";
	flags = AIOEVT_SHM_RELIABLE;
	op.ready = ready_sub;
	op.survive = survive_listener;
	op.finished = emit_past_it;
	op.after = after_listener;
	freeze_run(&op);
}

static void sub_comes_and_goes(const char *what_comes, const char *what_goes,
			       const char *which, uint32_t how)
{
	struct freeze op = {
		.what = what_comes, .ready = ready_listener, .act = subscribe,
		.verify = verify_reads_all, .survive = survive_listener,
		.finished = emit_to_it, .after = after_listener, .share = 2,
	};

	pattern = which;
	flags = how;
	freeze_run(&op);
	op.what = what_goes;
	op.ready = ready_sub;
	op.act = unsubscribe;
	op.verify = verify_gone;
	op.finished = emit_past_it;
	if (what_goes)
		freeze_run(&op);
}

int main(void)
{
	struct crew_config config = CREW_CONFIG(FREEZE_SMALL, .flags = 0);

	freeze_begin();
	crew_begin(&config);
	sub_comes_and_goes("register reliable", "unregister reliable", "frozen",
			   AIOEVT_SHM_RELIABLE);
	sub_comes_and_goes("register lossy", "unregister lossy", "frozen", 0);
	sub_comes_and_goes("register observer", "unregister observer", "frozen",
			   AIOEVT_SHM_OBSERVE);
	sub_comes_and_goes("register by pattern", NULL, "*", 0);
	sub_comes_and_goes("register reliable by pattern", NULL, "*", AIOEVT_SHM_RELIABLE);
	listener_comes_and_goes();
	crew_end();
	return freeze_end();
}
