/* SPDX-License-Identifier: MIT */
/*
 * Emitters that wait for room: aioevt_shm_emit_wait() (shm/emit.c) and the space bell of
 * shm/reliable.c, with store buffers (bell.pml). The ring is a count of claims; there are two
 * emitters and two reliable readers, which read all that is there, one record at a time.
 *
 * Shown, in every state, so for emitters and readers that are stopped or killed anywhere: no
 * emitter is asleep while there is room for the number that it wants, unless a reader that
 * made room, or left, stands between that and the end of its wake.
 *
 * run.sh defines the instance: D, slots of the ring; E, records of each emitter; LEAVES, 1 if
 * reader 1 may go at any time; MUT, the mutation, or 0. Labels are those of the code.
 */
mtype = {
	MUT_ARM_STORE, MUT_RING_STORE, MUT_WAKE_FIRST, MUT_BIT, MUT_CURSOR_STORE, MUT_NO_LOOK,
	MUT_BELL_FIRST, MUT_LEAVE_SILENT, MUT_NO_RECHECK, MUT_FAIL_SILENT
}
#define NP		4		/* emitters 0 and 1, readers 2 and 3 */

/* addresses in mem */
#define CURSOR(r)	(r)
#define HERE(r)		(2 + (r))	/* its bit in ctl->reliable */
#define SPACE		4

byte mem[5];
byte head;				/* numbers claimed, so the next one */
byte wants[2];				/* ghost: of an emitter that waits */
bool telling[2];			/* ghost: a reader that made room and has not rung yet */
hidden byte x;

#define LIMIT		((HELD(0) < HELD(1) -> HELD(0) : HELD(1)) + D)
#define HELD(r)		(mem[HERE(r)] -> mem[CURSOR(r)] : 100)

inline check()
{
	d_step {
		for (x : 0 .. 1) {
			assert(!asleep[x] || ringing || telling[0] || telling[1] || wants[x] >= LIMIT)
		}
		x = 0
	}
}

#include "bell.pml"

proctype emitter(byte me)
{
	byte n, seq, c, limit, armed;

end:	do
	:: n < E ->
again:		atomic { seq = head; c = HELD(0) }		/* ring_next:A; may_claim:A, scan:A,B */
		atomic { limit = HELD(1); limit = (c < limit -> c : limit) + D; c = 0 }
		atomic {					/* ring_claim:A */
			if
			:: seq < limit && head == seq -> head++; n++; goto next
			:: seq < limit && head != seq -> goto again
			:: else					/* -EAGAIN */
			fi
		}
		/* reliable_sleep */
		wants[me] = seq;
		bell_arm(me, SPACE, armed);
		IF(MUT != MUT_NO_LOOK,
			c = HELD(0);				/* space_sleep:A, scan:A,B */
			atomic { limit = HELD(1); limit = (c < limit -> c : limit) + D; c = 0 }
			IF(seq < limit, goto next));
		locked(me, futex_wait(me, SPACE, armed); check());
end2:		!asleep[me];
next:		atomic { wants[me] = 0; seq = 0; limit = 0; armed = 0 }
	od
}

proctype reader(byte r)
{
	byte me = 2 + r, pos, v;

end:	do
	:: pos < head ->
		IF(MUT == MUT_BELL_FIRST, v = mem[SPACE]);
		if
		:: MUT == MUT_CURSOR_STORE -> store(me, CURSOR(r), pos + 1)
		:: else -> locked(me, mem[CURSOR(r)] = pos + 1; telling[r] = true)	/* publish_cursor:A */
		fi;
		pos++;
		IF(MUT != MUT_BELL_FIRST || v & ARMED, v = 0; bell_ring(me, SPACE, v));	/* reliable_wake() */
		atomic { telling[r] = false; check() }
	:: LEAVES && r == 1 ->
		locked(me, mem[HERE(r)] = 0; telling[r] = true);		/* unregister:A */
		IF(MUT != MUT_LEAVE_SILENT, bell_ring(me, SPACE, v));
		atomic { telling[r] = false; check() };
		break
	od
}

init {
	atomic {
		mem[HERE(0)] = 1; mem[HERE(1)] = 1;
		run emitter(0); run emitter(1); run reader(0); run reader(1)
	}
}
