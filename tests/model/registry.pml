/* SPDX-License-Identifier: MIT */
/*
 * The registry: shm/registry.c (lists), event-map.c (use), create.c (the way in), bury.c (the way out), and
 * what reap.c does for a dead maker. One bucket. A ring is a count of its numbers (ring.pml,
 * grow.pml); its region is its memory. Sequentially consistent: where the code relies on
 * store buffering, a mutation exchanges the store and the load as a buffer would.
 *
 * Shown: no name is in the list twice; nobody touches memory that was freed; an open event is
 * never retired, also if its process asks for a former event of its place; no number is used twice
 * for one name; what is GONE is not in the list; whoever is killed anywhere, when the survivors
 * have reaped his port and looked at all slots, each region is a hole or belongs to one event that
 * can be found.
 *
 * run.sh defines the instance: K event slots, NN names, OPS0 and OPS1, operations of the processes, KILL,
 * 1 if process 0 may be killed; DO_..., which operations there are; LIVE0, events that are
 * there at first; MUT, the mutation, or 0. Labels in comments are those of the code.
 */
mtype = {
	MUT_USE_LATE, MUT_GONE_LATE, MUT_RETIRE_LATE, MUT_NO_KEEP, MUT_NO_PIN, MUT_NO_MARK,
	MUT_BLIND_LINK, MUT_FLOOR_LATE, MUT_FLOOR_ONCE,
	MUT_SAME_GENERATION, MUT_NO_WALK, MUT_REAP_LINKED, MUT_PORTS_EARLY, MUT_OPEN_LATE,
	MUT_NO_SEAL, MUT_SETTLE_EARLY, MUT_UNUSE_EARLY, MUT_NO_REAP_NEW, MUT_NO_PENDING,
	MUT_USE_FORMER
}
#define IF(cond, then)	if :: cond -> then :: else fi
#define NP		2		/* processes, each with a port */
#define R		(LIVE0 + 2 * OPS0 + 2 * OPS1 + 1)	/* regions; 0 is none */

#define FREE		0
#define NEW		1
#define LIVE		2
#define RETIRING	3
#define DEAD		4
#define GONE		5
#define STATE(gen, port, ph)	((gen) * 64 + (port) * 8 + (ph))
#define GEN(st)		((st) / 64)
#define PORT(st)	((st) / 8 % 8)
#define PH(st)		((st) % 8)
#define FINDABLE(st)	(PH(st) == LIVE || PH(st) == RETIRING)

#define MARK		1
#define LINK(gen, i)	((gen) * 8 + ((i) + 1) * 2)
#define INDEX(link)	((link) / 2 % 4 - 1)
#define LINK_GEN(link)	((link) / 8)
#define BUCKET		K		/* next[K] is the bucket's link */
#define BIT(i)		(1 << (i))

/* shared */
short state[K];
short next[K + 1];
byte name[K], region[K], start[K];
byte floor;
byte using[NP], ports_hw, pending[NP];
byte head[R];				/* of a region's ring: the next number */
bool closed[R], hole[R] = true;		/* no memory yet, or no more */
byte region_end = 1;

/* ghosts */
bool dead[NP], finished[NP];		/* killed, or not */
byte opened[NP];			/* index + 1 of the event that it has open */
byte numbers[NN];			/* sets of those that were emitted */
hidden byte x; hidden short y;
#define OPENED(p, i)	(!dead[p] && opened[p] == (i) + 1)

inline is_linked(i, gen, ret)		/* ghost: can it be reached? */
{
	y = next[BUCKET];
	ret = 0;
	do
	:: y == 0 -> break
	:: y != 0 && y == LINK(gen, i) -> ret = 1; break
	:: y != 0 && y != LINK(gen, i) -> y = next[INDEX(y)]; y = y - y % 2
	od
}

#define cas(word, old, new, ok)	ok = word == (old); IF(ok, word = new)	/* in an atomic */

/* ---- in use, registry.c -------------------------------------------------------------------- */

/*
 * event_map_hold(): true, and the bit is set; or false, and it is as it was. If held, it is set for
 * what is open, and not to be cleared by who lets go of this.
 */
inline use(i, link, even_dead, ok)
{
	atomic {
		held = mine && (MUT == MUT_USE_FORMER -> mine == (link) : INDEX(mine) == (i));
		ok = held && mine == (link)
	}
	IF(!held, set_bit(i, link, even_dead, ok))
}

inline set_bit(i, link, even_dead, ok)	/* registry_use(), registry_has_kept() */
{
	IF(MUT != MUT_USE_LATE, using[me] = using[me] | BIT(i));	/* registry_use:A */
	st = state[i];							/* registry_use:B */
	do
	:: atomic { GEN(st) == LINK_GEN(link) && PH(st) == RETIRING && MUT != MUT_NO_KEEP ->
		cas(state[i], st, STATE(GEN(st), 0, LIVE), ok) }	/* keep:A */
		st = state[i]
	:: else -> break
	od;
	IF(MUT == MUT_USE_LATE, using[me] = using[me] | BIT(i));
	atomic {
		ok = GEN(st) == LINK_GEN(link) &&
		     (FINDABLE(st) || (even_dead) && PH(st) == DEAD);
		IF(!ok, using[me] = using[me] & ~BIT(i))		/* registry_unuse:A */
	}
}

inline in_use(i, ret)			/* registry_in_use() */
{
	IF(MUT != MUT_PORTS_EARLY, hw = ports_hw);			/* bus_ports_used:A */
	atomic { p = 0; ret = false }
	do
	:: atomic { p < hw -> ret = ret || using[p] & BIT(i); p++ }	/* in_use:A */
	:: atomic { p >= hw -> p = 0; break }
	od
}

/* ---- lists, registry.c ---------------------------------------------------------------------- */

inline make_live(i, fresh)
{
	f = floor;							/* registry_floor:A */
	atomic {							/* registry_link:B */
		IF(state[i] == fresh,
		   state[i] = STATE(GEN(fresh), 0, (MUT == MUT_FLOOR_ONCE || start[i] >= f -> LIVE : DEAD)));
		f = 0
	}
}

inline take_out(i)			/* of the list, at from and link; registry_take_out() */
{
	atomic { held = MUT == MUT_NO_PIN; ok = held }
	IF(!held, use(i, link, true, ok));
	if
	:: !ok -> again = true
	:: else ->
		busy = held || using[1 - me] & BIT(i);			/* in_use:A */
		atomic {						/* event_map_end() */
			assert(!hole[region[i]]);
			end = head[region[i]];
			IF(busy && MUT != MUT_NO_SEAL, closed[region[i]] = true);
			busy = false
		}
		IF(MUT != MUT_FLOOR_LATE,
		   atomic { IF(floor < end, floor = end) });		/* bury:A */
		atomic {
			nx = next[i] - next[i] % 2;
			IF(MUT != MUT_NO_MARK, next[i] = nx | MARK)	/* mark_next:A */
		}
		atomic {						/* unlink:A */
			cas(next[from], link, nx, ok);
			again = !ok;
			IF(ok, link = nx)
		}
		IF(MUT == MUT_FLOOR_LATE,
		   atomic { IF(floor < end, floor = end) });
		atomic { IF(!held, using[me] = using[me] & ~BIT(i)); end = 0; held = false }	/* registry_unuse:A */
	fi
}

/* registry_walk(): @r is 1 at the name, or 0 at the end; help: take out what is DEAD */
inline walk(nm, help)
{
	do
	:: again = false; r = 0;
		atomic { from = BUCKET; link = next[BUCKET]; first = link }	/* walk:A */
		do
		:: link == 0 || r || again -> break
		:: else ->
			i = INDEX(link);
			nx = next[i];					/* walk:B */
			same = name[i] == nm;				/* name_is:A */
			st = state[i];					/* walk:D */
			IF(GEN(st) == LINK_GEN(link) && PH(st) == NEW, make_live(i, st));
			if
			:: GEN(st) != LINK_GEN(link) -> again = true
			:: else -> if
				:: PH(st) == DEAD && (help) -> take_out(i)
				:: PH(st) == GONE || PH(st) == FREE -> again = true
				:: PH(st) != DEAD && PH(st) != GONE && PH(st) != FREE && same -> r = 1
				:: else -> atomic { again = nx % 2 && (help); from = i; link = nx - nx % 2 }
				fi
			fi;
			atomic { IF(from == BUCKET, first = link); nx = 0; same = false; st = 0 }
		od;
		IF(!again, break)
	od
}

/* ---- the way out, bury.c --------------------------------------------------------------------- */

inline bury(j)				/* registry_bury() */
{
	atomic { old = state[j]; ok = PH(old) == DEAD || PH(old) == GONE }
	IF(ok, ok = state[j] == old);		/* its name was copied before that */
	IF(ok && PH(old) == DEAD,
		IF(MUT != MUT_NO_WALK, walk(NN, true));
		atomic {						/* bury:E */
			IF(MUT == MUT_PORTS_EARLY, hw = ports_hw);
			IF(MUT == MUT_GONE_LATE, ok = !((using[0] | using[1]) & BIT(j)))
		}
		atomic {
			IF(state[j] == old,
			   state[j] = STATE(GEN(old), 0, GONE);
			   is_linked(j, GEN(old), x);
			   assert(!x));
			old = STATE(GEN(old), 0, GONE)
		});
	IF(ok && MUT != MUT_GONE_LATE, in_use(j, busy); ok = !busy);
	IF(ok,
		atomic { rg = region[j]; ok = state[j] == old }		/* copy_rings:A, walk:D */
		IF(ok,
			hole[rg] = true;				/* registry_free_rings() */
			atomic {					/* bury:B */
				IF(state[j] == old, state[j] = STATE(GEN(old), 0, FREE))
			}));
	atomic { old = 0; rg = 0; busy = false; ok = false }
}

inline retire(j)
{
	atomic { old = state[j]; ok = FINDABLE(old) }
	IF(ok && MUT == MUT_RETIRE_LATE, in_use(j, busy));
	IF(ok, atomic { cas(state[j], old, STATE(GEN(old), me, RETIRING), ok) });	/* registry_retire:A */
	IF(ok,
		IF(MUT != MUT_RETIRE_LATE, in_use(j, busy));
		atomic {
			if
			:: busy -> IF(state[j] == STATE(GEN(old), me, RETIRING),
				state[j] = STATE(GEN(old), 0, LIVE))		/* keep:A */
			:: else -> cas(state[j], STATE(GEN(old), me, RETIRING), STATE(GEN(old), 0, DEAD), ok);
				assert(!ok || !OPENED(0, j) && !OPENED(1, j))	/* registry_retire:B */
			fi;
			busy = false; old = 0; ok = false
		});
	bury(j)
}

/* ---- the way in, create.c -------------------------------------------------------------------- */

inline drop_slot(j)
{
	using[me] = using[me] & ~BIT(j);				/* registry_unuse:A */
	hole[region[j]] = true;
	atomic { state[j] = STATE(GEN(new) - 1, 0, FREE); new = 0 }		/* bury:C */
}

/* create(): mine is the new event, or 0 if somebody was faster */
inline create(nm, j)
{
	atomic {								/* take_slot:A */
		old = state[j];
		ok = PH(old) == FREE;
		IF(ok,
		   new = STATE(GEN(old) + (MUT != MUT_SAME_GENERATION), me, NEW);
		   state[j] = new);
		old = 0
	}
	if
	:: !ok
	:: else ->
		region[j] = 0;							/* clear_slot:A */
		name[j] = nm;							/* set_name:A */
		atomic { rg = region_end; region_end++ }			/* region_new:A */
		IF(MUT != MUT_NO_PENDING, pending[me] = rg);			/* region_new:B */
		hole[rg] = false;						/* fallocate */
		IF(MUT == MUT_SETTLE_EARLY, pending[me] = 0);
		atomic { region[j] = rg; rg = 0 }				/* set_ring:A */
		IF(MUT != MUT_OPEN_LATE, using[me] = using[me] | BIT(j));	/* registry_use:A */
		do
		::	walk(nm, true);
			IF(r, break);
			f2 = floor;						/* registry_floor:A */
			atomic { start[j] = f2; head[region[j]] = f2; f2 = 0 }	/* event_region_start:A,B,C */
			next[j] = first;					/* registry_link:C */
			atomic {						/* registry_link:A */
				cas(next[BUCKET], (MUT == MUT_BLIND_LINK -> next[BUCKET] : first), LINK(GEN(new), j), ok);
				IF(ok,
				   for (x : 0 .. K - 1) {
					IF(x != j && name[x] == nm && FINDABLE(state[x]), assert(false))
				   }
				   break)
			}
		od;
		if
		:: r -> pending[me] = 0; drop_slot(j)				/* region_settle:A */
		:: else ->
			make_live(j, new);
			pending[me] = 0;					/* region_settle:A */
			atomic { ok = FINDABLE(state[j]) && GEN(state[j]) == GEN(new) }	/* walk:D */
			if
			:: ok -> IF(MUT == MUT_OPEN_LATE, using[me] = using[me] | BIT(j));
				atomic { mine = LINK(GEN(new), j); new = 0 }
			:: else -> atomic { using[me] = using[me] & ~BIT(j); new = 0 }
				bury(j)
			fi
		fi
	fi;
	atomic { r = 0; first = 0; from = 0; ok = 0; st = 0; link = 0; again = 0; i = 0 }
}

/* ---- operations -------------------------------------------------------------------------------- */

/* registry_get(): find or make the event; mine is 0 if there was no slot */
inline open(nm)
{
	do
	:: mine || tries == 2 -> break
	:: else ->
		tries++;
		walk(nm, true);
		if
		:: r -> use(i, link, false, ok); IF(ok, mine = link)
		:: !r && state[0] % 8 == FREE -> create(nm, 0)
		:: !r && state[K - 1] % 8 == FREE -> create(nm, K - 1)
		:: else -> break
		fi
	od;
	atomic { tries = 0; r = 0; ok = 0; st = 0; link = 0; from = 0; first = 0; i = 0; again = 0;
		IF(mine, opened[me] = INDEX(mine) + 1) }
}

inline emit(nm)				/* if its ring is still open */
{
	atomic {
		i = INDEX(mine);
		assert(!hole[region[i]] && GEN(state[i]) == LINK_GEN(mine));
		IF(!closed[region[i]],
			assert(!(numbers[nm] & BIT(head[region[i]])));
			numbers[nm] = numbers[nm] | BIT(head[region[i]]);
			head[region[i]]++);
		i = 0
	}
}

inline close()				/* event_map_put() */
{
	atomic { i = INDEX(mine); opened[me] = 0; mine = 0 }
	using[me] = using[me] & ~BIT(i);	/* registry_unuse:A */
	atomic { k = i; i = 0 }
	bury(k)
}

/*
 * With an event open, use the one that it had open before and let go of it: sub_revive() of a sub
 * that rests. It may be gone, and the open one may have its place.
 */
inline look_back()
{
#if DO_REST
	i = INDEX(former);
	IF(former, use(i, former, false, ok));
	atomic { assert(!ok || !hole[region[i]] && GEN(state[i]) == LINK_GEN(former)) }
	atomic {
		IF(ok && !held, using[me] = using[me] & ~BIT(i));	/* registry_unuse:A */
		i = 0; ok = false; held = false; st = 0;
		former = mine
	}
#else
	skip
#endif
}

inline remove(nm)			/* aioevt_shm_event_remove() */
{
	walk(nm, true);
	IF(r, atomic { k = i;
		IF(GEN(state[k]) == LINK_GEN(link) && FINDABLE(state[k]),
		   state[k] = STATE(GEN(state[k]), 0, DEAD)) }		/* registry_kill:A */
		bury(k));
	atomic { r = 0; ok = 0; st = 0; link = 0; from = 0; first = 0; i = 0; again = 0; k = 0 }
}

/* ---- the reaper of port 0, reap.c and registry_reap_new() ------------------------------------ */

inline reap()
{
	using[0] = 0;							/* clear_use:A */
	k = 0;
	do
	:: k == K || MUT == MUT_NO_REAP_NEW -> break
	:: else ->
		atomic { old = state[k]; ok = PH(old) == NEW && PORT(old) == 0 }
		IF(ok && MUT != MUT_REAP_LINKED, walk(NN, false); ok = state[k] == old);
		IF(ok,
			hole[region[k]] = true;				/* registry_free_rings() */
			atomic { IF(state[k] == old, state[k] = STATE(GEN(old) - 1, 0, FREE)) });	/* bury:D */
		atomic { old = 0; k++ }
	od;
	atomic {
		rg = pending[0];					/* pending:A; registry_has_region() */
		for (k : 0 .. K - 1) { IF(PH(state[k]) != FREE && region[k] == rg, rg = 0) }
		hole[rg] = true
	}
	pending[0] = 0;							/* pending:C */
	atomic { rg = 0; k = 0 }
}

proctype process(byte me) provided (!dead[me])
{
	byte n, i, k, p, f, f2, hw, r, end, rg, from, nm, tries;
	short st, nx, old, new, link, first, mine, former;
	bool ok, again, same, busy, held;

	atomic { ports_hw >= me -> ports_hw = me + 1 }			/* bus_raise:A */
	do
	:: n == (me -> OPS1 : OPS0) -> break
	:: else ->
		n++;
		if :: nm = 0 :: NN > 1 -> nm = 1 fi;
		if
		:: DO_OPEN -> open(nm);
			IF(mine, IF(MUT == MUT_UNUSE_EARLY, using[me] = 0);
				look_back();
				emit(nm);
				close())
		:: DO_REMOVE -> remove(nm)
		:: DO_RETIRE -> retire(0)
		:: DO_RETIRE && K > 1 -> retire(K - 1)
		fi;
		atomic { nm = 0; k = 0 }
	od;
	finished[me] = true;
	IF(me == 1,
		finished[0] || dead[0];
		IF(dead[0], reap());
		bury(0); bury(K - 1);
		atomic {						/* nothing leaks */
			for (k : 0 .. K - 1) {
				assert(PH(state[k]) == FREE || FINDABLE(state[k]));
				IF(FINDABLE(state[k]),
					is_linked(k, GEN(state[k]), x);
					assert(x && !hole[region[k]]);
					hole[region[k]] = true)
			}
			for (k : 1 .. R - 1) { assert(hole[k]) }
			y = next[BUCKET];
			do
			:: y == 0 -> break
			:: else ->
				assert(GEN(state[INDEX(y)]) == LINK_GEN(y) && FINDABLE(state[INDEX(y)]));
				y = next[INDEX(y)]
			od
		})
}

proctype killer() { IF(!finished[0], dead[0] = true) }

init {
	atomic {
		for (x : 0 .. LIVE0 - 1) {
			name[x] = x % NN; region[x] = x + 1; hole[x + 1] = false;
			state[x] = STATE(1, 0, LIVE);
			next[x] = next[BUCKET];
			next[BUCKET] = LINK(1, x);
			region_end = x + 2
		}
		run process(0); run process(1);
		IF(KILL, run killer())
	}
}
