/* SPDX-License-Identifier: MIT */
/*
 * One side of a pair of programs for different machines on one bus; tests/check-arch starts
 * them. Each form ends with status 0 if all was as it should be.
 *
 *   peer try                 does this machine run the program?
 *   peer make                the bus, and both events
 *   peer echo IN OUT N       send each record of IN back under OUT
 *   peer drive OUT IN N      emit to OUT, wait for the same under IN
 *   peer hold EVENT          be a reliable reader that does not read; print its pid
 *   peer blocked EVENT PID   emitters are held up by that one, and told so
 *   peer freed EVENT         they are no more, and nothing of it is left
 */
#include <errno.h>
#include <unistd.h>

#include "aioevt-shm.h"
#include "../test.h"
#include "../../shm/bus.h"
#include "clock.h"
#include "port.h"

#define DEPTH		16u
#define LARGEST		200000u
#define BOUND		(30 * NS_PER_S)	/* an emulated machine that others load */

static _Alignas(8) unsigned char out[LARGEST], in[LARGEST];

static struct aioevt_shm *attach(void)
{
	struct aioevt_shm_config config = AIOEVT_SHM_CONFIG_INIT;
	struct aioevt_shm *bus;

	config.n_events = config.n_listeners = 64;
	config.depth = DEPTH;
	check_eq(aioevt_shm_open(NULL, &config, 0, &bus), 0);
	return bus;
}

static struct aioevt_shm_event *event_of(struct aioevt_shm *bus, const char *name)
{
	struct aioevt_shm_event *ev;

	check_eq(aioevt_shm_event_open(bus, name, 0, &ev), 0);
	return ev;
}

static struct aioevt_shm_listener *listen_to(struct aioevt_shm *bus, const char *name)
{
	struct aioevt_shm_listener *l;
	struct aioevt_shm_sub *sub;

	check_eq(aioevt_shm_listener_new(bus, &l), 0);
	check_eq(aioevt_shm_listen(l, name, AIOEVT_SHM_RELIABLE, AIOEVT_SHM_FROM_SEQ, 1, &sub), 0);
	return l;
}

static uint64_t deadline(void)
{
	return clock_ns(CLOCK_MONOTONIC) + BOUND;
}

/* The next record, in number @n. Returns its size. */
static size_t receive(struct aioevt_shm_listener *l, unsigned n)
{
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub;

	check_eq(aioevt_shm_wait(l, deadline(), &sub), 0);
	check_eq(aioevt_shm_read(sub, &record, 1, in, sizeof(in)), 1);
	check_eq(record.seq, n + 1);
	check_eq(record.missed, 0);
	return record.size;
}

static size_t make(unsigned n)
{
	/* inline, over it, over a page, the largest */
	static const size_t sizes[] = { 1, 40, 104, 105, 4095, 4097, 65537, LARGEST };
	size_t size = sizes[n % (sizeof(sizes) / sizeof(sizes[0]))];

	for (size_t i = 0; i < size; i++)
		out[i] = (unsigned char)(n * 31 + i * 7);
	return size;
}

static int echo(const char *from, const char *to, unsigned n)
{
	struct aioevt_shm *bus = attach();
	struct aioevt_shm_event *ev = event_of(bus, to);
	struct aioevt_shm_listener *l = listen_to(bus, from);

	for (unsigned i = 0; i < n; i++) {
		size_t size = receive(l, i);

		check_eq(aioevt_shm_emit_wait(ev, in, size, deadline(), NULL), 0);
	}
	aioevt_shm_listener_free(l);
	aioevt_shm_event_close(ev);
	aioevt_shm_close(bus);
	return 0;
}

static int drive(const char *to, const char *from, unsigned n)
{
	struct aioevt_shm *bus = attach();
	struct aioevt_shm_event *ev = event_of(bus, to);
	struct aioevt_shm_listener *l = listen_to(bus, from);

	for (unsigned i = 0; i < n; i++) {
		size_t size = make(i);

		check_eq(aioevt_shm_emit_wait(ev, out, size, deadline(), NULL), 0);
		check_eq(receive(l, i), size);
		check_mem(in, size, out, size);
		if (i == n / 2)		/* a mapping behind what bodies were made for */
			check_eq(aioevt_shm_event_grow(ev, 4 * DEPTH), 0);
	}
	aioevt_shm_listener_free(l);
	aioevt_shm_event_close(ev);
	aioevt_shm_close(bus);
	return 0;
}

static int hold(const char *name)
{
	struct aioevt_shm *bus = attach();

	listen_to(bus, name);
	printf("%d\n", (int)getpid());
	fflush(stdout);
	pause();
	return 1;
}

static int blocked(const char *name, pid_t pid)
{
	struct aioevt_shm *bus = attach();
	struct aioevt_shm_event *ev = event_of(bus, name);
	struct aioevt_shm_event_info info;

	for (unsigned i = 0; i < DEPTH; i++)
		check_eq(aioevt_shm_emit(ev, out, make(i), NULL), 0);
	check_eq(aioevt_shm_emit(ev, out, 1, NULL), -EAGAIN);
	check_eq(aioevt_shm_event_get_info(ev, &info), 0);
	check_eq(info.slowest_pid, pid);
	check_eq(info.slowest_lag, DEPTH);
	aioevt_shm_event_close(ev);
	aioevt_shm_close(bus);
	return 0;
}

static int freed(const char *name)
{
	struct aioevt_shm *bus = attach();
	struct aioevt_shm_event *ev = event_of(bus, name);
	struct aioevt_shm_info info;

	for (unsigned i = 0; i < 3 * DEPTH; i++)
		check_eq(aioevt_shm_emit(ev, out, make(i), NULL), 0);
	bus_lock(bus);
	port_reap_all(bus);
	bus_unlock(bus);
	check_eq(aioevt_shm_get_info(bus, &info), 0);
	check_eq(info.ports_used, 1);
	check_eq(info.listeners_used, 0);
	aioevt_shm_event_close(ev);
	aioevt_shm_close(bus);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "try"))
		return 0;
	if (!strcmp(what, "make"))
		return aioevt_shm_close(attach()) != NULL;
	if (!strcmp(what, "echo") && argc == 5)
		return echo(argv[2], argv[3], (unsigned)atoi(argv[4]));
	if (!strcmp(what, "drive") && argc == 5)
		return drive(argv[2], argv[3], (unsigned)atoi(argv[4]));
	if (!strcmp(what, "hold") && argc == 3)
		return hold(argv[2]);
	if (!strcmp(what, "blocked") && argc == 4)
		return blocked(argv[2], (pid_t)atoi(argv[3]));
	if (!strcmp(what, "freed") && argc == 3)
		return freed(argv[2]);
	return 2;
}
