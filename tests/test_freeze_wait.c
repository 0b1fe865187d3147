/* SPDX-License-Identifier: MIT */
/*
 * A waiter that is killed, or stopped, at each instruction of a wait: arming, sleeping, being
 * woken, timing out, with its own bell and with one that it shares; of reading; an
 * emitter that waits for room; and who calls one of several sleepers, or emits while somebody
 * does. The other waiter of the event is woken by each record all the same, and the victim, if it
 * goes on, gets what came, or is told how much it missed.
 */
#include "freeze.h"

#include <sched.h>

#define PATIENCE	(60 * MS)	/* of a wait that nothing ends: stepped, it is slow */

static uint32_t flags;
static uint64_t deadline_ns;
static bool has_own_bell;		/* it listens to a second event, too */

static void ready(void)
{
	victim_attach();
	victim.listener = listener_of(victim.bus);
	victim.sub = sub_of(victim.listener, "frozen", flags);
	if (has_own_bell)
		sub_of(victim.listener, "second.event", 0);
	victim.listener->recheck_at = now_ns() + FREEZE_BOUND;
}

static void wait_for_it(void)
{
	struct aioevt_shm_sub *which;

	freeze_told->err = aioevt_shm_wait(victim.listener,
					   deadline_ns ? now_ns() + deadline_ns :
							 AIOEVT_SHM_NO_DEADLINE, &which);
}

/* It has slept: here is a record. */
static void wake_it(void)
{
	crew_emit();
}

/* Before it can go on there must be something to read, if it waits for ever. */
static void survive(void)
{
	crew.may_hold = flags & AIOEVT_SHM_RELIABLE && freeze_point.mode != FREEZE_KILL;
	freeze_told->value[0] = crew.n;
	crew_go_on();
	freeze_told->value[1] = crew.n;
}

static void after(void)
{
	if (has_own_bell)
		check_eq(aioevt_shm_event_remove(crew.bus, "second.event"), 0);
	crew.may_hold = false;
	crew_emit();
	crew_laps();
}

/* All records in order up to the survivors' last, each read or told as missed. */
static void verify_reads(void)
{
	static _Alignas(8) unsigned char buf[FREEZE_LARGE + 8];
	struct aioevt_shm_record r;
	uint64_t next = freeze_told->value[2];

	check(!freeze_told->err || (deadline_ns && freeze_told->err == -ETIMEDOUT));
	while (aioevt_shm_read(victim.sub, &r, 1, buf, sizeof(buf)) == 1) {
		const struct payload *p = (void *)buf;

		payload_check(p, r.size);
		check_eq(p->who, SURVIVOR);
		check(!(flags & AIOEVT_SHM_RELIABLE) || !r.missed);
		if (next)
			check_eq(p->n, next + r.missed);
		next = p->n + 1;
	}
	check_eq(next, freeze_told->value[1] + 1);
}

static void let_it_sleep(void)
{
}

static void run_wait(const char *what, uint64_t patience, uint32_t how)
{
	struct freeze op = {
		.what = what, .ready = ready, .act = wait_for_it, .verify = verify_reads,
		.asleep = patience ? let_it_sleep : wake_it, .survive = survive, .after = after, .share = 2,
	};

	flags = how;
	deadline_ns = patience;
	freeze_run(&op);
}

/* ---- reading ----------------------------------------------------------------------------- */

static void read_one(void)
{
	static _Alignas(8) unsigned char buf[FREEZE_LARGE + 8];
	struct aioevt_shm_sub *which;
	struct aioevt_shm_record r = { 0 };
	const struct payload *p = (void *)buf;

	freeze_told->err = aioevt_shm_wait(victim.listener, AIOEVT_SHM_NO_DEADLINE, &which);
	if (!freeze_told->err &&
	    aioevt_shm_read(victim.sub, &r, 1, buf, sizeof(buf)) != 1)
		freeze_told->err = 1;
	freeze_told->value[2] = p->n + 1;
	freeze_told->value[3] = r.size;
	payload_check(p, r.size);
}

static void run_read(const char *what, uint32_t how)
{
	struct freeze op = {
		.what = what, .ready = ready, .act = read_one, .verify = verify_reads,
		.asleep = wake_it, .survive = survive, .after = after, .share = 2,
	};

	flags = how;
	deadline_ns = 0;
	freeze_run(&op);
}

/* ---- an emitter that waits for room --------------------------------------------------------- */

static struct aioevt_shm_listener *slow;
static struct aioevt_shm_sub *slow_sub;
static struct payload payload;

/* A reliable reader that reads only when it is told to: the ring is full. */
static void arrange_full(void)
{
	slow = listener_of(crew.bus);
	slow_sub = sub_of(slow, "frozen", AIOEVT_SHM_RELIABLE);
	for (unsigned i = 0; i < FREEZE_DEPTH; i++)
		crew_emit();
}

static void read_slowly(void)
{
	static _Alignas(8) unsigned char buf[FREEZE_LARGE + 8];
	struct aioevt_shm_record r;

	while (slow && aioevt_shm_read(slow_sub, &r, 1, buf, sizeof(buf)) == 1)
		check_eq(r.missed, 0);
}

static void ready_full(void)
{
	victim_open();
	payload_make(&payload, VICTIM, freeze_point.n, FREEZE_SMALL);
}

static void emit_waiting(void)
{
	freeze_told->err = aioevt_shm_emit_wait(victim.event, &payload, FREEZE_SMALL,
						AIOEVT_SHM_NO_DEADLINE, &freeze_told->seq);
}

static void survive_full(void)
{
	read_slowly();
	slow = aioevt_shm_listener_free(slow);
	crew_go_on();
}

static void verify_emitted(void)
{
	check_eq(freeze_told->err, 0);
	check(freeze_told->seq > 0);
}

static void after_full(void)
{
	crew_emit();
	crew_rest();
	if (freeze_point.mode == FREEZE_OVERTAKE || !freeze_point.inside)
		check_eq(crew_n_victim(), 1);
	check(crew_n_victim() <= 1);
}

static void run_full(void)
{
	struct freeze op = {
		.what = "emit, asleep for room", .arrange = arrange_full, .ready = ready_full,
		.act = emit_waiting, .asleep = read_slowly, .survive = survive_full,
		.verify = verify_emitted, .after = after_full, .share = 3,
	};

	freeze_run(&op);
}

/* ---- one of several sleepers is called ------------------------------------------------------ */

/* A listener that, for what others see, a thread of the victim sleeps with. */
static void ready_to_call(void)
{
	_Atomic uint32_t *bell;

	victim_open();
	victim.listener = listener_of(victim.bus);
	victim.sub = sub_of(victim.listener, "frozen", 0);
	bell = &victim.event->map->event->bell;
	atomic_store(&victim.listener->bell, bell);
	bell_arm(bell);
}

static void call_it(void)
{
	aioevt_shm_listener_wake(victim.listener);
}

static void verify_called(void)
{
	check_eq(atomic_load(&victim.listener->woken), 1);
}

static void run_call(void)
{
	struct freeze op = {
		.what = "call one of several sleepers", .ready = ready_to_call, .act = call_it,
		.verify = verify_called, .share = 3,
	};

	freeze_run(&op);
}

static void ready_to_emit(void)
{
	victim_open();
	payload_make(&payload, VICTIM, freeze_point.n, FREEZE_SMALL);
}

static void emit_it(void)
{
	freeze_told->err = aioevt_shm_emit(victim.event, &payload, FREEZE_SMALL, NULL);
}

/* Another than the waiter. A victim that goes on has to wake the waiter itself. */
static void survive_calling(void)
{
	bell_call(&crew.event->map->event->bell, listener_bit(crew.other));
	if (freeze_point.mode != FREEZE_OVERTAKE)
		crew_go_on();
}

static void await_victim(void)
{
	uint64_t start = now_ns();

	while (!crew_n_victim()) {
		check(now_ns() - start < FREEZE_BOUND);
		sched_yield();
	}
}

static void verify_emit(void)
{
	check_eq(freeze_told->err, 0);
}

static void run_emit(void)
{
	struct freeze op = {
		.what = "emit, while one sleeper is called", .ready = ready_to_emit,
		.act = emit_it, .survive = survive_calling, .finished = await_victim,
		.verify = verify_emit, .share = 3,
	};

	freeze_run(&op);
}

int main(void)
{
	struct crew_config config = CREW_CONFIG(FREEZE_SMALL, .flags = 0);
	struct crew_config company = CREW_CONFIG(FREEZE_SMALL, .company = true);

	freeze_begin();
	crew_begin(&config);
	run_wait("wait, woken by a record", 0, 0);
	run_wait("wait, reliable, woken by a record", 0, AIOEVT_SHM_RELIABLE);
	run_wait("wait, timing out", PATIENCE, 0);
	has_own_bell = true;
	run_wait("wait on two events, woken by a record", 0, 0);
	has_own_bell = false;
	run_read("wait and read", 0);
	run_read("wait and read, reliable", AIOEVT_SHM_RELIABLE);
	run_full();
	crew_end();
	crew_begin(&company);
	run_call();
	run_emit();
	crew_end();
	return freeze_end();
}
