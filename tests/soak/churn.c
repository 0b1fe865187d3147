/* SPDX-License-Identifier: MIT */
/* Who makes, grows, lists and removes events. There are more names than places for them. */
#include "soak.h"
#include "roles.h"

#include <errno.h>

static void churn_name(unsigned n, char *ret_name)
{
	sprintf(ret_name, "churn.%u", n);
}

static void emit_some(struct aioevt_shm_event *ev, unsigned number, struct payload *p)
{
	int err = 0;

	for (int n = (int)(rnd() % 40); n-- && !err; ) {
		payload_make(p, CHURN_EVENT + number, me->writer, (uint32_t)n + 1, random_size(2));
		err = op("emit churn", 0, aioevt_shm_emit(ev, p, p->size, NULL));
		if (!err)
			count_one(&shared->count.churned);
	}
	if (err && err != -EAGAIN && err != -ENOSPC)
		breach("emit to churn.%u: %s", number, strerror(-err));
}

static void grow(struct aioevt_shm_event *ev, uint32_t depth)
{
	int err = op("grow", 0, aioevt_shm_event_grow(ev, depth));

	if (err && err != -ENOSPC && err != -EOVERFLOW)
		breach("grow to %u: %s", depth, strerror(-err));
	count_one(err ? &shared->count.full : &shared->count.grown);
}

static void remove_event(struct aioevt_shm *bus, const char *name)
{
	int err = op("event_remove", 0, aioevt_shm_event_remove(bus, name));

	if (err && err != -ENOENT)
		breach("remove %s: %s", name, strerror(-err));
	if (!err)
		count_one(&shared->count.removed);
}

static void churn_once(struct aioevt_shm *bus, struct payload *p)
{
	unsigned number = (unsigned)(rnd() % N_CHURN);
	struct aioevt_shm_event *ev;
	char name[32];

	churn_name(number, name);
	ev = open_event(bus, name, 0);
	if (!ev) {
		nap_us(2000);
		return;
	}
	count_one(&shared->count.created);
	emit_some(ev, number, p);
	if (one_in(8))
		grow(ev, BUS_DEPTH << (1 + rnd() % 4));
	if (one_in(4)) {
		remove_event(bus, name);
		emit_some(ev, number, p);
	}
	op_begin("event_close", 0);
	aioevt_shm_event_close(ev);
	op_end(0);
}

int run_churner(void)
{
	struct payload *p = malloc(sizeof(*p));
	struct aioevt_shm *bus = attach();

	while (running()) {
		churn_once(bus, p);
		nap_us(1000);
		if (one_in(200)) {
			detach(bus);
			bus = attach();
		}
	}
	free(p);
	detach(bus);
	return 0;
}

/* ---- growing what stays: it can be done seven times, so all through a run ------------------- */

int run_grower(void)
{
	const char *seconds = getenv("SOAK_SECONDS");
	double length = seconds ? strtod(seconds, NULL) : 600;
	struct aioevt_shm *bus = attach();

	while (running()) {
		unsigned e = (unsigned)(rnd() % N_STABLE);
		struct aioevt_shm_event *ev = open_event(bus, stable_name(e), 0);
		struct aioevt_shm_event_info info;

		if (ev && !op("event_get_info", 0, aioevt_shm_event_get_info(ev, &info)) &&
		    info.depth < BUS_DEPTH << 5)
			grow(ev, info.depth * 2);
		op_begin("event_close", 0);
		aioevt_shm_event_close(ev);
		op_end(0);
		nap_us(length < 30 ? 200000 : 15000000);
	}
	detach(bus);
	return 0;
}

/* ---- looking at all ------------------------------------------------------------------------ */

static void look_at(struct aioevt_shm *bus, const char *name)
{
	struct aioevt_shm_event *ev = open_event(bus, name, AIOEVT_SHM_EXISTING);
	struct aioevt_shm_event_info info;
	int err;

	if (!ev)
		return;
	err = op("event_get_info", 0, aioevt_shm_event_get_info(ev, &info));
	require(!err);
	require(info.depth >= BUS_DEPTH && info.n_listeners <= N_BUS_LISTENERS);
	require(info.n_reliable <= N_BUS_LISTENERS);
	op_begin("event_close", 0);
	aioevt_shm_event_close(ev);
	op_end(0);
}

int run_lister(void)
{
	struct aioevt_shm *bus = attach();

	while (running()) {
		char name[AIOEVT_SHM_NAME_MAX + 1];
		unsigned shown[N_STABLE] = { 0 };
		uint32_t walk = 0, event;

		while (op("event_next", 0, aioevt_shm_event_next(bus, &walk, name)) == 1) {
			event = event_by_name(name);
			if (event == UINT32_MAX)
				breach("there is an event \"%s\"", name);
			if (event < N_STABLE)
				shown[event]++;
			if (one_in(8))
				look_at(bus, name);
		}
		for (unsigned e = 0; e < N_STABLE; e++)
			if (shown[e] != 1)
				breach("%s was listed %u times", stable_name(e), shown[e]);
		count_one(&shared->count.listed);
		nap_us(20000);
	}
	detach(bus);
	return 0;
}
