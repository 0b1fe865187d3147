/* SPDX-License-Identifier: MIT */
/* Who listens under patterns, and who waits long for what comes seldom. */
#include "soak.h"
#include "roles.h"

#include <errno.h>

static struct payload payload;

/* In order, whole, and of the event that it is said to be of. */
static void watch(struct aioevt_shm_sub *sub, const struct aioevt_shm_record *record)
{
	uint32_t last = (uint32_t)(uintptr_t)aioevt_shm_sub_data(sub);
	uint32_t event = event_by_name(aioevt_shm_sub_name(sub));

	if (event == UINT32_MAX)
		breach("a record of \"%s\"", aioevt_shm_sub_name(sub));
	payload_check(record, event);
	if (record->seq <= last)
		breach("%s: record %llu after %u", aioevt_shm_sub_name(sub),
		       (unsigned long long)record->seq, last);
	aioevt_shm_sub_set_data(sub, (void *)(uintptr_t)record->seq);
	count_one(&shared->count.patterns);
}

static void watch_for_a_while(struct aioevt_shm *bus)
{
	static const char *const patterns[] = { "churn.*", ">", "*.*", "churn.1", "stable.>" };
	const char *pattern = patterns[rnd() % (sizeof(patterns) / sizeof(patterns[0]))];
	struct aioevt_shm_listener *l;
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub;
	int err = op("listener_new", 0, aioevt_shm_listener_new(bus, &l));

	require(!err);
	err = op("listen pattern", 0, aioevt_shm_listen(l, pattern, 0, one_in(2) ?
				AIOEVT_SHM_FROM_NEW : AIOEVT_SHM_FROM_LAST, 0, &sub));
	if (err && err != -ENOSPC)
		breach("listen to %s: %s", pattern, strerror(-err));
	for (unsigned rounds = (unsigned)(rnd() % 3000); !err && rounds-- && running(); ) {
		uint64_t wait = rnd() % (100 * MS);
		int r = op("wait pattern", wait, aioevt_shm_wait(l, now_ns() + wait, &sub));

		if (r && r != -ETIMEDOUT && r != -ENOSPC)
			breach("wait for %s: %s", pattern, strerror(-r));
		if (r)
			continue;
		r = op("read pattern", 0, aioevt_shm_read(sub, &record, 1, &payload,
							  sizeof(payload)));
		if (r < 0)
			breach("read of %s: %s", aioevt_shm_sub_name(sub), strerror(-r));
		if (r)
			watch(sub, &record);
	}
	atomic_fetch_add(&shared->count.lost_events, aioevt_shm_listener_lost_events(l));
	op_begin("listener_free", 0);
	aioevt_shm_listener_free(l);
	op_end(0);
}

int run_pattern(void)
{
	struct aioevt_shm *bus = attach();

	while (running()) {
		watch_for_a_while(bus);
		if (one_in(3)) {
			detach(bus);
			bus = attach();
		}
	}
	detach(bus);
	return 0;
}
