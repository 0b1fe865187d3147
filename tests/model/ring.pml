/* SPDX-License-Identifier: MIT */
/*
 * The ring: claim, commit, revoke, pin, void, read, close, and the limit of reliable
 * readers. Emitters may be delayed anywhere; with HALT, emitter 0 is stopped for ever or
 * killed at any step. Sequentially consistent: shm/ring.c argues the memory orders.
 *
 * Shown: one writer in a slot at a time; no record is taken torn, uncommitted, twice or
 * out of order; a committed record is read or counted as missed, exactly; nobody waits for
 * one that stopped; no slot is lost for good; with REL, reader 0 is reliable and misses none.
 * Waits block on their condition and all loops end, so the graph of states has no cycle
 * (run.sh looks for one: pan -l); within limits, README.md, each five laps have a commit.
 *
 * run.sh defines the instance: N slots; NE emitters, of which 0 has E0 records to emit and
 * the others E1; NR readers, whose grace is over at once if a record stands behind, if
 * just the ring is full REVOKES times (and whenever all else rests); THREADS, 1 if the emitters are threads of one process and share its port, else 0;
 * CLOSE, 0 or 1; MUT, the mutation, or 0. Labels in comments are those of the code.
 */
mtype = { WRITING, COMMITTED, VOID, PINNED, CLOSED }	/* and 0: virgin */
mtype = {
	MUT_COMMIT_STORE, MUT_REUSE, MUT_NO_RECHECK, MUT_LEAVE, MUT_VOID_STORE, MUT_VOID_LIVE,
	MUT_BLIND_CLAIM, MUT_PIN_RECORD, MUT_HEAD_LAG, MUT_NO_HELP, MUT_EPOCH_FIRST, MUT_EPOCH_LAST,
	MUT_CURSOR_FIRST, MUT_CURSOR_EARLY, MUT_CLOSE_HELP, MUT_CLOSE_GONE, MUT_CLOSE_WALK,
	MUT_NO_REAP, MUT_HASTY, MUT_SETTLE_LIVE, MUT_SETTLE_ONCE
}
#define ST(lap, own, av, ph)	((lap) * 128 + (own) * 16 + (av) * 8 + (ph))
#define LAP(st)		((st) / 128)
#define OWN(st)		(((st) / 16) % 8)
#define AV(st)		(((st) / 8) % 2)	/* after void: one lap before was no record */
#define PH(st)		((st) % 8)
#define WITH(st, ph)	((st) - PH(st) + (ph))
#define BUSY(st)	(PH(st) == WRITING || PH(st) == PINNED)
#define NO_RECORD(st)	((st) != 0 && PH(st) != COMMITTED)
#define LAPOF(seq)	((seq) / N + 1)
#define OLDEST(head)	((head) > N -> (head) - N : 0)
#define PORT(e)		((e) * !THREADS + 1)
#define ME		(1 << me)
#define IF(cond, then)	if :: cond -> then :: else fi

/* holds_up: is there a record k or more behind the reader's place? */
#define AT(k)		slot[(pos[me] + (k)) % N]
#define LAPS(k)		(LAP(AT(k)) - LAPOF(pos[me] + (k)))	/* < 0: nothing yet */
#define NONE(k)		(LAPS(k) == 0 && (BUSY(AT(k)) || PH(AT(k)) == VOID) || \
			 LAPS(k) == 1 && PH(AT(k)) == CLOSED && AV(AT(k)))
#define FROM(k, rest)	(LAPS(k) >= 0 && (!NONE(k) || (rest)))
#if N == 2
#define HOLDS_UP(full)	FROM(1, full)	/* full: what if all slots are taken */
#elif N == 3
#define HOLDS_UP(full)	FROM(1, FROM(2, full))
#else
#define HOLDS_UP(full)	FROM(1, FROM(2, FROM(3, full)))
#endif

short slot[N];			/* state words */
byte w0[N], w1[N];		/* payload: two words that say the sequence */
byte head, voids;		/* next sequence, or one behind; no records below head - N */
byte epoch, cursor; bool registered;	/* reliable: registrations so far; reader 0 */
bool dead[NE + 1];		/* of a port */

/* ghosts */
int committed;			/* set of sequences */
byte inside[N];			/* set of emitters between claim and commit or void */
byte pos[NR], start;		/* where the readers are; where reader 0 began */
bool finished[NE + 1], halt[NE + 1], gone[NE + 1];

inline step(h, st) { atomic { IF(head == h && MUT != MUT_NO_HELP, head++; voids = voids + AV(st)) } }

/* CAS of slot[i], always in a d_step or atomic; @in is who is inside afterwards */
inline cas(i, old, new, in, ok) { ok = slot[i] == (old); IF(ok, slot[i] = new; inside[i] = in) }

inline frontier(h, st)
{
	do
	:: h = head;						/* ring_frontier:A */
		st = slot[h % N];				/* ring_frontier:B */
		IF(LAP(st) < LAPOF(h) || PH(st) == CLOSED && MUT != MUT_CLOSE_WALK, break);
		step(h, st)					/* ring_step:A */
	od
}

/* With CLOSE there is one more, which ends the ring instead of emitting. */
active [NE + CLOSE] proctype emitter()
{
	byte me = _pid, h, i, n, e, seen = (_pid -> 255 : 0), limit = 255;
	short st, mine; bool ok, isdead;
	{
	do
	:: n == (me -> E1 : E0) -> break
	:: else ->
		IF(MUT == MUT_EPOCH_FIRST, e = epoch);
		d_step {
			h = head; i = h % N;			/* ring_next:A */
			assert(h <= 5 * N || committed >> (h - 5 * N))
		}
		atomic {
			st = slot[i];				/* ring_next:B */
			IF(LAP(st) > LAPOF(h), goto again);	/* head was stale */
			IF(LAP(st) == LAPOF(h) && (PH(st) != CLOSED || MUT == MUT_CLOSE_HELP), goto behind);
			IF(LAP(st) == LAPOF(h), break);		/* the ring ends here */
			assert(LAP(st) + 1 == LAPOF(h))
		}
		isdead = !BUSY(st) || dead[OWN(st)] || MUT == MUT_REUSE;	/* port_is_dead:A,B, after ring_next:B */
		IF(!isdead,				/* ring_next:C  lap onto a live claimer: pin */
			d_step {
				mine = ST(LAPOF(h), OWN(st), MUT != MUT_PIN_RECORD, PINNED);
				cas(i, st, mine, inside[i], ok);
				st = mine
			}
			if :: ok -> goto behind :: else -> goto again fi);
		IF(me == NE, goto close);
#ifdef REL
		atomic {
			IF(MUT != MUT_EPOCH_FIRST, e = epoch);	/* may_claim:A  after ring_next:A */
			IF(e == seen && h < limit, goto room)
		}
		seen = e;					/* as loaded by may_claim:A */
		ok = registered;				/* scan:A */
		limit = (ok -> cursor + N : 255);		/* scan:B */
		atomic {
			IF(MUT == MUT_EPOCH_LAST, seen = epoch);
			IF(h >= limit, n++; goto again)		/* -EAGAIN */
		}
room:		skip;
#endif
		atomic {					/* ring_claim:A */
			IF(MUT == MUT_BLIND_CLAIM, st = slot[i]);
			mine = ST(LAPOF(h), PORT(me), NO_RECORD(st), WRITING);
			cas(i, st, mine, inside[i] | ME, ok);
			IF(!ok, goto again)
		}
		d_step { assert(inside[i] == ME); w0[i] = h }	/* ring_fill */
		d_step { assert(inside[i] == ME); w1[i] = h }
		d_step {					/* ring_commit:A */
			st = (MUT == MUT_COMMIT_STORE -> slot[i] : mine);
			cas(i, st, WITH(mine, COMMITTED), inside[i] & ~ME, ok);
			IF(ok, committed = committed | 1 << h; n++);
			for (e : 0 .. NR - 1) { assert(!ok || pos[e] <= h || h < start) }	/* not past it */
			st = mine
		}
		IF(ok, goto behind);
		do						/* revoked: void it, emit anew */
		:: MUT == MUT_LEAVE -> inside[i] = inside[i] & ~ME; goto again
		:: else ->
			st = slot[i];				/* ring_give_back:B */
			assert(MUT || PH(st) == PINNED && OWN(st) == PORT(me));
			d_step {				/* ring_give_back:A */
				IF(MUT == MUT_VOID_STORE, st = slot[i]);
				mine = (MUT == MUT_VOID_STORE -> mine : st);
				cas(i, st, WITH(mine, VOID), inside[i] & ~ME, ok)
			}
			IF(ok, goto again)
		od;
close:		atomic {					/* ring_close:A */
			cas(i, st, ST(LAPOF(h), 0, NO_RECORD(st), CLOSED), inside[i], ok);
			if :: ok -> break :: else -> goto again fi
		}
behind:		skip; step(h, st);				/* ring_step:A */
again:		atomic { ok = 0; isdead = 0; h = 0; i = 0; e = 0; st = 0; mine = 0 }
	od;
	atomic { finished[me] = true; n = 0; seen = 0; limit = 0; h = 0; i = 0; st = 0 }
	}
#ifdef HALT
	unless { d_step { halt[me] -> gone[me] = 1; h = 0; i = 0; e = 0; st = 0; mine = 0; ok = 0; isdead = 0 }
end:		!halt[me] -> goto again }
#endif
}

active [NR] proctype reader()
{
	byte me = _pid - NE - CLOSE, h, i, c0, c1, v, revokes;
	short st; bool ok, vague;	/* vague: overtaken before it could count voids */
#ifdef REL
	IF(me > 0, goto again);
	frontier(h, st);
	cursor = OLDEST(h + 1);					/* register:A */
	registered = true;					/* register:B */
	IF(MUT != MUT_CURSOR_FIRST, epoch++);			/* register:C */
	IF(MUT != MUT_CURSOR_FIRST, frontier(h, st));
	atomic { cursor = OLDEST(h + 1); pos[0] = cursor; start = cursor };	/* publish_cursor:A */
	IF(MUT == MUT_CURSOR_FIRST, epoch++);
#endif
#ifdef LATE
	IF(me > 0, goto again);
	frontier(h, st);
	atomic { pos[0] = h; start = h };			/* settle_voids, from here on */
	frontier(h, st);
	atomic { c1 = OLDEST(head); i = c1; v = voids };
	do
	:: i < pos[0] ->
		IF(MUT != MUT_SETTLE_LIVE,
		   do						/* revoke_writing */
		   :: atomic { st = slot[i % N]; IF(LAP(st) > LAPOF(i) || PH(st) != WRITING, break) };
			h = (dead[OWN(st)] -> VOID : PINNED);
			d_step { cas(i % N, st, WITH(st, h), inside[i % N], ok) }
		   od);
		atomic {					/* was_void:A */
			st = slot[i % N];
			IF(LAP(st) == LAPOF(i) && NO_RECORD(st) && PH(st) != WRITING && PH(st) != CLOSED ||
			   LAP(st) == LAPOF(i) + 1 && AV(st), v++);
			i++
		}
	:: else ->
		frontier(h, st);
		atomic {
			IF(OLDEST(head) < c1 + N || MUT == MUT_SETTLE_ONCE, break);
			c1 = OLDEST(head); i = c1; v = voids
		}
	od;
	atomic { start = 0; vague = c1 > pos[0] };		/* from here on nothing below it commits */
#endif
again:	skip;
	atomic {
		h = 0; c0 = 0; c1 = 0; ok = false;
		i = pos[me] % N;
		st = slot[i];					/* ring_look:A */
		IF(LAP(st) < LAPOF(pos[me]), goto none);
		IF(PH(st) == CLOSED && LAP(st) == LAPOF(pos[me]) + 1 && MUT != MUT_CLOSE_GONE,
		   if :: AV(st) -> goto void :: else -> goto copy fi);	/* it is there still */
		IF(LAP(st) > LAPOF(pos[me]), goto overtaken);
		IF(PH(st) == WRITING, goto writing);
		IF(PH(st) == CLOSED, goto judge);
		IF(PH(st) != COMMITTED, goto void)
	}
copy:	IF(MUT == MUT_CURSOR_EARLY, cursor = pos[0] + 1);
	c0 = w0[i];						/* ring_copy */
	c1 = w1[i];
	atomic {						/* ring_copy:D */
		IF(slot[i] != st && MUT != MUT_NO_RECHECK, goto again);
		assert(c0 == pos[me] && c1 == pos[me] && committed & 1 << pos[me]);
		goto next
	}
void:	atomic { v++; assert(!(committed & 1 << pos[me])) };
next:	skip;
	atomic { pos[me]++; IF(registered && me == 0, cursor = pos[0]) }	/* publish_cursor:A */
	goto again;
overtaken:
	IF(MUT != MUT_HEAD_LAG, frontier(h, st));
	atomic {						/* ring_head:A, jump */
		assert(OLDEST(head) > pos[me]);
		for (i : pos[me] .. OLDEST(head) - 1) { c0 = c0 + (committed >> i & 1) }
		c1 = OLDEST(head) - pos[me] - (voids - v);	/* what I tell that I missed */
		assert(registered && me == 0 -> c0 == 0 : c0 == c1 || vague && c0 < c1);
		vague = false;
		v = voids;
		pos[me] = OLDEST(head)
	}
	goto again;
writing:
	atomic {						/* the grace may end at any time */
		if
		:: slot[i] != st -> goto again
		:: HOLDS_UP(false) || MUT == MUT_HASTY
		:: revokes < REVOKES && HOLDS_UP(true) -> revokes++
		:: timeout -> IF(!HOLDS_UP(true), goto judge)
		fi
	}
	h = (dead[OWN(st)] || MUT == MUT_VOID_LIVE -> VOID : PINNED);	/* port_is_dead:A,B, after ring_look:A */
	d_step { cas(i, st, WITH(st, h), inside[i], ok) }	/* ring_revoke:A */
	goto again;
none:	if :: LAP(slot[i]) >= LAPOF(pos[me]) -> goto again :: timeout fi;
judge:	timeout;						/* nobody else can move */
	d_step {
		assert(!(committed >> pos[me]));
		st = slot[pos[me] % N];
		ok = LAP(st) == LAPOF(pos[me]) && PH(st) == WRITING;	/* by one that stopped */
		st = slot[head % N];
		assert(ok || pos[me] == head + (LAP(st) == LAPOF(head) && PH(st) != CLOSED));
		for (i : 0 .. NE - 1) { assert(finished[i] || gone[i]); c0 = c0 + gone[i] }
		for (i : 0 .. N - 1) { c1 = c1 + BUSY(slot[i]) }
		assert(c1 <= c0)				/* one stopped emitter, one slot */
	}
}

#ifdef HALT
/* Stops or kills emitter 0 at any moment; if HALT is 2, a new process takes its port. */
active proctype halter()
{
	byte i; short st; bool ok;
end:	atomic {
		!finished[0] -> halt[0] = true;
		if
		:: HALT != 2
		:: dead[1] = true; for (i : 0 .. N - 1) { inside[i] = inside[i] & ~1 }
		fi
	}
end2:	HALT == 2 && gone[0];
	i = 0;
	do
	:: i == N || MUT == MUT_NO_REAP -> break
	:: else -> st = slot[i];				/* ring_void_port:A */
		ok = !BUSY(st) || OWN(st) != 1;
		IF(!ok, d_step { cas(i, st, WITH(st, VOID), inside[i], ok); st = 0 })	/* ring_void_port:B */
		IF(ok, i++)
	od;
	dead[1] = false;					/* port_take:B */
	atomic { gone[0] = false; halt[0] = false; st = 0; ok = false }
}
#endif
