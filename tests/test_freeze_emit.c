/* SPDX-License-Identifier: MIT */
/*
 * An emitter that is killed, or stopped, at each instruction of an emit harms nobody: each
 * record that it committed is delivered, none twice, and nothing of it stays. freeze.h tells
 * how, and in which order.
 */
#include "freeze.h"

static uint32_t payload_size;
static struct payload payload;

static void ready(void)
{
	victim_open();
	payload_make(&payload, VICTIM, freeze_point.n, payload_size);
}

static void emit_it(void)
{
	freeze_told->err = aioevt_shm_emit(victim.event, &payload, payload_size,
					   &freeze_told->seq);
}

static void verify_emitted(void)
{
	check_eq(freeze_told->err, 0);
	check(freeze_told->seq > 0);
}

static void survive_emitter(void)
{
	bool committed = crew_victim_committed();

	crew_go_on();
	if (freeze_point.mode == FREEZE_KILL)
		check_eq(crew_n_victim(), committed);
	check(crew_n_victim() >= committed && crew_n_victim() <= 1);
}

/* Once: if it was emitted at all, and certainly if it came to its end. */
static void after_emitter(void)
{
	crew_emit();
	crew_rest();
	if (freeze_point.mode == FREEZE_OVERTAKE || !freeze_point.inside)
		check_eq(crew_n_victim(), 1);
	check(crew_n_victim() <= 1);
}

static void run_emit(const char *what, uint32_t size, uint32_t flags, bool company,
		     unsigned share)
{
	struct freeze op = {
		.what = what, .ready = ready, .act = emit_it, .verify = verify_emitted,
		.survive = survive_emitter, .after = after_emitter, .share = share,
	};
	struct crew_config config = CREW_CONFIG(size, .flags = flags, .company = company);

	payload_size = size;
	crew_begin(&config);
	freeze_run(&op);
	crew_end();
}

int main(void)
{
	freeze_begin();
	run_emit("emit inline, lossy waiter", FREEZE_SMALL, 0, false, 4);
	run_emit("emit inline, reliable waiter", FREEZE_SMALL, AIOEVT_SHM_RELIABLE, false, 2);
	run_emit("emit inline, two listeners", FREEZE_SMALL, 0, true, 2);
	run_emit("emit large", FREEZE_LARGE, 0, false, 3);
	run_emit("emit large, reliable waiter", FREEZE_LARGE, AIOEVT_SHM_RELIABLE, false, 1);
	return freeze_end();
}
