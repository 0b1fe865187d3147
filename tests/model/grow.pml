/* SPDX-License-Identifier: MIT */
/*
 * The rings of an event after the first, and the end of the last: shm/grow.c. A ring is a
 * count of its numbers, and closed or not (ring.pml has what is inside); emitters, growers
 * and removers are one proctype, which may stop or be killed after any step.
 *
 * Shown, in every state: a ring is closed only if its successor is there or the event is
 * DEAD, so nobody is without a ring to emit to; a ring begins where the one before it ends,
 * so no number is used twice or left out; what seal() told as the end is over all numbers,
 * for good; a reader goes through all rings and meets each number once, in order.
 *
 * run.sh defines the instance: NP processes with one operation each (emit twice, grow, or
 * remove); MAX, rings that an event can have; MUT, the mutation, or 0. Labels in comments are
 * those of the code.
 */
mtype = {
	MUT_CLOSE_FIRST, MUT_PREPARE_STORE, MUT_BEGIN_OPEN, MUT_SEAL_STORE, MUT_NO_SEAL,
	MUT_SEAL_FIRST, MUT_BASE_FIRST, MUT_BEGIN_STORE
}
#define IF(cond, then)	if :: cond -> then :: else fi
#define SEALED		255
#define FIRST		1		/* the first number of all; 0 is none */
#define REGIONS		(NP + 1)	/* each grower makes one; 0 is the first */

/* shared */
byte ring[MAX];				/* event->ring[]: region + 1, 0 is none yet */
byte base[REGIONS], head[REGIONS];	/* ring_header; 0: not begun */
bool closed[REGIONS], is_dead;		/* the event is DEAD */
byte regions = 1;

/* ghosts */
short numbers;				/* set of those that were emitted, without FIRST - 1 */
byte n_emitted, end_told;		/* what seal() said, 0 if nothing */

#define RING(k)		(ring[k] - 1)

/* CAS of ring k's header from "not begun": ring_begin:B, then ring_begin:A */
inline begin(k, n)
{
	IF(MUT == MUT_BASE_FIRST, atomic { IF(!base[RING(k)], base[RING(k)] = n) });
	atomic { IF(!head[RING(k)] || MUT == MUT_BEGIN_STORE, head[RING(k)] = n) };
	atomic { IF(!base[RING(k)], base[RING(k)] = n) }
}

/* ring_close(): repeatable; @n is the number it ends before */
inline close(k, n)
{
	atomic {						/* ring_close:A */
		IF(!closed[RING(k)],
		   assert(MUT || is_dead || k + 1 < MAX && ring[k + 1]);
		   closed[RING(k)] = true);
		n = head[RING(k)]
	}
}

/* event_map_next(): the ring after ring k, which is closed; ok is false if there is none */
inline follow(k)
{
	next = (k + 1 < MAX -> ring[k + 1] : SEALED);		/* load_ring:A */
	if
	:: next == 0 || next == SEALED ->
		ok = false;
		assert(is_dead)				/* not EPROTO */
	:: else ->
		IF(MUT != MUT_BEGIN_OPEN, close(k, n));
		IF(MUT == MUT_BEGIN_OPEN, n = head[RING(k)]);
		begin(k + 1, n);
		IF(MUT == MUT_BEGIN_OPEN, close(k, n));
		k++;
		ok = true
	fi;
	atomic { next = 0; n = 0 }
}

/* event_map_all(): to the last ring that has begun */
inline to_last(k)
{
	do
	:: atomic { k + 1 < MAX && ring[k + 1] && ring[k + 1] != SEALED && base[RING(k + 1)] -> k++ }	/* load_ring:A, event_map_all:A */
	:: else -> break
	od
}

proctype process()
{
	byte k, i, n, next, mine;
	bool ok = true;

	to_last(k);
	if
	:: do					/* emit, twice */
	   :: i == 2 || !ok -> break
	   :: else -> atomic {			/* ring_claim:A, ring_commit:A */
		n = head[RING(k)];
		ok = !closed[RING(k)];
		IF(ok,
		   assert(n >= base[RING(k)] && base[RING(k)]);
		   assert(!(numbers & 1 << n));
		   assert(!end_told || n < end_told);
		   numbers = numbers | 1 << n;
		   n_emitted++;
		   head[RING(k)]++;
		   i++);
		n = 0
		}
		IF(!ok, follow(k))
	   od
	:: true ->				/* grow */
		IF(MUT == MUT_CLOSE_FIRST, close(k, n); n = 0);
		if
		:: k + 1 < MAX && !ring[k + 1] ->				/* load_ring:A */
			atomic { mine = regions; regions++ }
			if
			:: MUT == MUT_PREPARE_STORE -> ring[k + 1] = mine + 1
			:: else -> atomic { IF(!ring[k + 1], ring[k + 1] = mine + 1) }	/* prepare:A */
			fi
		:: else
		fi;
		IF(k + 1 < MAX, follow(k))
	:: true ->				/* remove: kill, then seal() */
		is_dead = true;						/* registry_kill:A */
		do
		:: to_last(k);
			IF(MUT == MUT_SEAL_FIRST && k + 1 < MAX, atomic { IF(!ring[k + 1], ring[k + 1] = SEALED); end_told = head[RING(k)] });
			close(k, n);
			IF(k + 1 == MAX || MUT == MUT_NO_SEAL, break);
			atomic {					/* seal:A */
				IF(MUT == MUT_SEAL_STORE || !ring[k + 1], ring[k + 1] = SEALED);
				IF(ring[k + 1] == SEALED, break)
			}
			begin(k + 1, n)			/* one was prepared: it ends at once */
		od;
		atomic { IF(!end_told || end_told > n, end_told = n); i = 0 }
		for (i : FIRST .. 2 * NP) { assert(!(numbers & 1 << i) || i < n) }
	fi
}

/* Reads as far as there is something; once all rest, it must have met all numbers. */
proctype reader()
{
	byte k, pos = FIRST, n, next, n_read;
	bool ok;

end:	do
	:: atomic { pos < head[RING(k)] && base[RING(k)] -> 		/* ring_look:A */
		assert(numbers & 1 << pos);
		pos++; n_read++ }
	:: atomic { pos == head[RING(k)] && closed[RING(k)] && (k + 1 == MAX || ring[k + 1]) }
		follow(k);
		IF(!ok, break);
		atomic { assert(pos == base[RING(k)]) }
	:: timeout -> break
	od;
	timeout -> assert(n_read == n_emitted)
}

init {
	byte i;

	atomic {
		ring[0] = 1; base[0] = FIRST; head[0] = FIRST;
		for (i : 1 .. NP) { run process() }
		run reader()
	}
}
