/* SPDX-License-Identifier: MIT */
/*
 * Who schedules an emission, fires one or cancels one is killed, or stopped, at each instruction of
 * that. What was scheduled is emitted exactly once, or was cancelled; others go round the ring
 * of the event meanwhile; and in the end the table of timers is empty.
 */
#include "freeze.h"

#include "port.h"
#include "timer.h"

#define FAR_MS		(24 * 3600 * 1000u)
#define SOON_MS		2u
#define SAMPLE		"2"		/* of eight operations, see freeze.h */

static uint32_t size;
static bool is_asleep;

/* The test's own: an event that is not the crew's, and a listener that reads it all. */
static struct aioevt_shm_event *timed;
static struct aioevt_shm_listener *reader;
static struct aioevt_shm_sub *read_sub;
static struct payload payload;
static unsigned n_read;			/* records of this point's victim */
static uint64_t n_emitted, n_seen;	/* and of the test itself */
static bool must_come;

/* ---- looking ------------------------------------------------------------------------------ */

/* A timer that is pending: how many, and the last of them. */
static unsigned pending(struct timer_look *ret_look)
{
	struct timer_look look;
	unsigned n = 0;

	for (uint32_t i = 0; i < bus_timers_used(crew.bus); i++)
		if (timer_look(crew.bus, i, &look)) {
			*ret_look = look;
			n++;
		}
	return n;
}

/* Its payload is whole. */
static void check_whole(const struct timer_look *look)
{
	static struct payload p;

	check_eq(look->size, size);
	check_eq(timer_read(crew.bus, look, &p), 0);
	payload_check(&p, look->size);
	check_eq(p.n, freeze_point.n);
}

/* Not by waiting: that would fire what is due. */
static void read_all(void)
{
	static _Alignas(8) unsigned char buf[FREEZE_LARGE + 8];
	const struct payload *p = (void *)buf;
	struct aioevt_shm_record r;

	while (aioevt_shm_read(read_sub, &r, 1, buf, sizeof(buf)) == 1) {
		check_eq(r.missed, 0);
		payload_check(p, r.size);
		if (p->who == VICTIM) {
			check_eq(p->n, freeze_point.n);
			n_read++;
		} else {
			check_eq(p->n, ++n_seen);
		}
	}
}

/* Two laps and more of the ring of "timed". */
static void lap_timed(void)
{
	static struct payload p;

	for (unsigned i = 0; i < 3 * FREEZE_DEPTH; i++) {
		payload_make(&p, SURVIVOR, ++n_emitted, FREEZE_SMALL);
		in_bound(check_eq(aioevt_shm_emit(timed, &p, FREEZE_SMALL, NULL), 0));
		/* it may have to give up the victim first */
		in_bound(while (n_seen < n_emitted) read_all());
	}
}

static void reap_it(void)
{
	bus_lock(crew.bus);
	port_reap_all(crew.bus);
	bus_unlock(crew.bus);
}

/* As a listener does at its re-check, until all is fired. */
static void fire_all(void)
{
	struct aioevt_shm_sub *which;
	uint64_t start = now_ns();
	struct timer_look look;

	while (pending(&look)) {
		check(now_ns() - start < FREEZE_BOUND);
		reader->recheck_at = 0;
		check(aioevt_shm_wait(reader, 0, &which) != -EPROTO);
		read_all();
	}
}

static void arrange(void)
{
	n_read = 0;
	must_come = false;
	payload_make(&payload, VICTIM, freeze_point.n, size);
}

/* ---- scheduling ------------------------------------------------------------------------------ */

static uint64_t due;			/* of what is scheduled: far, or at once */

static void schedule(void)
{
	freeze_told->err = aioevt_shm_emit_after(victim.bus, "timed", &payload, size, due,
						 &freeze_told->seq);
}

static void survive_schedule(void)
{
	struct timer_look look;

	read_all();
	check(pending(&look) <= 1);
	if (pending(&look)) {
		check_whole(&look);
		must_come = true;
	}
	must_come |= n_read;
	crew_go_on();
	lap_timed();
}

static void verify_scheduled(void)
{
	check_eq(freeze_told->err, 0);
	check(freeze_told->seq > 0);
}

/* It is far away: it is there, or it is not. */
static void after_far(void)
{
	struct timer_look look;
	unsigned n = pending(&look);

	check_eq(n, must_come || !freeze_told->err);
	check_eq(n_read, 0);
	if (!n)
		return;
	check_whole(&look);
	check(freeze_told->err || look.id == freeze_told->seq);
	reap_it();
	check_eq(due_ticks(timer_due(timed->map->event)), look.due >> DUE_TICK_SHIFT);
	check_eq(aioevt_shm_cancel(crew.bus, look.id), 0);
	check_eq(aioevt_shm_cancel(crew.bus, look.id), -ENOENT);
}

static void after_fired(void)
{
	reap_it();
	fire_all();
	lap_timed();
	check_eq(n_read, must_come || !freeze_told->err);
}

static void run_schedule(const char *what, uint32_t how_large, bool at_once)
{
	struct freeze op = {
		.what = what, .arrange = arrange, .ready = victim_attach, .act = schedule,
		.survive = survive_schedule, .verify = verify_scheduled,
		.after = at_once ? after_fired : after_far,
	};

	size = how_large;
	due = at_once ? 0 : in_ms(FAR_MS);
	freeze_run(&op);
}

/* ---- firing ----------------------------------------------------------------------------------- */

static bool is_scheduled;

/* It is due when the victim, which listens already, comes to look. Or it is asleep by then. */
static void ready_to_fire(void)
{
	victim_attach();
	victim.listener = listener_of(victim.bus);
	victim.sub = sub_of(victim.listener, "timed", 0);
	if (!is_asleep) {
		check_eq(aioevt_shm_emit_after(victim.bus, "timed", &payload, size,
					       in_ms(SOON_MS), NULL), 0);
		pass_ms(SOON_MS + 1);
	}
	victim.listener->recheck_at = now_ns() + FREEZE_BOUND;
}

static void wait_for_it(void)
{
	struct aioevt_shm_sub *which;

	freeze_told->err = aioevt_shm_wait(victim.listener, AIOEVT_SHM_NO_DEADLINE, &which);
}

/* It sleeps: here is something to wake for. */
static void schedule_for_it(void)
{
	if (is_scheduled)
		return;
	check_eq(aioevt_shm_emit_after(crew.bus, "timed", &payload, size, in_ms(SOON_MS), NULL),
		 0);
	is_scheduled = must_come = true;
}

static void arrange_fire(void)
{
	arrange();
	is_scheduled = false;
}

static void survive_fire(void)
{
	struct timer_look look;

	read_all();
	must_come |= !is_asleep;
	if (pending(&look))
		check_whole(&look);
	crew_go_on();
	lap_timed();
}

static void verify_fired(void)
{
	static _Alignas(8) unsigned char buf[FREEZE_LARGE + 8];
	struct aioevt_shm_record r;

	check_eq(freeze_told->err, 0);
	check_eq(aioevt_shm_read(victim.sub, &r, 1, buf, sizeof(buf)), 1);
	payload_check((void *)buf, r.size);
}

/* One that is scheduled comes once, whether the wait was for it or not. */
static void after_woken(void)
{
	reap_it();
	fire_all();
	lap_timed();
	check_eq(n_read, must_come);
}

static void run_fire(const char *what, uint32_t how_large, bool asleep)
{
	struct freeze op = {
		.what = what, .arrange = arrange_fire, .ready = ready_to_fire,
		.act = wait_for_it, .asleep = asleep ? schedule_for_it : NULL,
		.survive = survive_fire, .verify = verify_fired, .after = after_woken,
	};

	size = how_large;
	is_asleep = asleep;
	freeze_run(&op);
}

/* ---- cancelling --------------------------------------------------------------------------------- */

static uint64_t id;

static void arrange_cancel(void)
{
	arrange();
	check_eq(aioevt_shm_emit_after(crew.bus, "timed", &payload, size, in_ms(FAR_MS), &id), 0);
}

static void cancel(void)
{
	freeze_told->err = aioevt_shm_cancel(victim.bus, id);
}

static void verify_cancelled(void)
{
	check_eq(freeze_told->err, 0);
}

static void after_cancel(void)
{
	int r;

	reap_it();
	r = aioevt_shm_cancel(crew.bus, id);
	check(r == -ENOENT || (!r && freeze_told->err));
	/* a due that is too low costs one look */
	fire_all();
	reader->recheck_at = 0;
	check_eq(aioevt_shm_wait(reader, 0, &read_sub), -ETIMEDOUT);
	timer_mend(crew.bus, timed->map->ref.index, timed->map->ref.generation);
	check_eq(n_read, 0);
}

static void run_cancel(const char *what, uint32_t how_large)
{
	struct freeze op = {
		.what = what, .arrange = arrange_cancel, .ready = victim_attach, .act = cancel,
		.verify = verify_cancelled, .after = after_cancel,
	};

	size = how_large;
	freeze_run(&op);
}

int main(void)
{
	struct crew_config config = CREW_CONFIG(FREEZE_SMALL, .flags = 0);

	if (!FREEZE_SANITIZED)
		setenv("FREEZE", SAMPLE, 0);
	freeze_begin();
	crew_begin(&config);
	timed = event_of(crew.bus, "timed");
	reader = listener_of(crew.bus);
	read_sub = sub_of(reader, "timed", 0);
	run_fire("fire", FREEZE_SMALL, false);
	run_fire("fire, large", FREEZE_LARGE, false);
	run_fire("sleep, wake when it is due, fire", FREEZE_SMALL, true);
	/* 20 times as many instructions, most of them of opening an event: test_freeze_registry */
	if (!FREEZE_SANITIZED || getenv("FREEZE")) {
		run_schedule("emit after", FREEZE_SMALL, false);
		run_schedule("emit after, large", FREEZE_LARGE, false);
		run_schedule("emit after, due at once", FREEZE_SMALL, true);
	}
	run_cancel("cancel", FREEZE_SMALL);
	run_cancel("cancel, large", FREEZE_LARGE);
	aioevt_shm_listener_free(reader);
	aioevt_shm_event_close(timed);
	crew_end();
	return freeze_end();
}
