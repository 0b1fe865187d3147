/* SPDX-License-Identifier: MIT */
/* A bus file cut off under its participants is -EPROTO, not SIGBUS; other SIGBUS are others'. */

#include "bus.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "../shm/bus.h"
#include "listener.h"

/* Where to cut: what is gone then differs. */
static off_t cut_at(const struct aioevt_shm *bus, unsigned k)
{
	const struct layout *lo = &bus->lo;
	const off_t at[] = { 0, 100, 4096, (off_t)lo->ports, (off_t)lo->listeners,
			     (off_t)lo->events, (off_t)lo->tables_end - 1,
			     (off_t)lo->tables_end };

	return k < sizeof(at) / sizeof(at[0]) ? at[k] : -1;
}

#define N_CUTS	8u

static void cut(off_t size)
{
	check_eq(truncate(bus_path(), size), 0);
}

/* ---- in the midst of a wait, of emitting ------------------------------------------------ */

static int wait_for_ever(struct child *me, void *arg)
{
	struct aioevt_shm *bus = bus_small(8);
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub;
	int err;

	(void)arg;
	sub_of(listener, "cut", AIOEVT_SHM_RELIABLE);
	check_eq(aioevt_shm_wait(listener, 0, &sub), -ETIMEDOUT);
	say(me, 'w');
	err = aioevt_shm_wait(listener, AIOEVT_SHM_NO_DEADLINE, &sub);
	check_eq(err, -EPROTO);
	check_eq(aioevt_shm_wait(listener, AIOEVT_SHM_NO_DEADLINE, &sub), -EPROTO);
	aioevt_shm_listener_free(listener);
	aioevt_shm_close(bus);
	return 0;
}

static int emit_for_ever(struct child *me, void *arg)
{
	struct aioevt_shm *bus = bus_small(8);
	struct aioevt_shm_event *event = event_of(bus, "cut");
	static char large[5000];
	size_t size = *(size_t *)arg;
	int err = 0;

	for (uint64_t n = 0; !err; n++) {
		err = aioevt_shm_emit(event, large, size, NULL);
		if (n == 100)
			say(me, 'e');
	}
	check_eq(err, -EPROTO);
	check_eq(aioevt_shm_emit(event, large, size, NULL), -EPROTO);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	return 0;
}

/* Has it slept in the kernel, in this very wait? */
static bool is_asleep(pid_t pid)
{
	char path[64], state = '\0';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "r");
	check(file != NULL);
	check_eq(fscanf(file, "%*d %*s %c", &state), 1);
	fclose(file);
	return state == 'S';
}

/* One bus for each cut, so that they all wait, up to a second, at once. */
static void test_under_waiters(void)
{
	char name[32], own[sizeof(bus_name)];
	struct child waiter[N_CUTS];
	struct aioevt_shm *bus;
	uint64_t began;

	strcpy(own, bus_name);
	for (unsigned k = 0; k < N_CUTS; k++) {
		snprintf(name, sizeof(name), "waited.%u", k);
		bus_rename(name);
		waiter[k] = spawn(wait_for_ever, NULL);
		check_eq(hear(&waiter[k]), 'w');
		while (!is_asleep(waiter[k].pid))
			sched_yield();
	}
	began = now_ns();
	for (unsigned k = 0; k < N_CUTS; k++) {
		snprintf(name, sizeof(name), "waited.%u", k);
		bus_rename(name);
		bus = bus_small(8);
		cut(cut_at(bus, k));
		aioevt_shm_close(bus);
	}
	for (unsigned k = 0; k < N_CUTS; k++) {
		end_child(&waiter[k]);
		snprintf(name, sizeof(name), "waited.%u", k);
		bus_rename(name);
		check_eq(unlink(bus_path()), 0);
	}
	check(now_ns() - began < 5000 * MS);
	bus_rename(own);
}

static void test_under_emitters(unsigned k)
{
	size_t small = 8, large = 5000;
	struct aioevt_shm *bus = bus_small(8);
	struct child emitters[2];
	off_t at = cut_at(bus, k);

	aioevt_shm_close(bus);
	emitters[0] = spawn(emit_for_ever, &small);
	emitters[1] = spawn(emit_for_ever, &large);
	check_eq(hear(&emitters[0]), 'e');
	check_eq(hear(&emitters[1]), 'e');
	cut(at);
	end_child(&emitters[0]);
	end_child(&emitters[1]);
	check_eq(unlink(bus_path()), 0);
}

/* ---- every call -------------------------------------------------------------------------- */

struct held {
	struct aioevt_shm *bus;
	struct aioevt_shm_event *event;
	struct aioevt_shm_listener *listener;
	struct aioevt_shm_sub *sub;
};

static struct held hold_all(void)
{
	struct held h = { .bus = bus_small(8) };

	h.event = event_of(h.bus, "cut");
	h.listener = listener_of(h.bus);
	h.sub = sub_of(h.listener, "cut", 0);
	emit_u64(h.event, 1);
	return h;
}

static void drop_all(struct held *h)
{
	aioevt_shm_listener_free(h->listener);
	aioevt_shm_event_close(h->event);
	aioevt_shm_close(h->bus);
}

#define N_CALLS	11u

/* What call @i says. */
static int do_call(struct held *h, unsigned i)
{
	struct aioevt_shm_event_info event_info;
	struct aioevt_shm_listener *listener = NULL;
	struct aioevt_shm_event *event = NULL;
	struct aioevt_shm_record record;
	struct aioevt_shm_info info;
	struct aioevt_shm_sub *sub;
	char name[AIOEVT_SHM_NAME_MAX + 1];
	static char large[5000];
	uint32_t walk = 0;
	uint64_t value;
	int r;

	switch (i) {
	case 0:
		return aioevt_shm_emit(h->event, "x", 1, NULL);
	case 1:
		return aioevt_shm_emit(h->event, large, sizeof(large), NULL);
	case 2:
		return aioevt_shm_emit_wait(h->event, "x", 1, in_ms(5000), NULL);
	case 3:
		return aioevt_shm_event_get_info(h->event, &event_info);
	case 4:
		return aioevt_shm_get_info(h->bus, &info);
	case 5:
		return aioevt_shm_event_next(h->bus, &walk, name);
	case 6:
		r = aioevt_shm_event_open(h->bus, "other", 0, &event);
		aioevt_shm_event_close(event);
		return r;
	case 7:
		return aioevt_shm_event_grow(h->event, 64);
	case 8:
		return aioevt_shm_event_remove(h->bus, "cut");
	case 9:
		r = aioevt_shm_listener_new(h->bus, &listener);
		aioevt_shm_listener_free(listener);
		return r;
	default:
		r = aioevt_shm_wait(h->listener, in_ms(5000), &sub);
		return r < 0 ? r : aioevt_shm_read(h->sub, &record, 1, &value, sizeof(value));
	}
}

/* The first call after the file was cut off to nothing fails; closing it all is harmless. */
static void test_calls(void)
{
	for (unsigned i = 0; i < N_CALLS; i++)
		for (unsigned k = 0; k < N_CUTS; k++) {
			struct held h = hold_all();
			uint64_t began = now_ns();
			int r;

			cut(cut_at(h.bus, k));
			r = do_call(&h, i);
			/* what call does not meet the cut does not see it at once, and the
			 * rest of a page that was cut in two is zeros: no such event */
			if (k ? r < 0 && r != -EPROTO && r != -ENOENT : r != -EPROTO) {
				fprintf(stderr, "call %u, cut %u: %d\n", i, k, r);
				check(false);
			}
			check(now_ns() - began < 6000 * MS);
			drop_all(&h);
			/* a call that made memory may have filled it up again */
			r = try_open(NULL, 0);
			check(k && !r ? true : r == -ENOEXEC);
			check_eq(unlink(bus_path()), 0);
		}
}

/* Cut off and filled up again: no fault, but no bus either. */
static void test_regrown(void)
{
	struct held h = hold_all();
	struct aioevt_shm_sub *sub;
	struct stat st;
	uint64_t began;

	check_eq(read_u64(h.sub, &(struct aioevt_shm_record){ 0 }, &began), 1);
	check_eq(stat(bus_path(), &st), 0);
	cut(0);
	cut(st.st_size);
	check_eq(aioevt_shm_emit(h.event, "x", 1, NULL), -EPROTO);
	began = now_ns();
	check_eq(aioevt_shm_wait(h.listener, in_ms(10000), &sub), -EPROTO);
	check(now_ns() - began < 5000 * MS);
	check_eq(aioevt_shm_emit(h.event, "x", 1, NULL), -EPROTO);
	drop_all(&h);
	check_eq(unlink(bus_path()), 0);
}

/* A memfd can be sealed. */
static void test_anonymous(void)
{
	struct aioevt_shm *bus = NULL;
	struct aioevt_shm_event *event;

	check_eq(aioevt_shm_open(NULL, NULL, AIOEVT_SHM_ANONYMOUS, &bus), 0);
	event = event_of(bus, "mine");
	check_eq(ftruncate(bus->fd, 0), -1);
	check_eq(errno, EPERM);
	check_eq(ftruncate(bus->fd, (off_t)bus->lo.tables_end), -1);
	check_eq(fcntl(bus->fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	emit_u64(event, 1);
	/* it grows, and gives memory back */
	check_eq(aioevt_shm_event_grow(event, 4096), 0);
	aioevt_shm_event_close(event);
	check_eq(aioevt_shm_event_remove(bus, "mine"), 0);
	aioevt_shm_close(bus);
}

/* ---- at random, all at once --------------------------------------------------------------- */

/* Does everything until the bus breaks, then begins anew, until it is told to end. */
static int use_all(struct child *me, void *arg)
{
	uint64_t seed = (uint64_t)getpid() * 2654435761u | 1, n_broken = 0;
	struct pollfd told = { .fd = me->in, .events = POLLIN };

	(void)arg;
	while (!poll(&told, 1, 0)) {
		struct aioevt_shm_config config = bus_config(64, 64, 8);
		struct held h = { 0 };
		int r = aioevt_shm_open(NULL, &config, 0, &h.bus);

		if (r < 0) {
			check(r == -ENOEXEC || r == -EPROTO || r == -EUSERS || r == -EBUSY);
			continue;
		}
		r = aioevt_shm_event_open(h.bus, "cut", 0, &h.event);
		if (!r)
			r = aioevt_shm_listener_new(h.bus, &h.listener);
		if (!r)
			r = aioevt_shm_listen(h.listener, "cut", 0, AIOEVT_SHM_FROM_NEW, 0, &h.sub);
		while (r >= 0 && !poll(&told, 1, 0)) {
			r = do_call(&h, (unsigned)(random_u64(&seed) >> 20) % 10u);
			if (r == -EOVERFLOW || r == -ENOENT)
				r = 0;
		}
		if (r < 0)
			check(r == -EPROTO || r == -ESTALE);
		n_broken += r == -EPROTO;
		drop_all(&h);
	}
	return n_broken ? 0 : 2;
}

static void test_at_random(void)
{
	const char *env = getenv("SEED");
	uint64_t seed = (env ? strtoull(env, NULL, 10) : 1) * 2 + 1, began = now_ns();
	struct child child[3];
	off_t size;

	{
		struct aioevt_shm *bus = bus_small(8);

		size = (off_t)bus->lo.tables_end + 65536 * 2;
		aioevt_shm_close(bus);
	}
	for (int i = 0; i < 3; i++)
		child[i] = spawn(use_all, NULL);
	while (now_ns() - began < 1500 * MS) {
		make_bus();
		pass_ms(random_u64(&seed) % 8);
		truncate(bus_path(), (off_t)(random_u64(&seed) % (uint64_t)size));
		pass_ms(random_u64(&seed) % 4);
		unlink(bus_file);
	}
	for (int i = 0; i < 3; i++)
		say(&child[i], 'e');
	for (int i = 0; i < 3; i++)
		end_child(&child[i]);
	unlink(bus_path());
}

/* ---- the guard's list, while it changes ----------------------------------------------------- */

static atomic_bool is_over;

static void *open_and_close(void *arg)
{
	char name[16];

	for (unsigned i = 0; !atomic_load(&is_over); i++) {
		snprintf(name, sizeof(name), "list.%u", i % 50);
		aioevt_shm_event_close(event_of(arg, name));
	}
	return NULL;
}

static void test_threads(void)
{
	struct aioevt_shm *healthy = NULL;
	pthread_t thread[2];

	check_eq(aioevt_shm_open(NULL, NULL, AIOEVT_SHM_ANONYMOUS, &healthy), 0);
	atomic_store(&is_over, false);
	for (int i = 0; i < 2; i++)
		check_eq(pthread_create(&thread[i], NULL, open_and_close, healthy), 0);
	for (int round = 0; round < 50; round++) {
		struct held h = hold_all();

		cut(0);
		check_eq(aioevt_shm_emit(h.event, "x", 1, NULL), -EPROTO);
		drop_all(&h);
		check_eq(unlink(bus_path()), 0);
	}
	atomic_store(&is_over, true);
	for (int i = 0; i < 2; i++)
		check_eq(pthread_join(thread[i], NULL), 0);
	aioevt_shm_event_close(event_of(healthy, "fine"));
	aioevt_shm_close(healthy);
}

/* A child has none of its parent's mappings: what lies there in it is its own. */
static void test_fork(void)
{
	struct held h = hold_all();
	size_t size = h.bus->lo.tables_end;
	void *there = h.bus->base;
	int status;
	pid_t pid = fork();

	check(pid >= 0);
	if (!pid) {
		struct held mine;

		drop_all(&h);
		bus_rename("child");
		mine = hold_all();
		cut(0);
		check_eq(aioevt_shm_emit(mine.event, "x", 1, NULL), -EPROTO);
		drop_all(&mine);
		check_eq(unlink(bus_path()), 0);
		check(mmap(there, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
		      MAP_FAILED);
		_exit(0);
	}
	check_eq(waitpid(pid, &status, 0), pid);
	check_eq(status, 0);
	emit_u64(h.event, 2);
	drop_all(&h);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* ---- other SIGBUS ----------------------------------------------------------------------------- */

static sigjmp_buf back;
static volatile sig_atomic_t n_mine;
static volatile uintptr_t seen_at;

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	(void)context;
	check_eq(number, SIGBUS);
	n_mine++;
	seen_at = (uintptr_t)info->si_addr;
	if (info->si_code > 0)
		siglongjmp(back, 1);
}

/* A file of the program's own, mapped (at @hint) and cut off. */
static unsigned char *own_cut_file(void *hint)
{
	unsigned char *p;
	int fd = memfd_create("own", MFD_CLOEXEC);

	check(fd >= 0);
	check_eq(ftruncate(fd, 8192), 0);
	p = mmap(hint, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(p != MAP_FAILED);
	check(!hint || p == hint);
	check_eq(ftruncate(fd, 4096), 0);
	close(fd);
	return p;
}

/* In a program that had a handler. */
static void test_own_handler(void)
{
	unsigned char *p = own_cut_file(NULL);
	struct held h = hold_all();
	void *base = h.bus->base;

	if (!sigsetjmp(back, 1)) {
		*(volatile unsigned char *)&p[5000] = 1;
		check(false);
	}
	check_eq(n_mine, 1);
	check(seen_at == (uintptr_t)&p[5000]);
	check_eq(raise(SIGBUS), 0);
	check_eq(n_mine, 2);
	/* neither was the bus's, and what is, is not the program's */
	emit_u64(h.event, 2);
	cut(0);
	check_eq(aioevt_shm_emit(h.event, "x", 1, NULL), -EPROTO);
	check_eq(n_mine, 2);
	drop_all(&h);
	check_eq(unlink(bus_path()), 0);
	munmap(p, 8192);
	/* nor what comes to lie where a bus was */
	p = own_cut_file(base);
	if (!sigsetjmp(back, 1)) {
		*(volatile unsigned char *)&p[5000] = 1;
		check(false);
	}
	check_eq(n_mine, 3);
	munmap(p, 8192);
}

/* In one that had none: it dies, by its own fault or by a signal. */
static void test_no_handler(bool by_fault, void (*handler)(int))
{
	int status;
	pid_t pid = fork();

	check(pid >= 0);
	if (!pid) {
		signal(SIGBUS, handler);
		check_eq(aioevt_shm_guard_sigbus(), 0);
		if (by_fault)
			*(volatile unsigned char *)&own_cut_file(NULL)[5000] = 1;
		else
			raise(SIGBUS);
		_exit(0);
	}
	check_eq(waitpid(pid, &status, 0), pid);
	if (handler == SIG_IGN && !by_fault) {
		check_eq(status, 0);
		return;
	}
	check(WIFSIGNALED(status));
	check_eq(WTERMSIG(status), SIGBUS);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };

	bus_begin();
	alarm(100);
	test_no_handler(true, SIG_DFL);
	test_no_handler(false, SIG_DFL);
	test_no_handler(true, SIG_IGN);
	test_no_handler(false, SIG_IGN);
	check_eq(sigaction(SIGBUS, &action, NULL), 0);
	check_eq(aioevt_shm_guard_sigbus(), 0);
	check_eq(aioevt_shm_guard_sigbus(), 0);
	test_own_handler();
	test_anonymous();
	test_calls();
	test_regrown();
	test_threads();
	test_fork();
	test_under_waiters();
	for (unsigned k = 0; k < N_CUTS; k++)
		test_under_emitters(k);
	test_at_random();
	check_eq(n_mine, 3);
	return bus_end();
}
