/* SPDX-License-Identifier: MIT */
/*
 * Who is killed, or stopped, at each instruction of making, using and removing events: the
 * name can be used by others at any time, its numbers never go back, and no place, region or
 * body of it is lost.
 */
#include "freeze.h"

#include "registry.h"

static const char *const name = "event.of.the.victim";
static struct payload payload;
static uint64_t highest;		/* number that an event of that name had */
static unsigned n_events;		/* that fill a table */

/* ---- the survivors, and the name ------------------------------------------------------- */

/* Emit to the victim's event: whatever it is now, numbers go on. */
static void use_name(void)
{
	struct aioevt_shm_event *ev = event_of(crew.bus, name);
	uint64_t seq;

	seq = emit_u64(ev, crew.n);
	check(seq > highest);
	highest = seq;
	aioevt_shm_event_close(ev);
}

static void survive_with_name(void)
{
	crew_emit();
	if (freeze_point.n % 2)
		in_bound(use_name());
	crew_go_on();
	in_bound(use_name());
}

static void remove_name(void)
{
	int err = aioevt_shm_event_remove(crew.bus, name);

	check(!err || err == -ENOENT);
}

static void after_name(void)
{
	in_bound(use_name());
	remove_name();
}

static void note_seq(void)
{
	if (freeze_told->seq > highest)
		highest = freeze_told->seq;
}

static void verify(void)
{
	check_eq(freeze_told->err, 0);
}

/* ---- a new event ---------------------------------------------------------------------- */

static void open_and_emit(void)
{
	freeze_told->err = aioevt_shm_event_open(victim.bus, name, 0, &victim.event);
	if (!freeze_told->err)
		freeze_told->err = aioevt_shm_emit(victim.event, &payload, FREEZE_SMALL,
						   &freeze_told->seq);
}

static void make_event(void)
{
	struct aioevt_shm_event *ev = event_of(crew.bus, name);

	emit_u64(ev, 1);
	highest = emit_u64(ev, 1);
	aioevt_shm_event_close(ev);
}

static void look_higher(void)
{
	struct aioevt_shm_event *ev = event_of(crew.bus, name);
	struct aioevt_shm_event_info info;

	check_eq(aioevt_shm_event_get_info(ev, &info), 0);
	if (info.last_seq > highest)
		highest = info.last_seq;
	aioevt_shm_event_close(ev);
}

/* ---- removal -------------------------------------------------------------------------- */

static void remove_it(void)
{
	freeze_told->err = aioevt_shm_event_remove(victim.bus, name);
}

/* A survivor may have been faster, or made it anew. */
static void verify_removed(void)
{
	check(!freeze_told->err || freeze_told->err == -ENOENT);
}

static void remove_frozen(void)
{
	freeze_told->err = aioevt_shm_event_remove(victim.bus, "frozen");
}

/* It holds the event that others remove: the last to let go buries it. */
static void ready_holder(void)
{
	victim_attach();
	victim.event = event_of(victim.bus, name);
	emit_u64(victim.event, 1);
}

static void arrange_removed(void)
{
	make_event();
}

static void close_it(void)
{
	victim.event = aioevt_shm_event_close(victim.event);
	freeze_told->err = 0;
}

static void ready_last(void)
{
	ready_holder();
	check_eq(aioevt_shm_event_remove(victim.bus, name), 0);
}

/* ---- a full table: the oldest idle event is retired ---------------------------------------- */

static void fill_table(void)
{
	struct aioevt_shm_info info;
	char other[32];

	for (;;) {
		check_eq(aioevt_shm_get_info(crew.bus, &info), 0);
		if (info.events_used == info.n_events)
			break;
		snprintf(other, sizeof(other), "idle.%u", n_events++);
		aioevt_shm_event_close(event_of(crew.bus, other));
	}
}

/* Others make events too: with or without the victim's, the table is as full as it was. */
static void survive_full(void)
{
	crew_emit();
	in_bound(use_name());
	crew_laps();
	in_bound(use_name());
}

static void empty_table(void)
{
	char text[AIOEVT_SHM_NAME_MAX + 1];
	uint32_t walk = 0;

	while (aioevt_shm_event_next(crew.bus, &walk, text) == 1)
		if (strcmp(text, "frozen"))
			check_eq(aioevt_shm_event_remove(crew.bus, text), 0);
}

static void after_full(void)
{
	after_name();
	empty_table();
}

/* ---- all ------------------------------------------------------------------------------------ */

static void make_and_remove(void)
{
	struct freeze make = {
		.what = "new event and emit", .ready = victim_attach, .act = open_and_emit,
		.verify = verify, .finished = note_seq, .survive = survive_with_name,
		.after = after_name, .share = 4,
	};
	struct freeze remove_op = {
		.what = "remove an event", .arrange = make_event, .ready = victim_attach,
		.act = remove_it, .verify = verify_removed, .survive = survive_with_name,
		.after = after_name, .share = 3,
	};
	struct freeze close_op = {
		.what = "close a removed event, the last", .arrange = arrange_removed,
		.ready = ready_last, .act = close_it, .survive = survive_with_name,
		.after = after_name, .share = 2,
	};

	freeze_run(&make);
	freeze_run(&remove_op);
	freeze_run(&close_op);
}

static void retire(void)
{
	struct freeze op = {
		.what = "new event, another retired for it", .arrange = fill_table,
		.ready = victim_attach, .act = open_and_emit, .verify = verify,
		.survive = survive_full, .finished = look_higher, .after = after_full, .share = 2,
	};

	freeze_run(&op);
}

static void remove_in_use(void)
{
	struct freeze op = {
		.what = "remove an event that others use", .ready = victim_attach,
		.act = remove_frozen, .verify = verify_removed, .share = 3,
	};

	freeze_run(&op);
}

int main(void)
{
	struct crew_config config = CREW_CONFIG(FREEZE_SMALL, .flags = 0);

	freeze_begin();
	payload_make(&payload, VICTIM, 1, FREEZE_SMALL);
	crew_begin(&config);
	make_and_remove();
	retire();
	crew_end();
	config.may_miss = config.patient = true;
	crew_begin(&config);
	remove_in_use();
	crew_end();
	return freeze_end();
}
