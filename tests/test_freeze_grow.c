/* SPDX-License-Identifier: MIT */
/*
 * Who is killed, or stopped, at each instruction of making a ring deeper, or of going on to
 * the deeper one: emitters and readers go on in the one or the other, numbers go on, what
 * was committed is read, and no region is lost.
 */
#include "freeze.h"

static const char *const name = "growing";
static struct aioevt_shm_event *growing;
static struct aioevt_shm_listener *reader;
static struct aioevt_shm_sub *reading;
static uint64_t n_emitted, n_read, n_foreign;

/* A survivor has the event open, and reads it. */
static void arrange(void)
{
	n_emitted = n_read = n_foreign = 0;
	growing = event_of(crew.bus, name);
	reader = listener_of(crew.bus);
	reading = sub_of(reader, name, 0);
	for (unsigned i = 0; i < FREEZE_DEPTH; i++)
		emit_u64(growing, ++n_emitted);
}

/* All in order, none missing; values of victims are above 1 << 32. */
static void read_all(void)
{
	struct aioevt_shm_record r;
	struct aioevt_shm_sub *which;
	static uint64_t last_seq;
	uint64_t value;

	if (!n_read)
		last_seq = 0;
	while (n_read < n_emitted || !aioevt_shm_wait(reader, 0, &which)) {
		check_eq(aioevt_shm_wait(reader, now_ns() + FREEZE_BOUND, &which), 0);
		check_eq(read_u64(reading, &r, &value), 1);
		check(r.seq > last_seq);
		check_eq(r.missed, 0);
		last_seq = r.seq;
		if (value >> 32)
			n_foreign++;
		else
			check_eq(value, ++n_read);
	}
	check_eq(n_read, n_emitted);
}

static void use_it(void)
{
	read_all();
	for (unsigned i = 0; i < 4 * FREEZE_DEPTH; i++) {
		emit_u64(growing, ++n_emitted);
		read_all();
	}
}

static void survive(void)
{
	in_bound(use_it());
	crew_go_on();
	if (freeze_point.mode == FREEZE_STOP && freeze_point.n % 2) {
		check_eq(aioevt_shm_event_grow(growing, 2 * FREEZE_DEPTH), 0);
		in_bound(use_it());
	}
}

static void after(void)
{
	in_bound(use_it());
	check(n_foreign <= 1);
	check_eq(aioevt_shm_event_remove(crew.bus, name), 0);
	reader = aioevt_shm_listener_free(reader);
	growing = aioevt_shm_event_close(growing);
}

/* ---- victims ----------------------------------------------------------------------------- */

static void ready(void)
{
	victim_attach();
	victim.event = event_of(victim.bus, name);
}

static void grow(void)
{
	freeze_told->err = aioevt_shm_event_grow(victim.event, 4 * FREEZE_DEPTH);
}

static void verify_grown(void)
{
	struct aioevt_shm_event_info info;

	check_eq(freeze_told->err, 0);
	check_eq(aioevt_shm_event_get_info(victim.event, &info), 0);
	check_eq(info.depth, 4 * FREEZE_DEPTH);
	check(info.last_seq >= FREEZE_DEPTH);
}

/* Grown by the survivor after the victim opened it: the emit finds the ring closed. */
static void ready_behind(void)
{
	ready();
	check_eq(aioevt_shm_event_grow(growing ? event_of(victim.bus, name) : NULL,
				       4 * FREEZE_DEPTH), 0);
}

static void emit_behind(void)
{
	uint64_t value = UINT64_C(1) << 32 | freeze_point.n;

	freeze_told->err = aioevt_shm_emit(victim.event, &value, sizeof(value),
					   &freeze_told->seq);
}

static void verify_emitted(void)
{
	check_eq(freeze_told->err, 0);
	check(freeze_told->seq > FREEZE_DEPTH);
}

static void after_emitter(void)
{
	read_all();
	if (freeze_point.mode == FREEZE_OVERTAKE || !freeze_point.inside)
		check_eq(n_foreign, 1);
	after();
}

/* A reader behind: it goes from the closed ring into the next. */
static void ready_reader(void)
{
	ready();
	victim.listener = listener_of(victim.bus);
	check_eq(aioevt_shm_listen(victim.listener, name, 0, AIOEVT_SHM_FROM_LAST, 1,
				   &victim.sub), 0);
	check_eq(aioevt_shm_event_grow(victim.event, 4 * FREEZE_DEPTH), 0);
	emit_u64(victim.event, UINT64_C(1) << 32);
}

static void read_across(void)
{
	struct aioevt_shm_sub *which;
	struct aioevt_shm_record r;
	uint64_t value;

	freeze_told->err = 0;
	for (unsigned i = 0; i < 2; i++) {
		if (aioevt_shm_wait(victim.listener, 0, &which) ||
		    aioevt_shm_read(victim.sub, &r, 1, &value, sizeof(value)) != 1)
			freeze_told->err = 1;
		freeze_told->value[i] = r.seq;
		freeze_told->value[2] = r.missed;
	}
}

static void verify_read(void)
{
	check_eq(freeze_told->err, 0);
	check_eq(freeze_told->value[0] + 1 + freeze_told->value[2], freeze_told->value[1]);
}

int main(void)
{
	struct freeze grow_op = {
		.what = "grow a ring", .arrange = arrange, .ready = ready, .act = grow,
		.verify = verify_grown, .survive = survive, .after = after, .share = 4,
	};
	struct freeze emit_op = {
		.what = "emit to a ring that has grown", .arrange = arrange,
		.ready = ready_behind, .act = emit_behind, .verify = verify_emitted,
		.survive = survive, .after = after_emitter, .share = 2,
	};
	struct freeze read_op = {
		.what = "read on in a ring that has grown", .arrange = arrange,
		.ready = ready_reader, .act = read_across, .verify = verify_read,
		.survive = survive, .after = after, .share = 2,
	};
	struct crew_config config = CREW_CONFIG(FREEZE_SMALL, .flags = 0);

	freeze_begin();
	crew_begin(&config);
	freeze_run(&grow_op);
	freeze_run(&emit_op);
	freeze_run(&read_op);
	crew_end();
	return freeze_end();
}
