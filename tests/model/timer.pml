/* SPDX-License-Identifier: MIT */
/*
 * Firing a timer (shm/timer-fire.c) into a ring (shm/ring.c, ring.pml): firers, emitters that
 * go round, a reader that revokes, and one who cancels. Each may be delayed anywhere, so be stopped;
 * with HALT, firer 0 is killed at any step. Sequentially consistent.
 *
 * Shown: the timer's record is committed at most once, and not if it was cancelled; who ends it as
 * fired, as not fired, or cancels it is right; whenever it is FIRING it is held; and when all
 * that live have come to rest before number H, it was fired, or cancelled, and no attempt is left.
 *
 * run.sh defines the instance: N slots; H numbers, where everybody gives up; NF firers; NE emitters with E records
 * each; REVOKES, and TAKES, how often a firer takes a live one over; CANCEL, 0 or 1; MUT, the mutation,
 * or 0. Labels in comments are those of the code.
 */
mtype = { WRITING, COMMITTED, VOID, PINNED }
mtype = { ARMED, FIRING, FREE }
mtype = {
	MUT_NO_HOLD, MUT_NO_EPOCH, MUT_EPOCH_FIRST, MUT_SAME_VERSION, MUT_BEGIN_STORE,
	MUT_BEGIN_LATE, MUT_NO_REVOKE, MUT_DROP_FIRST, MUT_END_LATE, MUT_CANCEL_FIRING, MUT_GONE,
	MUT_LIMIT_HIGH, MUT_LEAVE, MUT_KEEP
}
#define ST(lap, own, av, ph)	((lap) * 128 + (own) * 16 + (av) * 8 + (ph))
#define LAP(st)		((st) / 128)
#define OWN(st)		(((st) / 16) % 8)
#define AV(st)		(((st) / 8) % 2)
#define PH(st)		((st) % 8)
#define WITH(st, ph)	((st) - PH(st) + (ph))
#define BUSY(st)	(PH(st) == WRITING || PH(st) == PINNED)
#define NO_RECORD(st)	((st) != 0 && PH(st) != COMMITTED)
#define LAPOF(seq)	((seq) / N + 1)
#define IF(cond, then)	if :: cond -> then :: else fi
/* firers have ports 1 to NF, emitters those after */
#define WORD(v, port)	((v) * 8 + (port))

short slot[N];
byte head;
bool stale[NF + NE + 1];			/* the epoch is not what that port's limit is of */
byte version = 1, phase = ARMED, number;	/* the timer; number while it is FIRING */
byte firing, from;			/* the event */
bool dead[NF + NE + 1];

/* ghosts */
byte fired;				/* records of the timer */
bool cancelled;
bool halt, gone;
hidden byte x;
byte n_done;				/* firers and emitters that are through */

inline bump() { d_step { for (x : NF + 1 .. NF + NE) { stale[x] = true } x = 0 } }
inline cas(i, old, new, ok) { ok = slot[i] == (old); IF(ok, slot[i] = new) }

/*
 * It is what firing says: decide it. @w is that; @q, @st, @ok are the caller's, 0 after. A look that is
 * followed by a CAS from what was seen is one step with it; but what a slot tells is remembered.
 */
inline settle(w)
{
	IF(MUT == MUT_DROP_FIRST, atomic { IF(firing == w, firing = 0) });
	do
	:: atomic {						/* settle:A,B */
		IF(version != w / 8 || phase == FREE, break);
		IF(phase == ARMED, IF(MUT != MUT_SAME_VERSION, version++); break);
		q = number;
		st = slot[q % N];				/* ring_look:A */
		IF(LAP(st) == LAPOF(q) && PH(st) == WRITING && MUT != MUT_NO_REVOKE,	/* ring_revoke:A */
			st = WITH(st, (dead[OWN(st)] -> VOID : PINNED)); slot[q % N] = st);
		ok = LAP(st) == LAPOF(q) && PH(st) == COMMITTED || LAP(st) > LAPOF(q) && MUT == MUT_GONE
	   };
	   atomic {						/* release:A, settle:B */
		IF(version == w / 8 && phase == FIRING && number == q,
			assert(ok == fired);
			phase = (ok -> FREE : ARMED); number = 0;
			IF(MUT != MUT_SAME_VERSION || ok, version++);
			break)
	   }
	od;
	atomic { IF(firing == w && MUT != MUT_KEEP, firing = 0); st = 0; ok = 0; q = 0 }	/* drop:A */
}

/* May @h be claimed? As firing_limit(); sets @limit */
inline hold_limit(h)
{
	atomic {
		w = firing;					/* limit:A,B */
		limit = (w && MUT != MUT_NO_HOLD -> from + N + (MUT == MUT_LIMIT_HIGH) : 255)
	};
	IF(w && h >= limit, settle(w); limit = h + 1);
	w = 0
}

/*
 * The next number, in @h, its slot claimed as @mine; @lost: no more numbers. Head goes with the claim here:
 * that it may lag, and the rest of what emitters do to each other, is in ring.pml.
 */
inline claim(port)
{
	do
	:: atomic {						/* ring_next:A,B */
		h = head; old = slot[h % N];
		if
		:: h >= H -> lost = true; break
		:: h < H && BUSY(old) && !dead[OWN(old)] ->	/* ring_next:C, ring_step:A */
			slot[h % N] = ST(LAPOF(h), OWN(old), 1, PINNED); head++; goto again
		:: else
		fi
	   };
	   atomic { ok = stale[port] || h >= limit; stale[port] = false };	/* may_claim:A */
	   IF(ok, ok = 0; hold_limit(h));
	   atomic {						/* ring_claim:A */
		IF(port <= NF && firing != WORD(v, port), break);	/* hold:G */
		mine = ST(LAPOF(h), port, NO_RECORD(old), WRITING);
		IF(slot[h % N] == old, slot[h % N] = mine; IF(head == h, head++); break);
	   };
again:	   atomic { mine = 0; old = 0 }
	od;
	atomic { old = 0 }
}

/* It is not to be a record, whether revoked or not: ring_withdraw, ring_give_back. */
inline withdraw(port)
{
	d_step {						/* ring_withdraw:A, ring_give_back:A,B */
		st = slot[h % N];
		assert(st == mine || PH(st) == PINNED && OWN(st) == port);
		IF(MUT != MUT_LEAVE, slot[h % N] = WITH(st, VOID));
		st = 0
	}
}

active [NF] proctype firer()
{
	byte port = _pid + 1, h, w, v, q, limit, takes;
	short st, mine, old; bool ok, lost;
	{
	do
	:: atomic { phase == FREE -> break }
	:: else ->
		atomic {
			h = head;				/* hold:E */
			w = firing;				/* limit:A */
			IF(w, goto busy);
			v = version;				/* timer_look:A */
			IF(phase != ARMED, goto clear)
		};
		atomic { IF(from < h, from = h) };	/* hold:B */
		IF(MUT == MUT_EPOCH_FIRST, bump());
		atomic {					/* hold:C */
			w = firing;
			IF(!w, firing = WORD(v, port))
		}
		IF(w, goto busy);
		IF(MUT != MUT_NO_EPOCH && MUT != MUT_EPOCH_FIRST, bump());	/* hold:D */
		claim(port);
		if
		:: lost -> atomic { IF(firing == WORD(v, port), firing = 0); break }	/* drop:A */
		:: !lost && !mine -> goto clear
		:: else
		fi;
		IF(MUT == MUT_BEGIN_LATE, goto commit);
		atomic {					/* firing_begin:A */
			ok = version == v && phase == ARMED || MUT == MUT_BEGIN_STORE;
			IF(ok, assert(firing / 8 == version || MUT); phase = FIRING; number = h)
		};
		IF(!ok, goto failed);
commit:		atomic {					/* ring_commit:A */
			cas(h % N, mine, WITH(mine, COMMITTED), ok);
			IF(ok, fired++; assert(fired == 1 && !cancelled))
		};
		IF(!ok, goto failed);
		ok = 0;
		IF(MUT == MUT_END_LATE, atomic { IF(firing == WORD(v, port), firing = 0) });
		atomic { IF(version == v && (phase == FIRING || MUT == MUT_BEGIN_LATE), phase = FREE; number = 0; version++) };	/* release:A */
		atomic { IF(firing == WORD(v, port), firing = 0) };	/* drop:A */
		goto clear;
failed:		withdraw(port);
		w = WORD(v, port);
		settle(w);
		goto clear;
busy:		skip;
		if						/* take_over */
		:: dead[w % 8] -> settle(w)
		:: takes < TAKES && !dead[w % 8] -> takes++; settle(w)
		:: firing != w
		fi;
		goto clear;
clear:		atomic { h = 0; w = 0; v = 0; q = 0; st = 0; mine = 0; old = 0; ok = 0; limit = 0 }
	od;
	atomic { n_done++; takes = 0; lost = 0; h = 0; w = 0; v = 0; st = 0; limit = 0 }
	}
#ifdef HALT
	unless { atomic { halt && port == 1 && !gone ->
		gone = true; dead[1] = true; n_done++;
		h = 0; w = 0; v = 0; q = 0; limit = 0; takes = 0; st = 0; mine = 0; old = 0; ok = 0 } }
#endif
}

active [NE] proctype emitter()
{
	byte port = _pid + 1, h, w, v, q, limit, n;
	short st, mine, old; bool ok, lost;

	do
	:: n == E -> break
	:: else ->
		claim(port);
		IF(lost, break);
		atomic { cas(h % N, mine, WITH(mine, COMMITTED), ok); IF(ok, n++) };	/* ring_commit:A */
		IF(!ok, withdraw(port));
		atomic { ok = 0; mine = 0; h = 0; q = 0 }
	od;
	atomic { n_done++; n = 0; limit = 0; lost = 0; h = 0; st = 0 }
}

/* A reader that gives up whoever is writing. */
active proctype reader()
{
	byte n, i; short st; bool ok;

	do
	:: n == REVOKES -> break
	:: else ->
		n++;
		if :: i = 0 :: i = N - 1 fi;
		atomic { st = slot[i]; IF(PH(st) != WRITING, goto none) };
		d_step { cas(i, st, WITH(st, (dead[OWN(st)] -> VOID : PINNED)), ok) };	/* ring_revoke:A */
none:		atomic { st = 0; ok = 0; i = 0 }
	od
}

active proctype canceller()
{
	byte w, q, v; short st; bool ok;

	do
	:: !CANCEL -> break
	:: CANCEL ->
		v = 0;
		atomic {					/* timer_look:A */
			if
			:: phase == FREE -> break
			:: phase == ARMED -> v = version
			:: phase == FIRING && MUT == MUT_CANCEL_FIRING -> v = version
			:: else
			fi
		};
		if
		:: v -> atomic {				/* release:A */
			IF(version == v && (phase == ARMED || MUT == MUT_CANCEL_FIRING && phase == FIRING),
				assert(!fired);
				cancelled = true; phase = FREE; version++; break)
			}
		:: else -> w = firing; IF(w, settle(w)); w = 0
		fi
	od;
	v = 0;

	/* all that live are through */
	atomic {
		n_done == NF + NE ->
		assert(phase == FREE -> fired + cancelled == 1 : !cancelled && (head >= H || gone));
		assert(!firing || gone);

		for (q : 0 .. N - 1) { assert(!BUSY(slot[q]) || dead[OWN(slot[q])]) }
		q = 0
	}
}

#ifdef HALT
active proctype halter()
{
	atomic { halt = true }
}
#endif
