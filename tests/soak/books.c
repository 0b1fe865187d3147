/* SPDX-License-Identifier: MIT */
/* Payloads that describe themselves, and the emitters' side of the books. */
#include "soak.h"

#include <errno.h>

#define MAGIC		0x6b616f73u	/* "soak" */

static uint64_t filling(const struct payload *p)
{
	return ((uint64_t)p->writer << 32 | p->n) * UINT64_C(0x9e3779b97f4a7c15) + p->event;
}

void payload_make(struct payload *p, uint32_t event, uint32_t writer, uint32_t n, uint32_t size)
{
	uint64_t word;
	uint32_t i;

	*(uint64_t *)(void *)p = 0;
	p->magic = MAGIC;
	p->event = event;
	p->writer = writer;
	p->n = n;
	p->size = size;
	p->sum = MAGIC ^ event ^ writer ^ n ^ size;
	word = filling(p);
	for (i = 0; i + 24 < size; i += 8, word += UINT64_C(0x0123456789abcdef))
		memcpy(p->fill + i, &word, size - 24 - i < 8 ? size - 24 - i : 8);
}

static bool is_whole(const struct payload *p, size_t size)
{
	uint64_t word = filling(p);

	if (p->magic != MAGIC || p->size != size ||
	    p->sum != (MAGIC ^ p->event ^ p->writer ^ p->n ^ p->size))
		return false;
	for (size_t i = 0; i + 24 < size; i += 8, word += UINT64_C(0x0123456789abcdef))
		if (memcmp(p->fill + i, &word, size - 24 - i < 8 ? size - 24 - i : 8))
			return false;
	return true;
}

const struct payload *payload_check(const struct aioevt_shm_record *record, uint32_t event)
{
	const struct payload *p = record->data;

	if (record->size < 24 || record->size > MAX_SIZE || !is_whole(p, record->size))
		breach("torn record %llu of event %u, %zu bytes",
		       (unsigned long long)record->seq, event, record->size);
	if (p->event != event || p->writer >= MAX_WRITERS || !p->n)
		breach("record %llu of event %u is event %u's, writer %u, n %u",
		       (unsigned long long)record->seq, event, p->event, p->writer, p->n);
	return p;
}

uint32_t random_size(unsigned kind)
{
	unsigned r = (unsigned)(rnd() % 100);

	if (kind == 0 || r < 40)
		return 24 + (uint32_t)(rnd() % 81);
	if (kind == 1 && r < 60)
		return 4096 + (uint32_t)(rnd() % (MAX_SIZE - 4096));
	if (r < 97)
		return 24 + (uint32_t)(rnd() % 6000);
	return 24 + (uint32_t)(rnd() % (MAX_SIZE - 24));
}

uint32_t event_by_name(const char *name)
{
	unsigned n;
	int end = 0;

	for (unsigned e = 0; e < N_STABLE; e++)
		if (!strcmp(name, stable_name(e)))
			return e;
	if (sscanf(name, "churn.%u%n", &n, &end) == 1 && !name[end] && n < N_CHURN)
		return CHURN_EVENT + n;
	return UINT32_MAX;
}

void mark(_Atomic uint64_t *bits, uint64_t seq)
{
	if (seq >= MAX_SEQ)
		breach("number %llu: the books are full", (unsigned long long)seq);
	atomic_fetch_or_explicit(&bits[seq / 64], UINT64_C(1) << seq % 64,
				 memory_order_relaxed);
}

static void raise_top(unsigned event, uint64_t seq)
{
	uint64_t top = atomic_load_explicit(&shared->top[event], memory_order_relaxed);

	while (top <= seq && !atomic_compare_exchange_weak(&shared->top[event], &top, seq + 1))
		;
}

int emit_booked(struct aioevt_shm_event *ev, unsigned event, struct payload *p)
{
	struct writing *w = &shared->writing[me->writer][event];
	uint32_t n = atomic_load_explicit(&w->done, memory_order_relaxed) + 1;
	bool wait = one_in(2);
	uint64_t seq = 0;
	int err;

	payload_make(p, event, me->writer, n, random_size(event));
	atomic_store(&w->intent, n);
	if (wait)
		err = op("emit_wait", 100 * MS,
			 aioevt_shm_emit_wait(ev, p, p->size, now_ns() + 100 * MS, &seq));
	else
		err = op("emit", 0, aioevt_shm_emit(ev, p, p->size, &seq));
	if (err < 0) {
		atomic_store(&w->intent, n - 1);
		if (err != -EAGAIN)
			breach("emit to %s: %s", stable_name(event), strerror(-err));
		count_one(&shared->count.again);
		return err;
	}
	/* In this order: what is done is in the books, whenever this process is killed. */
	raise_top(event, seq);
	mark(shared->emitted[event], seq);
	atomic_store(&w->done, n);
	count_one(&shared->count.emitted);
	return 0;
}
