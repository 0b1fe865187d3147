/* SPDX-License-Identifier: MIT */
/* What aioevt.h adds: emitting by name, callbacks on its own loops and on libuv's, registering. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <aioevt-shm.h>
#include <aioevt-uv.h>
#include <aioevt.h>

#include "bench.h"

#define BATCHES		21
#define SAMPLES_MAX	2000
#define N_NAMES		1000
#define N_EVTS		10000
#define PIECE		24576u		/* bytes of one event's region at depth 64 */

static double samples[SAMPLES_MAX];

struct ends {
	struct aioevt *mgr;
	struct aioevt_loop *loop;
	struct shared *sh;
	const char *answer;		/* the event that is emitted in return; NULL: none */
	uint64_t n, until;
	int err;
};

static void ends_close(struct ends *ends)
{
	ends->loop = aioevt_loop_unref(ends->loop);
	ends->mgr = aioevt_close(ends->mgr);
}

static int ends_open(struct ends *ends, struct shared *sh)
{
	int err;

	*ends = (struct ends){ .sh = sh };
	err = aioevt_open("manager", NULL, 0, &ends->mgr);
	if (!err)
		err = aioevt_loop_new(ends->mgr, &ends->loop);
	if (err < 0)
		ends_close(ends);
	return err < 0 ? task_error("aioevt_open", err) : 0;
}

/* ---- emit three integers, nobody listens --------------------------------------------------- */

static int emit_run(struct shared *sh, int index)
{
	unsigned b, i, n = bench_count(30000);
	struct ends ends;
	uint64_t t0;
	int err = ends_open(&ends, sh);

	(void)index;
	if (err < 0)
		return err;
	for (b = 0; !err && b < BATCHES + 1; b++) {
		t0 = now_ns();
		for (i = 0; !err && i < n; i++)
			err = aioevt_emit(ends.mgr, "emit", AIOEVT_ARGS(1, 2000, i),
					  AIOEVT_NO_KWARGS);
		samples[b] = (double)(now_ns() - t0) / n;
	}
	ends_close(&ends);
	if (err < 0)
		return task_error("aioevt_emit", err);
	sh->result = median(samples + 1, BATCHES);
	return 0;
}

int manager_emit(const struct figure *fig, double *ret_value)
{
	static const struct task tasks[] = { { emit_run, 0 } };

	return tasks_run(fig, tasks, 1, 0, ret_value);
}

/* ---- back and forth between two loops that sleep -------------------------------------------- */

static void on_turn(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	struct ends *ends = arg;

	(void)data;
	ends->n++;
	if (ends->answer)
		ends->err = aioevt_emit(ends->mgr, ends->answer, AIOEVT_ARGS(1, 2, 3),
					AIOEVT_NO_KWARGS);
	if (ends->err || ends->n == ends->until)
		aioevt_loop_stop(aioevt_evt_loop(evt));
}

static int first_run(struct shared *sh, int index)
{
	unsigned i, n = bench_count(1500), warm = 50;
	struct ends ends;
	uint64_t t0;
	int err = ends_open(&ends, sh);

	(void)index;
	if (!err)
		err = aioevt_register(ends.mgr, "pong", on_turn, &ends, ends.loop, 0, NULL);
	if (err < 0)
		return err;
	tasks_meet(sh);
	for (i = 0; !err && i < n + warm; i++) {
		t0 = now_ns();
		ends.until = i + 1;
		err = aioevt_emit(ends.mgr, "ping", AIOEVT_ARGS(1, 2, 3), AIOEVT_NO_KWARGS);
		if (!err)
			err = aioevt_loop_run(ends.loop);
		samples[i] = (double)(now_ns() - t0) / 2;
	}
	sh->result = median(samples + warm, n);
	ends_close(&ends);
	return err;
}

static int second_run(struct shared *sh, int index)
{
	struct ends ends;
	int err = ends_open(&ends, sh);

	(void)index;
	ends.answer = "pong";
	ends.until = bench_count(1500) + 50;
	if (!err)
		err = aioevt_register(ends.mgr, "ping", on_turn, &ends, ends.loop, 0, NULL);
	if (err < 0)
		return err;
	tasks_meet(sh);
	err = aioevt_loop_run(ends.loop);
	ends_close(&ends);
	return err < 0 ? err : ends.err;
}

int manager_asleep(const struct figure *fig, double *ret_value)
{
	static const struct task tasks[] = { { first_run, 0 }, { second_run, 1 } };

	return tasks_run(fig, tasks, 2, 0, ret_value);
}

/* ---- to a libuv loop, and back by a futex ----------------------------------------------------- */

struct uv_side {
	struct shared *sh;
	uv_loop_t uv;
	uv_poll_t poll;
	struct aioevt_uv adapter;
	int fd;
	bool is_raw;
};

static void answer(struct shared *sh, uint32_t n)
{
	/* uv:A  release, pairs with uv:B */
	atomic_store_explicit(&sh->back, n, memory_order_release);
	word_wake_up(&sh->back, 1);
}

static void await_answer(struct shared *sh, uint32_t n)
{
	uint32_t seen;

	/* uv:B  acquire, pairs with uv:A */
	while ((seen = atomic_load_explicit(&sh->back, memory_order_acquire)) != n)
		word_sleep(&sh->back, seen);
}

static void on_uv(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	struct uv_side *side = arg;
	int64_t n = 0;

	(void)evt;
	aioevt_get_int(data, 0, NULL, &n);
	if (n)
		answer(side->sh, (uint32_t)n);
	else
		aioevt_uv_detach(&side->adapter, NULL);
}

static int uv_run_side(struct shared *sh, int index)
{
	struct uv_side side = { .sh = sh };
	struct ends ends;
	int err = ends_open(&ends, sh);

	(void)index;
	uv_loop_init(&side.uv);
	if (!err)
		err = aioevt_uv_attach(&side.adapter, &side.uv, ends.loop);
	if (!err)
		err = aioevt_register(ends.mgr, "uv", on_uv, &side, ends.loop, 0, NULL);
	if (err < 0)
		return task_error("aioevt_uv_attach", err);
	tasks_meet(sh);
	uv_run(&side.uv, UV_RUN_DEFAULT);
	ends_close(&ends);
	return 0;
}

static int uv_emit_run(struct shared *sh, int index)
{
	unsigned i, n = bench_count(1500), warm = 50;
	struct ends ends;
	uint64_t t0;
	int err = ends_open(&ends, sh);

	(void)index;
	if (err < 0)
		return err;
	tasks_meet(sh);
	for (i = 0; !err && i < n + warm; i++) {
		t0 = now_ns();
		err = aioevt_emit(ends.mgr, "uv", AIOEVT_ARGS(i + 1), AIOEVT_NO_KWARGS);
		if (!err)
			await_answer(sh, i + 1);
		samples[i] = (double)(now_ns() - t0);
	}
	if (!err)
		err = aioevt_emit(ends.mgr, "uv", AIOEVT_ARGS(0), AIOEVT_NO_KWARGS);
	sh->result = median(samples + warm, n);
	ends_close(&ends);
	return err;
}

int manager_libuv(const struct figure *fig, double *ret_value)
{
	static const struct task tasks[] = { { uv_emit_run, 0 }, { uv_run_side, 1 } };

	return tasks_run(fig, tasks, 2, 0, ret_value);
}

/* The least: a thread that sleeps on a futex writes to an eventfd, which a uv_poll reads. */
static void *relay(void *arg)
{
	struct uv_side *side = arg;
	uint64_t one = 1;
	uint32_t n = 0, seen;

	while (n != QUIT) {
		/* uv:C  acquire, pairs with uv:D */
		while ((seen = atomic_load_explicit(&side->sh->word, memory_order_acquire)) == n)
			word_sleep(&side->sh->word, seen);
		n = seen;
		if (write(side->fd, &one, sizeof(one)) != sizeof(one))
			break;
	}
	return NULL;
}

static void on_raw_uv(uv_poll_t *poll, int status, int events)
{
	struct uv_side *side = poll->data;
	uint64_t count;
	uint32_t n;

	(void)status, (void)events;
	if (read(side->fd, &count, sizeof(count)) != sizeof(count))
		return;
	/* uv:E  acquire, pairs with uv:D */
	n = atomic_load_explicit(&side->sh->word, memory_order_acquire);
	if (n == QUIT)
		uv_close((uv_handle_t *)poll, NULL);
	else
		answer(side->sh, n);
}

static int raw_uv_side(struct shared *sh, int index)
{
	struct uv_side side = { .sh = sh };
	pthread_t thread;

	(void)index;
	side.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (side.fd < 0)
		return -errno;
	uv_loop_init(&side.uv);
	uv_poll_init(&side.uv, &side.poll, side.fd);
	side.poll.data = &side;
	uv_poll_start(&side.poll, UV_READABLE, on_raw_uv);
	if (pthread_create(&thread, NULL, relay, &side))
		return -EAGAIN;
	tasks_meet(sh);
	uv_run(&side.uv, UV_RUN_DEFAULT);
	pthread_join(thread, NULL);
	return 0;
}

static void send_word(struct shared *sh, uint32_t n)
{
	/* uv:D  release, pairs with uv:C,E */
	atomic_store_explicit(&sh->word, n, memory_order_release);
	word_wake_up(&sh->word, 1);
}

static int raw_uv_emit(struct shared *sh, int index)
{
	unsigned i, n = bench_count(1500), warm = 50;
	uint64_t t0;

	(void)index;
	tasks_meet(sh);
	for (i = 0; i < n + warm; i++) {
		t0 = now_ns();
		send_word(sh, i + 1);
		await_answer(sh, i + 1);
		samples[i] = (double)(now_ns() - t0);
	}
	send_word(sh, QUIT);
	sh->result = median(samples + warm, n);
	return 0;
}

int raw_libuv(const struct figure *fig, double *ret_value)
{
	static const struct task tasks[] = { { raw_uv_emit, 0 }, { raw_uv_side, 1 } };

	return tasks_run(fig, tasks, 2, 0, ret_value);
}

/* ---- callbacks a second ------------------------------------------------------------------------- */

static int flood_run(struct shared *sh, int index)
{
	unsigned i, n = bench_count(2000000);
	struct ends ends;
	int err = ends_open(&ends, sh);

	(void)index;
	if (err < 0)
		return err;
	tasks_meet(sh);
	for (i = 0; !err && i < n; i++)
		err = aioevt_emit_wait(ends.mgr, "flood", AIOEVT_ARGS(1, 2000, i),
				       AIOEVT_NO_KWARGS, AIOEVT_FOREVER);
	ends_close(&ends);
	return err;
}

static int flooded_run(struct shared *sh, int index)
{
	struct ends ends;
	uint64_t t0;
	int err = ends_open(&ends, sh);

	(void)index;
	ends.until = bench_count(2000000);
	if (!err)
		err = aioevt_register(ends.mgr, "flood", on_turn, &ends, ends.loop, 0, NULL);
	if (err < 0)
		return err;
	aioevt_loop_set_spin(ends.loop, 0, 100000);
	tasks_meet(sh);
	t0 = now_ns();
	err = aioevt_loop_run(ends.loop);
	sh->result = (double)ends.until * 1e9 / (double)(now_ns() - t0);
	ends_close(&ends);
	return err;
}

int manager_rate(const struct figure *fig, double *ret_value)
{
	static const struct task tasks[] = { { flood_run, 0 }, { flooded_run, 1 } };

	return tasks_run(fig, tasks, 2, 0, ret_value);
}

/* ---- registering ------------------------------------------------------------------------------ */

static void never(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	(void)evt, (void)data, (void)arg;
}

static int register_all(struct ends *ends, struct aioevt_evt **evts)
{
	char name[16];
	int err = 0;

	for (unsigned i = 0; !err && i < N_EVTS; i++) {
		snprintf(name, sizeof(name), "name%u", i % N_NAMES);
		err = aioevt_register(ends->mgr, name, never, NULL, ends->loop, 0, &evts[i]);
	}
	for (unsigned i = 0; !err && i < N_EVTS; i++) {
		aioevt_evt_unregister(evts[i]);
		aioevt_evt_unref(evts[i]);
	}
	return err;
}

static int register_run(struct shared *sh, int index)
{
	struct aioevt_shm_config config = AIOEVT_SHM_CONFIG_INIT;
	static struct aioevt_evt *evts[N_EVTS];
	struct ends ends = { 0 };
	uint64_t t0;
	int err;

	(void)index;
	config.depth = 64;		/* a thousand events have room */
	err = aioevt_open("register", &config, 0, &ends.mgr);
	if (!err)
		err = aioevt_loop_new(ends.mgr, &ends.loop);
	t0 = now_ns();
	if (!err)
		err = register_all(&ends, evts);
	sh->result = (double)(now_ns() - t0);
	ends_close(&ends);
	return err;
}

int manager_register(const struct figure *fig, double *ret_value)
{
	static const struct task tasks[] = { { register_run, 0 } };

	return tasks_run(fig, tasks, 1, 0, ret_value);
}

/* The least: memory of a thousand rings, mapped, touched where an event is, unmapped. */
static int map_all(int fd)
{
	unsigned char *p[N_NAMES];

	for (unsigned i = 0; i < N_NAMES; i++) {
		if (fallocate(fd, 0, (off_t)i * PIECE, PIECE) < 0)
			return -errno;
		p[i] = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			    (off_t)i * PIECE);
		if (p[i] == MAP_FAILED)
			return -errno;
		for (unsigned at = 0; at < 3 * 4096; at += 4096)
			p[i][at] = 1;
	}
	for (unsigned i = 0; i < N_NAMES; i++)
		munmap(p[i], PIECE);
	return 0;
}

static int map_run(struct shared *sh, int index)
{
	int fd = shm_open("/aioevt-bench-map", O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600), err;
	uint64_t t0 = now_ns();

	(void)index;
	if (fd < 0)
		return -errno;
	shm_unlink("/aioevt-bench-map");
	err = map_all(fd);
	sh->result = (double)(now_ns() - t0);
	close(fd);
	return err;
}

int raw_map(const struct figure *fig, double *ret_value)
{
	static const struct task tasks[] = { { map_run, 0 } };

	return tasks_run(fig, tasks, 1, 0, ret_value);
}
