/* SPDX-License-Identifier: MIT */
/* What every participant of the long run uses. */
#include "soak.h"

#include <errno.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

struct shared *shared;
struct seat *me;

/* One line, in one write: others say theirs at the same time. */
static void say(const char *file, int line, const char *format, va_list ap)
{
	char text[1024];
	int n = snprintf(text, sizeof(text), "BREACH %s:%d: %s %d: ", file, line,
			 me ? me->role->name : "supervisor", (int)getpid());

	n += vsnprintf(text + n, sizeof(text) - (size_t)n - 1, format, ap);
	if (n > (int)sizeof(text) - 2)
		n = sizeof(text) - 2;
	text[n++] = '\n';
	if (write(STDERR_FILENO, text, (size_t)n) < 0)
		_exit(3);
}

void soak_note(const char *file, int line, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(file, line, format, ap);
	va_end(ap);
	if (++shared->n_noted >= MAX_NOTED)
		_exit(1);
}

void soak_breach(const char *file, int line, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(file, line, format, ap);
	va_end(ap);
	if (getenv("SOAK_KEEP"))
		for (;;)
			pause();	/* for a debugger */
	_exit(1);
}

static uint64_t clock_of(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

uint64_t now_ns(void)
{
	return clock_of(CLOCK_MONOTONIC);
}

uint64_t realtime_ns(void)
{
	return clock_of(CLOCK_REALTIME);
}

uint64_t rnd(void)
{
	static uint64_t supervisors;
	uint64_t *state = me ? &me->seed : &supervisors;

	if (!me && !supervisors) {
		const char *seed = getenv("SEED");

		supervisors = seed ? strtoull(seed, NULL, 10) * 2 + 1 : 1;
	}
	/* xorshift64*, Vigna 2014 */
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * UINT64_C(2685821657736338717)) >> 16;
}

bool one_in(unsigned n)
{
	return rnd() % n == 0;
}

void nap_us(unsigned most)
{
	uint64_t ns = most ? rnd() % (most * UINT64_C(1000)) : 0;
	struct timespec ts = { (time_t)(ns / SECOND), (long)(ns % SECOND) };

	nanosleep(&ts, NULL);
}

bool running(void)
{
	return !atomic_load(&shared->ending[me->role->stage]);
}

void count_one(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

void op_begin(const char *what, uint64_t wait_ns)
{
	if (!me)
		return;
	atomic_store_explicit(&me->what, what, memory_order_relaxed);
	atomic_store_explicit(&me->may_take, wait_ns, memory_order_relaxed);
	atomic_store_explicit(&me->since, now_ns(), memory_order_release);
}

int op_end(int result)
{
	if (me)
		atomic_store_explicit(&me->since, 0, memory_order_release);
	return result;
}

struct aioevt_shm *attach(void)
{
	struct aioevt_shm *bus = NULL;
	int err = op("attach", 0, aioevt_shm_open(NULL, NULL, AIOEVT_SHM_EXISTING, &bus));

	if (err < 0)
		breach("attach: %s", strerror(-err));
	if (me)
		count_one(&me->attached);
	return bus;
}

struct aioevt_shm *detach(struct aioevt_shm *bus)
{
	op_begin("detach", 0);
	aioevt_shm_close(bus);
	op_end(0);
	if (me)
		count_one(&me->detached);
	return NULL;
}

const char *stable_name(unsigned event)
{
	static const char *const names[N_STABLE] = {
		"stable.inline", "stable.large", "stable.mixed", "stable.free",
	};

	return names[event];
}

struct aioevt_shm_event *open_event(struct aioevt_shm *bus, const char *name, uint32_t flags)
{
	struct aioevt_shm_event *ev = NULL;
	int err = op("event_open", 0, aioevt_shm_event_open(bus, name, flags, &ev));

	if (!err)
		return ev;
	if (err == -ENOENT && flags & AIOEVT_SHM_EXISTING)
		return NULL;
	if (err == -ENOSPC) {
		count_one(&shared->count.full);
		return NULL;
	}
	breach("event_open %s: %s", name, strerror(-err));
}
