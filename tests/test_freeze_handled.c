/* SPDX-License-Identifier: MIT */
/*
 * An emitter that waits until its record is handled, and a reader that tells it so, each killed, or
 * stopped, at each instruction of that. The emitter's record is delivered as any other, and it is
 * told what is true of the readers that it marked; the reader's is told to be handled or that the
 * reader went, and nothing else holds anybody up.
 */
#include "freeze.h"

#include <sched.h>
#include <sys/prctl.h>

static struct payload payload;

/* ---- the emitter; of two readers, the crew's waiter and this process ---------------------- */

static struct aioevt_shm_listener *listener;
static struct aioevt_shm_sub *sub;

static void mark_me(void)
{
	sub = sub_of(listener, "frozen", AIOEVT_SHM_RELIABLE);
}

static void ready_emitter(void)
{
	victim_open();
	payload_make(&payload, VICTIM, freeze_point.n, FREEZE_SMALL);
}

static void emit_handled(void)
{
	uint32_t n = 99;

	freeze_told->err = aioevt_shm_emit_handled(victim.event, &payload, FREEZE_SMALL, 2,
						   now_ns() + FREEZE_BOUND, &freeze_told->seq, &n);
	freeze_told->value[1] = n;
}

/* Read it, and come back for more. */
static void handle(void)
{
	static _Alignas(8) unsigned char buf[FREEZE_LARGE + 8];
	struct aioevt_shm_record r;

	while (sub && aioevt_shm_read(sub, &r, 1, buf, sizeof(buf)) == 1)
		if (((struct payload *)(void *)buf)->who == VICTIM)
			freeze_told->value[0] = 1;
}

static void survive_emitter(void)
{
	bool committed;

	handle();
	sub = aioevt_shm_sub_close(sub);
	committed = crew_victim_committed();
	crew_go_on();
	check(crew_n_victim() >= committed && crew_n_victim() <= 1);
}

static void verify_emitter(void)
{
	check(freeze_told->seq > 0);
	check_eq(freeze_told->err, freeze_told->value[0] ? 0 : -ENOLINK);
	check(freeze_told->value[0] ? freeze_told->value[1] == 2 : freeze_told->value[1] <= 1);
}

static void after_emitter(void)
{
	crew_emit();
	crew_rest();
	if (freeze_point.mode == FREEZE_OVERTAKE || !freeze_point.inside)
		check_eq(crew_n_victim(), 1);
	check(crew_n_victim() <= 1);
}

static void run_emitter(void)
{
	struct freeze op = {
		.what = "emit, handled", .arrange = mark_me, .ready = ready_emitter,
		.act = emit_handled, .verify = verify_emitter, .asleep = handle,
		.survive = survive_emitter, .after = after_emitter, .share = 2,
	};
	struct crew_config config = CREW_CONFIG(FREEZE_SMALL, .flags = AIOEVT_SHM_RELIABLE);

	crew_begin(&config);
	listener = listener_of(crew.bus);
	freeze_run(&op);
	aioevt_shm_listener_free(listener);
	crew_end();
}

/* ---- the reader; another process waits for it --------------------------------------------- */

static pid_t emitter;

static _Noreturn void be_emitter(void)
{
	struct aioevt_shm *bus;
	struct aioevt_shm_event *event;
	struct aioevt_shm_event_info info = { 0 };
	uint64_t limit = now_ns() + FREEZE_BOUND;
	uint32_t n = 99;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bus = bus_open(NULL);
	event = event_of(bus, "frozen");
	while (!info.n_reliable) {
		check(now_ns() < limit);
		sched_yield();
		check_eq(aioevt_shm_event_get_info(event, &info), 0);
	}
	payload_make(&payload, VICTIM, freeze_point.n, FREEZE_SMALL);
	freeze_told->value[2] = (uint64_t)-aioevt_shm_emit_handled(event, &payload, FREEZE_SMALL, 1,
						now_ns() + FREEZE_BOUND, NULL, &n);
	freeze_told->value[3] = n;
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	_exit(0);
}

static void start_emitter(void)
{
	fflush(stdout);
	emitter = fork();
	check(emitter >= 0);
	if (!emitter)
		be_emitter();
}

/* It has read the record, and the emitter sleeps. */
static void ready_reader(void)
{
	static _Alignas(8) unsigned char buf[FREEZE_LARGE + 8];
	struct aioevt_shm_record r;
	struct aioevt_shm_sub *which;

	victim_attach();
	victim.listener = listener_of(victim.bus);
	victim.sub = sub_of(victim.listener, "frozen", AIOEVT_SHM_RELIABLE);
	check_eq(aioevt_shm_wait(victim.listener, now_ns() + FREEZE_BOUND, &which), 0);
	check_eq(aioevt_shm_read(victim.sub, &r, 1, buf, sizeof(buf)), 1);
	await_sleeper(emitter);
}

static void come_back(void)
{
	freeze_told->err = aioevt_shm_read(victim.sub, NULL, 0, NULL, 0);
}

static void verify_reader(void)
{
	check_eq(freeze_told->err, 0);
}

/* Only a stopped one may hold up emitters. */
static void survive_reader(void)
{
	crew.may_hold = freeze_point.mode != FREEZE_KILL;
	crew_go_on();
}

/* That a reader was killed the emitter sees at its re-check: let that come at once. */
static void after_reader(void)
{
	bool was_killed = freeze_point.mode != FREEZE_OVERTAKE && freeze_point.inside;
	uint64_t start = now_ns();
	int status;
	pid_t r;

	crew.may_hold = false;
	crew_emit();
	crew_laps();
	while (!(r = waitpid(emitter, &status, WNOHANG))) {
		check(now_ns() - start < FREEZE_BOUND);
		if (was_killed)
			reliable_wake(crew.event->map);
		sched_yield();
	}
	check_eq(r, emitter);
	check_eq(status, 0);
	if (freeze_told->value[2] || !was_killed)
		check_eq(freeze_told->value[2], was_killed ? ENOLINK : 0);
	check_eq(freeze_told->value[3], !freeze_told->value[2]);
}

static void run_reader(void)
{
	struct freeze op = {
		.what = "come back, wanted", .arrange = start_emitter, .ready = ready_reader,
		.act = come_back, .verify = verify_reader, .survive = survive_reader,
		.after = after_reader, .share = 2,
	};
	struct crew_config config = CREW_CONFIG(FREEZE_SMALL, .flags = 0);

	crew_begin(&config);
	freeze_run(&op);
	crew_end();
}

int main(void)
{
	freeze_begin();
	run_emitter();
	run_reader();
	return freeze_end();
}
