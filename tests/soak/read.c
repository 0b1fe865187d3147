/* SPDX-License-Identifier: MIT */
/*
 * Who reads the events that stay, and accounts for each number: delivered, or missed and told.
 * What an account says is checked against what the auditor saw, at the end (tally.c).
 */
#include "soak.h"
#include "roles.h"

#include <errno.h>

#include "bus.h"
#include "listener.h"

#define MAX_BATCH	16

struct reader {
	struct aioevt_shm_sub *sub;
	struct account *account;		/* NULL: there is no room for more */
	unsigned event;
	bool reliable;
	uint64_t last_seq, delivered, missed;
	uint64_t missed_first;			/* told already when it began */
	uint32_t *last_n;			/* of each writer */
};

static _Alignas(8) unsigned char buf[MAX_BATCH * MAX_SIZE];

/* Where it is; a sub that asked for a number to come passes over those before it. */
static uint64_t place(const struct reader *r)
{
	uint64_t pos = r->sub->pos > r->sub->skip_below ? r->sub->pos : r->sub->skip_below;

	return seq_to_user(&r->sub->listener->bus->lo, pos);
}

/* The books up to here, whole at every instruction. */
static void tell(struct reader *r)
{
	struct account *a = r->account;
	uint32_t version;

	if (!a)
		return;
	version = atomic_load_explicit(&a->version, memory_order_relaxed) + 1;
	a->state[version % 2] = (struct reading_state){
		.pos = place(r), .delivered = r->delivered,
		.missed = r->missed + r->sub->missed - r->missed_first,
	};
	atomic_store_explicit(&a->version, version, memory_order_release);
}

static void open_account(struct reader *r, bool loose)
{
	uint32_t i = atomic_load(&shared->n_accounts);

	r->account = NULL;
	r->delivered = r->missed = r->last_seq = 0;
	r->missed_first = r->sub->missed;
	if (i >= MAX_ACCOUNTS)
		return;
	i = atomic_fetch_add(&shared->n_accounts, 1);
	if (i >= MAX_ACCOUNTS)
		return;
	r->account = &shared->accounts[i];
	r->account->event = r->event;
	r->account->reliable = r->reliable;
	r->account->loose = loose;
	r->account->start = place(r);
	tell(r);
}

static void take_record(struct reader *r, const struct aioevt_shm_record *record)
{
	const struct payload *p = payload_check(record, r->event);

	if (record->seq <= r->last_seq)
		breach("%s: record %llu after %llu", stable_name(r->event),
		       (unsigned long long)record->seq, (unsigned long long)r->last_seq);
	if (r->last_n && p->n <= r->last_n[p->writer])
		breach("%s: record %llu: %u of writer %u after %u", stable_name(r->event),
		       (unsigned long long)record->seq, p->n, p->writer, r->last_n[p->writer]);
	if (r->last_n)
		r->last_n[p->writer] = p->n;
	if (r->reliable && record->missed && r->delivered)
		breach("%s: a reliable reader missed %llu", stable_name(r->event),
		       (unsigned long long)record->missed);
	r->last_seq = record->seq;
	r->delivered++;
	r->missed += record->missed;
}

/* What there is, at most @n records. Returns how many. */
static int read_some(struct reader *r, unsigned n, void (*each)(struct reader *,
		     const struct aioevt_shm_record *))
{
	struct aioevt_shm_record records[MAX_BATCH];
	int got = op("read", 0, aioevt_shm_read(r->sub, records, n, buf, sizeof(buf)));

	if (got < 0)
		breach("read of %s: %s", stable_name(r->event), strerror(-got));
	for (int i = 0; i < got; i++)
		each(r, &records[i]);
	tell(r);
	return got;
}

static struct reader *reader_of(struct reader *readers, unsigned n, struct aioevt_shm_sub *sub)
{
	for (unsigned i = 0; i < n; i++)
		if (readers[i].sub == sub)
			return &readers[i];
	breach("a sub that nobody made");
}

/* Wait for one of them and read it. False: there was nothing for @wait_ns. */
static bool serve(struct aioevt_shm_listener *l, struct reader *readers, unsigned n,
		  uint64_t wait_ns, void (*each)(struct reader *,
		  const struct aioevt_shm_record *))
{
	struct aioevt_shm_sub *sub;
	int err = op("wait", wait_ns,
		     aioevt_shm_wait(l, wait_ns ? now_ns() + wait_ns : 0, &sub));

	if (err == -ETIMEDOUT)
		return false;
	if (err)
		breach("wait: %s", strerror(-err));
	read_some(reader_of(readers, n, sub), 1 + (unsigned)(rnd() % MAX_BATCH), each);
	return true;
}

static struct aioevt_shm_listener *new_listener(struct aioevt_shm *bus)
{
	struct aioevt_shm_listener *l;
	int err = op("listener_new", 0, aioevt_shm_listener_new(bus, &l));

	if (err)
		breach("listener_new: %s", strerror(-err));
	if (one_in(2))
		aioevt_shm_listener_set_spin(l, 0, rnd() % 20000);
	return l;
}

static void free_listener(struct aioevt_shm_listener *l)
{
	op_begin("listener_free", 0);
	aioevt_shm_listener_free(l);
	op_end(0);
}

static void listen_to(struct aioevt_shm_listener *l, struct reader *r,
		      enum aioevt_shm_from from, uint64_t value)
{
	int err = op("listen", 0, aioevt_shm_listen(l, stable_name(r->event),
				  r->reliable ? AIOEVT_SHM_RELIABLE : 0, from, value, &r->sub));

	if (err)
		breach("listen to %s: %s", stable_name(r->event), strerror(-err));
}

/* ---- the auditor: never killed, reads everything ------------------------------------------ */

static void audit(struct reader *r, const struct aioevt_shm_record *record)
{
	const struct payload *p = payload_check(record, r->event);
	struct writing *w = &shared->writing[p->writer][r->event];
	uint32_t seen = atomic_load_explicit(&w->seen, memory_order_relaxed);

	if (record->missed)
		breach("%s: the auditor missed %llu before %llu", stable_name(r->event),
		       (unsigned long long)record->missed, (unsigned long long)record->seq);
	if (p->n != seen + 1 || p->n > atomic_load(&w->intent))
		breach("%s: record %llu: %u of writer %u after %u; it emitted %u",
		       stable_name(r->event), (unsigned long long)record->seq, p->n, p->writer,
		       seen, atomic_load(&w->intent));
	atomic_store_explicit(&w->seen, p->n, memory_order_relaxed);
	mark(shared->seen[r->event], record->seq);
	take_record(r, record);
}

int run_auditor(void)
{
	struct reader readers[N_AUDITED] = { 0 };
	struct aioevt_shm *bus = attach();
	struct aioevt_shm_listener *l = new_listener(bus);

	for (unsigned e = 0; e < N_AUDITED; e++) {
		readers[e].event = e;
		readers[e].reliable = true;
		listen_to(l, &readers[e], AIOEVT_SHM_FROM_SEQ, 1);
		require(place(&readers[e]) == 1);
		open_account(&readers[e], false);
	}
	atomic_store(&shared->auditor_ready, 1);
	while (running())
		serve(l, readers, N_AUDITED, 200 * MS, audit);
	while (serve(l, readers, N_AUDITED, 0, audit))
		;
	for (unsigned e = 0; e < N_AUDITED; e++)
		if (readers[e].account)
			atomic_store(&readers[e].account->drained, 1);
	free_listener(l);
	detach(bus);
	return 0;
}

/* ---- readers ------------------------------------------------------------------------------- */

static void take_and_mark(struct reader *r, const struct aioevt_shm_record *record)
{
	take_record(r, record);
	if (r->event >= N_AUDITED)
		mark(shared->seen[r->event], record->seq);
}

static void begin(struct aioevt_shm_listener *l, struct reader *r, bool reliable)
{
	bool loose = !reliable && one_in(8);

	r->reliable = reliable;
	if (loose)
		listen_to(l, r, AIOEVT_SHM_FROM_SEQ, 1 + rnd() % 1000);
	else if (!reliable && one_in(4))
		listen_to(l, r, AIOEVT_SHM_FROM_LAST, rnd() % 8);
	else
		listen_to(l, r, AIOEVT_SHM_FROM_NEW, 0);
	open_account(r, loose);
}

/* One listener's life. */
static void read_for_a_while(struct aioevt_shm *bus, struct reader *readers, bool reliable)
{
	unsigned n = 1 + (unsigned)(rnd() % 3), first = (unsigned)(rnd() % N_STABLE);
	struct aioevt_shm_listener *l = new_listener(bus);

	for (unsigned i = 0; i < n; i++) {
		readers[i].event = (first + i) % N_STABLE;
		begin(l, &readers[i], reliable);
	}
	for (unsigned rounds = (unsigned)(rnd() % 3000); rounds-- && running(); ) {
		serve(l, readers, n, rnd() % (300 * MS), take_and_mark);
		if (!reliable && one_in(50))
			nap_us(30000);		/* to be overtaken */
	}
	if (!running()) {
		while (serve(l, readers, n, 0, take_and_mark))
			;
		for (unsigned i = 0; i < n; i++)
			if (readers[i].account)
				atomic_store(&readers[i].account->drained, 1);
	}
	free_listener(l);
}

static int run_reader(bool reliable)
{
	struct reader readers[3] = { 0 };
	struct aioevt_shm *bus = attach();

	while (running()) {
		for (unsigned i = 0; i < 3; i++) {
			free(readers[i].last_n);
			readers[i].last_n = calloc(MAX_WRITERS, sizeof(uint32_t));
		}
		read_for_a_while(bus, readers, reliable);
		if (one_in(3)) {
			detach(bus);
			bus = attach();
		}
	}
	for (unsigned i = 0; i < 3; i++)
		free(readers[i].last_n);
	detach(bus);
	return 0;
}

int run_lossy(void)
{
	return run_reader(false);
}

int run_reliable(void)
{
	return run_reader(true);
}
