/* SPDX-License-Identifier: MIT */
/*
 * A child made by fork(2) closes the descriptors of its parent's buses: one that stays open keeps
 * the presence lock, and so the parent alive for all others. The child finds them on a list whose
 * members are put in once and stay for ever, each free (NULL) or a bus's. The list is whole at
 * every instruction, so a child reads it without a lock, wherever its parent's threads were.
 *
 * Between open(2) and the store of the descriptor into the bus, a fork would copy a descriptor
 * that the list does not have. The lock keeps forks and that window apart. Nobody may wait for the
 * lock for ever, since a program does anything in its own fork handlers:
 *   - they close and open buses themselves: the thread that forks has the lock already (depth);
 *   - they wait for another thread, which wants to open a bus: that one gives up waiting after
 *     LOCK_SECONDS. Then a fork in its window leaves the child a descriptor, until it execs;
 *   - a signal handler forks in the middle of anything: depth tells what its thread holds.
 * A fork handler of the program may run in the child before the one here and open a bus; what
 * belongs to this process stays open.
 *
 * Ordering
 *   claim_watch:A / first_watch:A   release/acquire: a member on the list is complete.
 *   claim_watch:C,D, drop_watch:A, close_inherited:A,B   relaxed: the child that reads them has
 *       one thread, and what its parent stored before the fork.
 * Progress  claim_watch is lock-free; opening and closing wait for each other and for a fork, at
 *           most LOCK_SECONDS. fork(2) waits no longer than that.
 */
#include "fork.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bus.h"
#include "guard.h"

#define LOCK_SECONDS	1

struct fork_watch {
	struct aioevt_shm *_Atomic bus;		/* NULL: free */
	struct fork_watch *next;		/* set once */
};

static struct fork_watch *_Atomic watches;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t handlers_once = PTHREAD_ONCE_INIT;

/* Of this thread: how often it entered, and whether it got the lock. */
static __thread unsigned depth;
static __thread bool is_holder;

static void enter(void)
{
	struct timespec limit;

	if (depth++)
		return;
	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += LOCK_SECONDS;
	is_holder = !pthread_mutex_timedlock(&lock, &limit);
}

static void leave(void)
{
	if (depth == 1 && is_holder) {
		is_holder = false;
		pthread_mutex_unlock(&lock);
	}
	depth--;
}

static struct fork_watch *first_watch(void)
{
	/* first_watch:A  acquire, pairs with claim_watch:A */
	return atomic_load_explicit(&watches, memory_order_acquire);
}

/* Inherited? The word is wiped, but not by every kernel; process ids may be the same. */
static bool is_inherited(const struct aioevt_shm *bus)
{
	return !*bus->alive || bus->pid != getpid();
}

static void close_inherited(void)
{
	for (struct fork_watch *watch = first_watch(); watch; watch = watch->next) {
		/* close_inherited:A  relaxed: there is one thread */
		struct aioevt_shm *bus = atomic_load_explicit(&watch->bus, memory_order_relaxed);

		if (!bus || !is_inherited(bus))
			continue;
		*(volatile uint32_t *)(uintptr_t)bus->alive = 0;
		if (bus->fd >= 0)
			close(bus->fd);
		bus->fd = -1;
		bus->watch = NULL;
		/* close_inherited:B  relaxed: as A */
		atomic_store_explicit(&watch->bus, NULL, memory_order_relaxed);
	}
}

static void after_fork_child(void)
{
	pthread_mutex_init(&lock, NULL);	/* no thread is left that had it */
	is_holder = false;
	close_inherited();
	guard_after_fork();
	depth--;
}

static void install_handlers(void)
{
	pthread_atfork(enter, leave, after_fork_child);
}

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

int fork_guard_new(const volatile uint32_t **ret_word)
{
	uint32_t *word = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (word == MAP_FAILED)
		return errno == EAGAIN ? -ENOMEM : -errno;
	madvise(word, page_size(), MADV_WIPEONFORK);
	*word = 1;
	*ret_word = word;
	return 0;
}

void fork_guard_free(const volatile uint32_t *word)
{
	if (word)
		munmap((void *)(uintptr_t)word, page_size());
}

static int claim_watch(struct aioevt_shm *bus)
{
	struct fork_watch *watch;

	for (watch = first_watch(); watch; watch = watch->next) {
		struct aioevt_shm *none = NULL;

		/* claim_watch:C  relaxed: see Ordering */
		if (atomic_compare_exchange_strong_explicit(&watch->bus, &none, bus,
				memory_order_relaxed, memory_order_relaxed)) {
			bus->watch = watch;
			return 0;
		}
	}
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	/* claim_watch:D  relaxed: see Ordering */
	atomic_store_explicit(&watch->bus, bus, memory_order_relaxed);
	bus->watch = watch;
	watch->next = first_watch();
	/* claim_watch:A  release, pairs with first_watch:A */
	while (!atomic_compare_exchange_weak_explicit(&watches, &watch->next, watch,
			memory_order_release, memory_order_relaxed))
		;
	return 0;
}

int fork_watch_begin(struct aioevt_shm *bus)
{
	int err;

	pthread_once(&handlers_once, install_handlers);
	bus->pid = getpid();
	err = claim_watch(bus);
	if (!err)
		enter();
	return err;
}

void fork_watch_end(void)
{
	leave();
}

void fork_unwatch(struct aioevt_shm *bus)
{
	enter();
	if (bus->watch)
		/* drop_watch:A  relaxed: see Ordering */
		atomic_store_explicit(&bus->watch->bus, NULL, memory_order_relaxed);
	bus->watch = NULL;
	if (bus->fd >= 0)
		close(bus->fd);
	bus->fd = -1;
	leave();
}
