/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_TEST_INSPECT_H
#define AIOEVT_TEST_INSPECT_H

/* A bus whose file is poked, for the tests of the inspection. */

#include "bus.h"

#include <fcntl.h>

#include "event-map.h"
#include "layout-compute.h"
#include "registry.h"

static int fd;				/* of the file */
static struct layout lo;
static uint64_t base;			/* first sequence number */
static struct aioevt_shm *bus;
static struct aioevt_shm_event *event_a, *event_b;
static struct aioevt_shm_listener *listener;
static uint32_t a, b;			/* their places in the table */

static struct {
	uint64_t offset;
	unsigned char old[8];
	size_t size;
} undo[64];
static size_t n_undo;

static inline void peek(uint64_t offset, void *buf, size_t size)
{
	check_eq(pread(fd, buf, size, (off_t)offset), size);
}

static inline uint64_t peek64(uint64_t offset)
{
	uint64_t value;

	peek(offset, &value, sizeof(value));
	return value;
}

static inline void poke(uint64_t offset, uint64_t value, size_t size)
{
	check(n_undo < 64);
	undo[n_undo].offset = offset;
	undo[n_undo].size = size;
	peek(offset, undo[n_undo++].old, size);
	check_eq(pwrite(fd, &value, size, (off_t)offset), size);
}

static inline void poke64(uint64_t offset, uint64_t value)
{
	poke(offset, value, 8);
}

static inline void unpoke(void)
{
	while (n_undo) {
		n_undo--;
		check_eq(pwrite(fd, undo[n_undo].old, undo[n_undo].size,
				(off_t)undo[n_undo].offset), undo[n_undo].size);
	}
}

static inline uint64_t port_at(uint32_t p, size_t member)
{
	return lo.ports + (uint64_t)p * lo.port_stride + member;
}

static inline uint64_t listener_at(uint32_t l, size_t member)
{
	return lo.listeners + (uint64_t)l * lo.listener_stride + member;
}

static inline uint64_t event_at(uint32_t e, size_t member)
{
	return lo.events + (uint64_t)e * lo.event_stride + member;
}

static inline uint64_t region_of(uint32_t e)
{
	return peek64(event_at(e, offsetof(struct event, ring))) & ~(REGION_ALIGN - 1);
}

static inline uint64_t ring_at(uint32_t e, size_t member)
{
	return region_of(e) + lo.ctl_size + member;
}

/* Slot of the @n-th number since the ring began. */
static inline uint64_t slot_at(uint32_t e, uint64_t n, size_t member)
{
	uint64_t slots = ring_region_size(&lo, lo.depth) - (uint64_t)lo.depth * lo.slot_size;

	return ring_at(e, slots + (base + n) % lo.depth * lo.slot_size + member);
}

static inline uint64_t slot_of(uint64_t n, uint32_t port, uint32_t phase)
{
	return slot_word((base + n) / lo.depth, port, phase, false);
}

static inline uint64_t cursor_at(uint32_t l)
{
	return region_of(b) + lo.ctl_size - lo.n_listeners * 8 +
	       (l % (lo.n_listeners / 8) * 8 + l / (lo.n_listeners / 8)) * 8;
}

/* The bucket whose link leads to event @e: its offset. 0: none does, it is further down. */
static inline uint64_t bucket_of(uint32_t e)
{
	for (uint32_t i = 0; i < lo.n_buckets; i++)
		if ((uint32_t)peek64(lo.buckets + i * sizeof(struct bucket)) >> 1 == e + 1)
			return lo.buckets + i * sizeof(struct bucket);
	return 0;
}

static inline void tear_down(void)
{
	aioevt_shm_listener_free(listener);
	aioevt_shm_event_close(event_a);
	aioevt_shm_event_close(event_b);
	aioevt_shm_close(bus);
	close(fd);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* Event a: three records and one with a body. Event b: two, and a reliable reader. */
static inline void set_up(void)
{
	struct bus_header header;
	char large[300] = "";

	bus = bus_small(8);
	event_a = event_of(bus, "a");
	event_b = event_of(bus, "b");
	listener = listener_of(bus);
	sub_of(listener, "b", AIOEVT_SHM_RELIABLE);
	for (uint64_t i = 0; i < 3; i++)
		emit_u64(event_a, i);
	check_eq(aioevt_shm_emit(event_a, large, sizeof(large), NULL), 0);
	emit_u64(event_b, 1);
	emit_u64(event_b, 2);

	fd = open(bus_path(), O_RDWR | O_CLOEXEC);
	check(fd >= 0);
	peek(0, &header, sizeof(header));
	check_eq(layout_from_header(&header, &lo), 0);
	base = seq_bias(&lo);
	a = 0;
	b = 1;
	if (!bucket_of(a)) {		/* both are in one list: rare, the key is random */
		tear_down();
		set_up();
	}
}

/* The same, and nobody is attached. */
static inline void set_up_left(void)
{
	set_up();
	aioevt_shm_listener_free(listener);
	aioevt_shm_event_close(event_a);
	aioevt_shm_event_close(event_b);
	aioevt_shm_close(bus);
}

static inline struct aioevt_shm_inspection *look_at_bus(void)
{
	struct aioevt_shm_inspection *seen = NULL;

	check_eq(aioevt_shm_inspect(NULL, 0, &seen), 0);
	return seen;
}

static inline void print_findings(const struct aioevt_shm_inspection *seen)
{
	for (size_t i = 0; i < seen->n_problems; i++)
		fprintf(stderr, "  problem %s: %s\n", seen->problems[i].code,
			seen->problems[i].text);
	for (size_t i = 0; i < seen->n_notes; i++)
		fprintf(stderr, "  note %s: %s\n", seen->notes[i].code, seen->notes[i].text);
}

static inline bool has(const struct aioevt_shm_finding *findings, size_t n, const char *code,
		const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(findings[i].code, code) && strstr(findings[i].text, text))
			return true;
	return false;
}

/* Healthy, with a note of this kind (NULL: none). */
static inline void expect_note(const char *code, const char *text)
{
	struct aioevt_shm_inspection *seen = look_at_bus();

	fprintf(stderr, "note %s\n", code ? code : "none");
	print_findings(seen);
	check_eq(seen->n_problems, 0);
	check(code ? has(seen->notes, seen->n_notes, code, text) : !seen->n_notes);
	aioevt_shm_inspection_free(seen);
}

/* A reliable reader, that is to be killed. */
static inline int be_killed(struct child *me, void *arg)
{
	struct aioevt_shm *mine = bus_open(NULL);
	struct aioevt_shm_listener *ear = listener_of(mine);

	sub_of(ear, "b", AIOEVT_SHM_RELIABLE);
	say(me, 'r');
	hear(me);
	return arg != NULL;
}

#endif
