/* SPDX-License-Identifier: MIT */
/*
 * Listeners: taken from the table of the bus, and waiting for any number of events at one
 * futex. How an emitter wakes one, and why no wake is lost, is told in bell.c.
 *
 * The news are a hint about where to look. A listener of few subs does not use them: it
 * looks at each ring. One of many subs looks at the rings whose bit it took, and once a
 * second at all of them.
 *
 * Ordering
 *   listener_sleep:A,C, take_news:A,B   see bell.c, which has bell_arm too.
 *   listener_take:A / listener_free:A   acq_rel: a listener is taken when all that its last
 *       owner did with it is done.
 * Progress  aioevt_shm_wait sleeps; whoever stops does not stop others.
 * Crash     a listener that was killed stays taken until its port is reaped.
 */
#include "listener.h"

#include <errno.h>
#include <stdlib.h>

#include "bus.h"
#include "clock.h"
#include "due.h"
#include "futex.h"
#include "port.h"
#include "rest.h"
#include "retune.h"

#define BUSY_STREAK	8u		/* records in a row that make a stream */
#define BATCH_PAUSE	2u		/* records at a time that make it worth to wait for more */
#define PAUSE_NS	2000u
#define BATCH_STREAM	64u		/* a reader that keeps off takes them in larger batches */
#define STREAM_PAUSE_NS	5000u
#define LOOK_EVERY	16u		/* waits that find a record at once, and a look at the clock */

/* ---- making and freeing --------------------------------------------------------------- */

/* Take a free listener of the table. Returns 0 or -EUSERS. */
static int listener_take(struct aioevt_shm *bus, uint32_t *ret_index)
{
	for (uint32_t l = 0; l < bus->lo.n_listeners; l++) {
		struct listener *sh = bus_listener(bus, l);
		uint32_t none = 0;

		/* listener_take:B  relaxed: only the CAS below decides */
		if (atomic_load_explicit(&sh->owner, memory_order_relaxed))
			continue;
		/* before, so that whoever is killed in between is still found */
		bus_raise(&bus->header->listeners_hw, l + 1);
		/* listener_take:A  acq_rel, pairs with listener_free:A, listener_is_dead:A */
		if (!atomic_compare_exchange_strong_explicit(&sh->owner, &none,
				bus->port_index + 1, memory_order_acq_rel,
				memory_order_relaxed))
			continue;
		*ret_index = l;
		return 0;
	}
	return -EUSERS;
}

int aioevt_shm_listener_new(struct aioevt_shm *bus,
			    struct aioevt_shm_listener **ret_listener)
{
	struct aioevt_shm_listener *l;
	int err = ret_listener ? bus_check(bus) : -EINVAL;

	if (err < 0)
		return err;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->bus = bus;
	l->by_event = calloc(bus->lo.n_events, sizeof(*l->by_event));
	err = l->by_event ? bus_result(bus, listener_take(bus, &l->index)) : -ENOMEM;
	if (err == -EUSERS) {
		bus_lock(bus);
		port_reap_all(bus);	/* or another did it meanwhile */
		err = listener_take(bus, &l->index);
		bus_unlock(bus);
	}
	if (err < 0) {
		free(l->by_event);
		free(l);
		return err;
	}
	l->shared = bus_listener(bus, l->index);
	l->recheck_at = clock_ns(CLOCK_MONOTONIC) + RECHECK_NS;
	l->due = NO_DUE;
	TAILQ_INIT(&l->subs);
	TAILQ_INIT(&l->ready);
	TAILQ_INIT(&l->idle);
	/* handles:C  relaxed: as handles:A */
	atomic_fetch_add_explicit(&bus->n_handles, 1, memory_order_relaxed);
	*ret_listener = l;
	return 0;
}

struct aioevt_shm_listener *aioevt_shm_listener_free(struct aioevt_shm_listener *l)
{
	struct aioevt_shm_sub *sub;

	if (!l)
		return NULL;
	pattern_drop_all(l);
	while ((sub = TAILQ_FIRST(&l->subs)))
		aioevt_shm_sub_close(sub);
	if (bus_check(l->bus) != -ECHILD) {
		/* listener_free:A  release, pairs with listener_take:A */
		atomic_store_explicit(&l->shared->owner, 0, memory_order_release);
		/* handles:D  relaxed: as handles:A */
		atomic_fetch_sub_explicit(&l->bus->n_handles, 1, memory_order_relaxed);
	}
	free(l->by_event);
	free(l->seen);
	free(l);
	return NULL;
}

void aioevt_shm_listener_set_spin(struct aioevt_shm_listener *l, uint64_t always_ns,
				  uint64_t busy_ns)
{
	if (!l)
		return;
	l->spin_always = always_ns;
	l->spin_busy = busy_ns;
}

/* ---- waiting -------------------------------------------------------------------------- */

static bool few(const struct aioevt_shm_listener *l)
{
	return l->n_subs <= FEW_SUBS;
}

static void take_news(struct aioevt_shm_listener *l)
{
	uint32_t n_words = (bus_events_used(l->bus) + 63) / 64;

	for (uint32_t w = 0; w < n_words; w++) {
		uint64_t bits;

		/* take_news:A  seq_cst, pairs with ring_one:B */
		if (!atomic_load(&l->shared->news[w]))
			continue;
		/* take_news:B  seq_cst, pairs with ring_one:A: the rings are looked at after */
		bits = atomic_exchange(&l->shared->news[w], 0);
		for (; bits; bits &= bits - 1) {
			uint32_t i = w * 64 + (uint32_t)__builtin_ctzll(bits);

			if (l->by_event[i])
				sub_mark_ready(l->by_event[i]);
		}
	}
}

/*
 * No sub can go on, and each has failed since the last re-check with such an error as @err. That is
 * told once: a caller that waits again sleeps until the next.
 */
static int tell_stuck(struct aioevt_shm_listener *l, int err)
{
	if (l->patterns || l->told_at == l->recheck_at)
		return 0;
	l->told_at = l->recheck_at;
	return err;
}

/*
 * Look at what may have news. Returns 1 and a sub that has a record, 0 or an error;
 * *ret_busy is when to look again at one that is being written.
 */
static int poll_subs(struct aioevt_shm_listener *l, struct aioevt_shm_sub **ret_sub,
		     uint64_t *ret_busy)
{
	struct aioevt_shm_sub *sub, *next;
	unsigned n_stuck = 0;
	uint64_t state;
	int look, stuck = 0, err = 0;

	*ret_busy = UINT64_MAX;
	if (l->patterns && !l->keeps_subs)
		err = pattern_scan(l, false);
	if (!few(l))
		take_news(l);
	for (sub = TAILQ_FIRST(&l->ready); sub; sub = next) {
		next = TAILQ_NEXT(sub, ready);
		listener_note_due(l, sub);
		look = sub_look(sub, &state);
		if (look == -EPIPE && l->keeps_subs)
			continue;	/* the next wait closes it */
		if (look == -EPIPE) {
			aioevt_shm_sub_close(sub);
			next = TAILQ_FIRST(&l->ready);	/* the list may be another now */
			continue;
		}
		if (look < 0 && sub->stuck) {
			stuck = look;
			n_stuck++;
			continue;
		}
		if (look < 0) {
			err = look;	/* told if no other has a record */
			continue;
		}
		if (look == LOOK_RECORD) {
			TAILQ_REMOVE(&l->ready, sub, ready);
			TAILQ_INSERT_TAIL(&l->ready, sub, ready);
			*ret_sub = sub;
			return 1;
		}
		if (look == LOOK_BUSY) {
			if (sub->busy_since + GRACE_NS < *ret_busy)
				*ret_busy = sub->busy_since + GRACE_NS;
			continue;
		}
		sub_publish(sub);
		if (!few(l)) {
			TAILQ_REMOVE(&l->ready, sub, ready);
			sub->is_ready = false;
			sub_idle(sub);
		}
	}
	if (!err && n_stuck && n_stuck == l->n_subs)
		err = tell_stuck(l, stuck);
	return bus_result(l->bus, err);
}

/* Once a second: what no wake tells. */
static int recheck(struct aioevt_shm_listener *l)
{
	struct aioevt_shm_sub *sub;
	int err;

	l->recheck_at = clock_ns(CLOCK_MONOTONIC) + RECHECK_NS;
	bus_recheck(l->bus, clock_ns(CLOCK_REALTIME_COARSE));
	err = bus_check(l->bus);
	if (err < 0)
		return err;
	TAILQ_FOREACH(sub, &l->subs, all)
		if (sub_peek(sub))
			sub_mark_ready(sub);
	bus_lock(l->bus);
	port_reap_next(l->bus);
	bus_unlock(l->bus);
	listener_heal_timers(l);
	return l->patterns ? pattern_scan(l, true) : bus_check(l->bus);
}

static int recheck_if_due(struct aioevt_shm_listener *l)
{
	return clock_has_reached(l->recheck_at) ? recheck(l) : 0;
}

/* A few microseconds without touching the line that the emitter writes to. */
static uint64_t pause_for(uint64_t now, uint64_t ns)
{
	uint64_t until = now + ns;

	while ((now = clock_ns(CLOCK_MONOTONIC)) < until)
		cpu_relax();
	return now;
}

/*
 * Is it time to poll? A cheap look at the one place where the next record can come: one
 * that is being written is not there yet, and asking the clock about it would be late.
 */
static bool may_read(struct aioevt_shm_listener *l)
{
	struct aioevt_shm_sub *sub = TAILQ_FIRST(&l->ready);
	enum ring_look look;
	uint64_t state;

	if (l->n_subs != 1 || l->patterns || !sub || sub->is_detached)
		return true;
	look = ring_look(sub->ring, sub->pos, &state);
	return look != LOOK_EMPTY && look != LOOK_BUSY;
}

static int spin(struct aioevt_shm_listener *l, uint64_t budget, unsigned batch,
		uint64_t deadline, struct aioevt_shm_sub **ret_sub)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC), until = now + budget, busy;
	int r = 0;

	if (until < now || until > deadline)
		until = deadline;
	if (until > l->due)
		until = l->due;
	while (!r && now < until) {
		if (batch >= BATCH_PAUSE) {
			now = pause_for(now, batch >= BATCH_STREAM ? STREAM_PAUSE_NS : PAUSE_NS);
			r = poll_subs(l, ret_sub, &busy);
			continue;
		}
		for (int i = 0; i < 64 && !may_read(l); i++)
			cpu_relax();
		r = poll_subs(l, ret_sub, &busy);
		if (!r)
			now = clock_ns(CLOCK_MONOTONIC);
	}
	return r;
}

static bool has_company(const struct aioevt_shm *bus, const struct event *ev)
{
	/* has_company:A  relaxed: a matter of speed */
	uint32_t n_words = atomic_load_explicit(&ev->n_words, memory_order_relaxed), n = 0;

	for (uint32_t w = 0; w < n_words && w < bus->lo.n_words && n < 2; w++)
		/* has_company:B  relaxed: as A */
		n += (uint32_t)__builtin_popcountll(
			atomic_load_explicit(&ev->listeners[w], memory_order_relaxed));
	return n > 1;
}

/* What to sleep on: with others on the bell of the one event I wait for, or on my own. */
static _Atomic uint32_t *find_bell(struct aioevt_shm_listener *l)
{
	struct aioevt_shm_sub *sub = TAILQ_FIRST(&l->subs);

	if (l->n_subs == 1 && !l->patterns && !sub->is_detached &&
	    has_company(l->bus, sub->ev->map->event))
		return &sub->ev->map->event->bell;
	return &l->shared->doorbell;
}

/* Does who emits ring @bell? The event may have been removed meanwhile, and be another now. */
static bool is_mine(const struct aioevt_shm_listener *l, const _Atomic uint32_t *bell)
{
	const struct aioevt_shm_sub *sub = TAILQ_FIRST(&l->subs);

	return bell == &l->shared->doorbell ||
	       (!sub->is_detached && bell == &sub->ev->map->event->bell);
}

static uint64_t earliest(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Sleep unless there is something after all. As poll_subs(). */
static int listener_sleep(struct aioevt_shm_listener *l, uint64_t until,
			  struct aioevt_shm_sub **ret_sub)
{
	_Atomic uint32_t *bell = find_bell(l);
	uint32_t armed;
	uint64_t busy;
	int r;

	/* listener_sleep:A  seq_cst, pairs with listener_wake:D */
	atomic_store(&l->bell, bell);
	armed = bell_arm(bell);
	r = poll_subs(l, ret_sub, &busy);
	/* listener_sleep:C  seq_cst, pairs with listener_wake:A */
	if (!r && !atomic_load(&l->woken) && is_mine(l, bell))
		futex_wait_bits(bell, armed, listener_bit(l), earliest(busy, until, l->due));
	/* listener_sleep:D  relaxed, pairs with listener_wake:D: awake. A waker that does not see it
	 * yet wakes nobody else; one that sees it too early comes before the next A, so C sees it */
	atomic_store_explicit(&l->bell, NULL, memory_order_relaxed);
	if (bell == &l->shared->doorbell)
		bell_disarm(bell, armed);
	return r;
}

/*
 * Woken by aioevt_shm_listener_wake()? Then look once more: what was committed before that call
 * goes first, and the next wait returns for it. As poll_subs(), or -EINTR.
 */
static int was_woken(struct aioevt_shm_listener *l, struct aioevt_shm_sub **ret_sub)
{
	uint64_t busy;
	int r;

	/* listener_wake:B  seq_cst, pairs with listener_wake:A */
	if (!atomic_load(&l->woken) || !atomic_exchange(&l->woken, 0))
		return 0;
	r = poll_subs(l, ret_sub, &busy);
	if (r > 0)
		/* listener_wake:C  seq_cst, pairs with listener_wake:B */
		atomic_store(&l->woken, 1);
	return r ? r : -EINTR;
}

/* What to spin for before sleeping. */
static uint64_t spin_budget(struct aioevt_shm_listener *l)
{
	uint64_t busy = l->streak >= BUSY_STREAK ? l->spin_busy : 0;

	return l->spin_always > busy ? l->spin_always : busy;
}

/* As poll_subs(), or -EINTR, -ETIMEDOUT. */
static int sleep_on(struct aioevt_shm_listener *l, uint64_t deadline,
		    struct aioevt_shm_sub **ret_sub)
{
	uint64_t now, until;
	int r = 0;

	while (!r) {
		now = clock_ns(CLOCK_MONOTONIC);
		if (now >= l->recheck_at) {
			r = recheck(l);
			if (!r)
				r = poll_subs(l, ret_sub, &until);
			continue;
		}
		if (now >= l->due && listener_fire(l)) {
			r = poll_subs(l, ret_sub, &until);
			continue;
		}
		r = was_woken(l, ret_sub);
		if (r)
			break;
		if (now >= deadline)
			return -ETIMEDOUT;
		until = deadline < l->recheck_at ? deadline : l->recheck_at;
		r = listener_sleep(l, until, ret_sub);
		if (!r)
			r = poll_subs(l, ret_sub, &until);
	}
	return r;
}

/* Would spinning have found it? Of a sleep as long as two spins the wake took a part. */
static bool was_short(const struct aioevt_shm_listener *l, uint64_t slept_ns)
{
	return slept_ns / 2 <= l->spin_busy;
}

static int wait_slow(struct aioevt_shm_listener *l, uint64_t deadline,
		     struct aioevt_shm_sub **ret_sub)
{
	uint64_t budget = spin_budget(l), start;
	unsigned batch = l->batch;
	int r = 0;

	l->batch = 0;
	if (budget)
		r = spin(l, budget, batch, deadline, ret_sub);
	if (r)
		return r < 0 ? r : 0;
	if (budget > l->spin_always)
		l->streak = 0;		/* in vain: begin to count again */
	start = l->spin_busy ? clock_ns(CLOCK_MONOTONIC) : 0;
	r = sleep_on(l, deadline, ret_sub);
	if (r < 0 || !l->spin_busy || !was_short(l, clock_ns(CLOCK_MONOTONIC) - start))
		l->streak = 0;
	return r < 0 ? r : 0;
}

int aioevt_shm_wait(struct aioevt_shm_listener *l, uint64_t deadline,
		    struct aioevt_shm_sub **ret_sub)
{
	uint64_t busy;
	int r;

	if (__builtin_expect(!l || !ret_sub, 0))
		return -EINVAL;
	r = bus_check(l->bus);
	if (!r && l->last_read)
		listener_come_back(l);
	if (!r && (!deadline || ++l->n_waits % LOOK_EVERY == 0))
		r = recheck_if_due(l);
	if (__builtin_expect(!r && l->due != NO_DUE, 0))
		listener_fire(l);
	if (!r)
		r = poll_subs(l, ret_sub, &busy);
	/* that look may have been the first to see that something is due */
	if (!r && !deadline && l->due != NO_DUE && listener_fire(l))
		r = poll_subs(l, ret_sub, &busy);
	if (!r)
		r = was_woken(l, ret_sub);
	if (!r && deadline)
		return wait_slow(l, deadline, ret_sub);
	if (r > 0)
		l->batch = 0;
	r = r < 0 ? r : r ? 0 : -ETIMEDOUT;
	return bus_result(l->bus, r);
}

int listener_look(struct aioevt_shm_listener *l, struct aioevt_shm_sub **ret_sub)
{
	uint64_t busy;
	int r = bus_check(l->bus);

	if (r < 0)
		return r;
	l->keeps_subs = true;
	r = poll_subs(l, ret_sub, &busy);
	l->keeps_subs = false;
	return r < 0 ? r : r ? 0 : -ETIMEDOUT;
}

int listener_arm(struct aioevt_shm_listener *l, struct aioevt_shm_sub **ret_sub,
		 struct bell_watch *ret_watch)
{
	_Atomic uint32_t *bell = &l->shared->doorbell;
	struct bell_watch watch = { .word = bell };
	uint64_t busy;
	int r = aioevt_shm_wait(l, 0, ret_sub);

	if (r != -ETIMEDOUT)
		return r;
	/* listener_arm:A  seq_cst, pairs with listener_wake:D */
	atomic_store(&l->bell, bell);
	watch.value = bell_arm(bell);
	r = poll_subs(l, ret_sub, &busy);
	/* listener_arm:B  seq_cst, pairs with listener_wake:A */
	if (r || atomic_load(&l->woken)) {
		bell_disarm(bell, watch.value);
		return r < 0 ? r : r ? 0 : aioevt_shm_wait(l, 0, ret_sub);
	}
	watch.until = earliest(busy, l->recheck_at, l->due);
	*ret_watch = watch;
	return -ETIMEDOUT;
}
