/* SPDX-License-Identifier: MIT */
/*
 * Sleep and wake, and subscribing. Total store order, written out: a plain store goes
 * through its thread's buffer and reaches memory later; a read-modify-write and the kernel
 * wait until the buffer is empty. The ring is cut down to claim, commit, revoke and read.
 *
 * Shown: when all is at rest, a sleeping listener has read every record committed since it
 * subscribed. Emitter 0 may be stopped for ever at any step. Only if that is between its
 * commit and its wake may a record wait for the listener's periodic re-check.
 *
 * -DNEV=2  the listener has two events and finds out by news bits which to look at
 */
#ifndef NEV
#define NEV	1	/* events; emitters choose one for each record */
#endif
#ifndef E0
#define E0	1	/* records that emitter 0 emits */
#endif
#ifndef E1
#define E1	2	/* and emitter 1 */
#endif
#ifndef MUT
#define MUT	0	/* -DMUT=... one of these, which must be caught */
#endif
#define MUT_SLEEP_STORE		1	/* SLEEPING is a buffered store */
#define MUT_COMMIT_STORE	2	/* commit is a buffered store */
#define MUT_NO_RECHECK		3	/* no second look after SLEEPING is set */
#define MUT_DOOR_FIRST		4	/* emitter loads the doorbell before it commits */
#define MUT_WAKE_FIRST		5	/* emitter wakes before it clears SLEEPING */
#define MUT_NO_GRACE		6	/* sleeps on a slot in WRITING without a limit */
#define MUT_START_FIRST		7	/* subscribe: frontier taken before the bit is set */
#define MUT_BIT_STORE		8	/* subscribe: the bit is a buffered store */
#define MUT_NEWS_LATE		9	/* news taken after the look at the rings */
#define MUT_RECHECK_NEWS	10	/* periodic re-check looks at news only */

#define S		6	/* slots of an event, never reused */
#define WRITING		1
#define COMMITTED	2
#define VOID		3
#define ME		2	/* the listener's store buffer; emitters have 0 and 1 */
#define IF(cond, then)	if :: cond -> then :: else fi

/* addresses in mem */
#define BITMAP(ev)	(ev)		/* does the listener listen to the event */
#define NEWS		2		/* which events have news for it */
#define DOOR		3		/* 1: SLEEPING */
#define SLOT(ev, seq)	(4 + (ev) * S + (seq))

byte mem[4 + NEV * S];
chan buffer[3] = [2] of { byte, byte };	/* address, value */
byte head[NEV];
bool asleep;				/* the listener, on the kernel's queue */

/* ghosts */
byte pos[NEV];				/* next to read */
bool gap[2], halt[2], late;		/* late: a wake was left out by who stopped in the gap */

#define store(p, a, v)	buffer[p]!a, v
#define DRAINED(p)	empty(buffer[p])

/* Stores reach memory in order, at any time. */
active [3] proctype memory()
{
	byte a, v;

end:	do
	:: atomic { buffer[_pid]?a, v -> mem[a] = v; a = 0; v = 0 }
	od
}

proctype emitter(byte me)
{
	byte ev, s, n;
	bool door;

	{
	do
	:: n == (me -> E1 : E0) -> break
	:: else ->
		if :: ev = 0 :: ev = NEV - 1 fi;
again:		atomic {					/* claim, seq_cst */
			DRAINED(me) -> s = head[ev];
			head[ev]++;
			mem[SLOT(ev, s)] = WRITING
		}
		IF(MUT == MUT_DOOR_FIRST, door = mem[DOOR]);
		if
		:: MUT == MUT_COMMIT_STORE -> atomic { store(me, SLOT(ev, s), COMMITTED); gap[me] = true }
		:: else -> atomic {
			DRAINED(me) ->				/* commit:A */
			IF(mem[SLOT(ev, s)] != WRITING, goto again);	/* revoked */
			mem[SLOT(ev, s)] = COMMITTED;
			gap[me] = true
		   }
		fi;
		atomic { IF(!mem[BITMAP(ev)], goto done) };	/* notify:A */
		if
		:: NEV == 1 || mem[NEWS] & (1 << ev)		/* notify:B */
		:: else -> atomic { DRAINED(me) -> mem[NEWS] = mem[NEWS] | (1 << ev) }	/* notify:C */
		fi;
		atomic {
			IF(MUT != MUT_DOOR_FIRST, door = mem[DOOR]);	/* notify:D */
			IF(!door, goto done)
		}
		IF(MUT == MUT_WAKE_FIRST, asleep = false);
		atomic { DRAINED(me) -> door = mem[DOOR]; mem[DOOR] = 0 }	/* notify:E */
		IF(door && MUT != MUT_WAKE_FIRST, asleep = false);	/* notify:F  FUTEX_WAKE */
done:		skip;
		atomic { gap[me] = false; door = false; s = 0; ev = 0; n++ }
	od
	} unless { halt[me] -> atomic { late = late || gap[me]; gap[me] = false } }
}

/* May stop emitter 0 for ever, at any step. */
proctype halter() { if :: halt[0] = true :: true fi }

proctype listener()
{
	byte ev, news, st;
	bool second, found, busy, all, early;

	for (ev : 0 .. NEV - 1) {
		IF(MUT == MUT_START_FIRST, pos[ev] = head[ev]);
		if
		:: MUT == MUT_BIT_STORE -> store(ME, BITMAP(ev), 1)
		:: else -> atomic { DRAINED(ME) -> mem[BITMAP(ev)] = 1 }	/* subscribe:A */
		fi;
		IF(MUT != MUT_START_FIRST, pos[ev] = head[ev])	/* subscribe:B  frontier */
	}
look:	/* Once awake; then, if there was nothing, again with SLEEPING set. */
	found = false; busy = false;
	IF(NEV > 1 && MUT != MUT_NEWS_LATE && mem[NEWS],	/* look:A */
	   atomic { DRAINED(ME) -> news = news | mem[NEWS]; mem[NEWS] = 0 });	/* look:B */
	for (ev : 0 .. NEV - 1) {
		atomic {
			if
			:: NEV > 1 && !(news & (1 << ev)) && !all -> st = 0
			:: else -> st = mem[SLOT(ev, pos[ev])]	/* look:C */
			fi;
			if
			:: st == 0 -> news = news & ~(1 << ev)
			:: st == COMMITTED || st == VOID ->
				pos[ev]++;
				news = news | (1 << ev);
				found = true
			:: st == WRITING -> busy = true
			:: st == WRITING && !early && MUT != MUT_COMMIT_STORE -> early = true; goto grace
			fi;
			st = 0
		}
	}
	IF(NEV > 1 && MUT == MUT_NEWS_LATE && mem[NEWS],
	   atomic { DRAINED(ME) -> news = news | mem[NEWS]; mem[NEWS] = 0 });
	atomic { ev = 0; all = false }
	IF(second && found, store(ME, DOOR, 0));		/* listener_sleep:B */
	if
	:: found -> second = false; goto look
	:: !found && !second ->
		if
		:: MUT == MUT_SLEEP_STORE -> store(ME, DOOR, 1)
		:: else -> atomic { DRAINED(ME) -> mem[DOOR] = 1 }	/* sleep:A */
		fi;
		second = true;
		IF(MUT != MUT_NO_RECHECK, goto look)
	:: else
	fi;
	atomic { DRAINED(ME) -> asleep = mem[DOOR]; second = false }	/* FUTEX_WAIT */
	if
	:: !asleep
	:: asleep && !early -> early = true; asleep = false	/* for no reason */
	:: timeout -> asleep = false; goto rest			/* all is at rest */
	fi;
	store(ME, DOOR, 0);					/* listener_sleep:B */
	goto look;
rest:	skip;
	if
	:: late && !busy ->					/* the re-check period is over */
		late = false;
		all = MUT != MUT_RECHECK_NEWS;
		goto look
	:: else
	fi;
	for (ev : 0 .. NEV - 1) {		/* what can be read waits for no clock */
		assert(late || mem[SLOT(ev, pos[ev])] != COMMITTED)
	}
	IF(busy && MUT != MUT_NO_GRACE, ev = 0; goto grace);	/* the grace is over */
	for (ev : 0 .. NEV - 1) {
		for (st : pos[ev] .. S - 1) { assert(mem[SLOT(ev, st)] != COMMITTED) }
	}
	goto out;
grace:	do							/* revoke */
	:: ev < NEV ->
		atomic { DRAINED(ME) -> IF(mem[SLOT(ev, pos[ev])] == WRITING, mem[SLOT(ev, pos[ev])] = VOID) };
		ev++
	:: else -> ev = 0; st = 0; second = false; all = false; goto look
	od;
out:	skip
}

init { atomic { run emitter(0); run emitter(1); run halter(); run listener() } }
