/* SPDX-License-Identifier: MIT */
/*
 * What wake.pml and space.pml share: store buffers, shm/bell.c, the kernel's futex.
 *
 * Total store order, written out: a plain store goes into its process's buffer and reaches
 * memory later; a load sees memory. A read-modify-write, a seq_cst store and a system call
 * wait until the buffer is empty. Who includes this defines NP, the number of processes
 * (0 to NP-1), mem[], an array of bytes, and check(), what is to hold whenever memory changes.
 */
#define IF(cond, then)	if :: cond -> then :: else fi
#define ANY		255

chan buffer[NP] = [1] of { byte, byte, byte };	/* address, value, stored if that holds it */
#define DRAINED(p)	empty(buffer[p])
#define store(p, a, v)	buffer[p]!a, v, ANY
#define locked(p, op)	atomic { DRAINED(p) -> op }

byte asleep[NP];			/* in the kernel, on the bell at that address */
byte ringing;				/* ghost: who moved a bell on and is about to wake */
hidden byte w;

/* Stores reach memory at any time. */
active [NP] proctype memory()
{
	byte a, v, old;

end:	do
	:: atomic { buffer[_pid]?a, v, old -> IF(old == ANY || mem[a] == old, mem[a] = v); a = 0; v = 0; old = 0; check() }
	od
}

inline futex_wake(bell)
{
	d_step { for (w : 0 .. NP - 1) { IF(asleep[w] == bell, asleep[w] = 0) } w = 0 }
}

#define futex_wait(p, bell, armed)	IF(mem[bell] == armed, asleep[p] = bell)

#define ARMED	1			/* a bell is generation << 1 | ARMED */

inline bell_arm(p, bell, armed)
{
	if
	:: MUT == MUT_ARM_STORE -> atomic { armed = mem[bell] | ARMED; store(p, bell, armed) }
	:: else -> locked(p, armed = mem[bell] | ARMED; mem[bell] = armed)	/* bell_arm:A */
	fi
}

/* Relaxed, so it may be late: but not later than what its process does to that word next. */
#define bell_disarm(p, bell, armed)	buffer[p]!bell, armed + 1, armed	/* bell_arm:B */

/* Of those who sleep on it only process @to is woken; @v is 0 before and after. */
inline bell_call(p, bell, to, v)
{
	IF(MUT == MUT_CALL_FIRST, locked(p, IF(asleep[to] == bell, asleep[to] = 0)));
	v = mem[bell];							/* bell_call:A */
	IF(v & ARMED && MUT != MUT_CALL_STILL,
	   locked(p, IF(mem[bell] == v,					/* bell_call:B */
		mem[bell] = (MUT == MUT_CALL_DISARM -> v + 1 : v + 2))));
	IF(MUT != MUT_CALL_FIRST, locked(p, IF(asleep[to] == bell, asleep[to] = 0)));
	v = 0
}

/* @v is 0 before and after */
inline bell_ring(p, bell, v)
{
	atomic { v = mem[bell]; IF(!(v & ARMED), v = 0) }		/* bell_ring:A */
	IF(v && MUT == MUT_WAKE_FIRST, futex_wake(bell));
	if
	:: !v
	:: v -> locked(p, if						/* bell_ring:B */
		:: mem[bell] == v || MUT == MUT_RING_STORE ->
			mem[bell] = (MUT == MUT_BIT -> v - 1 : v + 1);
			ringing++
		:: else -> v = (mem[bell] & ARMED && MUT != MUT_FAIL_SILENT -> ARMED + 1 : 0)
		fi);
		IF(v && MUT != MUT_WAKE_FIRST, futex_wake(bell));
		atomic { IF(v & ARMED, ringing--); v = 0; check() }
	fi
}
