/* SPDX-License-Identifier: MIT */
/* Who emits: to the events that stay, with books; and on a bus beside that comes and goes. */
#include "soak.h"
#include "roles.h"

#include <errno.h>

static void open_stable(struct aioevt_shm *bus, struct aioevt_shm_event **events)
{
	for (unsigned e = 0; e < N_STABLE; e++)
		while (!(events[e] = open_event(bus, stable_name(e),
						one_in(2) ? AIOEVT_SHM_PRECISE_TIME : 0)))
			nap_us(1000);
}

static void close_stable(struct aioevt_shm_event **events)
{
	for (unsigned e = 0; e < N_STABLE; e++) {
		op_begin("event_close", 0);
		events[e] = aioevt_shm_event_close(events[e]);
		op_end(0);
	}
}

static void emit_bursts(struct aioevt_shm_event **events, struct payload *p, unsigned n_bursts)
{
	for (unsigned i = 0; i < n_bursts && running(); i++) {
		unsigned e = (unsigned)(rnd() % N_STABLE);

		for (unsigned n = 1 + (unsigned)(rnd() % 64); n--; )
			if (emit_booked(events[e], e, p) == -EAGAIN)
				break;
		if (one_in(2))
			nap_us(3000);
	}
}

int run_emitter(void)
{
	struct payload *p = malloc(sizeof(*p));
	struct aioevt_shm_event *events[N_STABLE];
	struct aioevt_shm *bus = attach();

	while (running()) {
		open_stable(bus, events);
		emit_bursts(events, p, 300);
		close_stable(events);
		if (one_in(3)) {
			detach(bus);
			bus = attach();
		}
	}
	free(p);
	detach(bus);
	return 0;
}

/* ---- attach, do one thing, detach -------------------------------------------------------- */

static void visit_to_emit(struct aioevt_shm *bus, struct payload *p)
{
	unsigned e = (unsigned)(rnd() % N_STABLE);
	struct aioevt_shm_event *ev = open_event(bus, stable_name(e), 0);

	for (int n = 1 + (int)(rnd() % 3); ev && n--; )
		emit_booked(ev, e, p);
	op_begin("event_close", 0);
	aioevt_shm_event_close(ev);
	op_end(0);
}

static void visit_to_listen(struct aioevt_shm *bus, struct payload *p)
{
	unsigned e = (unsigned)(rnd() % N_STABLE);
	struct aioevt_shm_listener *l;
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub;
	uint64_t wait = rnd() % (20 * MS);
	int err;

	err = op("listener_new", 0, aioevt_shm_listener_new(bus, &l));
	require(!err);
	err = op("listen", 0, aioevt_shm_listen(l, stable_name(e), 0, AIOEVT_SHM_FROM_LAST,
						rnd() % 4, &sub));
	require(!err);
	err = op("wait", wait, aioevt_shm_wait(l, now_ns() + wait, &sub));
	require(!err || err == -ETIMEDOUT);
	if (!err && op("read", 0, aioevt_shm_read(sub, &record, 1, p, sizeof(*p))) == 1)
		payload_check(&record, e);
	op_begin("listener_free", 0);
	aioevt_shm_listener_free(l);
	op_end(0);
}

static void visit_to_look(struct aioevt_shm *bus)
{
	struct aioevt_shm_info info;
	int err = op("get_info", 0, aioevt_shm_get_info(bus, &info));

	require(!err);
	require(info.events_used <= N_BUS_EVENTS && info.ports_used <= N_BUS_LISTENERS);
}

int run_visitor(void)
{
	struct payload *p = malloc(sizeof(*p));

	while (running()) {
		struct aioevt_shm *bus = attach();

		switch (rnd() % 4) {
		case 0:
			visit_to_listen(bus, p);
			break;
		case 1:
			visit_to_look(bus);
			break;
		default:
			visit_to_emit(bus, p);
		}
		detach(bus);
		nap_us(3000);
	}
	free(p);
	return 0;
}

/* ---- a bus that is made and removed ------------------------------------------------------ */

static bool may_fail(int err)
{
	return err == -ESTALE || err == -EBUSY;
}

static void use_side(struct aioevt_shm *bus, struct payload *p)
{
	struct aioevt_shm_event *ev;
	int err = op("event_open", 0, aioevt_shm_event_open(bus, "side", 0, &ev));

	if (may_fail(err))
		return;
	require(!err);
	payload_make(p, SIDE_EVENT, me->writer, 1, random_size(2));
	for (int n = (int)(rnd() % 50); n-- && !err; )
		err = op("emit", 0, aioevt_shm_emit(ev, p, p->size, NULL));
	require(!err || may_fail(err));
	op_begin("event_close", 0);
	aioevt_shm_event_close(ev);
	op_end(0);
}

int run_side(void)
{
	struct aioevt_shm_config config = AIOEVT_SHM_CONFIG_INIT;
	struct payload *p = malloc(sizeof(*p));

	config.n_events = 64;
	config.n_listeners = 64;
	config.depth = 8;
	while (running()) {
		struct aioevt_shm *bus = NULL;
		int err = op("open side", 0, aioevt_shm_open("side", &config, 0, &bus));

		require(!err || may_fail(err));
		if (!err) {
			use_side(bus, p);
			op_begin("close side", 0);
			aioevt_shm_close(bus);
			op_end(0);
			count_one(&shared->count.side);
		}
		if (one_in(4)) {
			err = op("unlink side", 0, aioevt_shm_unlink("side"));
			require(!err || err == -ENOENT);
		}
		nap_us(10000);
	}
	free(p);
	return 0;
}
