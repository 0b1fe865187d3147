/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_BUS_H
#define AIOEVT_BUS_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "aioevt-shm.h"
#include "clock.h"
#include "layout.h"

struct event_map;
struct fork_watch;
struct guard;

/* An attached bus: what a process knows about it. */
struct aioevt_shm {
	struct layout lo;
	unsigned char *base;		/* the tables, mapped */
	struct bus_header *header;
	struct port *port;		/* mine */
	struct guard *guard;		/* of the tables */
	const volatile uint32_t *alive;	/* 0 in a forked child (MADV_WIPEONFORK) */
	uint32_t port_index;
	int fd;				/* of my own open file description: holds my lock */
	bool anonymous;
	_Atomic uint32_t stale;		/* ESTALE: seen to be unlinked; EPROTO: to be cut off */
	_Atomic uint64_t checked;	/* when the file was last looked at */

	pthread_mutex_t lock;		/* opening and closing in this process; see bus_lock() */
	int cancel_state;
	_Atomic uint32_t n_handles;	/* events and listeners that are open */
	uint64_t spare_offset, spare_size;	/* a region that got no memory: the next one */
	struct event_map **maps;	/* [n_events], mappings shared by the handles */

	struct fork_watch *watch;	/* by which a forked child finds fd */
	pid_t pid;			/* that opened it */
};

/*
 * Threads of this process that open, close, grow or remove take turns. The emit path takes
 * no part in it unless its ring was closed or the file system is full. A thread is not
 * cancelled while it holds the lock.
 */
void bus_lock(struct aioevt_shm *bus);
void bus_unlock(struct aioevt_shm *bus);

/*
 * Map a part of the file. Returns 0, or an error of mmap(2), but never -EAGAIN: too much memory
 * is locked then, mlockall(2), and the answer is -ENOMEM. A forked child does not inherit it: a mapping
 * keeps the open file description, and with it the lock that says that my port is alive.
 * The guard is of that mapping, see guard.c.
 */
int bus_map(struct aioevt_shm *bus, uint64_t offset, uint64_t size, void **ret_p,
	    struct guard **ret_guard);
void bus_unmap(void *p, uint64_t size, struct guard *guard);

/* Fail with -ECHILD in a forked child, -ESTALE on a removed bus, -EPROTO on a truncated one. */
int bus_check(struct aioevt_shm *bus);

/*
 * What a call returns that got @r: -EPROTO instead if it may have read, or written to, what
 * guard.c put in place of a truncated file.
 */
static inline int bus_result(struct aioevt_shm *bus, int r);

/* The same for the hot path: false means ask bus_check() why. @now in ns, any clock. */
static inline bool bus_ok(struct aioevt_shm *bus, uint64_t now);

/* Look whether the file is still there. */
void bus_recheck(struct aioevt_shm *bus, uint64_t now);

/*
 * Tell those who have it mapped that the file was removed. It was opened for writing and has
 * been checked to be a bus.
 */
void bus_set_removed(int fd);

/* Bytes of memory that the file takes. */
uint64_t bus_memory(const struct aioevt_shm *bus);

static inline struct port *bus_port(const struct aioevt_shm *bus, uint32_t p)
{
	return (void *)(bus->base + bus->lo.ports + (size_t)p * bus->lo.port_stride);
}

static inline struct listener *bus_listener(const struct aioevt_shm *bus, uint32_t l)
{
	return (void *)(bus->base + bus->lo.listeners + (size_t)l * bus->lo.listener_stride);
}

static inline struct event *bus_event(const struct aioevt_shm *bus, uint32_t e)
{
	return (void *)(bus->base + bus->lo.events + (size_t)e * bus->lo.event_stride);
}

static inline struct bucket *bus_buckets(const struct aioevt_shm *bus)
{
	return (void *)(bus->base + bus->lo.buckets);
}

static inline _Atomic uint64_t *bus_patterns(const struct aioevt_shm *bus)
{
	return (void *)(bus->base + bus->lo.patterns);
}

/* How far scans of the ports, or listeners, have to go. */
static inline uint32_t bus_ports_used(const struct aioevt_shm *bus)
{
	/* bus_ports_used:A  seq_cst, pairs with bus_raise:A: who makes an event GONE or RETIRING
	 * and then looks for bits must not miss those of a port that is new */
	uint32_t n = atomic_load_explicit(&bus->header->ports_hw, memory_order_seq_cst);

	return n < bus->lo.n_listeners ? n : bus->lo.n_listeners;
}

static inline uint32_t bus_listeners_used(const struct aioevt_shm *bus)
{
	/* bus_listeners_used:A  acquire, pairs with bus_raise:A */
	uint32_t n = atomic_load_explicit(&bus->header->listeners_hw, memory_order_acquire);

	return n < bus->lo.n_listeners ? n : bus->lo.n_listeners;
}

static inline uint32_t bus_events_used(const struct aioevt_shm *bus)
{
	/* bus_events_used:A  acquire, pairs with bus_raise:A */
	uint32_t n = atomic_load_explicit(&bus->header->events_hw, memory_order_acquire);

	return n < bus->lo.n_events ? n : bus->lo.n_events;
}

/* Raise a high-water mark to at least @least. Lock-free; a loser retries at most a level. */
static inline void bus_raise(_Atomic uint32_t *mark, uint32_t least)
{
	/* bus_raise:B  seq_cst, pairs with listeners_ring:A as A does, if it is high enough */
	uint32_t n = atomic_load_explicit(mark, memory_order_seq_cst);

	/* bus_raise:A  seq_cst, pairs with bus_ports_used:A, bus_listeners_used:A,
	 * bus_events_used:A and listeners_ring:A: who sees the higher mark sees what was made
	 * before it, and a listener raises the mark before it sets its bit */
	while (n < least && !atomic_compare_exchange_weak_explicit(mark, &n, least,
				memory_order_seq_cst, memory_order_seq_cst))
		;
}

static inline int bus_result(struct aioevt_shm *bus, int r)
{
	/* bus_ok:I  relaxed: set by this thread, or before it could see anything else; pairs
	 * with mend:A */
	return __builtin_expect(atomic_load_explicit(&bus->stale, memory_order_relaxed) ==
				EPROTO, 0) ? -EPROTO : r;
}

static inline bool bus_ok(struct aioevt_shm *bus, uint64_t now)
{
	/* bus_ok:A  relaxed: a hint, promised within a second */
	uint64_t checked = atomic_load_explicit(&bus->checked, memory_order_relaxed);

	if (!*bus->alive)
		return false;
	/* Half of what is promised: a clock that was set back to before the last look differs by
	 * a huge number, and one set back by less than half a second costs that much more. The
	 * last look may have been timed by the precise clock, and @now by the coarse one. */
	if (__builtin_expect(now - checked + COARSE_LAG_NS > NS_PER_S / 2 + COARSE_LAG_NS, 0))
		bus_recheck(bus, now);
	/* bus_ok:B  relaxed: a flag without data behind it */
	return !atomic_load_explicit(&bus->header->removed, memory_order_relaxed) &&
	       /* bus_ok:C  relaxed: as B */
	       !atomic_load_explicit(&bus->stale, memory_order_relaxed);
}

#endif
