/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "aioevt-shm.h"
#include "layout-compute.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the bus file is little-endian; this machine would need conversions"
#endif
static_assert(__atomic_always_lock_free(8, 0), "needs lock-free 64-bit atomics");
static_assert(__atomic_always_lock_free(4, 0), "needs lock-free 32-bit atomics");

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

int aioevt_shm_config_check(const struct aioevt_shm_config *config,
			    const char **ret_field, uint64_t *ret_min, uint64_t *ret_max)
{
	const struct range ranges[] = {
		{ "size", config->size ? config->size : 1, sizeof(*config), sizeof(*config) },
		{ "n_events", config->n_events, 64, MAX_EVENTS },
		{ "n_listeners", config->n_listeners, 64, MAX_LISTENERS },
		{ "depth", config->depth, 8, MAX_DEPTH },
		{ "inline_size", config->inline_size, 1, MAX_SLOT - sizeof(struct slot) },
		{ "max_payload", config->max_payload, 1, AIOEVT_SHM_PAYLOAD_MAX },
		{ "ring_budget", config->ring_budget, 65536, UINT64_C(1) << 43 },
	};
	struct range bad;

	if (!check_ranges(ranges, sizeof(ranges) / sizeof(ranges[0]), &bad))
		return 0;
	*ret_field = bad.field;
	*ret_min = bad.min;
	*ret_max = bad.max;
	return -EINVAL;
}

static uint64_t or_default(uint64_t value, uint64_t fallback)
{
	return value ? value : fallback;
}

/* FNV-1a over what both sides must agree on. It guards against builds, not attackers. */
static uint64_t sign(const struct layout *lo)
{
	const uint64_t parts[] = {
		BUS_VERSION, sizeof(struct bus_header), sizeof(struct bucket),
		sizeof(struct port), sizeof(struct listener), sizeof(struct event),
		sizeof(struct event_ctl), sizeof(struct ring_header), sizeof(struct slot),
		lo->n_events, lo->n_listeners, lo->depth, lo->slot_size, lo->max_payload,
		lo->n_buckets, lo->port_stride, lo->listener_stride, lo->event_stride,
		lo->body_stride, lo->ctl_size, lo->patterns, lo->buckets, lo->ports,
		lo->listeners, lo->events, lo->tables_end, LOCK_BASE, BODY_BASE,
		sizeof(struct timer), lo->n_timers, lo->timers, TIMER_BODIES,
	};
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		h = (h ^ parts[i]) * UINT64_C(0x100000001b3);
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
	lo->ctl_size = (uint32_t)round_up(round_up(sizeof(struct event_ctl) + lo->n_words * 8,
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

/* 64 MiB, or what eight rings of a deep bus take. */
static uint64_t default_budget(const struct layout *lo)
{
	uint64_t rings = (uint64_t)lo->depth * lo->slot_size * 10;

	return rings < UINT64_C(64) << 20 ? UINT64_C(64) << 20 : rings;
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
	*ret_layout = lo;
}

int layout_from_header(const struct bus_header *header, struct layout *ret_layout)
{
	struct aioevt_shm_config config = {
		.size = sizeof(config),
		.n_events = header->n_events, .n_listeners = header->n_listeners,
		.depth = header->depth, .max_payload = header->max_payload,
		.inline_size = header->slot_size - (uint32_t)sizeof(struct slot),
		.ring_budget = header->ring_budget,
	};
	struct layout lo;
	const char *field;
	uint64_t min, max;

	if (!config.n_events || !config.n_listeners || !config.depth || !config.max_payload ||
	    !config.ring_budget || header->slot_size < LINE ||
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
