/* SPDX-License-Identifier: MIT */
/*
 * An attempt to fire a timer that stands still at each of its steps, dead or alive, is decided by
 * whoever comes by: a listener, an emitter that goes round the ring, the reaper, who cancels. The
 * timer is emitted exactly once, or cancelled, also if the one who stood still goes on.
 */
#include "bus.h"

#include "../shm/bus.h"
#include "listener.h"
#include "port.h"
#include "timer.h"

#define DEPTH		8u
#define NOISE		UINT64_C(1000)

/* How far it came; REVOKED: begun, then given up by a reader; CARRIED: and by who lapped it. */
enum step { HELD, CLAIMED, BEGUN, REVOKED, CARRIED, COMMITTED, N_STEPS };
enum by { LISTENER, EMITTER, REAPER, CANCELLER, N_BYS };

static const char *const step_names[] = { "held", "claimed", "begun", "revoked", "carried",
					  "committed" };
static const char *const by_names[] = { "a listener", "an emitter", "the reaper", "a canceller" };

struct attempt {
	enum step step;
	uint64_t id;
};

static struct aioevt_shm *bus;

static void claim_number(struct aioevt_shm_event *ev, struct claim *claim, uint64_t value)
{
	uint64_t old;

	do {
		check_eq(ring_next(ev->bus, ev->ring, claim, &old), 0);
	} while (!ring_claim(ev->ring, ev->bus->port_index, claim, old));
	ring_fill(ev->ring, claim, 0, &value, sizeof(value));
}

/* By hand: as attempt() in timer-fire.c, up to the step. Then go on, when told to. */
static int firer(struct child *me, void *arg)
{
	const struct attempt *a = arg;
	struct aioevt_shm *mine = bus_open(NULL);
	struct aioevt_shm_event *ev;
	struct timer_look look;
	struct firing f;
	struct claim claim = { 0 };
	uint64_t head;
	bool begun = false, done = false;

	/* without firing what is overdue */
	check_eq(aioevt_shm_event_open(mine, "event", AIOEVT_SHM_EXISTING, &ev), 0);
	check(timer_look(mine, (uint32_t)(a->id & TIMER_INDEX_MASK) - 1, &look));
	f = (struct firing){
		.map = ev->map, .timer = bus_timer(mine, look.index), .state = look.state,
		.word = firing_word(timer_version(look.state), mine->port_index, look.index),
	};
	head = atomic_load(&ev->ring->header->head);
	atomic_store(&ev->map->event->fire_from, head_seq(head));
	atomic_store(&ev->map->event->firing, f.word);
	atomic_fetch_add(&ev->map->ctl->epoch, 1);
	if (a->step >= CLAIMED)
		claim_number(ev, &claim, 1);
	if (a->step >= BEGUN)
		begun = firing_begin(&f, claim.seq);
	if (a->step == REVOKED || a->step == CARRIED)
		ring_revoke(ev->ring, claim.seq, claim.state, false);
	if (a->step == COMMITTED)
		done = ring_commit(ev->ring, &claim);
	say(me, 'r');
	hear(me);
	if (a->step >= CLAIMED && !begun)
		check(!firing_begin(&f, claim.seq));	/* decided before */
	if (a->step >= CLAIMED && !done) {
		check(!begun || !ring_commit(ev->ring, &claim));
		ring_withdraw(ev->ring, &claim);
	}
	aioevt_shm_event_close(ev);
	aioevt_shm_close(mine);
	return 0;
}

static void read_all(struct aioevt_shm_sub *sub, unsigned *n)
{
	struct aioevt_shm_record record;
	uint64_t value;

	while (read_u64(sub, &record, &value) == 1) {
		check_eq(record.missed, 0);
		*n += value == 1;
	}
}

static void lap(struct aioevt_shm_event *ev, struct aioevt_shm_sub *sub, unsigned n_laps,
		unsigned *n)
{
	for (unsigned i = 0; i < n_laps * DEPTH; i++) {
		uint64_t seq = emit_u64(ev, NOISE);

		/* what is being written is given up after a moment */
		while (sub->pos <= seq_from_user(&bus->lo, seq))
			read_all(sub, n);
	}
}

static void reap_all(void)
{
	bus_lock(bus);
	port_reap_all(bus);
	bus_unlock(bus);
}

/* The listener fires what is due, after its patience. */
static void fire_all(struct aioevt_shm_listener *l, struct aioevt_shm_sub *sub, uint64_t id,
		     unsigned *n)
{
	struct aioevt_shm_sub *which;
	struct timer_look look;

	while (timer_look(bus, (uint32_t)(id & TIMER_INDEX_MASK) - 1, &look) && look.id == id) {
		int r = aioevt_shm_wait(l, in_ms(1), &which);

		check(!r || r == -ETIMEDOUT);
		read_all(sub, n);
	}
}

static bool is_firing(struct aioevt_shm_event *ev)
{
	return atomic_load(&ev->map->event->firing);
}

static void run(enum step step, enum by by, bool killed)
{
	struct aioevt_shm_listener *l = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(l, "event", 0);
	struct aioevt_shm_event *ev = event_of(bus, "event");
	struct attempt a = { .step = step };
	struct child child;
	uint64_t value = 1;
	unsigned n = 0;
	int cancelled = -ENOENT;

	fprintf(stderr, "%s, %s, decided by %s\n", step_names[step], killed ? "killed" : "stopped",
		by_names[by]);
	check_eq(aioevt_shm_emit_after(bus, "event", &value, sizeof(value),
				       in_ms(by == LISTENER ? 1 : 3600000), &a.id), 0);
	child = spawn(firer, &a);
	check_eq(hear(&child), 'r');
	if (killed)
		kill_child(&child);
	if (step == CARRIED)
		lap(ev, sub, 1, &n);	/* so that the next lap pins it */
	switch (by) {
	case LISTENER:
		fire_all(l, sub, a.id, &n);
		break;
	case EMITTER:
		lap(ev, sub, 3, &n);
		break;
	case REAPER:
		reap_all();
		break;
	default:
		cancelled = aioevt_shm_cancel(bus, a.id);
		check_eq(cancelled, step == COMMITTED ? -ENOENT : 0);
	}
	if (by != REAPER || killed)
		check(!is_firing(ev) || (by == CANCELLER && step <= CLAIMED));
	if (!killed && by != REAPER) {
		say(&child, 'g');	/* it goes on, too late */
		end_child(&child);
	} else if (!killed) {
		kill_child(&child);	/* alive it was left alone */
	}
	lap(ev, sub, 3, &n);
	reap_all();
	/* What was not fired yet is there still, and can be cancelled. */
	check_eq(n, step == COMMITTED || by == LISTENER);
	if (!n && by != CANCELLER)
		check_eq(aioevt_shm_cancel(bus, a.id), 0);
	check_eq(aioevt_shm_cancel(bus, a.id), -ENOENT);
	check(!is_firing(ev));
	for (uint32_t i = 0; i < DEPTH; i++) {
		uint32_t phase = slot_phase(atomic_load(&ring_slot(ev->ring, i)->state));

		check(phase == SLOT_COMMITTED || phase == SLOT_VOID);
	}
	aioevt_shm_event_close(ev);
	aioevt_shm_listener_free(l);
}

int main(void)
{
	bus_begin();
	bus = bus_small(DEPTH);
	for (enum step step = 0; step < N_STEPS; step++)
		for (enum by by = 0; by < N_BYS; by++) {
			run(step, by, true);
			run(step, by, false);
		}
	aioevt_shm_close(bus);
	return bus_end();
}
