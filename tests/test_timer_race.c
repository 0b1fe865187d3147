/* SPDX-License-Identifier: MIT */
/*
 * Several processes fire the same timers, are killed and stopped while they do, others emit and go
 * round the ring, and some timers are cancelled at the last moment: each is emitted exactly once,
 * or was cancelled.
 */
#include "bus.h"

#include <sys/mman.h>

#include "../shm/bus.h"
#include "listener.h"
#include "port.h"
#include "timer.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define N_WAVES		30u
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define N_WAVES		30u
#endif
#endif
#ifndef N_WAVES
#define N_WAVES		150u
#endif
#define PER_WAVE	40u
#define N_FIRERS	3u
#define NOISE		(UINT64_C(1) << 63)
#define LONG_MS		60000u

static struct aioevt_shm *bus;
static _Atomic uint32_t *quit;

/* Reads all there is, so fires what is due. */
static int firer(struct child *me, void *arg)
{
	struct aioevt_shm *mine = bus_open(NULL);
	struct aioevt_shm_listener *l = listener_of(mine);
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub;
	uint64_t value;

	(void)arg;
	sub_of(l, "race", 0);
	say(me, 'r');
	while (!atomic_load(quit)) {
		int r = aioevt_shm_wait(l, in_ms(20), &sub);

		check(!r || r == -ETIMEDOUT);
		while (!r && read_u64(sub, &record, &value) == 1)
			;
	}
	aioevt_shm_listener_free(l);
	aioevt_shm_close(mine);
	return 0;
}

static int noisy(struct child *me, void *arg)
{
	struct aioevt_shm *mine = bus_open(NULL);
	struct aioevt_shm_event *ev = event_of(mine, "race");
	uint64_t value = NOISE;

	(void)arg;
	say(me, 'r');
	while (!atomic_load(quit)) {
		int r = aioevt_shm_emit_wait(ev, &value, sizeof(value), in_ms(20), NULL);

		check(!r || r == -EAGAIN);
		if (!(value++ % 64))
			pass_ms(1);
	}
	aioevt_shm_event_close(ev);
	aioevt_shm_close(mine);
	return 0;
}

struct wave {
	uint64_t ids[PER_WAVE];
	unsigned n_seen[PER_WAVE];
	bool is_cancelled[PER_WAVE];
};

/* Take what there is; returns how many of @first... it were. */
static unsigned take(struct aioevt_shm_sub *sub, struct wave *wave, uint64_t first)
{
	struct aioevt_shm_record record;
	uint64_t value;
	unsigned n = 0;

	while (read_u64(sub, &record, &value) == 1) {
		check_eq(record.missed, 0);
		if (value & NOISE)
			continue;
		check(value >= first && value < first + PER_WAVE);
		check_eq(++wave->n_seen[value - first], 1);
		n++;
	}
	return n;
}

static void run_wave(struct aioevt_shm_listener *l, struct aioevt_shm_sub *sub, uint64_t first,
		     struct child *firers, uint64_t *dice)
{
	struct wave wave = { 0 };
	struct aioevt_shm_sub *which;
	uint64_t start = now_ns();
	unsigned n = 0, n_cancelled = 0, k = (unsigned)(random_u64(dice) >> 33) % N_FIRERS;

	for (unsigned i = 0; i < PER_WAVE; i++) {
		uint64_t value = first + i, due = start + random_u64(dice) % (2 * MS);

		check_eq(aioevt_shm_emit_after(bus, "race", &value, sizeof(value), due,
					       &wave.ids[i]), 0);
	}
	/* while they fire: one is stopped for a while, or killed */
	if (random_u64(dice) >> 60 < 8)
		check_eq(kill(firers[k].pid, SIGSTOP), 0);
	for (unsigned i = 0; i < PER_WAVE; i += 3) {
		int r = aioevt_shm_cancel(bus, wave.ids[i]);

		check(!r || r == -ENOENT);
		wave.is_cancelled[i] = !r;
		n_cancelled += !r;
		if (i % 2)
			n += take(sub, &wave, first);
	}
	if (random_u64(dice) >> 60 < 4) {
		kill_child(&firers[k]);
		firers[k] = spawn(firer, NULL);
		check_eq(hear(&firers[k]), 'r');
	}
	while (n + n_cancelled < PER_WAVE) {
		check_eq(aioevt_shm_wait(l, in_ms(LONG_MS), &which), 0);
		n += take(sub, &wave, first);
	}
	check_eq(kill(firers[k].pid, SIGCONT), 0);
	for (unsigned i = 0; i < PER_WAVE; i++)
		check_eq(wave.n_seen[i], !wave.is_cancelled[i]);
}

static void check_clean(struct aioevt_shm_listener *l)
{
	struct aioevt_shm_sub *which;

	bus_lock(bus);
	port_reap_all(bus);
	bus_unlock(bus);
	while (!aioevt_shm_wait(l, 0, &which)) {
		struct aioevt_shm_record record;
		uint64_t value;

		check_eq(read_u64(which, &record, &value), 1);
		check(value & NOISE);		/* none twice */
	}
	for (uint32_t i = 0; i < 16; i++) {
		const struct ring *ring = TAILQ_FIRST(&l->subs)->ring;
		uint32_t phase = slot_phase(atomic_load(&ring_slot(ring, i)->state));

		check(phase == SLOT_COMMITTED || phase == SLOT_VOID);	/* none is lost */
	}
	for (uint32_t i = 0; i < bus->lo.n_timers; i++)
		check_eq(timer_phase(atomic_load(&bus_timer(bus, i)->state)), TIMER_FREE);
}

int main(void)
{
	const char *seed = getenv("SEED");
	uint64_t dice = (seed ? strtoull(seed, NULL, 10) : 1) * 2 + 1;
	struct child firers[N_FIRERS], noise;
	struct aioevt_shm_listener *l;
	struct aioevt_shm_sub *sub;

	bus_begin();
	quit = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(quit != MAP_FAILED);
	bus = bus_small(16);
	l = listener_of(bus);
	sub = sub_of(l, "race", AIOEVT_SHM_RELIABLE);
	for (unsigned i = 0; i < N_FIRERS; i++) {
		firers[i] = spawn(firer, NULL);
		check_eq(hear(&firers[i]), 'r');
	}
	noise = spawn(noisy, NULL);
	check_eq(hear(&noise), 'r');
	for (unsigned w = 0; w < N_WAVES; w++)
		run_wave(l, sub, w * PER_WAVE, firers, &dice);
	atomic_store(quit, 1);
	for (unsigned i = 0; i < N_FIRERS; i++)
		end_child(&firers[i]);
	end_child(&noise);
	check_clean(l);
	aioevt_shm_listener_free(l);
	aioevt_shm_close(bus);
	munmap(quit, 4096);
	return bus_end();
}
