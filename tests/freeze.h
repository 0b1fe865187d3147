/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_TEST_FREEZE_H
#define AIOEVT_TEST_FREEZE_H

/*
 * Freeze and kill: a process, the victim, is brought to each instruction of an operation, and
 * there killed, or stopped; the others must go on, and in the end nothing of it be left.
 *
 *   killed     at the instruction; the survivors go on, reap it, and the bus is clean
 *   stopped    the survivors do all there is to do; then it is killed: as before
 *   overtaken  the same, three laps of the ring among it; then it goes on, must finish its
 *              operation as if nothing had been, and leave
 *
 * freeze-victim.c brings a victim to an instruction, freeze-crew.c has the survivors (this
 * process, and a waiter that sleeps in another), freeze-clean.c looks what was left behind,
 * freeze.c puts them together. Each test_freeze_*.c has the operations of one subject.
 *
 * Which instructions: the operation is traced first. `make proof` (FREEZE=all) visits every
 * one of the trace; of an operation of over FREEZE_LONG instructions, which goes round loops,
 * those before and after each change of the bus file and each system call, the first and the
 * last time at each address, and one in 16 of the others. `make check` takes a sample of
 * those at changes and system calls, and of the others (SEED chooses; FREEZE=n is a sample of
 * another size). Under sanitizers, where an operation has 20 times the instructions, SEED
 * chooses a sixth of the operations, too. FREEZE_ONLY=text: of these operations alone.
 *
 * The calls of the kernel's vdso count as one instruction each. Not stepped into: the kernel.
 * Processors other than x86-64 step each victim all the way, and know no changes.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bus.h"
#include "../shm/bus.h"
#include "event.h"
#include "listener.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define FREEZE_SANITIZED	1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define FREEZE_SANITIZED	1
#endif
#endif
#ifndef FREEZE_SANITIZED
#define FREEZE_SANITIZED	0
#endif

#define FREEZE_DEPTH	8u
#define FREEZE_LARGE	5000u
#define FREEZE_SMALL	64u
#define FREEZE_LONG	2500u
#define FREEZE_BOUND	(20 * UINT64_C(1000000000))	/* for ever, on a loaded machine */

enum freeze_mode { FREEZE_KILL, FREEZE_STOP, FREEZE_OVERTAKE, FREEZE_N_MODES };

/* An operation. Those that say victim run in it, the others in the test's own process. */
struct freeze {
	const char *what;
	void (*arrange)(void);		/* before each victim is there; may be NULL */
	void (*ready)(void);		/* victim: what comes before the operation */
	void (*act)(void);		/* victim: the operation, that is stepped through */
	void (*verify)(void);		/* victim: it went on. Check, let go of everything */
	void (*asleep)(void);		/* the victim sleeps: wake it. NULL: it does not */
	void (*survive)(void);		/* NULL: crew_go_on() */
	void (*finished)(void);		/* the victim is through with it, not ended; may be NULL */
	void (*after)(void);		/* the victim is gone, not reaped yet; may be NULL */
	bool no_clean;			/* the bus may be another: after() checks itself */
	unsigned share;			/* of the sample: 0 is 1 */
};

/* First and last in main(); freeze_end() prints the table. Returns main's status. */
void freeze_begin(void);
int freeze_end(void);

/* All points of @op in all modes, as told above. */
void freeze_run(const struct freeze *op);

/* For the hooks: where we are. */
extern struct freeze_point {
	enum freeze_mode mode;
	uint64_t n;			/* of this victim; no two have the same */
	bool inside;			/* it did not come to the end of the operation */
	bool running;			/* there is a victim: dead or stopped */
	pid_t pid;
} freeze_point;

/* Memory that victims share with the test: cleared before each. */
extern struct freeze_told {
	int err;
	uint64_t seq, value[8];
} *freeze_told;

/* ---- the victim, freeze-victim.c ------------------------------------------------------ */

struct freeze_trace {
	unsigned n;			/* instructions */
	unsigned n_effects, n_sleeps;
	uintptr_t *pc;
	unsigned char *effect;		/* of the instruction before: the file, a system call */
	unsigned char *is_edge;		/* the first or the last time at its address */
	unsigned *from;			/* where to run to first, to come to this one */
	unsigned *sleep_at;		/* instructions that slept */
};

/* Where it is to be brought: before instruction @k, or asleep in it. */
struct freeze_place {
	unsigned k;
	bool asleep;
};

/* Fork a victim, which makes itself ready and waits. */
void victim_start(const struct freeze *op);

/* Step through the whole operation. @fd (-1: none) is the file that is looked at. */
void victim_trace(const struct freeze *op, int fd, struct freeze_trace *trace);

/* False: the operation is over. */
bool victim_bring(const struct freeze *op, const struct freeze_trace *trace,
		  struct freeze_place place);
void victim_kill(void);

/* Let it finish the operation; @finished is called when it has. It must end well. */
void victim_continue(const struct freeze *op);

/* ---- the crew, freeze-crew.c ----------------------------------------------------------- */

struct crew_config {
	uint32_t size;			/* of payloads */
	uint32_t flags;			/* of the waiter: AIOEVT_SHM_RELIABLE or 0 */
	bool company;			/* another listens too: they share a bell */
	bool may_miss;			/* the event is removed: numbers have gaps */
	bool patient;			/* a victim may take the waiter's wake with it: rechecks */
	struct aioevt_shm_config bus;
};

struct crew {
	struct crew_config config;
	struct aioevt_shm *bus;
	struct aioevt_shm_event *event;		/* "frozen" */
	struct aioevt_shm_listener *other;
	uint64_t n;			/* records that survivors emitted */
	unsigned n_late;		/* at this point */
	bool may_hold;			/* the victim is a reliable reader: -EAGAIN is right */
	bool is_held;			/* and there was one */
	pid_t waiter;
};
extern struct crew crew;

#define CREW_CONFIG(payload, ...) ((struct crew_config){ .size = (payload), \
	.bus = bus_config(64, 64, FREEZE_DEPTH), __VA_ARGS__ })

/* A bus with the event "frozen" and a waiter on it. End: the bus is removed. */
void crew_begin(const struct crew_config *config);
void crew_end(void);

/* The waiter has read all and sleeps. */
void crew_rest(void);

/* One record, which the waiter must get. False: held up, as may be. */
bool crew_emit(void);

/* A wake, everything a participant can do, three laps. */
void crew_go_on(void);
void crew_do_everything(void);
void crew_laps(void);

/* How many records of this point's victim the waiter read. */
uint64_t crew_n_victim(void);

/* Is a record of this point's victim committed? Looks at the ring itself, all of it is whole. */
bool crew_victim_committed(void);

/* The payloads; @who is VICTIM or SURVIVOR. */
enum { VICTIM = 1, SURVIVOR = 2 };
struct payload {
	uint64_t who, n, size;
	unsigned char fill[FREEZE_LARGE - 24];
};
void payload_make(struct payload *p, uint64_t who, uint64_t n, uint32_t size);
void payload_check(const struct payload *p, size_t size);

/* Do something within the bound. */
#define in_bound(what) do { uint64_t start_ = now_ns(); what; \
	check(now_ns() - start_ < FREEZE_BOUND); } while (0)

/* ---- what is left, freeze-clean.c -------------------------------------------------------- */

struct census {
	struct aioevt_shm_info info;
};

void census_take(struct census *ret_census);

/* Reap, and compare: no port, listener, bit, cursor, slot, body, region, memory more; no timer. */
void census_check(const struct census *before);

/* ---- short forms for victims ------------------------------------------------------------- */

extern struct victim {
	struct aioevt_shm *bus;
	struct aioevt_shm_event *event;
	struct aioevt_shm_listener *listener;
	struct aioevt_shm_sub *sub;
} victim;

void victim_attach(void);		/* open the bus */
void victim_open(void);			/* and "frozen" */
void victim_leave(void);		/* close what is open */

#endif
