/* SPDX-License-Identifier: MIT */
/*
 * Mappings of a file that somebody truncates. What lies beyond the new end raises SIGBUS, in
 * the middle of any load or store. A program that asked for it gets a handler that knows all
 * mappings of this process: for a fault in one of them it marks the bus as broken, puts
 * zeros of its own there and lets the instruction go on; every call that ends after that says
 * EPROTO. Zeros are no worse than any other content that somebody scribbled. Any other
 * SIGBUS goes to whom it would have gone.
 *
 * The handler may interrupt any thread anywhere, so it takes no lock: it walks a list whose
 * members are put in once and stay for ever, free or in use. turn is odd while one changes:
 *
 *   even, start 0   free      -> in use by guard_take()
 *   even, start > 0 in use    -> free by guard_drop(), before the memory is unmapped
 *
 * Who faults uses the mapping, so its member does not change meanwhile; one that does is
 * another's, and is passed by. That is all the handler needs to be right.
 *
 * A forked child has none of the mappings (MADV_DONTFORK), but the list. alive tells it that
 * what it holds is its parent's: a page that is wiped by any kind of fork.
 *
 * Ordering
 *   guard_set:B,C,D / guard_find:B,C,D   release/acquire, as a seqlock: who saw one new
 *       field sees at least the odd turn at guard_find:E.
 *   guard_set:E / guard_find:A      release/acquire: an even turn, and what came before it.
 *   guard_take:A / guard_find:F     release/acquire: a member in the list is complete.
 *   make_alive:A / load_alive:A     release/acquire: the word is 1 before others see it.
 *   mend:A / bus_ok:C,E             the flag is set before the zeros can be seen.
 * Progress  the handler is wait-free. guard_take and guard_drop take a lock of this process.
 */
#include "guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "aioevt-shm.h"
#include "cancel.h"
#include "fork.h"

struct guard {
	_Atomic uint32_t turn;
	_Atomic uintptr_t start;
	_Atomic uintptr_t end;
	_Atomic uintptr_t broken;	/* _Atomic uint32_t * */
	struct guard *next;		/* of all; set once */
	struct guard *next_free;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct guard *_Atomic all;
static struct guard *unused;
static const volatile uint32_t *_Atomic alive;	/* set before all is */

static struct sigaction previous;
static uintptr_t page_size;
static _Atomic bool is_ready;		/* the two above are */

/* ---- the list ------------------------------------------------------------------------- */

static void set(struct guard *g, void *p, size_t size, _Atomic uint32_t *broken)
{
	/* guard_set:F  relaxed: changed under the lock only; odd if a fork cut a change short */
	uint32_t turn = atomic_load_explicit(&g->turn, memory_order_relaxed) & ~1u;

	/* guard_set:A  relaxed: the releases below keep it in front; pairs with guard_find:E */
	atomic_store_explicit(&g->turn, turn + 1, memory_order_relaxed);
	/* guard_set:B  release, pairs with guard_find:B */
	atomic_store_explicit(&g->start, (uintptr_t)p, memory_order_release);
	/* guard_set:C  release, pairs with guard_find:C */
	atomic_store_explicit(&g->end, (uintptr_t)p + size, memory_order_release);
	/* guard_set:D  release, pairs with guard_find:D */
	atomic_store_explicit(&g->broken, (uintptr_t)broken, memory_order_release);
	/* guard_set:E  release, pairs with guard_find:A */
	atomic_store_explicit(&g->turn, turn + 2, memory_order_release);
}

static struct guard *first(void)
{
	/* guard_find:F  acquire, pairs with guard_take:A */
	return atomic_load_explicit(&all, memory_order_acquire);
}

static void free_one(struct guard *g)
{
	set(g, NULL, 0, NULL);
	g->next_free = unused;
	unused = g;
}

static const volatile uint32_t *load_alive(void)
{
	/* load_alive:A  acquire, pairs with make_alive:A */
	return atomic_load_explicit(&alive, memory_order_acquire);
}

static int make_alive(void)
{
	const volatile uint32_t *word;
	int err = load_alive() ? 0 : fork_guard_new(&word);

	if (!err && !load_alive())
		/* make_alive:A  release, pairs with load_alive:A */
		atomic_store_explicit(&alive, word, memory_order_release);
	return err;
}

/*
 * In a forked child all members were the parent's, and a thread of it may have had the lock in
 * the middle of a change. The child has one thread until fork(2) returned. Its first use of the
 * list may be in a fork handler of the program.
 */
void guard_after_fork(void)
{
	const volatile uint32_t *word = load_alive();

	if (!word || *word)
		return;
	pthread_mutex_init(&lock, NULL);
	unused = NULL;
	for (struct guard *g = first(); g; g = g->next)
		free_one(g);
	*(volatile uint32_t *)(uintptr_t)word = 1;
}

static void lock_list(void)
{
	guard_after_fork();
	pthread_mutex_lock(&lock);
}

static struct guard *new_one(void)
{
	struct guard *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->next = first();
	/* guard_take:A  release, pairs with guard_find:F */
	atomic_store_explicit(&all, g, memory_order_release);
	return g;
}

struct guard *guard_take(void *p, size_t size, _Atomic uint32_t *broken)
{
	struct guard *g = NULL;

	lock_list();
	if (!make_alive()) {
		g = unused;
		if (g)
			unused = g->next_free;
		else
			g = new_one();
		if (g)
			set(g, p, size, broken);
	}
	pthread_mutex_unlock(&lock);
	return g;
}

void guard_drop(struct guard *guard)
{
	if (!guard)
		return;
	lock_list();
	free_one(guard);
	pthread_mutex_unlock(&lock);
}

/* ---- the handler ---------------------------------------------------------------------- */

/* Is @at in what @g has mapped, to *ret_end? Then whom to tell, else NULL. */
static _Atomic uint32_t *covers(struct guard *g, uintptr_t at, uintptr_t *ret_end)
{
	/* guard_find:A  acquire, pairs with guard_set:E */
	uint32_t turn = atomic_load_explicit(&g->turn, memory_order_acquire);
	/* guard_find:B  acquire, pairs with guard_set:B */
	uintptr_t start = atomic_load_explicit(&g->start, memory_order_acquire);
	/* guard_find:C  acquire, pairs with guard_set:C */
	uintptr_t end = atomic_load_explicit(&g->end, memory_order_acquire);
	/* guard_find:D  acquire, pairs with guard_set:D */
	uintptr_t broken = atomic_load_explicit(&g->broken, memory_order_acquire);

	/* guard_find:E  relaxed: the acquires above keep it behind; pairs with guard_set:A */
	if (turn % 2 || atomic_load_explicit(&g->turn, memory_order_relaxed) != turn ||
	    !start || at < start || at >= end)
		return NULL;
	*ret_end = end;
	return (_Atomic uint32_t *)broken;
}

/*
 * Zeros from the page at @at to the end of the mapping: what was cut off, or more. The rest
 * may be there still, but nothing is to be had from this bus any more.
 */
static bool mend(_Atomic uint32_t *broken, uintptr_t at, uintptr_t end)
{
	void *page = (void *)(at & ~(page_size - 1));
	size_t size = end - (uintptr_t)page;

	/* mend:A  seq_cst, pairs with bus_ok:C, bus_ok:E: before the zeros */
	atomic_store(broken, EPROTO);
	if (mmap(page, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED)
		return false;
	madvise(page, size, MADV_DONTFORK);
	return true;
}

static bool is_mended(const siginfo_t *info)
{
	uintptr_t at = (uintptr_t)info->si_addr, end;
	struct guard *g = first();
	_Atomic uint32_t *broken;

	if ((info->si_code != BUS_ADRERR && info->si_code != BUS_MCEERR_AR) || !g || !*load_alive())
		return false;
	for (; g; g = g->next) {
		broken = covers(g, at, &end);
		if (broken)
			return mend(broken, at, end);
	}
	return false;
}

/* As if there were no guard. */
static void pass_on(int number, siginfo_t *info, void *context)
{
	bool is_fault = info->si_code > 0;	/* not sent by a process */

	if (previous.sa_flags & SA_RESETHAND)
		signal(number, SIG_DFL);
	if (previous.sa_flags & SA_SIGINFO) {
		previous.sa_sigaction(number, info, context);
	} else if (previous.sa_handler == SIG_DFL ||
		   (previous.sa_handler == SIG_IGN && is_fault)) {
		/* Nobody survives that: the instruction is repeated, or the signal comes anew. */
		signal(number, SIG_DFL);
		if (!is_fault)
			raise(number);
	} else if (previous.sa_handler != SIG_IGN) {
		previous.sa_handler(number);
	}
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	int saved_errno = errno;
	/* on_sigbus:A  acquire, pairs with install:A */
	bool mended = atomic_load_explicit(&is_ready, memory_order_acquire) && is_mended(info);

	errno = saved_errno;
	if (!mended)
		pass_on(number, info, context);
}

static int install(void)
{
	struct sigaction action = { .sa_sigaction = on_sigbus };

	if (sigaction(SIGBUS, NULL, &previous) < 0)
		return -errno;
	page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
	/* install:A  release, pairs with on_sigbus:A, in whatever thread that runs */
	atomic_store_explicit(&is_ready, true, memory_order_release);
	/* What is called from here finds the mask and the stack that it asked for. */
	action.sa_mask = previous.sa_mask;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK |
			  (previous.sa_flags & (SA_RESTART | SA_NODEFER));
	return sigaction(SIGBUS, &action, NULL) < 0 ? -errno : 0;
}

int aioevt_shm_guard_sigbus(void)
{
	int cancel = cancel_off(), err = 0;

	lock_list();
	/* install:B  relaxed: changed under the lock only */
	if (!atomic_load_explicit(&is_ready, memory_order_relaxed))
		err = install();
	pthread_mutex_unlock(&lock);
	cancel_on(cancel);
	return err;
}
