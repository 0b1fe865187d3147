/* SPDX-License-Identifier: MIT */
/*
 * Scheduling (shm/timer.c), an event's due, and its end: two schedulers, of whom 0 is for the earlier
 * time; one who fires or cancels and then mends the due, another who mends; one who retires the event
 * (shm/bury.c) or removes it. Each may be stopped anywhere. Sequentially consistent; that a listener is
 * rung for a due that was lowered is wake.pml, with the due in the place of the record.
 *
 * Shown: an event with a timer that was scheduled is not retired; one that is dead has none once
 * all are through; and whenever nobody is in the midst of it, the due is that of the earliest timer, or earlier.
 *
 * run.sh defines the instance: REMOVE, 1 if the event is removed and not retired; MENDER, 0 or 1,
 * whether another mends, too; MUT, the mutation, or 0. Labels in comments are those of the code.
 */
mtype = { LIVE, RETIRING, DEAD }
mtype = {
	MUT_MEND_STORE, MUT_NO_COUNT, MUT_MEND_LATE, MUT_LOWER_FIRST, MUT_RETIRE_EARLY, MUT_LIVE_FIRST,
	MUT_UNUSE_EARLY, MUT_REMOVE_EARLY, MUT_NO_DUE
}
#define IF(cond, then)	if :: cond -> then :: else fi
#define DUE(i)		((i) + 1)
#define TICKS(w)	((w) / 16)		/* 0: none */
#define WORD(t, w)	((t) * 16 + ((w) + 1) % 16)	/* counted */
#define MIN(a, b)	((a) && (a) < (b) -> (a) : (b))

byte state = LIVE, word;
bool armed[2], using[2];
bool scheduled[2];			/* ghost: told that it was, and not fired or cancelled */
byte n_busy;				/* ghost: between arming, or ending, and the due */
byte n_done;

inline check()
{
	assert(n_busy || state == DEAD || !armed[0] || TICKS(word) == 1);
	assert(n_busy || state == DEAD || !armed[1] || TICKS(word))
}

/* @w and @t are 0 before and after */
inline lower(i)
{
	do
	:: w = word;						/* lower:A */
	   t = MIN(TICKS(w), DUE(i));
	   atomic {						/* lower:B */
		IF(word == w,
			IF(MUT != MUT_NO_COUNT || t != TICKS(w), word = WORD(t, w));
			w = 0; t = 0; break)
	   }
	od
}

inline mend()
{
	w = word;						/* mend_due:A */
	t = 0;
	IF(armed[1], t = DUE(1));				/* timer_look:A */
	IF(armed[0], t = DUE(0));
	IF(MUT == MUT_MEND_LATE, w = word);
	atomic {						/* mend_due:B */
		IF(TICKS(w) && t != TICKS(w) && (word == w || MUT == MUT_MEND_STORE), word = WORD(t, w); check());
		w = 0; t = 0
	}
}

proctype scheduler(byte i)
{
	byte w, t; bool live;

	using[i] = true;					/* registry_use:A */
	atomic {						/* registry_use:B, keep:A */
		IF(state == DEAD, goto out);
		IF(state == RETIRING, state = LIVE)
	}
	IF(MUT == MUT_LIVE_FIRST, live = state != DEAD);
	IF(MUT == MUT_LOWER_FIRST, lower(i));
	atomic { armed[i] = true; IF(MUT != MUT_LOWER_FIRST, n_busy++) };	/* arm:A */
	IF(MUT != MUT_LIVE_FIRST, live = state != DEAD);	/* walk:D */
	IF(!live, atomic { armed[i] = false; n_busy--; goto out });	/* release:A */
	IF(MUT == MUT_UNUSE_EARLY, using[i] = false);
	IF(MUT != MUT_LOWER_FIRST, lower(i); atomic { n_busy--; check() });
	scheduled[i] = armed[i];
out:	using[i] = false;					/* registry_unuse:A */
	n_done++
}

/* Fires, or cancels, what there is, the earlier if it likes. */
proctype ender()
{
	byte w, t, i;

	if :: i = 0 :: i = 1 fi;
	atomic { IF(armed[i], armed[i] = false; scheduled[i] = false) };	/* release:A */
	mend();
	n_done++
}

proctype mender()
{
	byte w, t;

	mend();
	n_done++
}

proctype retirer()
{
	byte w, t; bool busy;

	atomic { IF(state == LIVE, state = RETIRING) };		/* registry_retire:A */
	IF(MUT == MUT_RETIRE_EARLY, busy = TICKS(word));
	busy = busy || using[0];				/* in_use:A */
	busy = busy || using[1];
	IF(MUT != MUT_RETIRE_EARLY && MUT != MUT_NO_DUE, busy = busy || TICKS(word));	/* timer_due:A */
	atomic {						/* registry_retire:B, keep:A */
		IF(state == RETIRING,
			state = (busy -> LIVE : DEAD);
			assert(state == LIVE || !scheduled[0] && !scheduled[1]))
	}
	n_done++
}

proctype remover()
{
	IF(MUT != MUT_REMOVE_EARLY, state = DEAD);		/* registry_kill:A */
	atomic { armed[0] = false; scheduled[0] = false };	/* timer_look:A, release:A */
	atomic { armed[1] = false; scheduled[1] = false };
	IF(MUT == MUT_REMOVE_EARLY, state = DEAD);
	n_done++
}

init {
	atomic {
		run scheduler(0); run scheduler(1); run ender();
		IF(MENDER, run mender());
		if :: REMOVE -> run remover() :: else -> run retirer() fi
	}
	atomic { n_done == 4 + MENDER -> assert(state != DEAD || !armed[0] && !armed[1]); check() }
}
