/* SPDX-License-Identifier: MIT */
#ifndef BENCH_H
#define BENCH_H

/*
 * `make bench`: every figure of the engine next to the raw limit of the machine, measured
 * in turns within one run. A figure is two functions, each of which measures one round;
 * main.c calls them A B A B and reports medians. A round forks its processes (tasks) anew:
 * each is pinned, opens the bus for itself and meets the others at a barrier.
 */

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TASKS_MAX	65		/* a waker and 64 sleepers */
#define AREA_SIZE	(4u << 20)	/* for the raw rings */
#define QUIT		UINT32_MAX	/* tells a sleeper to leave */
#define GIVE_UP_NS	5000000000ull	/* a round that makes no progress has failed */

struct figure;

/* Measure one round. Returns 0 and ns (or records a second), or -errno (-ENOENT: skip). */
typedef int (*measure_fn)(const struct figure *fig, double *ret_value);

enum target {
	RATIO_MAX,	/* value / reference <= limit */
	RATIO_MIN,	/* value / reference >= limit */
	NS_MAX,		/* value <= limit */
	MORE_MAX,	/* value - reference <= limit, ns */
	RATE_MIN,	/* value >= limit, records a second */
};

struct figure {
	const char *name;
	const char *reference;	/* what the reference is */
	measure_fn measure, measure_reference;
	enum target target;
	double limit;
	unsigned size;		/* payload, bytes */
	unsigned n;		/* sleepers, events, listeners, ... */
};

/* What the processes of one round share. Each line belongs to one writer at a time. */
struct shared {
	pthread_barrier_t barrier;
	const struct figure *fig;
	unsigned arg;			/* the measurement's own */
	double result;			/* ns or records a second */
	pid_t pids[TASKS_MAX];
	alignas(128) _Atomic uint64_t ping;
	alignas(128) _Atomic uint64_t pong;
	alignas(128) _Atomic uint32_t word;	/* futex words */
	alignas(128) _Atomic uint32_t back;
	alignas(128) _Atomic uint32_t served;
	alignas(128) _Atomic uint64_t start;
	_Atomic uint64_t sent;			/* by the emitters that have finished */
	_Atomic uint32_t finished;
	alignas(128) _Atomic uint64_t stamps[TASKS_MAX];
	alignas(4096) unsigned char area[AREA_SIZE];
};

struct task {
	int (*run)(struct shared *sh, int index);	/* 0 or -errno */
	int cpu;					/* 0, 1, or -1 for any */
};

extern bool bench_quick;

/* task.c */
int tasks_run(const struct figure *fig, const struct task *tasks, int n_tasks,
	      unsigned arg, double *ret_value);
int task_pin(int cpu);			/* 0, 1: the first and second allowed; -1: any */
int task_error(const char *what, int err);	/* says it, returns @err */
void tasks_meet(struct shared *sh);
void tasks_settle(struct shared *sh, int first, int n);	/* until they sleep */
int process_settle(pid_t pid);			/* the same for any process: 0 or -errno */
uint64_t now_ns(void);
void busy_ns(uint64_t ns);
unsigned bench_count(unsigned n);		/* fewer if quick */
double median(double *values, size_t n);	/* sorts them */
long word_sleep(_Atomic uint32_t *word, uint32_t expected);
long word_wake_up(_Atomic uint32_t *word, int n);

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
	__asm__ volatile("yield");
#endif
}

/* broadcast.c: a waker and fig->n sleepers; the wake is what differs */
enum broadcast {
	BROADCAST_CALL,		/* the waker's call */
	BROADCAST_LAST,		/* from before the call until the last is served */
	BROADCAST_IDLE,		/* the same, after the sleepers slept 1 ms */
};

typedef int (*wake_fn)(void *arg, struct shared *sh, uint32_t n);	/* 0 or -errno */

int broadcast(struct shared *sh, wake_fn wake, void *arg);	/* in the waker */
void broadcast_served(struct shared *sh, int index);		/* in a sleeper */
int broadcast_run(const struct figure *fig, int (*waker)(struct shared *, int),
		  int (*sleeper)(struct shared *, int), enum broadcast what,
		  double *ret_value);

/* raw.c: what the machine can do */
int raw_publish(const struct figure *fig, double *ret_value);
int raw_line(const struct figure *fig, double *ret_value);
int raw_lines(const struct figure *fig, double *ret_value);
int raw_slot(const struct figure *fig, double *ret_value);
int raw_futex(const struct figure *fig, double *ret_value);
int raw_futex_idle(const struct figure *fig, double *ret_value);
int raw_broadcast_call(const struct figure *fig, double *ret_value);
int raw_broadcast_last(const struct figure *fig, double *ret_value);

/* engine.c: the same through aioevt-shm.h */
int engine_emit(const struct figure *fig, double *ret_value);
int engine_spin(const struct figure *fig, double *ret_value);
int engine_asleep(const struct figure *fig, double *ret_value);
int engine_asleep_idle(const struct figure *fig, double *ret_value);
int engine_sleeper_call(const struct figure *fig, double *ret_value);
int engine_sleeper_last(const struct figure *fig, double *ret_value);

/* scale.c: emit while the bus fills */
int scale_events(const struct figure *fig, double *ret_value);
int scale_events_one(const struct figure *fig, double *ret_value);
int scale_listeners(const struct figure *fig, double *ret_value);
int scale_listeners_none(const struct figure *fig, double *ret_value);

/* stream.c: records a second, nothing lost */
int stream_raw(const struct figure *fig, double *ret_value);
int stream_one(const struct figure *fig, double *ret_value);
int stream_two(const struct figure *fig, double *ret_value);
int stream_sleeping(const struct figure *fig, double *ret_value);

/* manager.c: what aioevt.h adds */
int manager_emit(const struct figure *fig, double *ret_value);
int manager_asleep(const struct figure *fig, double *ret_value);
int manager_libuv(const struct figure *fig, double *ret_value);
int raw_libuv(const struct figure *fig, double *ret_value);
int manager_rate(const struct figure *fig, double *ret_value);
int manager_register(const struct figure *fig, double *ret_value);
int raw_map(const struct figure *fig, double *ret_value);

/* command.c: whole processes */
int command_true(const struct figure *fig, double *ret_value);
int command_emit(const struct figure *fig, double *ret_value);
int command_true_pair(const struct figure *fig, double *ret_value);
int command_wait_pair(const struct figure *fig, double *ret_value);
void command_init(const char *argv0);

#endif
