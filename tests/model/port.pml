/* SPDX-License-Identifier: MIT */
/*
 * One port: shm/port.c. Its state, the presence lock and the right to it, which the kernel
 * frees at death. NP processes take it, leave it clean or not, find its owner dead and reap
 * it, all at once or a piece (shm/reap.c); up to KILLS of them are killed, at any step, or stopped for ever.
 *
 * Shown: two never own the port at once; a live owner is never found dead; nobody cleans
 * what a live owner has; who takes the port finds it clean; when all is at rest, the port can be
 * taken, unless its owner or one who has the right to it lives (is stopped).
 *
 * run.sh defines NP, KILLS and MUT. Labels in comments are those of the code.
 */
mtype = {
	MUT_NO_RIGHT, MUT_TAKEN_FIRST, MUT_DEAD_STORE, MUT_PROBE_FIRST, MUT_FREE_FIRST,
	MUT_CLOSE_FIRST, MUT_SAME_GENERATION, MUT_RIGHT_EARLY, MUT_REAP_TAKEN, MUT_FREE_PART,
	MUT_SAY_FIRST, MUT_KEEP_REAPED
}
#define IF(cond, then)	if :: cond -> then :: else fi
#define FREE		0
#define TAKEN		1
#define DEAD		2
#define PH(st)		((st) % 4)
#define WITH(st, ph)	((st) - PH(st) + (ph))		/* generation << 2 | phase */
#define ALIVE(o)	((o) && !dead[(o) - 1])

byte state;
byte presence, right;			/* which process has the lock, + 1 */
byte dirt[2];				/* what a participant leaves: reaped one by one */
bool reaped;				/* port->reaped: the first piece is done */
bool dead[NP], finished[NP];

/* ghosts */
byte owner;

/* port_is_dead(), seen by another: @ret */
inline is_dead(ret)
{
	IF(MUT == MUT_PROBE_FIRST, free = presence == 0);
	st = state;						/* port_is_dead:A */
	if
	:: PH(st) != TAKEN -> ret = true
	:: else ->
		IF(MUT != MUT_PROBE_FIRST, free = presence == 0);	/* F_OFD_GETLK */
		if
		:: !free -> ret = false
		:: else -> atomic {				/* port_is_dead:B */
			if
			:: state == st || MUT == MUT_DEAD_STORE ->
				assert(!ALIVE(owner));
				state = WITH(st, DEAD);
				ret = true
			:: else -> ret = PH(state) == DEAD
			fi }
		fi
	fi;
	free = false
}

/* With the right to it, in DEAD: reap_belongings(), the first piece and the rest. */
inline reap_piece()
{
	IF(!reaped,						/* reaped:A */
		IF(MUT == MUT_SAY_FIRST, reaped = true);
		atomic { assert(!ALIVE(owner)); dirt[0] = 0 };
		reaped = true);					/* reaped:B */
	IF(MUT == MUT_FREE_PART, state = WITH(st, FREE))
}

inline reap()
{
	IF(MUT == MUT_FREE_FIRST, state = WITH(st, FREE));
	reap_piece();
	atomic { assert(!ALIVE(owner)); dirt[1] = 0 }
	IF(MUT != MUT_KEEP_REAPED, reaped = false);		/* reaped:B */
	state = WITH(st, FREE)					/* reap:A */
}

inline unlock_right() { IF(right == me + 1, right = 0) }

proctype process(byte me) provided (!dead[me])
{
	byte st, n, gen;
	bool free, yes;

	do
	:: n == 2 -> break
	:: else ->			/* try_take() */
		n++;
		atomic { if :: right == 0 || MUT == MUT_NO_RIGHT -> right = me + 1 :: else -> goto again fi };
		is_dead(yes);					/* of TAKEN; else it says yes */
		IF(!yes, goto no);
		st = state;					/* port_is_dead:A */
		IF(PH(st) == DEAD, reap(); st = state);
		IF(MUT == MUT_TAKEN_FIRST, goto taken);
locked:		atomic { if :: presence == 0 -> presence = me + 1 :: else -> goto no fi };	/* F_OFD_SETLK */
		IF(MUT == MUT_RIGHT_EARLY, unlock_right());
		IF(MUT == MUT_TAKEN_FIRST, goto mine);
taken:		atomic {					/* port_take:B */
			assert(!ALIVE(owner) && !dirt[0] && !dirt[1]);
			owner = me + 1;
			gen = state + 4 * (MUT != MUT_SAME_GENERATION);
			state = WITH(gen, TAKEN);
			gen = state
		}
		IF(MUT == MUT_TAKEN_FIRST, goto locked);
mine:		unlock_right();

		atomic { assert(state == gen && owner == me + 1); dirt[0] = 1 }		/* in use */
		atomic { assert(state == gen && owner == me + 1); dirt[1] = 1 }

		if						/* port_release() */
		:: dirt[0] = 0; dirt[1] = 0; IF(MUT == MUT_CLOSE_FIRST, presence = 0); st = FREE
		:: st = DEAD
		fi;
		atomic { owner = 0; state = WITH(state, st); st = 0; gen = 0 }		/* port_release:A */
		IF(presence == me + 1, presence = 0);		/* close(2) */
		goto again;
no:		unlock_right();
again:		atomic { st = 0; yes = false; gen = 0 }
		if :: true :: true -> is_dead(yes); IF(yes, st = state; IF(PH(st) == DEAD,		/* port_reap() */
			atomic { if :: right == 0 || MUT == MUT_NO_RIGHT -> right = me + 1 :: else -> goto next fi };
			st = state;
			IF(PH(st) == DEAD || MUT == MUT_REAP_TAKEN, if :: true -> reap() :: true -> reap_piece() fi);
			unlock_right()))
		fi;
next:		atomic { st = 0; yes = false }
	od;
	finished[me] = true
}

proctype killer()
{
	byte n, i;

	do
	:: n == KILLS -> break
	:: n < KILLS ->
		if :: i = 0 :: i = 1 fi;
		atomic {
			dead[i] = true; n++;
			IF(presence == i + 1, presence = 0);		/* the kernel */
			IF(right == i + 1, right = 0)
		}
	od
}

/* One who comes when all else rests. */
proctype last()
{
	byte me = NP, st;
	bool free, yes;

	timeout;
	assert(right == 0 && presence == 0);
	is_dead(yes);
	st = state;
	IF(PH(st) == DEAD, reap());
	assert(PH(state) == FREE && !dirt[0] && !dirt[1] && !reaped)
}

init {
	byte i;

	atomic {
		for (i : 0 .. NP - 1) { run process(i) }
		run killer(); run last()
	}
}
