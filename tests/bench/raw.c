/* SPDX-License-Identifier: MIT */
/*
 * What the machine can do: the references beside the engine's figures.
 *
 * Ordering (writer / reader); all of it on words that one process stores and another polls
 *   raw:A / raw:B   release/acquire on a counter, slot or stamp: who sees the number sees
 *                   what was written before it. A futex word is rechecked by the kernel.
 */

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "bench.h"

#define BATCHES		21
#define ROUND_TRIPS	1000
#define SAMPLES_MAX	2000

#define PUBLISH_SLOTS	1024
#define PUBLISH_WORDS	16		/* 128 bytes, as the engine's default slot */

static double samples[SAMPLES_MAX];

/* ---- publish: the least that several emitters into one ring must do -------------- */

static void publish(struct shared *sh, const uint64_t *data, unsigned n_words)
{
	_Atomic uint64_t *ring = (_Atomic uint64_t *)(void *)sh->area, *slot;
	uint64_t seq;
	unsigned i;

	/* relaxed: only its being unique counts */
	seq = atomic_fetch_add_explicit(&sh->ping, 1, memory_order_relaxed);
	slot = ring + (seq % PUBLISH_SLOTS) * PUBLISH_WORDS;
	for (i = 0; i < n_words; i++)
		atomic_store_explicit(&slot[i + 3], data[i], memory_order_relaxed);
	/* raw:A  release, pairs with raw:B (of a reader, of which there is none) */
	atomic_store_explicit(&slot[0], seq + 1, memory_order_release);
}

static int publish_run(struct shared *sh, int index)
{
	uint64_t data[12] = { 0 }, t0;
	unsigned b, i, n = bench_count(30000), n_words = sh->fig->size / 8;

	(void)index;
	for (b = 0; b < BATCHES + 1; b++) {
		t0 = now_ns();
		for (i = 0; i < n; i++) {
			data[0] = i;
			publish(sh, data, n_words);
		}
		samples[b] = (double)(now_ns() - t0) / n;
	}
	sh->result = median(samples + 1, BATCHES);
	return 0;
}

int raw_publish(const struct figure *fig, double *ret_value)
{
	static const struct task tasks[] = { { publish_run, 0 } };

	return tasks_run(fig, tasks, 1, 0, ret_value);
}

/* ---- one cache line back and forth ----------------------------------------------- */

/*
 * Whether a pause in the polling loop helps differs from one processor to the next: half
 * of the batches do with it, and the better half is the limit.
 */
static double best_half(void)
{
	double bare = median(samples + 2, BATCHES);
	double paused = median(samples + 2 + BATCHES, BATCHES);

	return bare < paused ? bare : paused;
}

static bool is_paused(unsigned batch)
{
	return batch == 1 || batch >= 2 + BATCHES;	/* 0 and 1 warm up */
}

static void line_send(_Atomic uint64_t *line, uint64_t n)
{
	/* raw:A  release, pairs with raw:B */
	atomic_store_explicit(line, n, memory_order_release);
}

static void line_await(_Atomic uint64_t *line, uint64_t n, bool pause)
{
	/* raw:B  acquire, pairs with raw:A */
	while (atomic_load_explicit(line, memory_order_acquire) != n)
		if (pause)
			cpu_relax();
}

/* @back is the line of the answers: the same as @line, or another. */
static void line_batch(_Atomic uint64_t *line, _Atomic uint64_t *back, int index,
		       unsigned batch, unsigned n)
{
	bool pause = is_paused(batch);
	uint64_t i, first = 2ull * batch * n;

	for (i = first + 1; i <= first + 2 * n; i += 2) {
		if (index == 0) {
			line_send(line, i);
			line_await(back, i + 1, pause);
		} else {
			line_await(line, i, pause);
			line_send(back, i + 1);
		}
	}
}

static int line_run(struct shared *sh, int index)
{
	unsigned b, per_batch = bench_count(ROUND_TRIPS);
	uint64_t t0;

	tasks_meet(sh);
	for (b = 0; b < 2 * BATCHES + 2; b++) {
		t0 = now_ns();
		line_batch(&sh->ping, sh->arg == 1 ? &sh->ping : &sh->pong, index, b,
			   per_batch);
		samples[b] = (double)(now_ns() - t0) / per_batch / 2;
	}
	if (index == 0)
		sh->result = best_half();
	return 0;
}

int raw_line(const struct figure *fig, double *ret_value)
{
	static const struct task tasks[] = { { line_run, 0 }, { line_run, 1 } };

	return tasks_run(fig, tasks, 2, 1, ret_value);
}

int raw_lines(const struct figure *fig, double *ret_value)
{
	static const struct task tasks[] = { { line_run, 0 }, { line_run, 1 } };

	return tasks_run(fig, tasks, 2, 2, ret_value);
}

/* ---- one slot of 64 bytes, broadcast as a seqlock, spun on ----------------------- */

struct slot {
	_Atomic uint64_t seq;		/* odd while it is written */
	_Atomic uint64_t payload[8];
};

static void slot_send(struct slot *slot, uint64_t n, uint64_t *data)
{
	unsigned i;

	/* relaxed: the fence orders it before the payload */
	atomic_store_explicit(&slot->seq, 2 * n - 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (i = 0; i < 8; i++)
		atomic_store_explicit(&slot->payload[i], data[i], memory_order_relaxed);
	/* raw:A  release, pairs with raw:B */
	atomic_store_explicit(&slot->seq, 2 * n, memory_order_release);
}

static void slot_await(struct slot *slot, uint64_t n, uint64_t *data, bool pause)
{
	unsigned i;

	do {
		line_await(&slot->seq, 2 * n, pause);
		for (i = 0; i < 8; i++)
			data[i] = atomic_load_explicit(&slot->payload[i],
						       memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
		/* relaxed: the fence orders it behind the payload */
	} while (atomic_load_explicit(&slot->seq, memory_order_relaxed) != 2 * n);
}

static void slot_batch(struct shared *sh, int index, bool pause, unsigned n, uint64_t *data)
{
	struct slot *ping = (struct slot *)(void *)sh->area;
	struct slot *pong = (struct slot *)(void *)(sh->area + 4096);
	unsigned i;

	for (i = 0; i < n; i++) {
		data[7]++;
		if (index == 0)
			slot_send(ping, data[7], data);
		slot_await(index ? ping : pong, data[7], data, pause);
		if (index == 1)
			slot_send(pong, data[7], data);
	}
}

static int slot_run(struct shared *sh, int index)
{
	unsigned b, per_batch = bench_count(ROUND_TRIPS);
	uint64_t t0, data[8] = { 0 };

	tasks_meet(sh);
	for (b = 0; b < 2 * BATCHES + 2; b++) {
		t0 = now_ns();
		slot_batch(sh, index, is_paused(b), per_batch, data);
		samples[b] = (double)(now_ns() - t0) / per_batch / 2;
	}
	if (index == 0)
		sh->result = best_half();
	return 0;
}

int raw_slot(const struct figure *fig, double *ret_value)
{
	static const struct task tasks[] = { { slot_run, 0 }, { slot_run, 1 } };

	return tasks_run(fig, tasks, 2, 0, ret_value);
}

/* ---- futex back and forth -------------------------------------------------------- */

static void word_send(_Atomic uint32_t *word, uint32_t n)
{
	/* raw:A  release, pairs with raw:B */
	atomic_store_explicit(word, n, memory_order_release);
	word_wake_up(word, INT_MAX);
}

/* Sleep until @word leaves @seen. */
static uint32_t word_await(_Atomic uint32_t *word, uint32_t seen)
{
	uint32_t n;

	/* raw:B  acquire, pairs with raw:A */
	while ((n = atomic_load_explicit(word, memory_order_acquire)) == seen)
		word_sleep(word, seen);
	return n;
}

static int futex_ping(struct shared *sh, int index)
{
	uint32_t i, n = bench_count(1500), warm = 50;
	uint64_t t0;

	(void)index;
	tasks_meet(sh);
	for (i = 0; i < n + warm; i++) {
		t0 = now_ns();
		word_send(&sh->word, i + 1);
		word_await(&sh->back, i);
		samples[i] = (double)(now_ns() - t0) / 2;
	}
	word_send(&sh->word, QUIT);
	sh->result = median(samples + warm, n);
	return 0;
}

static int futex_pong(struct shared *sh, int index)
{
	uint32_t n = 0;

	(void)index;
	tasks_meet(sh);
	while ((n = word_await(&sh->word, n)) != QUIT)
		word_send(&sh->back, n);
	return 0;
}

int raw_futex(const struct figure *fig, double *ret_value)
{
	static const struct task tasks[] = { { futex_ping, 0 }, { futex_pong, 1 } };

	return tasks_run(fig, tasks, 2, 0, ret_value);
}

/* ---- one futex word, n sleepers -------------------------------------------------- */

static int word_sleeper(struct shared *sh, int index)
{
	uint32_t n = 0;

	tasks_meet(sh);
	while ((n = word_await(&sh->word, n)) != QUIT)
		broadcast_served(sh, index);
	return 0;
}

static int word_wake(void *arg, struct shared *sh, uint32_t n)
{
	(void)arg;
	word_send(&sh->word, n);
	return 0;
}

static int word_waker(struct shared *sh, int index)
{
	(void)index;
	tasks_meet(sh);
	return broadcast(sh, word_wake, NULL);
}

int raw_broadcast_call(const struct figure *fig, double *ret_value)
{
	return broadcast_run(fig, word_waker, word_sleeper, BROADCAST_CALL, ret_value);
}

int raw_broadcast_last(const struct figure *fig, double *ret_value)
{
	return broadcast_run(fig, word_waker, word_sleeper, BROADCAST_LAST, ret_value);
}

int raw_futex_idle(const struct figure *fig, double *ret_value)
{
	return broadcast_run(fig, word_waker, word_sleeper, BROADCAST_IDLE, ret_value);
}
