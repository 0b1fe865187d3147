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
 * A wake that is meant for one listener (aioevt_shm_listener_wake(), bell_call()) leaves the other
 * sleepers of an event's bell asleep. It moves the bell on to the next generation, but armed: a
 * listener that has looked and is about to sleep does not, and a ringer that comes later still
 * wakes those who sleep. Then it wakes the sleepers that have the listener's bit in
 * FUTEX_WAIT_BITSET, one of 32: itself, and by chance some others, which look and sleep again.
 * Whether the CAS succeeds or another moved the bell on first does not matter: the listener is asleep
 * in the kernel and is woken here, or does not fall asleep. A ringer whose CAS fails wakes all the
 * same if the bell is armed still: it may have been called. A listener that is awake has named no
 * bell (NULL): nobody is woken for it, and it sees "woken" before it sleeps.
 *
 * Ordering
 *   ring_commit:A, bell_ring:A / bell_arm:A, ring_look:A   seq_cst (store buffering):
 *       emitter: commit, then look at the bell; listener: arm the bell, then look at the
 *       ring. One sees the other. If the CAS of bell_ring:B fails and the bell is not armed,
 *       another rang, and wakes. If it is armed, another rang and a sleeper armed it again,
 *       and then looks after this emitter's commit; or it was called, and those who sleep on
 *       the value of before have to be woken still. tests/model/
 *   ring_one:A,B / take_news:A,B   seq_cst. The emitter leaves a bit that is set alone: it
 *       will be taken after its load, so after its commit, and the ring looked at then. If
 *       it sets the bit after the listener's last look at the news, it sees the doorbell.
 *   subscribe:A / listeners_ring:A,B   seq_cst: who subscribes takes its place, sets its bit,
 *       then looks at the ring from that place (sub_mark_ready), whatever the news say. An
 *       emitter that did not see the bit committed before that look.
 *   listener_wake:A,D / listener_sleep:A,C   seq_cst: as the first, for who wakes a listener
 *       without an event: it names the bell before it arms it. If D finds a bell that is not
 *       named any more, or none, the listener woke in between, and the next C sees A.
 *   bell_call:A,B / bell_arm:A   seq_cst: the listener named the bell and armed it before D
 *       saw that, so the value that A loads is the one that it sleeps on, or newer.
 * Progress  listeners_ring and listener_wake are wait-free.
 * Crash     an emitter killed between commit and wake: the listener looks again within
 *   RECHECK_NS. A listener killed anywhere: its bits stay until its port is reaped, and cost
 *   the emitters a few loads. A process killed in bell_call(): the bell is armed as before, so
 *   others are woken by the next record; the listener that was meant died with it.
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

	if (!(value & BELL_ARMED))
		return;
	/* bell_ring:B  seq_cst, pairs with bell_arm:A, bell_call:B: one of the ringers wakes */
	if (atomic_compare_exchange_strong(bell, &value, value + 1) || value & BELL_ARMED)
		futex_wake(bell, n);
}

void bell_call(_Atomic uint32_t *bell, uint32_t bits)
{
	/* bell_call:A  seq_cst, pairs with bell_arm:A */
	uint32_t value = atomic_load(bell);

	if (value & BELL_ARMED)
		/* bell_call:B  seq_cst, pairs with bell_arm:A: a failure means that another moved it on */
		atomic_compare_exchange_strong(bell, &value, value + 2);
	futex_wake_bits(bell, bits);
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
	_Atomic uint32_t *bell;

	if (!l)
		return;
	/* listener_wake:A  seq_cst, pairs with listener_wake:B, listener_sleep:C */
	atomic_store(&l->woken, 1);
	/* listener_wake:D  seq_cst, pairs with listener_sleep:A,D: then the bell, as an emitter */
	bell = atomic_load(&l->bell);
	if (bell)
		bell_call(bell, listener_bit(l));
}
