/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_SOAK_H
#define AIOEVT_SOAK_H

/*
 * The long run. A supervisor (main.c) starts participants (emit.c, read.c, churn.c), kills and
 * stops them at random, watches that none is held up, and checks at the end that the books
 * balance (tally.c) and that the bus is as if nobody had been there (audit.c).
 *
 * The books are in memory that the supervisor owns, apart from the bus. Who is killed between
 * two instructions leaves them in a state that says what may have happened, no more.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "aioevt-shm.h"

#define MS		UINT64_C(1000000)
#define SECOND		(1000 * MS)

#define N_STABLE	4u		/* events that stay, with books */
#define N_AUDITED	3u		/* of them, read to the last record by the auditor */
#define N_CHURN		300u		/* names that come and go, more than there are places */
#define N_BUS_EVENTS	128u
#define N_BUS_LISTENERS	64u
#define BUS_DEPTH	32u
#define MAX_SIZE	65536u
#define BUS_BUDGET	(UINT64_C(6) << 20)

#define MAX_SEATS	40u
#define MAX_WRITERS	(1u << 20)
#define MAX_ACCOUNTS	(1u << 20)
#define MAX_SEQ		(UINT64_C(1) << 30)

/* ---- the books ----------------------------------------------------------------------- */

/* What one incarnation of an emitter says of its records to one event, numbered from 1. */
struct writing {
	_Atomic uint32_t intent;	/* stored before the emit */
	_Atomic uint32_t done;		/* and after it succeeded */
	_Atomic uint32_t seen;		/* by the auditor, each one behind the one before */
	uint32_t pad;
};

struct reading_state {
	uint64_t pos;			/* all numbers below it are accounted for */
	uint64_t delivered, missed;
};

/* What one sub says: two copies, of which the one of the last version is whole. */
struct account {
	_Atomic uint32_t version;
	uint32_t event;
	bool reliable, loose;		/* loose: started at what was held no longer */
	_Atomic uint32_t drained;	/* read to the very end */
	uint64_t start;
	struct reading_state state[2];
};

/* ---- participants -------------------------------------------------------------------- */

enum stage { STAGE_EMIT, STAGE_READ, STAGE_AUDIT, N_STAGES };

struct role {
	const char *name;
	int (*run)(void);
	enum stage stage;		/* when it is told to end */
	unsigned n;			/* of them */
	unsigned max_stop_ms;		/* as reliable readers hold up emitters while stopped */
	bool may_die;
};

extern const struct role roles[];
extern const unsigned n_roles;

struct seat {
	const struct role *role;
	pid_t pid;
	uint32_t writer;		/* of this incarnation */
	uint64_t seed;
	/* what it is doing, told by itself */
	_Atomic uint64_t since;		/* ns, CLOCK_MONOTONIC; 0: nothing of the engine's */
	_Atomic uint64_t may_take;	/* ns that it asked to wait */
	const char *_Atomic what;
	_Atomic uint64_t attached, detached;
	/* the supervisor's */
	bool stopped, leaving, killed;
	uint64_t started, continued, act_at;
	uint64_t stuck_since, stuck_cpu;
	unsigned n_asleep;
};

struct counters {
	_Atomic uint64_t emitted, churned, created, removed, grown, listed, patterns, side;
	_Atomic uint64_t full, again, lost_events;
};

struct shared {
	_Atomic uint32_t ending[N_STAGES];
	_Atomic uint32_t auditor_ready;
	uint32_t n_noted;
	_Atomic uint32_t n_accounts;
	struct counters count;
	struct seat seats[MAX_SEATS];
	_Atomic uint64_t top[N_STABLE];		/* over the highest number told to an emitter */
	_Atomic uint64_t emitted[N_STABLE][MAX_SEQ / 64];	/* numbers told to emitters */
	_Atomic uint64_t seen[N_STABLE][MAX_SEQ / 64];		/* and seen by readers */
	struct writing writing[MAX_WRITERS][N_STABLE];
	struct account accounts[MAX_ACCOUNTS];
};

extern struct shared *shared;
extern struct seat *me;			/* NULL in the supervisor */

/* ---- common.c ------------------------------------------------------------------------ */

/* A promise was broken: say so, and end this process with status 1. */
#define breach(...)	(soak_breach(__FILE__, __LINE__, __VA_ARGS__))
void soak_breach(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4), noreturn));
/* The same, but go on to find more; main() ends with status 1. Of the supervisor only. */
#define note(...)	(soak_note(__FILE__, __LINE__, __VA_ARGS__))
void soak_note(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
#define MAX_NOTED	20u
#define require(cond)	((cond) ? (void)0 : breach("%s", #cond))

uint64_t now_ns(void);
uint64_t realtime_ns(void);
uint64_t rnd(void);			/* 64 random bits */
bool one_in(unsigned n);
void nap_us(unsigned most);		/* for up to so long */
bool running(void);			/* not told to end yet */
void count_one(_Atomic uint64_t *counter);

/* Around each call of the engine: it may take @wait_ns, and what a busy machine takes. */
void op_begin(const char *what, uint64_t wait_ns);
int op_end(int result);			/* returns its argument */
#define op(what, wait_ns, call)	(op_begin(what, wait_ns), op_end(call))

struct aioevt_shm *attach(void);
struct aioevt_shm *detach(struct aioevt_shm *bus);
const char *stable_name(unsigned event);
struct aioevt_shm_event *open_event(struct aioevt_shm *bus, const char *name, uint32_t flags);

/* ---- books.c ------------------------------------------------------------------------- */

#define CHURN_EVENT	1000u		/* + the number in its name: struct payload's event */
#define SIDE_EVENT	9999u

struct payload {
	uint32_t magic, event, writer, n, size, sum;
	unsigned char fill[MAX_SIZE - 24];
};

/* Fill in @size bytes, at least 24. */
void payload_make(struct payload *p, uint32_t event, uint32_t writer, uint32_t n, uint32_t size);

/* Whole, and of @event? Else a breach. */
const struct payload *payload_check(const struct aioevt_shm_record *record, uint32_t event);
uint32_t random_size(unsigned kind);

/* The event that a payload under @name is of; UINT32_MAX: there is no such name here. */
uint32_t event_by_name(const char *name);

/* One emit to a stable event, with its books. Returns what the engine said. */
int emit_booked(struct aioevt_shm_event *ev, unsigned event, struct payload *p);

void mark(_Atomic uint64_t *bits, uint64_t seq);

#endif
