/* SPDX-License-Identifier: MIT */
/*
 * The books at the end. The auditor read every record of the audited events, and nobody
 * killed it; so the numbers it saw are the truth about which became records.
 *
 * Emitters   each record that an emitter was told to be accepted was seen by the auditor,
 *            once, in order, under the number it was told; one more if it was killed
 *            between the intent and the result.
 * Readers    delivered + missed = numbers that became records, from where the sub started to
 *            where it last told its place; exactly, killed or not. For the event that is not
 *            audited, up to those whose emitter was killed and that nobody saw; for a sub that
 *            started at what was held no longer, at least that many (aioevt-shm.h).
 */
#include "soak.h"
#include "check.h"

#define WORDS_PER_RANK	64u

static uint32_t *rank[N_STABLE];	/* bits before each 64 words */

static uint64_t n_words(unsigned event)
{
	return atomic_load(&shared->top[event]) / 64 + 2 * WORDS_PER_RANK;
}

static unsigned bits_of(unsigned event, uint64_t word)
{
	return (unsigned)__builtin_popcountll(atomic_load_explicit(
			&shared->seen[event][word], memory_order_relaxed));
}

/* What is known to have become a record, if nobody read all of them. */
static void merge_emitted(unsigned event)
{
	for (uint64_t w = 0; w < n_words(event); w++)
		atomic_fetch_or(&shared->seen[event][w], atomic_load(&shared->emitted[event][w]));
}

static void check_emitted(unsigned event)
{
	for (uint64_t w = 0; w < n_words(event); w++) {
		uint64_t unseen = atomic_load(&shared->emitted[event][w]) &
				  ~atomic_load(&shared->seen[event][w]);

		if (unseen)
			note("%s: %llu was told to its emitter, and is no record",
			       stable_name(event),
			       (unsigned long long)(w * 64 + (unsigned)__builtin_ctzll(unseen)));
	}
}

static void make_rank(unsigned event)
{
	uint64_t n = n_words(event) / WORDS_PER_RANK + 2;
	uint32_t sum = 0;

	rank[event] = calloc(n, sizeof(uint32_t));
	for (uint64_t w = 0; w < n * WORDS_PER_RANK && w < MAX_SEQ / 64; w++) {
		if (w % WORDS_PER_RANK == 0)
			rank[event][w / WORDS_PER_RANK] = sum;
		sum += bits_of(event, w);
	}
}

/* How many numbers below @seq became records. */
static uint64_t records_below(unsigned event, uint64_t seq)
{
	uint64_t n, last = n_words(event) * 64 - 1;

	if (seq > last)
		seq = last;
	n = rank[event][seq / 64 / WORDS_PER_RANK];
	for (uint64_t w = seq / 64 / WORDS_PER_RANK * WORDS_PER_RANK; w < seq / 64; w++)
		n += bits_of(event, w);
	return n + (unsigned)__builtin_popcountll(atomic_load(&shared->seen[event][seq / 64]) &
						  ((UINT64_C(1) << seq % 64) - 1));
}

/* Returns how many records of it nobody may know about. */
static unsigned check_writing(uint32_t writer, unsigned event)
{
	struct writing *w = &shared->writing[writer][event];
	uint32_t intent = atomic_load(&w->intent), done = atomic_load(&w->done);
	uint32_t seen = atomic_load(&w->seen);

	if (intent != done && intent != done + 1)
		note("the books of writer %u are wrong: %u, %u", writer, intent, done);
	if (event < N_AUDITED && seen != done && seen != intent)
		note("%s: writer %u emitted %u (was about to emit %u), the auditor saw %u",
		       stable_name(event), writer, done, intent, seen);
	return intent != done && seen != intent;
}

static void check_account(const struct account *a, const uint64_t *unsure,
			  struct tally *tally)
{
	uint32_t version = atomic_load(&a->version);
	const struct reading_state *s = &a->state[version % 2];
	uint64_t told = s->delivered + s->missed, truth, slack;

	if (!version)
		return;			/* killed before it wrote anything */
	truth = records_below(a->event, s->pos) - records_below(a->event, a->start);
	slack = a->event < N_AUDITED ? 0 : unsure[a->event];
	if (told < truth || (told > truth + slack && !a->loose))
		note("%s: a %s reader%s from %llu to %llu: %llu delivered, %llu missed; "
		       "%llu numbers became records", stable_name(a->event),
		       a->reliable ? "reliable" : "lossy", a->loose ? " (of the past)" : "",
		       (unsigned long long)a->start,
		       (unsigned long long)s->pos, (unsigned long long)s->delivered,
		       (unsigned long long)s->missed, (unsigned long long)truth);
	if (a->reliable && s->missed)
		note("%s: a reliable reader missed %llu", stable_name(a->event),
		       (unsigned long long)s->missed);
	if (atomic_load(&a->drained) &&
	    records_below(a->event, s->pos) != records_below(a->event, UINT64_MAX))
		note("%s: a reader that read to the end ended at %llu", stable_name(a->event),
		       (unsigned long long)s->pos);
	tally->accounts++;
	tally->delivered += s->delivered;
	tally->missed += s->missed;
}

void tally_books(uint32_t n_writers, struct tally *ret_tally)
{
	struct tally tally = { 0 };
	uint64_t unsure[N_STABLE] = { 0 };
	uint32_t n = atomic_load(&shared->n_accounts);

	for (unsigned e = 0; e < N_STABLE; e++) {
		for (uint32_t w = 0; w < n_writers; w++) {
			unsure[e] += check_writing(w, e);
			tally.emitted += atomic_load(&shared->writing[w][e].done);
		}
		if (e < N_AUDITED)
			check_emitted(e);
		else
			merge_emitted(e);
		make_rank(e);
		tally.seen += records_below(e, UINT64_MAX);
		tally.unsure += unsure[e];
	}
	for (uint32_t i = 0; i < n && i < MAX_ACCOUNTS; i++)
		check_account(&shared->accounts[i], unsure, &tally);
	for (unsigned e = 0; e < N_STABLE; e++)
		free(rank[e]);
	*ret_tally = tally;
}
