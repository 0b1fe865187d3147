/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_LAYOUT_H
#define AIOEVT_LAYOUT_H

/*
 * The bus file, byte by byte. Everything is little-endian, fixed-width and at an offset;
 * there are no pointers. Every table's size and place follows from the counts in the
 * header (layout_compute()), and their signature is checked at attach.
 *
 *   0            struct bus_header        one page
 *   patterns     u64[n_words]             listeners that have a pattern
 *   buckets      struct bucket[]          two for each event
 *   ports        port_stride each         struct port, then a bit for each event in use
 *   listeners    listener_stride each     struct listener, then a bit for each with news
 *   events       event_stride each        struct event, then a bit for each listener
 *   timers       struct timer[]           as many as listeners
 *   tables_end
 *   ...          regions: struct event_ctl and struct ring, at offsets never used twice
 *   BODY_BASE    bodies of large payloads, at offsets never used twice for another event
 *   TIMER_BODIES bodies of large payloads that are still to be emitted, one for each timer
 *   LOCK_BASE+p, LOCK_RIGHT+p  locks of port p (bytes that are locked, never stored)
 *
 * A listener's bit stands in word l / 64 of a bitmap of n_words.
 */

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define BUS_MAGIC	UINT64_C(0x31307476656f6961)	/* "aioevt01" */
#define BUS_INCOMPAT	0u		/* flags whose meaning must be known to attach */

/*
 * The version rises with every change of this text, and with every change of the meaning of a
 * word in the file. Beside it stands the hash of the text, see tests/check-layout. Programs of
 * two versions do not use one bus. All versions have in common: magic and version stand where
 * they do here, and participants lock bytes from LOCK_BASE on. So a program can tell the version
 * of any bus, and whether anybody uses that bus.
 */
#define BUS_VERSION	7u	/* text f154ec71c593dd4f */

/*
 * The number of a struct rises when its fields stay where they are and mean something else, or
 * change in another order. The signature of a bus covers these numbers: two branches that chose
 * the same version for different changes refuse each other's buses.
 */
enum layout_meaning {
	MEANING_BUS_HEADER = 1,
	MEANING_BUCKET = 1,
	MEANING_PORT = 2,
	MEANING_LISTENER = 2,
	MEANING_EVENT = 2,
	MEANING_EVENT_CTL = 2,
	MEANING_RING_HEADER = 1,
	MEANING_SLOT = 1,
	MEANING_TIMER = 1,
};

#define LINE		64u
#define REGION_ALIGN	UINT64_C(65536)		/* no machine has larger base pages */
#define REGION_LIMIT	(UINT64_C(1) << 56)	/* a 32-bit mmap2(2) reaches 2^44 */
#define BODY_BASE	(UINT64_C(1) << 56)
#define BODY_LIMIT	(UINT64_C(1) << 61)
#define TIMER_BODIES	(UINT64_C(1) << 61)
#define LOCK_BASE	(UINT64_C(1) << 62)	/* locked, never written */
#define LOCK_RIGHT	(LOCK_BASE + (1u << 14))
#define BODY_ALIGN	4096u

#define MAX_EVENTS	32768u
#define MAX_LISTENERS	8192u		/* ports too: their tag has 14 bits */
#define MAX_DEPTH	1048576u
#define MAX_SLOT	65536u
#define MAX_RINGS	8u		/* the first and 7 successors */

struct bus_header {
	/* line 0, 1: constant once published */
	_Atomic uint64_t magic;
	uint32_t version;
	uint32_t incompat;
	uint32_t compat;
	uint32_t n_events;
	uint32_t n_listeners;
	uint32_t depth;
	uint32_t slot_size;
	uint32_t max_payload;
	uint64_t ring_budget;
	uint64_t signature;
	uint64_t hash_key[2];
	uint64_t created;			/* ns, CLOCK_REALTIME */
	uint64_t large_budget;			/* bytes of large payloads, see body.c */
	uint8_t reserved[32];

	/* line 2: read by every emit, written once, by who removes the bus */
	alignas(64) _Atomic uint32_t removed;
	_Atomic uint32_t ports_hw;		/* ports ever taken: scans end here */
	_Atomic uint32_t listeners_hw;
	_Atomic uint32_t timers_hw;

	/* line 3: who makes a new event */
	alignas(64) _Atomic uint64_t region_end;
	_Atomic uint64_t body_end;
	_Atomic uint64_t n_created;		/* bumped for each new event; a hint */
	_Atomic uint32_t events_hw;		/* events ever taken: scans end here */
	uint32_t pad;
	_Atomic uint64_t timer_order;		/* bumped for each timer: who came first */
};
static_assert(offsetof(struct bus_header, ring_budget) == 40, "layout");
static_assert(offsetof(struct bus_header, hash_key) == 56, "layout");
static_assert(offsetof(struct bus_header, large_budget) == 80, "layout");
static_assert(offsetof(struct bus_header, removed) == 128, "layout");
static_assert(offsetof(struct bus_header, region_end) == 192, "layout");
static_assert(sizeof(struct bus_header) == 256, "layout");

/* link = generation:32 index+1:31 mark:1. The floor is a bound over retired numbers. */
struct bucket {
	_Atomic uint64_t link;
	_Atomic uint64_t floor;
};
static_assert(sizeof(struct bucket) == 16, "layout");

/* state = generation << 8 | phase. Written by its owner, or its reaper under the lock. */
struct port {
	_Atomic uint64_t state;
	_Atomic uint64_t pending_offset;	/* region being made, 0 if none */
	_Atomic uint64_t pending_size;
	_Atomic uint32_t pid;			/* for people to read */
	uint32_t pad;
	_Atomic uint64_t since;			/* ns, CLOCK_REALTIME: its owner came, or left */
	_Atomic uint64_t reaped;		/* how far its reapers got, see reap.c; else 0 */
	uint64_t reserved[2];
	_Atomic uint64_t using[];		/* events held open: they may not go */
};
static_assert(offsetof(struct port, since) == 32, "layout");
static_assert(offsetof(struct port, reaped) == 40, "layout");
static_assert(offsetof(struct port, using) == 64, "layout");

struct listener {
	_Atomic uint32_t doorbell;		/* futex: generation << 1 | BELL_ARMED */
	_Atomic uint32_t owner;			/* port + 1; 0 is free */
	uint64_t reserved[7];
	_Atomic uint64_t news[];		/* events that may have something to read */
};
static_assert(offsetof(struct listener, news) == 64, "layout");

#define BELL_ARMED		1u		/* somebody sleeps on it, see bell.c */

#define RING_SEALED	UINT64_C(1)		/* no successor, ever: the event goes */
#define NAME_WORDS	16u			/* length byte, 127 bytes, zero-padded */

/*
 * state = generation:32 port:16 phase:16; next as bucket.link. ring = offset | log2 depth
 * (regions are aligned to REGION_ALIGN, so the low bits are free), or RING_SEALED.
 */
struct event {
	_Atomic uint64_t state;
	_Atomic uint64_t next;
	_Atomic uint64_t last_used;		/* ns, CLOCK_MONOTONIC, at the last close */
	_Atomic uint64_t start;			/* its first number, while it is NEW */
	_Atomic uint64_t ring[MAX_RINGS];
	_Atomic uint64_t due;			/* of its earliest timer, see timer.c */
	_Atomic uint64_t firing;		/* who fires which timer, see timer-fire.c */
	_Atomic uint64_t fire_from;		/* no number below it is a firing timer's */
	_Atomic uint64_t reserved;
	_Atomic uint64_t name[NAME_WORDS];
	/* read by every emit, written when a listener comes or goes */
	alignas(64) _Atomic uint32_t n_words;	/* words of listeners[] ever used */
	_Atomic uint32_t bell;		/* futex: as a doorbell, of several listeners */
	_Atomic uint64_t listeners[];
};
static_assert(offsetof(struct event, ring) == 32, "layout");
static_assert(offsetof(struct event, due) == 96, "layout");
static_assert(offsetof(struct event, name) == 128, "layout");
static_assert(offsetof(struct event, n_words) == 256, "layout");
static_assert(offsetof(struct event, listeners) == 264, "layout");

/*
 * Stands at the start of an event's first region and stays for all its rings: the
 * reliable readers. The bitmap is followed by that of observers (sub.c), and by the cursors of the
 * reliable readers, one for each listener: the next number (52), and which registration of that
 * listener it is of (12), see reliable.c.
 */
struct event_ctl {
	_Atomic uint64_t epoch;			/* bumped when a reliable reader registers */
	_Atomic uint64_t wanted;		/* somebody wants to know when up to this is handled */
	uint64_t pad[6];
	alignas(64) _Atomic uint32_t space;	/* futex: a bell, of emitters that wait for room */
	uint32_t pad2;
	_Atomic uint64_t reliable[];		/* n_words, and then n_words of observers */
};
static_assert(offsetof(struct event_ctl, wanted) == 8, "layout");
static_assert(offsetof(struct event_ctl, space) == 64, "layout");
static_assert(offsetof(struct event_ctl, reliable) == 72, "layout");

struct ring_header {
	/* line 0: constant */
	_Atomic uint64_t base;			/* the first number; 0: not begun yet */
	uint32_t depth;
	uint32_t slot_size;
	uint64_t pad[6];
	/* line 1: emitters. Number of voids (low 12 bits) and next sequence number (52) */
	alignas(64) _Atomic uint64_t head;
	uint64_t pad2[7];
	/* line 2: rarely written */
	_Atomic uint64_t last_void;		/* no void at or after this, but for it */
	_Atomic uint64_t body_base;		/* 0 until the first large payload */
	_Atomic uint64_t voids;			/* of head, in full; ahead of it by one at most */
	uint64_t pad3[5];
	_Atomic uint32_t body_owner[];		/* depth + n_listeners of them: body.c */
};
static_assert(offsetof(struct ring_header, head) == 64, "layout");
static_assert(offsetof(struct ring_header, last_void) == 128, "layout");
static_assert(offsetof(struct ring_header, body_owner) == 192, "layout");

/* A small payload shares the line of the state: 40 bytes of it. */
struct slot {
	_Atomic uint64_t state;
	_Atomic uint64_t time;			/* ns, CLOCK_REALTIME */
	_Atomic uint32_t size;			/* bytes */
	_Atomic uint32_t body;			/* index + 1 of what is linked here; 0: none */
	_Atomic uint64_t payload[];
};
static_assert(offsetof(struct slot, size) == 16, "layout");
static_assert(offsetof(struct slot, payload) == 24, "layout");

/* An emission to come, see timer.c. Lines 1 and 2 are its payload, if that is small. */
struct timer {
	_Atomic uint64_t state;
	_Atomic uint64_t id;			/* as a user knows it */
	_Atomic uint64_t due;			/* ns, CLOCK_MONOTONIC */
	_Atomic uint64_t order;			/* of two that are due at once */
	_Atomic uint64_t event;			/* generation:32 index:32 */
	_Atomic uint32_t size;			/* bytes */
	_Atomic uint32_t port;			/* that scheduled it: for people to read */
	uint64_t reserved[2];
	_Atomic uint64_t payload[16];
};
static_assert(offsetof(struct timer, payload) == 64, "layout");
static_assert(sizeof(struct timer) == 192, "layout");

#define TIMER_INLINE	128u			/* bytes of payload; more is in its body */

static inline uint64_t round_up(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) / unit * unit;
}

/* The bit of @n in word n / 64 of a bitmap. */
static inline uint64_t bit_of(uint32_t n)
{
	return UINT64_C(1) << n % 64;
}

/* What follows from the header's counts; a private copy that nobody can scribble on. */
struct layout {
	uint32_t n_events, n_listeners, depth, slot_size, max_payload, inline_size;
	uint32_t n_words;			/* of a bitmap of listeners */
	uint32_t n_timers;
	uint32_t n_buckets;
	uint32_t port_stride, listener_stride, event_stride, body_stride;
	uint32_t ctl_size;
	uint64_t ring_budget, large_budget;
	uint64_t patterns, buckets, ports, listeners, events, timers, tables_end;
	uint64_t hash_key[2];
	uint64_t signature;
};

#endif
