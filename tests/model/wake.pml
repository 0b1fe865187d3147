/* SPDX-License-Identifier: MIT */
/*
 * Sleep and wake: shm/bell.c, shm/listener.c, and subscribing (shm/sub.c), with store
 * buffers (bell.pml). The ring is cut down to claim, commit, revoke and read.
 *
 * Shown, in every state, so for emitters that are stopped or killed anywhere: no listener is
 * asleep while a record committed since it subscribed is unread, unless the emitter of just
 * that record stands between its commit and the end of its wake, or somebody moved the bell
 * on and stands before his FUTEX_WAKE. (Then the re-check reads it.) And a call of
 * aioevt_shm_listener_wake() is answered by -EINTR, once what was committed before it is read,
 * also if an emitter moved the bell on and was killed before its FUTEX_WAKE.
 *
 * run.sh defines the instance: NEV, 1 or 2 events (of 2, a listener finds out by news bits which
 * to look at); NL listeners, each of which listens to all; E0 and E1, the records of the two
 * emitters; WAKES, of listener 0; SHARED, 1 if none sleeps on its own bell; ATONCE, 1 if a
 * listener subscribes in one step; MUT, the mutation, or 0. Labels in comments are those of the
 * code; a line without one is a step that only the process itself can see.
 */
mtype = {
	MUT_ARM_STORE, MUT_RING_STORE, MUT_WAKE_FIRST, MUT_BIT, MUT_NO_RECHECK, MUT_COMMIT_STORE,
	MUT_BELL_FIRST, MUT_DISARM_EVENT, MUT_NO_GRACE, MUT_NOT_READY, MUT_BIT_STORE,
	MUT_WORDS_LAST, MUT_NEWS_LATE, MUT_NEWS_LAST, MUT_WOKEN_STORE,
	MUT_WOKEN_EARLY, MUT_BELL_LATE, MUT_WOKEN_DROP, MUT_WOKEN_HASTY, MUT_CALL_FIRST,
	MUT_CALL_STILL, MUT_CALL_DISARM, MUT_FAIL_SILENT, MUT_NAMED_FIRST, MUT_UNNAMED_EARLY
}
/* slots of an event, never reused; of two records one is revoked at most, of three two */
#if E0 + E1 > 2
#define S		(E0 + E1 + 2)
#else
#define S		(E0 + E1 + 1)
#endif
#define WRITING		1
#define COMMITTED	2
#define VOID		3

/* processes: emitters 0 and 1, listeners from 2 on, then who calls listener_wake */
#define NP		(3 + NL)
#define LISTENER(l)	(2 + (l))
#define WAKER		(2 + NL)

/* addresses in mem; nobody is asleep on 0 */
#define WORDS(ev)	(ev)				/* event->n_words */
#define BITS(ev)	(NEV + (ev))			/* event->listeners */
#define BELL(ev)	(2 * NEV + (ev))		/* event->bell */
#define NEWS(l)		(3 * NEV + (l))			/* listener->news */
#define DOORBELL(l)	(3 * NEV + NL + (l))
#define WOKEN		(3 * NEV + 2 * NL)		/* of listener 0; and l->bell */
#define ITS_BELL	(WOKEN + 1)
#define SLOT(ev, seq)	(WOKEN + 2 + (ev) * S + (seq))

byte mem[WOKEN + 2 + NEV * S + 1];
byte head[NEV];

/* ghosts */
byte pos[NL * NEV];				/* next to read */
#define POS(l, ev)	pos[(l) * NEV + (ev)]
bool busy[NL];					/* sleeps no longer than the grace */
byte mine[2];					/* which record an emitter is about to wake for */
bool waking;
byte due;					/* what was committed before the last listener_wake */
hidden byte x, y, z;

inline check()
{
	d_step {
		for (x : 0 .. NL - 1) {
			for (y : 0 .. NEV - 1) {
				for (z : POS(x, y) .. S - 1) {
					assert(!asleep[LISTENER(x)] || busy[x] || ringing ||
					       mem[SLOT(y, z)] != COMMITTED ||
					       mine[0] == SLOT(y, z) || mine[1] == SLOT(y, z))
				}
			}
		}
		assert(!asleep[LISTENER(0)] || !mem[WOKEN] || waking);
		x = 0; y = 0; z = 0
	}
}

#include "bell.pml"

proctype emitter(byte me)
{
	byte ev, s, n, l, v, bits, early;

end:	do
	:: n < (me -> E1 : E0) ->
		if :: ev = 0 :: NEV == 2 -> ev = 1 fi;
again:		locked(me, s = head[ev]; head[ev]++; mem[SLOT(ev, s)] = WRITING);	/* ring_claim:A */
		IF(MUT == MUT_BELL_FIRST, early = mem[BELL(ev)]);
		if
		:: MUT == MUT_COMMIT_STORE -> store(me, SLOT(ev, s), COMMITTED)
		:: else -> locked(me,						/* ring_commit:A */
			IF(mem[SLOT(ev, s)] != WRITING, goto again);		/* revoked */
			mem[SLOT(ev, s)] = COMMITTED;
			mine[me] = SLOT(ev, s))
		fi;
		atomic { IF(!mem[WORDS(ev)], goto done) };			/* listeners_ring:A */
		IF(MUT != MUT_BELL_FIRST || early & ARMED, bell_ring(me, BELL(ev), v));
		bits = mem[BITS(ev)];						/* listeners_ring:B */
		do
		:: atomic { bits == 0 -> break }
		:: atomic { bits & 1 << l -> bits = bits & ~(1 << l) };
			IF(MUT == MUT_NEWS_LAST, bell_ring(me, DOORBELL(l), v));
			if
			:: NEV == 1
			:: NEV == 2 -> if
				:: mem[NEWS(l)] & 1 << ev			/* ring_one:A */
				:: else -> locked(me, mem[NEWS(l)] = mem[NEWS(l)] | 1 << ev)	/* ring_one:B */
				fi
			fi;
			IF(MUT != MUT_NEWS_LAST, bell_ring(me, DOORBELL(l), v));
			l++
		:: atomic { bits && !(bits & 1 << l) -> l++ }
		od;
done:		atomic { mine[me] = 0; s = 0; ev = 0; l = 0; bits = 0; early = 0; n++; check() }
	od
}

/* aioevt_shm_listener_wake() of listener 0, in another thread of its process */
proctype waker()
{
	byte n, bell, v, s;

end:	do
	:: n < WAKES ->
		IF(MUT == MUT_NAMED_FIRST, bell = mem[ITS_BELL]);
		if
		:: MUT == MUT_WOKEN_STORE -> atomic { store(WAKER, WOKEN, 1); waking = true }
		:: else -> locked(WAKER,					/* listener_wake:A */
			mem[WOKEN] = 1;
			waking = true;
			for (s : 0 .. S - 1) { IF(mem[SLOT(0, s)] >= COMMITTED && due == s, due++) }
			s = 0)
		fi;
		IF(MUT != MUT_NAMED_FIRST, bell = mem[ITS_BELL]);		/* listener_wake:D */
		IF(bell, bell_call(WAKER, bell, LISTENER(0), v));
		atomic { bell = 0; n++; waking = false; check() }
	od
}

#define AWAKE	0				/* why the listener looks */
#define ARMING	1
#define WAKING	2
#define AT(ev, k)	mem[SLOT(ev, POS(l, ev) + k)]
#define IS(ev, k)	(POS(l, ev) + k < S && AT(ev, k) != 0)
#define HOLDS_UP(ev)	(IS(ev, 1) && (AT(ev, 1) == COMMITTED || IS(ev, 2) && AT(ev, 2) == COMMITTED))

proctype listener(byte l)
{
	byte me = LISTENER(l), ev, news, st, bell, armed, why, owed;
	bool found, taken;			/* ghost: a listener_wake not answered yet */

	news = (MUT == MUT_NOT_READY -> 0 : (1 << NEV) - 1);			/* sub_mark_ready() */
	IF(ATONCE, locked(me, POS(l, 0) = head[0]; mem[WORDS(0)] = 1; mem[BITS(0)] = mem[BITS(0)] | 1 << l); goto poll);
	for (ev : 0 .. NEV - 1) {
		POS(l, ev) = head[ev];						/* ring_frontier:A */
		IF(MUT != MUT_WORDS_LAST, locked(me, mem[WORDS(ev)] = 1));	/* bus_raise:A */
		if
		:: MUT == MUT_BIT_STORE -> store(me, BITS(ev), mem[BITS(ev)] | 1 << l)
		:: else -> locked(me, mem[BITS(ev)] = mem[BITS(ev)] | 1 << l)	/* subscribe:A */
		fi;
		IF(MUT == MUT_WORDS_LAST, store(me, WORDS(ev), 1))
	}
poll:	/* poll_subs */
	atomic { ev = 0; found = false; busy[l] = false }
	IF(NEV > 1 && MUT != MUT_NEWS_LATE && mem[NEWS(l)],			/* take_news:A */
	   locked(me, news = news | mem[NEWS(l)]; mem[NEWS(l)] = 0));		/* take_news:B */
	for (ev : 0 .. NEV - 1) {
		atomic {
			if
			:: NEV > 1 && !(news & 1 << ev) -> st = 0
			:: else -> st = AT(ev, 0)				/* ring_look:A */
			fi;
			if
			:: st >= COMMITTED -> POS(l, ev)++; found = true
			:: st == WRITING && HOLDS_UP(ev) -> busy[l] = MUT != MUT_NO_GRACE
			:: st == WRITING && HOLDS_UP(ev) -> goto grace		/* it may end at any time */
			:: else -> news = news & ~(1 << ev)
			fi;
			st = 0
		}
	}
	IF(NEV > 1 && MUT == MUT_NEWS_LATE && mem[NEWS(l)],
	   locked(me, news = news | mem[NEWS(l)]; mem[NEWS(l)] = 0));
	atomic {
		ev = 0;
		if
		:: why == ARMING -> goto armed_look
		:: why == WAKING -> why = AWAKE; if
			:: found && MUT != MUT_WOKEN_DROP -> DRAINED(me); mem[WOKEN] = 1; taken = false; goto poll	/* listener_wake:C */
			:: found && MUT == MUT_WOKEN_DROP -> goto poll
			:: !found -> taken = false; assert(busy[l] || POS(0, 0) >= owed)	/* -EINTR */
			fi
		:: why == AWAKE && found -> goto poll
		:: why == AWAKE && !found
		fi
	}
	/* was_woken */
	IF(WAKES && l == 0 && mem[WOKEN],					/* listener_wake:B */
	   locked(me, mem[WOKEN] = 0; why = WAKING; taken = true; owed = due); IF(MUT != MUT_WOKEN_HASTY, goto poll);
	   atomic { why = AWAKE; taken = false; assert(busy[l] || POS(0, 0) >= owed) });

	/* listener_sleep; find_bell() has a reason for which */
	if :: !SHARED -> bell = DOORBELL(l) :: NEV == 1 -> bell = BELL(0) fi;
	IF(WAKES && l == 0 && MUT != MUT_BELL_LATE, locked(me, mem[ITS_BELL] = bell));	/* listener_sleep:A */
	IF(MUT == MUT_WOKEN_EARLY, st = mem[WOKEN]);
	bell_arm(me, bell, armed);
	why = ARMING;
	IF(MUT != MUT_NO_RECHECK, goto poll);
armed_look:
	atomic {
		why = AWAKE;
		assert(!taken);
		IF(found, goto leave);
		IF(WAKES && l == 0 && (MUT == MUT_WOKEN_EARLY -> st : mem[WOKEN]), goto leave)	/* listener_sleep:C */
	}
	IF(WAKES && l == 0 && MUT == MUT_BELL_LATE, locked(me, mem[ITS_BELL] = bell));
	IF(MUT == MUT_UNNAMED_EARLY, store(me, ITS_BELL, 0));
	locked(me, futex_wait(me, bell, armed); check());
end:	if
	:: !asleep[me]
	:: asleep[me] && busy[l] -> asleep[me] = 0; why = WAKING	/* the grace is over */
	fi;
leave:	IF(WAKES && l == 0, store(me, ITS_BELL, 0));			/* listener_sleep:D */
	IF(bell == DOORBELL(l) || MUT == MUT_DISARM_EVENT, bell_disarm(me, bell, armed));
	atomic {
		bell = 0; armed = 0; st = 0;
		if :: why == WAKING -> why = AWAKE; ev = 0 :: else -> goto poll fi
	}
grace:	do							/* ring_revoke:A */
	:: ev < NEV ->
		locked(me, IF(AT(ev, 0) == WRITING && HOLDS_UP(ev), AT(ev, 0) = VOID));
		ev++
	:: else -> atomic { ev = 0; st = 0; goto poll }
	od
}

init {
	atomic {
		run emitter(0); run emitter(1);
		run listener(0);
		IF(NL > 1, run listener(1));
		IF(WAKES, run waker())
	}
}
