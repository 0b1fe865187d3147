/* SPDX-License-Identifier: MIT */
/*
 * Words of a bus are overwritten while a participant that was there before, and one that
 * attaches after, do all there is to do. The input is a program: which word gets what value,
 * and which call is made next. In the end each call is made once.
 */
#include <errno.h>
#include <inttypes.h>

#include "small-bus.h"
#include "../../shm/clock.h"
#include "../../shm/listener.h"
#include "../../shm/port.h"

#define N_EVENTS	6u
#define N_SIDES		2u

/* A participant. */
struct side {
	struct aioevt_shm *bus;
	struct aioevt_shm_event *events[N_EVENTS];
	struct aioevt_shm_listener *one, *few, *many;
};

static const char *const names[N_EVENTS] = {
	"lapped", "reliable", "large", "grown", "pinned", "p.0",
};

static unsigned char out[SMALL_PAYLOAD], in_buf[2 * SMALL_PAYLOAD];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	memset(out, 'o', sizeof(out));
	small_bus_build();
	return 0;
}

/* ---- a participant comes and goes -------------------------------------------------------- */

static void side_listen(struct side *s)
{
	if (s->one || aioevt_shm_listener_new(s->bus, &s->one) < 0)
		return;
	TIMED(aioevt_shm_listen(s->one, "quiet", 0, AIOEVT_SHM_FROM_NEW, 0, NULL));
	if (aioevt_shm_listener_new(s->bus, &s->few) < 0)
		return;
	TIMED(aioevt_shm_listen(s->few, "lapped", 0, AIOEVT_SHM_FROM_LAST, 7, NULL));
	TIMED(aioevt_shm_listen(s->few, "reliable", AIOEVT_SHM_RELIABLE,
				AIOEVT_SHM_FROM_LAST, 3, NULL));
	TIMED(aioevt_shm_listen(s->few, "grown", 0, AIOEVT_SHM_FROM_TIME, 1, NULL));
	if (aioevt_shm_listener_new(s->bus, &s->many) < 0)
		return;
	TIMED(aioevt_shm_listen(s->many, ">", 0, AIOEVT_SHM_FROM_LAST, 2, NULL));
	TIMED(aioevt_shm_listen(s->many, "p.*", 0, AIOEVT_SHM_FROM_NEW, 0, NULL));
}

static void side_open(struct side *s)
{
	int err = -1;

	if (!s->bus)
		TIMED(err = aioevt_shm_open(NULL, NULL, AIOEVT_SHM_EXISTING, &s->bus));
	else
		return;
	if (err < 0)
		return;
	for (unsigned i = 0; i < N_EVENTS; i++)
		TIMED(aioevt_shm_event_open(s->bus, names[i], 0, &s->events[i]));
	side_listen(s);
}

static void close_listeners(struct side *s)
{
	TIMED(s->one = aioevt_shm_listener_free(s->one));
	TIMED(s->few = aioevt_shm_listener_free(s->few));
	TIMED(s->many = aioevt_shm_listener_free(s->many));
}

static void side_close(struct side *s)
{
	for (unsigned i = 0; i < N_EVENTS; i++)
		TIMED(s->events[i] = aioevt_shm_event_close(s->events[i]));
	close_listeners(s);
	TIMED(s->bus = aioevt_shm_close(s->bus));
}

/* ---- what it does ------------------------------------------------------------------------- */

static void do_emit(struct side *s, unsigned arg)
{
	static const size_t sizes[] = { 8, 104, 105, PAGE_BODY };
	struct aioevt_shm_event *event = s->events[arg % N_EVENTS];
	uint64_t deadline = clock_ns(CLOCK_MONOTONIC) + 200000;
	size_t size = sizes[arg / 8 % 4];

	if (event && arg & 64)
		TIMED(aioevt_shm_emit_wait(event, out, size, deadline, NULL));
	else if (event)
		TIMED(aioevt_shm_emit(event, out, size, NULL));
}

static void read_sub(struct aioevt_shm_sub *sub)
{
	struct aioevt_shm_record records[8];
	int n = -1;

	TIMED(n = aioevt_shm_read(sub, records, 8, in_buf, sizeof(in_buf)));
	for (int i = 0; i < n; i++)
		if ((const unsigned char *)records[i].data < in_buf ||
		    records[i].size > (size_t)(in_buf + sizeof(in_buf) -
					       (const unsigned char *)records[i].data))
			broken("a record outside of the buffer");
	if (n == -ENOBUFS && records[0].size > SMALL_PAYLOAD)
		broken("a record that is larger than any");
}

/* A wait that looks, or sleeps a little; as if the last look was a second ago, on request. */
static void do_wait(struct side *s, unsigned arg)
{
	struct aioevt_shm_listener *l = arg % 3 == 0 ? s->one : arg % 3 == 1 ? s->few : s->many;
	uint64_t deadline = arg & 8 ? clock_ns(CLOCK_MONOTONIC) + 200000 : 0;
	struct aioevt_shm_sub *sub = NULL;
	int err = -1;

	if (!l)
		return;
	if (arg & 4)
		l->recheck_at = 0;
	TIMED(err = aioevt_shm_wait(l, deadline, &sub));
	if (!err)
		read_sub(sub);
	TIMED(aioevt_shm_listener_lost_events(l));
}

static void do_look(struct side *s, unsigned arg)
{
	struct aioevt_shm_event_info info;
	struct aioevt_shm_info bus_info;

	if (s->events[arg % N_EVENTS])
		TIMED(aioevt_shm_event_get_info(s->events[arg % N_EVENTS], &info));
	TIMED(aioevt_shm_get_info(s->bus, &bus_info));
}

static void do_list(struct side *s, unsigned arg)
{
	char name[AIOEVT_SHM_NAME_MAX + 1];
	struct aioevt_shm_event_info info;
	uint32_t walk = arg, n = 0;

	while (aioevt_shm_event_next(s->bus, &walk, name) == 1 && n++ < 65) {
		struct aioevt_shm_event *event = NULL;

		if (aioevt_shm_name_check(name, strlen(name), NULL, NULL) < 0)
			broken("a name that is none");
		TIMED(aioevt_shm_event_open(s->bus, name, AIOEVT_SHM_EXISTING, &event));
		if (event)
			TIMED(aioevt_shm_event_get_info(event, &info));
		aioevt_shm_event_close(event);
	}
	if (n > 64)
		broken("a walk without end");
}

static void do_grow(struct side *s, unsigned arg)
{
	if (s->events[arg % N_EVENTS])
		TIMED(aioevt_shm_event_grow(s->events[arg % N_EVENTS], 8u << arg / 8 % 5));
}

static void do_open_close(struct side *s, unsigned arg)
{
	struct aioevt_shm_event *event = NULL;
	char name[16];

	snprintf(name, sizeof(name), "n.%u", arg % 80);
	TIMED(aioevt_shm_event_open(s->bus, arg & 128 ? names[arg % N_EVENTS] : name, 0, &event));
	if (event)
		TIMED(aioevt_shm_emit(event, out, 8, NULL));
	TIMED(aioevt_shm_event_close(event));
}

static void do_remove(struct side *s, unsigned arg)
{
	TIMED(aioevt_shm_event_remove(s->bus, names[arg % N_EVENTS]));
}

static void do_reap(struct side *s, unsigned arg)
{
	bus_lock(s->bus);
	if (arg & 1)
		TIMED(port_reap_all(s->bus));
	else
		TIMED(registry_free_memory(s->bus, arg << 10, arg & 2, 1));
	bus_unlock(s->bus);
}

static void do_relisten(struct side *s, unsigned arg)
{
	if (arg & 1)
		close_listeners(s);
	side_listen(s);
}

static void (*const calls[])(struct side *s, unsigned arg) = {
	do_emit, do_wait, do_look, do_list, do_grow, do_open_close, do_remove, do_reap,
	do_relisten,
};
#define N_CALLS (sizeof(calls) / sizeof(calls[0]))

/* Each call, for those that the input does not make. */
static void do_all(struct side *s)
{
	for (unsigned i = 0; i < 24; i++)
		do_emit(s, i % N_EVENTS + i / N_EVENTS * 8);
	for (unsigned i = 0; i < 24; i++)
		do_wait(s, i);
	for (unsigned i = 0; i < N_EVENTS; i++)
		do_look(s, i);
	do_list(s, 0);
	do_grow(s, 1 + 8);
	do_grow(s, 3 + 24);
	do_open_close(s, 1);
	do_reap(s, 1);
	do_reap(s, 0);
	do_relisten(s, 1);
	for (unsigned i = 0; i < 12; i++)
		do_wait(s, i);
	do_remove(s, 0);
	do_remove(s, 3);
	for (unsigned i = 0; i < N_EVENTS; i++)
		do_emit(s, i);
	for (unsigned i = 0; i < 12; i++)
		do_wait(s, i);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input in = { bytes, bytes + size };
	struct side sides[N_SIDES] = { { 0 } };

	small_bus_restore();
	if (take_byte(&in) & 1)
		side_open(&sides[0]);	/* before anything was scribbled on */
	for (unsigned n = 0; in.pos < in.end && n < 64; n++) {
		uint8_t code = take_byte(&in), arg;
		struct side *s = &sides[code & 1];

		if (code < 160) {
			small_bus_poke(&in);
			continue;
		}
		arg = take_byte(&in);
		side_open(s);
		if (s->bus)
			calls[code / 2 % N_CALLS](s, arg);
	}
	for (unsigned i = 0; i < N_SIDES; i++) {
		side_open(&sides[i]);
		if (sides[i].bus)
			do_all(&sides[i]);
	}
	for (unsigned i = 0; i < N_SIDES; i++)
		side_close(&sides[i]);
	small_bus_check_memory();
	return 0;
}
