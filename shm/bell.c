/* SPDX-License-Identifier: MIT */
/*
 * Bells: what listeners sleep on, as who rings them sees it.
 *
 *   event->listeners   a bit for each listener of the event      set and cleared by it
 *   listener->news     a bit for each event that may have news   set by emitters,
 *                                                                taken by the listener
 *   listener->doorbell its own bell, one futex for any number of events
 *   event->bell        shared by listeners that wait for this event and no other: however
 *                      many they are, one system call wakes them
 *
 * A bell is generation << 1 | BELL_ARMED. A sleeper arms it (bell_arm), looks once more, and
 * sleeps as long as it holds the value that arming gave. Who rings (bell_ring) moves it on by
 * a CAS to the next generation, not armed, and wakes all who sleep. Why a generation: of two
 * sleepers one has looked and is about to sleep, the bell is rung, the other arms it again:
 * were it but a bit, the first would sleep through. (After 2^31 rings between two of its
 * instructions it would, until its re-check.) Why no count of sleepers: a killed one would
 * leave it too high for ever; an armed bell that nobody sleeps on costs one spare wake.
 * A sleeper that leaves disarms its own doorbell, but not the bell of an event: others may
 * sleep on that.
 *
 * Ordering
 *   ring_commit:A, bell_ring:A / bell_arm:A, ring_look:A   seq_cst (store buffering):
 *       emitter: commit, then look at the bell; listener: arm the bell, then look at the
 *       ring. One sees the other. If the CAS of bell_ring:B fails, another rang, or armed
 *       it after he did: and then looks after this emitter's commit. tests/model/
 *   ring_one:A,B / take_news:A,B   seq_cst. The emitter leaves a bit that is set alone: it
 *       will be taken after its load, so after its commit, and the ring looked at then. If
 *       it sets the bit after the listener's last look at the news, it sees the doorbell.
 *   subscribe:A / listeners_ring:A,B   seq_cst: who subscribes takes its place, sets its bit,
 *       then looks at the ring from that place (sub_mark_ready), whatever the news say. An
 *       emitter that did not see the bit committed before that look.
 *   listener_wake:A,D / listener_sleep:A,C   seq_cst: as the first, for who wakes a listener
 *       without an event: it names the bell before it arms it.
 * Progress  listeners_ring is wait-free.
 * Crash     an emitter killed between commit and wake: the listener looks again within
 *   RECHECK_NS. A listener killed anywhere: its bits stay until its port is reaped, and cost
 *   the emitters a few loads.
 */
#include "listener.h"

#include <limits.h>

#include "bus.h"
#include "futex.h"

uint32_t bell_arm(_Atomic uint32_t *bell)
{
	/* bell_arm:A  seq_cst, pairs with bell_ring:A */
	return atomic_fetch_or(bell, BELL_ARMED) | BELL_ARMED;
}

void bell_disarm(_Atomic uint32_t *bell, uint32_t armed)
{
	/* bell_arm:B  relaxed: the only sleeper is awake, and a ringer's value is as good */
	atomic_compare_exchange_strong_explicit(bell, &armed, armed + 1,
						memory_order_relaxed, memory_order_relaxed);
}

void bell_ring(_Atomic uint32_t *bell, int n)
{
	/* bell_ring:A  seq_cst, pairs with bell_arm:A */
	uint32_t value = atomic_load(bell);

	/* bell_ring:B  seq_cst, pairs with bell_arm:A: one of the ringers wakes */
	if (value & BELL_ARMED && atomic_compare_exchange_strong(bell, &value, value + 1))
		futex_wake(bell, n);
}

static void ring_one(struct aioevt_shm *bus, uint32_t l, uint32_t index)
{
	struct listener *sh = bus_listener(bus, l);
	_Atomic uint64_t *news = &sh->news[index / 64];

	/* ring_one:A  seq_cst, pairs with take_news:B */
	if (!(atomic_load(news) & bit_of(index)))
		/* ring_one:B  seq_cst, pairs with take_news:A */
		atomic_fetch_or(news, bit_of(index));
	bell_ring(&sh->doorbell, 1);
}

void listeners_ring(struct aioevt_shm *bus, uint32_t index)
{
	struct event *ev = bus_event(bus, index);
	/* listeners_ring:A  seq_cst, pairs with subscribe:A, through bus_raise:A */
	uint32_t n = atomic_load(&ev->n_words);

	if (!n)
		return;
	if (n > bus->lo.n_words)
		n = bus->lo.n_words;
	bell_ring(&ev->bell, INT_MAX);
	for (uint32_t w = 0; w < n; w++) {
		/* listeners_ring:B  seq_cst, pairs with subscribe:A */
		uint64_t bits = atomic_load(&ev->listeners[w]);

		for (; bits; bits &= bits - 1)
			ring_one(bus, w * 64 + (uint32_t)__builtin_ctzll(bits), index);
	}
}

void listeners_ring_patterns(struct aioevt_shm *bus)
{
	for (uint32_t w = 0; w < bus->lo.n_words; w++) {
		/* ring_patterns:A  seq_cst, pairs with listen_pattern:A */
		uint64_t bits = atomic_load(&bus_patterns(bus)[w]);

		for (; bits; bits &= bits - 1)
			bell_ring(&bus_listener(bus, w * 64 +
					(uint32_t)__builtin_ctzll(bits))->doorbell, 1);
	}
}

void aioevt_shm_listener_wake(struct aioevt_shm_listener *l)
{
	if (!l)
		return;
	/* listener_wake:A  seq_cst, pairs with listener_wake:B, listener_sleep:C */
	atomic_store(&l->woken, 1);
	/* listener_wake:D  seq_cst, pairs with listener_sleep:A: then the bell, as an emitter */
	bell_ring(atomic_load(&l->bell), INT_MAX);
}
