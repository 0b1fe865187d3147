/* SPDX-License-Identifier: MIT */
/*
 * Where a sub starts: at a number, or at what a search back over the held records finds. No
 * atomics here: what may be overwritten while it is looked at is ring-read.c's to tell.
 */
#include <errno.h>
#include <time.h>

#include "bus.h"
#include "listener.h"

/* Is the record at @seq of the kind that a search looks for? */
typedef bool (*match_fn)(const struct ring *ring, uint64_t seq, uint64_t state, uint64_t arg);

static bool any_record(const struct ring *ring, uint64_t seq, uint64_t state, uint64_t arg)
{
	(void)ring, (void)seq, (void)state, (void)arg;
	return true;
}

static bool since(const struct ring *ring, uint64_t seq, uint64_t state, uint64_t time)
{
	struct ring_record record;

	return ring_copy(ring, seq, state, NULL, 0, &record) && record.time >= time;
}

/*
 * Go back over what ring @k holds below @end, to the oldest record that matches, or to the
 * @n-th. Returns its number, or @end; *n is how many are still wanted.
 */
static uint64_t search(struct event_map *map, unsigned k, uint64_t end, uint64_t *n,
		       match_fn match, uint64_t arg)
{
	const struct ring *ring = &map->ring[k];
	uint64_t oldest = ring_oldest(ring, end), found = end, state;

	for (uint64_t seq = end; *n && seq > oldest; ) {
		if (ring_look(ring, --seq, &state) != LOOK_RECORD ||
		    !match(ring, seq, state, arg))
			continue;
		found = seq;
		--*n;
	}
	return found;
}

static int search_all(struct event_map *map, uint64_t n, match_fn match, uint64_t arg,
		      uint64_t *ret_pos)
{
	uint64_t end, pos = 0;
	int err = 0;

	for (unsigned last = event_map_rings(map) - 1, k = last + 1; n && k--; ) {
		uint64_t found;

		err = ring_frontier(&map->ring[k], &end);
		if (err < 0)
			return err;
		if (k == last)
			pos = end;
		found = search(map, k, end, &n, match, arg);
		if (found < end)
			pos = found;
	}
	*ret_pos = pos;
	return err;
}

/* How far a coarse stamp may be behind: ticks come late, most of all on virtual machines. */
static uint64_t stamp_slack(void)
{
	struct timespec ts;

	return clock_getres(CLOCK_REALTIME_COARSE, &ts) ? 0 : 10 * (uint64_t)ts.tv_nsec;
}

int sub_find_start(struct aioevt_shm_sub *sub, enum aioevt_shm_from from, uint64_t value,
		   uint64_t *ret_pos)
{
	struct event_map *map = sub->ev->map;
	const struct layout *lo = &sub->ev->bus->lo;
	uint64_t slack;

	switch (from) {
	case AIOEVT_SHM_FROM_SEQ:
		if (value > SEQ_MASK - seq_bias(lo))
			return -EINVAL;
		*ret_pos = seq_from_user(lo, value ? value : 1);
		return 0;
	case AIOEVT_SHM_FROM_LAST:
		if (value)
			return search_all(map, value, any_record, 0, ret_pos);
		/* fallthrough */
	case AIOEVT_SHM_FROM_NEW:
		return ring_frontier(event_map_last(map), ret_pos);
	case AIOEVT_SHM_FROM_TIME:
		slack = stamp_slack();
		return search_all(map, UINT64_MAX, since, value > slack ? value - slack : 0,
				  ret_pos);
	default:			/* FROM_START */
		*ret_pos = map->ring[0].base;
		return 0;
	}
}
