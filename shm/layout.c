/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "aioevt-shm.h"
#include "layout-compute.h"

#define MAGIC_MASK	UINT64_C(0xffffffffffff)	/* "aioevt", then two digits */

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the bus file is little-endian; this machine would need conversions"
#endif
static_assert(__atomic_always_lock_free(8, 0), "needs lock-free 64-bit atomics");
static_assert(__atomic_always_lock_free(4, 0), "needs lock-free 32-bit atomics");

#define MIN_RINGS	UINT64_C(65536)
#define MAX_BUDGET	(UINT64_C(1) << 43)

static uint32_t round_pow2(uint32_t n)
{
	uint32_t p = 1;

	while (p < n)
		p *= 2;
	return p;
}

struct range {
	const char *field;
	uint64_t value, min, max;
};

static int check_ranges(const struct range *ranges, size_t n, struct range *ret_bad)
{
	for (size_t i = 0; i < n; i++)
		if (ranges[i].value &&
		    (ranges[i].value < ranges[i].min || ranges[i].value > ranges[i].max)) {
			*ret_bad = ranges[i];
			return -EINVAL;
		}
	return 0;
}

static int check_config(const struct aioevt_shm_config *config, struct range *ret_bad)
{
	const struct range ranges[] = {
		{ "size", config->size ? config->size : 1, sizeof(*config), sizeof(*config) },
		{ "n_events", config->n_events, 64, MAX_EVENTS },
		{ "n_listeners", config->n_listeners, 64, MAX_LISTENERS },
		{ "depth", config->depth, 8, MAX_DEPTH },
		{ "inline_size", config->inline_size, 1, MAX_SLOT - sizeof(struct slot) },
		{ "max_payload", config->max_payload, 1, AIOEVT_SHM_PAYLOAD_MAX },
		{ "ring_budget", config->ring_budget, MIN_RINGS, MAX_BUDGET },
		{ "large_budget", config->large_budget, BODY_ALIGN, MAX_BUDGET },
	};

	return check_ranges(ranges, sizeof(ranges) / sizeof(ranges[0]), ret_bad);
}

int aioevt_shm_config_check(const struct aioevt_shm_config *config,
			    const char **ret_field, uint64_t *ret_min, uint64_t *ret_max)
{
	struct range bad;

	if (!config || !ret_field || !ret_min || !ret_max)
		return -EINVAL;
	if (!check_config(config, &bad))
		return 0;
	*ret_field = bad.field;
	*ret_min = bad.min;
	*ret_max = bad.max;
	return -EINVAL;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t or_default(uint64_t value, uint64_t fallback)
{
	return value ? value : fallback;
}

#define STRUCT(name, meaning)	meaning, sizeof(struct name)
#define FIELD(name, field)	offsetof(struct name, field)

/* The structs of this build: of each its meaning, its size, and where its fields are. */
static const uint32_t structs[] = {
	STRUCT(bus_header, MEANING_BUS_HEADER),
	FIELD(bus_header, magic), FIELD(bus_header, version), FIELD(bus_header, incompat),
	FIELD(bus_header, compat), FIELD(bus_header, n_events), FIELD(bus_header, n_listeners),
	FIELD(bus_header, depth), FIELD(bus_header, slot_size), FIELD(bus_header, max_payload),
	FIELD(bus_header, ring_budget), FIELD(bus_header, signature),
	FIELD(bus_header, hash_key), FIELD(bus_header, created),
	FIELD(bus_header, large_budget), FIELD(bus_header, removed),
	FIELD(bus_header, ports_hw), FIELD(bus_header, listeners_hw),
	FIELD(bus_header, timers_hw), FIELD(bus_header, region_end),
	FIELD(bus_header, body_end), FIELD(bus_header, n_created), FIELD(bus_header, events_hw),
	FIELD(bus_header, timer_order),
	STRUCT(bucket, MEANING_BUCKET),
	FIELD(bucket, link), FIELD(bucket, floor),
	STRUCT(port, MEANING_PORT),
	FIELD(port, state), FIELD(port, pending_offset), FIELD(port, pending_size),
	FIELD(port, pid), FIELD(port, since), FIELD(port, reaped), FIELD(port, using),
	STRUCT(listener, MEANING_LISTENER),
	FIELD(listener, doorbell), FIELD(listener, owner), FIELD(listener, news),
	STRUCT(event, MEANING_EVENT),
	FIELD(event, state), FIELD(event, next), FIELD(event, last_used), FIELD(event, start),
	FIELD(event, ring), FIELD(event, due), FIELD(event, firing), FIELD(event, fire_from),
	FIELD(event, name), FIELD(event, n_words), FIELD(event, bell), FIELD(event, listeners),
	STRUCT(event_ctl, MEANING_EVENT_CTL),
	FIELD(event_ctl, epoch), FIELD(event_ctl, wanted), FIELD(event_ctl, space),
	FIELD(event_ctl, reliable),
	STRUCT(ring_header, MEANING_RING_HEADER),
	FIELD(ring_header, base), FIELD(ring_header, depth), FIELD(ring_header, slot_size),
	FIELD(ring_header, head), FIELD(ring_header, last_void), FIELD(ring_header, body_base),
	FIELD(ring_header, voids), FIELD(ring_header, body_owner),
	STRUCT(slot, MEANING_SLOT),
	FIELD(slot, state), FIELD(slot, time), FIELD(slot, size), FIELD(slot, body),
	FIELD(slot, payload),
	STRUCT(timer, MEANING_TIMER),
	FIELD(timer, state), FIELD(timer, id), FIELD(timer, due), FIELD(timer, order),
	FIELD(timer, event), FIELD(timer, size), FIELD(timer, port), FIELD(timer, payload),
};

static uint64_t hash_in(uint64_t h, uint64_t part)
{
	return (h ^ part) * UINT64_C(0x100000001b3);
}

/* FNV-1a over all that the participants of a bus must agree on: tells builds apart, not attackers. */
static uint64_t sign(const struct layout *lo)
{
	const uint64_t parts[] = {
		BUS_VERSION, lo->n_events, lo->n_listeners, lo->depth, lo->slot_size,
		lo->max_payload, lo->n_buckets, lo->n_timers, lo->port_stride,
		lo->listener_stride, lo->event_stride, lo->body_stride, lo->ctl_size,
		lo->patterns, lo->buckets, lo->ports, lo->listeners, lo->events, lo->timers,
		lo->tables_end, REGION_ALIGN, BODY_BASE, TIMER_BODIES, LOCK_BASE, LOCK_RIGHT,
		BODY_ALIGN, MAX_RINGS, TIMER_INLINE,
	};
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < sizeof(structs) / sizeof(structs[0]); i++)
		h = hash_in(h, structs[i]);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		h = hash_in(h, parts[i]);
	return h;
}

/* Place the tables one behind the other, each on a line. */
static void place(struct layout *lo)
{
	uint64_t at = sizeof(struct bus_header);

	lo->n_words = lo->n_listeners / 64;
	lo->n_timers = lo->n_listeners;
	lo->n_buckets = round_pow2(lo->n_events * 2);
	lo->port_stride = (uint32_t)round_up(sizeof(struct port) + lo->n_events / 8, LINE);
	lo->listener_stride = (uint32_t)round_up(sizeof(struct listener) + lo->n_events / 8,
						 LINE);
	lo->event_stride = (uint32_t)round_up(sizeof(struct event) + lo->n_words * 8, LINE);
	lo->body_stride = (uint32_t)round_up(lo->max_payload, BODY_ALIGN);
	lo->ctl_size = (uint32_t)round_up(round_up(sizeof(struct event_ctl) + 2 * lo->n_words * 8,
						   LINE) + lo->n_listeners * 8, 2 * LINE);
	lo->patterns = at;
	at = round_up(at + lo->n_words * 8, LINE);
	lo->buckets = at;
	at = round_up(at + (uint64_t)lo->n_buckets * sizeof(struct bucket), LINE);
	lo->ports = at;
	at += (uint64_t)lo->n_listeners * lo->port_stride;
	lo->listeners = at;
	at += (uint64_t)lo->n_listeners * lo->listener_stride;
	lo->events = at;
	at += (uint64_t)lo->n_events * lo->event_stride;
	lo->timers = at;
	at += (uint64_t)lo->n_timers * sizeof(struct timer);
	lo->tables_end = round_up(at, REGION_ALIGN);
	lo->signature = sign(lo);
}

/* What eight rings take, and a little more. */
static uint64_t eight_rings(const struct layout *lo)
{
	return (uint64_t)lo->depth * lo->slot_size * 10;
}

/* 64 MiB, or what eight rings of a deep bus take. */
static uint64_t default_budget(const struct layout *lo)
{
	return max_u64(UINT64_C(64) << 20, eight_rings(lo));
}

void layout_from_config(const struct aioevt_shm_config *config, struct layout *ret_layout)
{
	struct layout lo = { 0 };

	lo.n_events = (uint32_t)round_up(or_default(config->n_events, 4096), 64);
	lo.n_listeners = (uint32_t)round_up(or_default(config->n_listeners, 1024), 64);
	lo.depth = round_pow2((uint32_t)or_default(config->depth, 1024));
	lo.slot_size = (uint32_t)round_up(or_default(config->inline_size, 104) +
					  sizeof(struct slot), LINE);
	lo.inline_size = lo.slot_size - (uint32_t)sizeof(struct slot);
	lo.max_payload = (uint32_t)or_default(config->max_payload, AIOEVT_SHM_PAYLOAD_MAX);
	place(&lo);
	lo.ring_budget = or_default(config->ring_budget, default_budget(&lo));
	lo.large_budget = or_default(config->large_budget, MAX_BUDGET);
	*ret_layout = lo;
}

/* Halve a default, down to @min. Returns whether it was. */
static bool halve(uint32_t *value, uint32_t asked, uint32_t min)
{
	if (asked || *value <= min)
		return false;
	*value /= 2;
	return true;
}

static bool halve_tables(struct aioevt_shm_config *config, const struct aioevt_shm_config *asked)
{
	bool events = halve(&config->n_events, asked->n_events, 64);
	bool listeners = halve(&config->n_listeners, asked->n_listeners, 64);

	return events || listeners;
}

/*
 * The tables get an eighth of the file system at most, rings a quarter, large payloads half: an
 * eighth at least is left for others.
 */
void layout_fit(struct aioevt_shm_config *config, uint64_t size)
{
	const struct aioevt_shm_config asked = *config;
	struct layout lo;

	if (!size)
		return;
	layout_from_config(config, &lo);
	config->n_events = lo.n_events;
	config->n_listeners = lo.n_listeners;
	config->depth = lo.depth;
	while (lo.tables_end > size / 8 && halve_tables(config, &asked))
		layout_from_config(config, &lo);
	while (eight_rings(&lo) > size / 4 && halve(&config->depth, asked.depth, 8))
		layout_from_config(config, &lo);
	if (!asked.ring_budget)
		config->ring_budget = max_u64(min_u64(lo.ring_budget, size / 4), MIN_RINGS);
	if (!asked.large_budget)
		config->large_budget = min_u64(max_u64(size / 2, max_u64(asked.max_payload,
							BODY_ALIGN)), MAX_BUDGET);
}

int layout_from_header(const struct bus_header *header, struct layout *ret_layout)
{
	struct aioevt_shm_config config = {
		.size = sizeof(config),
		.n_events = header->n_events, .n_listeners = header->n_listeners,
		.depth = header->depth, .max_payload = header->max_payload,
		.inline_size = header->slot_size - (uint32_t)sizeof(struct slot),
		.ring_budget = header->ring_budget, .large_budget = header->large_budget,
	};
	struct layout lo;
	const char *field;
	uint64_t min, max;

	if (!config.n_events || !config.n_listeners || !config.depth || !config.max_payload ||
	    !config.ring_budget || !config.large_budget || header->slot_size < LINE ||
	    aioevt_shm_config_check(&config, &field, &min, &max) < 0)
		return -ENOEXEC;
	layout_from_config(&config, &lo);
	if (lo.signature != header->signature || lo.slot_size != header->slot_size ||
	    lo.n_events != header->n_events || lo.depth != header->depth)
		return -ENOEXEC;
	memcpy(lo.hash_key, header->hash_key, sizeof(lo.hash_key));
	*ret_layout = lo;
	return 0;
}

int layout_version(const struct bus_header *header, uint32_t *ret_version)
{
	/* layout_version:A  relaxed: a private copy */
	uint64_t magic = atomic_load_explicit(&header->magic, memory_order_relaxed);
	uint32_t tens = (uint32_t)(magic >> 48 & 0xff) - '0';
	uint32_t ones = (uint32_t)(magic >> 56) - '0';

	if ((magic & MAGIC_MASK) != (BUS_MAGIC & MAGIC_MASK) || tens > 9 || ones > 9)
		return -ENOEXEC;
	*ret_version = magic == BUS_MAGIC ? header->version : tens * 10 + ones;
	return magic == BUS_MAGIC && header->version == BUS_VERSION &&
	       !(header->incompat & ~BUS_INCOMPAT);
}
