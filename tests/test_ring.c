/* SPDX-License-Identifier: MIT */
/* The slots of a ring: claim, commit, revoke, pin, void, close, and what is counted lost. */

#include "bus.h"

#include "listener.h"
#include "../shm/bus.h"

#define DEPTH		8u
#define N_PORTS		4u
#define NO_PORT		60u		/* nobody's: counts as dead */

static struct aioevt_shm *anonymous(uint32_t depth)
{
	struct aioevt_shm_config config = bus_config(64, 64, depth);
	struct aioevt_shm *bus = NULL;

	check_eq(aioevt_shm_open(NULL, &config, AIOEVT_SHM_ANONYMOUS, &bus), 0);
	return bus;
}

static struct claim claim_for(struct aioevt_shm_event *ev, uint32_t port)
{
	struct claim claim;
	uint64_t old;

	do {
		check_eq(ring_next(ev->bus, ev->ring, &claim, &old), 0);
	} while (!ring_claim(ev->ring, port, &claim, old));
	return claim;
}

static void fill(struct aioevt_shm_event *ev, struct claim *claim, uint64_t value)
{
	ring_fill(ev->ring, claim, 1, &value, sizeof(value));
}

static uint64_t head_of(struct aioevt_shm_event *ev)
{
	uint64_t head = 0, voids;

	check_eq(ring_head(ev->ring, &head, &voids), 0);
	return head_seq(head);
}

static uint64_t user_seq(struct aioevt_shm_event *ev, uint64_t seq)
{
	return seq_to_user(&ev->bus->lo, seq);
}

/* Record @seq through the ring's own calls. */
static void check_record(struct aioevt_shm_event *ev, uint64_t seq, uint64_t expected)
{
	struct ring_record record;
	uint64_t state, value = 0;

	check_eq(ring_look(ev->ring, seq, &state), LOOK_RECORD);
	check(ring_copy(ev->ring, seq, state, &value, sizeof(value), &record));
	check(ring_still(ev->ring, seq, state));
	check_eq(record.size, sizeof(value));
	check_eq(value, expected);
}

static void test_claim_commit_read(void)
{
	struct aioevt_shm *bus = anonymous(DEPTH);
	struct aioevt_shm_event *ev = event_of(bus, "ring");
	uint64_t state, first = ev->ring->base;
	struct claim c;

	check_eq(ring_look(ev->ring, first, &state), LOOK_EMPTY);
	c = claim_for(ev, bus->port_index);
	check_eq(c.seq, first);
	check_eq(ring_look(ev->ring, first, &state), LOOK_BUSY);
	check_eq(slot_port(state), bus->port_index);
	fill(ev, &c, 42);
	check(ring_commit(ev->ring, &c));
	check_record(ev, first, 42);
	check_eq(ring_look(ev->ring, first + 1, &state), LOOK_EMPTY);
	check_eq(head_of(ev), first + 1);
	aioevt_shm_event_close(ev);
	aioevt_shm_close(bus);
}

static void test_revoke_and_give_back(void)
{
	struct aioevt_shm *bus = anonymous(DEPTH);
	struct aioevt_shm_event *ev = event_of(bus, "ring");
	struct claim stopped = claim_for(ev, bus->port_index), again;
	uint64_t state;

	fill(ev, &stopped, 1);
	check_eq(ring_look(ev->ring, stopped.seq, &state), LOOK_BUSY);
	ring_revoke(ev->ring, stopped.seq, state, false);
	check_eq(ring_look(ev->ring, stopped.seq, &state), LOOK_VOID);
	check_eq(slot_phase(state), SLOT_PINNED);
	check_eq(slot_port(state), bus->port_index);

	check(!ring_commit(ev->ring, &stopped));
	ring_give_back(&stopped);
	check_eq(ring_look(ev->ring, stopped.seq, &state), LOOK_VOID);
	check_eq(slot_phase(state), SLOT_VOID);
	again = claim_for(ev, bus->port_index);
	check_eq(again.seq, stopped.seq + 1);
	fill(ev, &again, 2);
	check(ring_commit(ev->ring, &again));
	check_record(ev, again.seq, 2);
	ring_give_back(&stopped);	/* too late to change anything */
	check_record(ev, again.seq, 2);

	/* A revocation that comes after the commit changes nothing. */
	again = claim_for(ev, bus->port_index);
	check_eq(ring_look(ev->ring, again.seq, &state), LOOK_BUSY);
	fill(ev, &again, 3);
	check(ring_commit(ev->ring, &again));
	ring_revoke(ev->ring, again.seq, state, false);
	check_record(ev, again.seq, 3);
	aioevt_shm_event_close(ev);
	aioevt_shm_close(bus);
}

/* An emitter that stays away for laps keeps its slot, which no one else fills. */
static void test_pinned_for_laps(bool revoked)
{
	struct aioevt_shm *bus = anonymous(DEPTH);
	struct aioevt_shm_event *ev = event_of(bus, "ring");
	struct claim stopped = claim_for(ev, bus->port_index);
	uint64_t state, seq, last = stopped.seq, n_skipped = 0;

	if (revoked) {
		check_eq(ring_look(ev->ring, stopped.seq, &state), LOOK_BUSY);
		ring_revoke(ev->ring, stopped.seq, state, false);
	}
	for (uint64_t i = 0; i < 5 * DEPTH; i++) {
		seq = seq_from_user(&bus->lo, emit_u64(ev, i));
		for (last++; last < seq; last++, n_skipped++) {
			check_eq(last % DEPTH, stopped.seq % DEPTH);
			check_eq(ring_look(ev->ring, last, &state), LOOK_VOID);
			check_eq(slot_phase(state), SLOT_PINNED);
			check_eq(slot_port(state), bus->port_index);
		}
		check_eq(seq, last);
		check_record(ev, seq, i);
	}
	check_eq(n_skipped, 5);		/* 40 records in laps of 7 */
	check(!ring_commit(ev->ring, &stopped));
	ring_give_back(&stopped);
	/* Reused from the next lap on. */
	for (uint64_t i = 0; i < 3 * DEPTH; i++)
		check_eq(seq_from_user(&bus->lo, emit_u64(ev, i)), ++last);
	check_record(ev, last, 3 * DEPTH - 1);
	aioevt_shm_event_close(ev);
	aioevt_shm_close(bus);
}

/* As many stopped as there are slots but one: still goes on. */
static void test_many_pinned(void)
{
	struct aioevt_shm *bus = anonymous(DEPTH);
	struct aioevt_shm_event *ev = event_of(bus, "ring");
	struct claim stopped[DEPTH - 1];
	uint64_t before, seq;

	for (unsigned i = 0; i < DEPTH - 1; i++)
		stopped[i] = claim_for(ev, bus->port_index);
	before = seq_from_user(&bus->lo, emit_u64(ev, 0));
	for (uint64_t i = 1; i < 10; i++) {
		seq = seq_from_user(&bus->lo, emit_u64(ev, i));
		check_eq(seq, before + DEPTH);
		check_record(ev, seq, i);
		before = seq;
	}
	for (unsigned i = 0; i < DEPTH - 1; i++) {
		check(!ring_commit(ev->ring, &stopped[i]));
		ring_give_back(&stopped[i]);
	}
	/* Free again where a full lap has not yet passed over them. */
	for (uint64_t i = 0; i < DEPTH; i++)
		check_eq(seq_from_user(&bus->lo, emit_u64(ev, i)), ++seq);
	aioevt_shm_event_close(ev);
	aioevt_shm_close(bus);
}

static void test_dead_owner_is_lapped(void)
{
	struct aioevt_shm *bus = anonymous(DEPTH);
	struct aioevt_shm_event *ev = event_of(bus, "ring");
	uint64_t state, last;

	last = claim_for(ev, NO_PORT).seq;
	for (uint64_t i = 0; i < 3 * DEPTH; i++)
		check_eq(seq_from_user(&bus->lo, emit_u64(ev, i)), ++last);
	last = claim_for(ev, NO_PORT).seq;
	check_eq(ring_look(ev->ring, last, &state), LOOK_BUSY);
	ring_revoke(ev->ring, last, state, true);
	check_eq(ring_look(ev->ring, last, &state), LOOK_VOID);
	check_eq(slot_phase(state), SLOT_VOID);
	last = claim_for(ev, NO_PORT).seq;
	ring_void_port(ev->ring, NO_PORT, 0, ev->ring->depth);
	check_eq(ring_look(ev->ring, last, &state), LOOK_VOID);
	check_eq(slot_phase(state), SLOT_VOID);
	check_record(ev, last - DEPTH + 1, 3 * DEPTH - (DEPTH - 2));
	aioevt_shm_event_close(ev);
	aioevt_shm_close(bus);
}

static void test_closed(void)
{
	struct aioevt_shm *bus = anonymous(DEPTH);
	struct aioevt_shm_event *ev = event_of(bus, "ring");
	struct aioevt_shm_event *other = event_of(bus, "ring");
	const struct ring *ring = ev->ring;
	uint64_t end = 0, again = 0, last = 0, old, state;
	struct claim claim;

	for (uint64_t i = 0; i < 3; i++)
		last = seq_from_user(&bus->lo, emit_u64(ev, i));
	check_eq(ring_close(bus, ring, &end), 0);
	check_eq(end, last + 1);
	check_eq(ring_close(bus, ring, &again), 0);
	check_eq(again, end);
	check_eq(ring_next(bus, ring, &claim, &old), -EPIPE);
	check_eq(ring_look(ring, end, &state), LOOK_CLOSED);
	check_record(ev, last, 2);
	aioevt_shm_event_close(other);
	aioevt_shm_event_close(ev);

	/* With a successor: who emits to the closed ring goes on there, and so do numbers. */
	ev = event_of(bus, "grown");
	other = event_of(bus, "grown");
	ring = ev->ring;
	for (uint64_t i = 0; i < 3; i++)
		last = seq_from_user(&bus->lo, emit_u64(ev, i));
	end = last + 1;
	check_eq(aioevt_shm_event_grow(other, 2 * DEPTH), 0);
	check_eq(ring_look(ring, end, &state), LOOK_CLOSED);
	check_eq(seq_from_user(&bus->lo, emit_u64(ev, 3)), end);
	check_eq(seq_from_user(&bus->lo, emit_u64(other, 4)), end + 1);
	check(ev->ring != ring && other->ring == ev->ring);
	check_record(ev, end, 3);
	aioevt_shm_event_close(other);
	aioevt_shm_event_close(ev);
	aioevt_shm_close(bus);
}

/* The lap of a fresh event starts just below a wrap of its low 32 bits. */
static void test_wrap(void)
{
	struct aioevt_shm *bus = anonymous(DEPTH);
	struct aioevt_shm_event *ev = event_of(bus, "ring");
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(listener, "ring", 0);
	struct aioevt_shm_record record;
	uint64_t value = 0;

	check_eq((uint32_t)ring_lap(ev->ring, ev->ring->base), 0xfffffffe);
	for (uint64_t i = 1; i <= 8 * DEPTH; i++) {
		check_eq(emit_u64(ev, i), i);
		check_eq(read_u64(sub, &record, &value), 1);
		check_eq(record.seq, i);
		check_eq(record.missed, 0);
		check_eq(value, i);
	}
	check_eq(ring_lap(ev->ring, ev->ring->base + 8 * DEPTH), UINT64_C(0x100000006));
	aioevt_shm_listener_free(listener);
	aioevt_shm_event_close(ev);
	aioevt_shm_close(bus);
}

/*
 * An emitter is given up only when a record stands behind it, so that who is merely slow gets
 * through. The grace of 100 us is given to each number: one that was found busy once, and went
 * on, is not given up at once the next time.
 */
static void test_grace(void)
{
	struct aioevt_shm *bus = anonymous(DEPTH);
	struct aioevt_shm_event *ev = event_of(bus, "ring");
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(listener, "ring", 0);
	struct aioevt_shm_record record;
	uint64_t value = 0, state, since;
	struct claim c = claim_for(ev, bus->port_index);

	fill(ev, &c, 1);
	for (int i = 0; i < 3; i++, pass_ms(1))
		check_eq(read_u64(sub, &record, &value), 0);
	check(ring_commit(ev->ring, &c));
	check_eq(read_u64(sub, &record, &value), 1);
	c = claim_for(ev, bus->port_index);
	fill(ev, &c, 2);
	check_eq(emit_u64(ev, 3), 3);
	since = now_ns();
	check_eq(read_u64(sub, &record, &value), 0);
	check_eq(ring_look(ev->ring, c.seq, &state), LOOK_BUSY);
	/* but given up in the end */
	while (!read_u64(sub, &record, &value))
		check(now_ns() - since < 2000 * MS);
	check(now_ns() - since >= GRACE_NS);
	check_eq(ring_look(ev->ring, c.seq, &state), LOOK_VOID);
	check_eq(slot_phase(state), SLOT_PINNED);
	check(!ring_commit(ev->ring, &c));
	ring_give_back(&c);
	check_eq(record.missed, 0);
	check_eq(value, 3);
	aioevt_shm_listener_free(listener);
	aioevt_shm_event_close(ev);
	aioevt_shm_close(bus);
}

/* ---- at random ----------------------------------------------------------------------- */

#define N_STEPS		60000u
#define N_READERS	3u

struct reader {
	struct aioevt_shm_sub *sub;
	uint64_t last;			/* number read last */
	uint64_t n_read, n_missed;
};

struct schedule {
	uint64_t seed;
	struct aioevt_shm *bus[N_PORTS];
	struct aioevt_shm_event *ev[N_PORTS];
	struct claim claim[N_PORTS];
	bool in_flight[N_PORTS];
	uint64_t value[N_PORTS];
	uint64_t committed[2 * N_STEPS];	/* value of number i; 0 is no record */
	uint64_t n_committed, next_value;
	struct reader reader[N_READERS];
};

static void note_commit(struct schedule *s, uint64_t seq, uint64_t value)
{
	check(seq < sizeof(s->committed) / sizeof(s->committed[0]));
	check_eq(s->committed[seq], 0);
	s->committed[seq] = value;
	s->n_committed++;
}

static void step_emitter(struct schedule *s, unsigned p)
{
	struct aioevt_shm_event *ev = s->ev[p];

	if (!s->in_flight[p]) {
		s->claim[p] = claim_for(ev, s->bus[p]->port_index);
		s->value[p] = ++s->next_value;
		s->in_flight[p] = true;
		return;
	}
	fill(ev, &s->claim[p], s->value[p]);
	if (ring_commit(ev->ring, &s->claim[p]))
		note_commit(s, user_seq(ev, s->claim[p].seq), s->value[p]);
	else
		ring_give_back(&s->claim[p]);
	s->in_flight[p] = false;
}

static void step_reader(struct schedule *s, struct reader *reader, unsigned most)
{
	struct aioevt_shm_record record;
	uint64_t value = 0, missed;

	while (most-- && read_u64(reader->sub, &record, &value) == 1) {
		check(record.seq > reader->last);
		check_eq(value, s->committed[record.seq]);
		missed = 0;
		for (uint64_t i = reader->last + 1; i < record.seq; i++)
			missed += s->committed[i] != 0;
		check_eq(record.missed, missed);
		reader->last = record.seq;
		reader->n_read++;
		reader->n_missed += missed;
	}
}

static void step(struct schedule *s)
{
	uint64_t r = random_u64(&s->seed), state, seq;
	unsigned p = r >> 8 & (N_PORTS - 1);
	struct aioevt_shm_event *ev = s->ev[p];
	unsigned what = (unsigned)(r >> 32) % 100;

	if (what < 50) {
		step_emitter(s, p);
	} else if (what < 74) {
		seq = emit_u64(ev, ++s->next_value);
		note_commit(s, seq, s->next_value);
	} else if (what < 80) {
		seq = head_of(ev) - 1 - (r >> 16) % DEPTH;
		if (ring_look(ev->ring, seq, &state) == LOOK_BUSY)
			ring_revoke(ev->ring, seq, state, slot_port(state) == NO_PORT);
	} else if (what < 82) {
		claim_for(ev, NO_PORT);		/* and is killed */
	} else if (what < 97) {
		step_reader(s, &s->reader[0], 3);
	} else if (what < 98) {
		step_reader(s, &s->reader[1], 20);
	} else if (!(r >> 16 & 63)) {
		step_reader(s, &s->reader[2], 20);
	}
}

static void finish(struct schedule *s)
{
	struct aioevt_shm_event_info info;
	uint64_t value, deadline = in_ms(3000);

	for (unsigned p = 0; p < N_PORTS; p++)
		if (s->in_flight[p])
			step_emitter(s, p);
	for (unsigned i = 0; i < 3; i++) {
		value = ++s->next_value;
		note_commit(s, emit_u64(s->ev[0], value), value);
	}
	for (unsigned i = 0; i < N_READERS; i++) {
		struct reader *reader = &s->reader[i];

		/* a killed claim may be in the way until the grace is over */
		while (!s->committed[reader->last] ||
		       s->committed[reader->last] != s->next_value) {
			step_reader(s, reader, 1000);
			check(now_ns() < deadline);
		}
		check_eq(reader->n_read + reader->n_missed, s->n_committed);
	}
	check(s->reader[0].n_read > s->reader[1].n_read);
	check(s->reader[1].n_missed > 0);
	/* Numbers in flight with nobody count as records until somebody decides. */
	ring_void_port(s->ev[0]->ring, NO_PORT, 0, s->ev[0]->ring->depth);
	check_eq(aioevt_shm_event_get_info(s->ev[0], &info), 0);
	check_eq(info.n_records, s->n_committed);
}

static void test_schedule(uint64_t seed, unsigned n_steps)
{
	struct aioevt_shm_listener *listener[N_READERS];
	static struct schedule s;

	fprintf(stderr, "seed %#" PRIx64 "\n", seed);
	s = (struct schedule){ .seed = seed };
	bus_rename("schedule");
	for (unsigned p = 0; p < N_PORTS; p++) {
		s.bus[p] = bus_small(DEPTH);
		s.ev[p] = event_of(s.bus[p], "ring");
	}
	for (unsigned i = 0; i < N_READERS; i++) {
		listener[i] = listener_of(s.bus[i]);
		s.reader[i].sub = sub_of(listener[i], "ring", 0);
	}
	for (unsigned i = 0; i < n_steps; i++)
		step(&s);
	finish(&s);
	for (unsigned i = 0; i < N_READERS; i++)
		aioevt_shm_listener_free(listener[i]);
	for (unsigned p = 0; p < N_PORTS; p++) {
		aioevt_shm_event_close(s.ev[p]);
		aioevt_shm_close(s.bus[p]);
	}
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* ---- a process that dies --------------------------------------------------------------- */

static int claim_and_wait(struct child *me, void *arg)
{
	struct aioevt_shm *bus = bus_small(DEPTH);
	struct aioevt_shm_event *ev = event_of(bus, "ring");

	(void)arg;
	claim_for(ev, bus->port_index);
	say(me, 'c');
	hear(me);
	return 1;			/* was to be killed */
}

static void test_killed_owner(bool by_reader)
{
	struct aioevt_shm *bus = bus_small(DEPTH);
	struct aioevt_shm_event *ev = event_of(bus, "ring");
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(listener, "ring", 0), *got = NULL;
	struct child child = spawn(claim_and_wait, NULL);
	struct aioevt_shm_record record;
	uint64_t state, value = 0, seq = ev->ring->base, last;

	check_eq(hear(&child), 'c');
	check_eq(ring_look(ev->ring, seq, &state), LOOK_BUSY);
	kill_child(&child);
	check_eq(emit_u64(ev, 7), 2);
	if (by_reader) {
		check_eq(aioevt_shm_wait(listener, in_ms(1000), &got), 0);
		check(got == sub);
		check_eq(ring_look(ev->ring, seq, &state), LOOK_VOID);
		check_eq(slot_phase(state), SLOT_VOID);
		check_eq(read_u64(sub, &record, &value), 1);
		check_eq(record.seq, 2);
		check_eq(record.missed, 0);
	}
	/* No number is skipped at the next laps: the slot is free. */
	for (last = 2; last < 4 * DEPTH; last++)
		check_eq(emit_u64(ev, last), last + 1);
	check_eq(read_u64(sub, &record, &value), 1);
	check_eq(record.seq, last - DEPTH + 1);
	check_eq(record.missed, last - DEPTH - 2 + (by_reader ? 0 : 1));
	aioevt_shm_listener_free(listener);
	aioevt_shm_event_close(ev);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

int main(void)
{
	bus_begin();
	alarm(60);
	test_claim_commit_read();
	test_revoke_and_give_back();
	test_pinned_for_laps(true);
	test_pinned_for_laps(false);
	test_many_pinned();
	test_dead_owner_is_lapped();
	test_closed();
	test_wrap();
	test_killed_owner(true);
	test_killed_owner(false);
	for (uint64_t seed = 1; seed <= 10; seed++)
		test_schedule(seed * UINT64_C(0x9e3779b97f4a7c15), 6000);
	test_grace();
	/* More voids than the 12 bits of head count. */
	test_schedule(UINT64_C(0xaf32), N_STEPS);
	return bus_end();
}
