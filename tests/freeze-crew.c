/* SPDX-License-Identifier: MIT */
/*
 * The survivors: this process, which emits and does all else, and a waiter in a process of
 * its own, which sleeps until there is a record of "frozen" and checks it: whole, newer than
 * the one before, none of the survivors' missing.
 *
 * The waiter makes no re-check by itself. If the victim took it upon itself to wake the waiter and
 * did not come to it (the bell is not armed any more), the test lets the re-check fall due,
 * by a signal; that is counted. In all other cases the survivor's record must wake it.
 */
#include "freeze.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>

#include "body.h"

#define FAR		(UINT64_MAX / 2)
#define TAKEN_NS	(3 * MS)	/* for a waiter that was woken to go to sleep again */

struct crew crew;

/* What the waiter tells. */
static struct told {
	_Atomic uint64_t seen;		/* the last of the survivors' records */
	_Atomic uint64_t victim_n;	/* of the last of a victim's */
	_Atomic uint64_t n_victim;	/* how many of that one */
	_Atomic uintptr_t bell, base;	/* addresses there: of listener->bell, of the bus */
} *told;

/* ---- payloads ------------------------------------------------------------------------- */

void payload_make(struct payload *p, uint64_t who, uint64_t n, uint32_t size)
{
	p->who = who;
	p->n = n;
	p->size = size;
	memset(p->fill, (int)(who * 31 + n) & 0xff, size - 24);
}

void payload_check(const struct payload *p, size_t size)
{
	check_eq(p->size, size);
	check(p->who == VICTIM || p->who == SURVIVOR);
	for (size_t i = 0; i < size - 24; i++)
		check_eq(p->fill[i], (unsigned char)(p->who * 31 + p->n));
}

/* ---- the waiter ------------------------------------------------------------------------ */

static struct aioevt_shm_listener *waiting;

static void on_nudge(int sig)
{
	(void)sig;
	waiting->recheck_at = 0;
}

static void take_record(const struct aioevt_shm_record *r)
{
	static uint64_t last_seq;
	const struct payload *p = r->data;

	check(r->seq > last_seq);
	check(crew.config.may_miss || !r->missed);
	last_seq = r->seq;
	payload_check(p, r->size);
	if (p->who == SURVIVOR) {
		check_eq(p->n, atomic_load(&told->seen) + 1);
		atomic_store(&told->seen, p->n);
	} else if (p->n == atomic_load(&told->victim_n)) {
		atomic_fetch_add(&told->n_victim, 1);
	} else {
		check(p->n > atomic_load(&told->victim_n));
		atomic_store(&told->n_victim, 1);
		atomic_store(&told->victim_n, p->n);
	}
}

static _Noreturn void be_waiter(void)
{
	static _Alignas(8) unsigned char buf[FREEZE_LARGE + 8];
	struct sigaction sa = { .sa_handler = on_nudge };
	struct aioevt_shm_record r;
	struct aioevt_shm_sub *sub, *which;
	struct aioevt_shm *bus;
	int n;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bus = bus_open(NULL);
	waiting = listener_of(bus);
	sub = sub_of(waiting, "frozen", crew.config.flags);
	check_eq(sigaction(SIGUSR1, &sa, NULL), 0);
	atomic_store(&told->base, (uintptr_t)bus->base);
	atomic_store(&told->bell, (uintptr_t)&waiting->bell);
	for (;;) {
		waiting->recheck_at = FAR;
		check_eq(aioevt_shm_wait(waiting, AIOEVT_SHM_NO_DEADLINE, &which), 0);
		check(which == sub);
		while ((n = aioevt_shm_read(sub, &r, 1, buf, sizeof(buf))) == 1)
			take_record(&r);
		check_eq(n, 0);
	}
}

/* The word that the waiter sleeps on, or slept last, is armed. */
static bool is_armed(void)
{
	uintptr_t at = 0;
	struct iovec to = { &at, sizeof(at) };
	struct iovec from = { (void *)atomic_load(&told->bell), sizeof(at) };

	if (!from.iov_base || process_vm_readv(crew.waiter, &to, 1, &from, 1, 0) !=
			      sizeof(at) || !at)
		return false;
	at += (uintptr_t)crew.bus->base - atomic_load(&told->base);
	return atomic_load((_Atomic uint32_t *)at) & BELL_ARMED;
}

static void check_waiter(uint64_t since)
{
	check_eq(waitpid(crew.waiter, NULL, WNOHANG), 0);
	check(now_ns() - since < FREEZE_BOUND);
	sched_yield();
}

static void await_seen(bool strict)
{
	uint64_t start = now_ns(), nudge = start + TAKEN_NS;
	bool late = false;

	while (atomic_load(&told->seen) < crew.n) {
		check_waiter(start);
		if (strict || now_ns() < nudge)
			continue;
		check_eq(kill(crew.waiter, SIGUSR1), 0);
		nudge = now_ns() + TAKEN_NS;
		late = true;
	}
	crew.n_late += late;
}

void crew_rest(void)
{
	uint64_t start = now_ns();

	await_seen(!crew.config.patient);
	while (!is_armed())
		check_waiter(start);
}

/* Nobody took the wake: the bell is armed, or the waiter is up and arms it again. */
static bool is_wakeable(void)
{
	uint64_t start = now_ns();

	while (!is_armed()) {
		if (now_ns() - start > TAKEN_NS)
			return false;
		sched_yield();
	}
	return true;
}

uint64_t crew_n_victim(void)
{
	return atomic_load(&told->victim_n) == freeze_point.n ? atomic_load(&told->n_victim) : 0;
}

/* ---- emitting --------------------------------------------------------------------------- */

static bool emit_one(void)
{
	static struct payload p;
	struct aioevt_shm_event_info info;
	int err;

	payload_make(&p, SURVIVOR, crew.n + 1, crew.config.size);
	in_bound(err = aioevt_shm_emit(crew.event, &p, crew.config.size, NULL));
	if (err == -EAGAIN && crew.may_hold) {
		check_eq(aioevt_shm_event_get_info(crew.event, &info), 0);
		check_eq(info.slowest_pid, freeze_point.pid);
		crew.is_held = true;
		return false;
	}
	check_eq(err, 0);
	crew.n++;
	return true;
}

bool crew_emit(void)
{
	bool strict = !crew.config.patient && is_wakeable();

	if (!emit_one())
		return false;
	await_seen(strict);
	return true;
}

void crew_laps(void)
{
	for (unsigned i = 0; i < 3 * FREEZE_DEPTH; i++) {
		if (!emit_one())
			return;
		if (i % 4 == 3)
			await_seen(!crew.config.patient);
	}
}

bool crew_victim_committed(void)
{
	static _Alignas(8) unsigned char buf[FREEZE_LARGE + 8];
	struct event_map *map = crew.event->map;
	const struct payload *p = (void *)buf;
	struct ring_record record;
	uint64_t end, state;

	check_eq(event_map_all(map), 0);
	for (unsigned k = 0; k < event_map_rings(map); k++) {
		const struct ring *r = &map->ring[k];

		check_eq(ring_frontier(r, &end), 0);
		for (uint64_t seq = ring_oldest(r, end); seq < end; seq++) {
			if (ring_look(r, seq, &state) != LOOK_RECORD)
				continue;
			check(ring_copy(r, seq, state, buf, sizeof(buf), &record));
			if (record.size > r->inline_size)
				check_eq(body_read(crew.bus, r, record.body, buf, record.size), 0);
			payload_check(p, record.size);
			if (p->who == VICTIM && p->n == freeze_point.n)
				return true;
		}
	}
	return false;
}

/* ---- everything else -------------------------------------------------------------------- */

static void try_attach(void)
{
	struct aioevt_shm *bus = NULL;
	struct aioevt_shm_info info;

	check_eq(aioevt_shm_open(NULL, NULL, AIOEVT_SHM_EXISTING, &bus), 0);
	check_eq(aioevt_shm_get_info(bus, &info), 0);
	aioevt_shm_close(bus);
}

static void try_event(void)
{
	static struct payload p;
	struct aioevt_shm_event *ev = event_of(crew.bus, "extra.event");

	payload_make(&p, SURVIVOR, 1, FREEZE_LARGE);
	check_eq(aioevt_shm_emit(ev, &p, FREEZE_SMALL, NULL), 0);
	check_eq(aioevt_shm_emit(ev, &p, FREEZE_LARGE, NULL), 0);
	check_eq(aioevt_shm_event_grow(ev, 2 * FREEZE_DEPTH), 0);
	check_eq(aioevt_shm_emit(ev, &p, FREEZE_SMALL, NULL), 0);
	check_eq(aioevt_shm_event_remove(crew.bus, "extra.event"), 0);
	aioevt_shm_event_close(ev);
}

/* A reliable reader comes, gets the next record, and goes. */
static void try_reliable(void)
{
	static _Alignas(8) unsigned char buf[FREEZE_LARGE + 8];
	struct aioevt_shm_listener *l = listener_of(crew.bus);
	struct aioevt_shm_sub *sub = sub_of(l, "frozen", AIOEVT_SHM_RELIABLE), *which;
	struct aioevt_shm_record r;
	bool got = !emit_one();

	while (!got) {
		const struct payload *p = (void *)buf;

		check_eq(aioevt_shm_wait(l, now_ns() + FREEZE_BOUND, &which), 0);
		check_eq(aioevt_shm_read(sub, &r, 1, buf, sizeof(buf)), 1);
		payload_check(p, r.size);
		got = p->who == SURVIVOR && p->n == crew.n;
	}
	aioevt_shm_listener_free(l);
}

static void try_list(void)
{
	char name[AIOEVT_SHM_NAME_MAX + 1];
	struct aioevt_shm_event_info info;
	uint32_t walk = 0;
	bool found = false;

	while (aioevt_shm_event_next(crew.bus, &walk, name) == 1)
		found |= !strcmp(name, "frozen");
	check(found);
	check_eq(aioevt_shm_event_get_info(crew.event, &info), 0);
}

void crew_do_everything(void)
{
	in_bound(try_attach());
	in_bound(try_event());
	in_bound(try_reliable());
	await_seen(false);		/* the victim may hold its wake still */
	in_bound(try_list());
}

void crew_go_on(void)
{
	crew_emit();
	if (freeze_point.mode != FREEZE_KILL)
		crew_do_everything();
	crew_laps();
}

/* ---- beginning and end --------------------------------------------------------------------- */

void crew_begin(const struct crew_config *config)
{
	memset(&crew, 0, sizeof(crew));
	crew.config = *config;
	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		    -1, 0);
	check(told != MAP_FAILED);
	crew.bus = bus_open(&config->bus);
	crew.event = event_of(crew.bus, "frozen");
	if (config->company) {
		crew.other = listener_of(crew.bus);
		sub_of(crew.other, "frozen", 0);
	}
	fflush(stdout);
	crew.waiter = fork();
	check(crew.waiter >= 0);
	if (!crew.waiter)
		be_waiter();
	crew_rest();
	crew_laps();
}

void crew_end(void)
{
	check_eq(kill(crew.waiter, SIGKILL), 0);
	check_eq(waitpid(crew.waiter, NULL, 0), crew.waiter);
	aioevt_shm_listener_free(crew.other);
	aioevt_shm_event_close(crew.event);
	aioevt_shm_close(crew.bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
	munmap(told, sizeof(*told));
}
