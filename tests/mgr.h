/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_TEST_MGR_H
#define AIOEVT_TEST_MGR_H

/* What the tests of the manager share: short forms, and counts to wait for. */

#include <pthread.h>
#include <stdatomic.h>

#include "aioevt.h"
#include "bus.h"

#define NO_ARGS		((struct aioevt_args){ 0 })
#define NO_KWARGS	((struct aioevt_kwargs){ 0 })
#define SOON		aioevt_in_ms(20000)	/* longer than anything takes */

static inline struct aioevt *mgr_open(void)
{
	struct aioevt *mgr = NULL;

	check_eq(aioevt_open(NULL, NULL, 0, &mgr), 0);
	return mgr;
}

static inline struct aioevt_loop *loop_of(struct aioevt *mgr)
{
	struct aioevt_loop *loop = NULL;

	check_eq(aioevt_loop_new(mgr, &loop), 0);
	return loop;
}

/* The first arg, which is an integer. */
static inline int64_t arg_of(const struct aioevt_data *data)
{
	int64_t n = -1;

	check_eq(aioevt_get_int(data, 0, NULL, &n), 0);
	return n;
}

/* Run what there is, on the calling thread. */
static inline void run_now(struct aioevt_loop *loop)
{
	int n;

	do {
		n = aioevt_loop_process(loop);
		check(n >= 0);
	} while (n);
}

/* Something that is counted, and waited for by looking; bounded. */
static inline void await(const _Atomic unsigned *count, unsigned n)
{
	uint64_t end = in_ms(20000);

	while (atomic_load(count) < n) {
		check(now_ns() < end);
		sched_yield();
	}
}

/* ---- a log of calls ----------------------------------------------------------------------- */

#define LOG_MAX		256

struct call {
	char tag;
	int64_t arg;
	uint64_t missed;
	pthread_t thread;
};

struct log {
	pthread_mutex_t lock;
	_Atomic unsigned n;
	struct call calls[LOG_MAX];
};

#define LOG_INIT { .lock = PTHREAD_MUTEX_INITIALIZER }

static inline void log_call(struct log *log, char tag, const struct aioevt_data *data)
{
	int64_t n = -1;

	pthread_mutex_lock(&log->lock);
	check(log->n < LOG_MAX);
	if (data)
		aioevt_get_int(data, 0, NULL, &n);
	log->calls[log->n] = (struct call){ .tag = tag, .arg = n, .thread = pthread_self(),
					    .missed = data ? aioevt_data_missed(data) : 0 };
	log->n++;
	pthread_mutex_unlock(&log->lock);
}

/* Compare with "a1 b1 a2": tag and first arg of each call; empties it. */
static inline void check_log(struct log *log, const char *expected)
{
	char text[LOG_MAX * 8] = "";
	size_t len = 0;

	pthread_mutex_lock(&log->lock);
	for (unsigned i = 0; i < log->n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%c%lld", i ? " " : "",
					log->calls[i].tag, (long long)log->calls[i].arg);
	log->n = 0;
	pthread_mutex_unlock(&log->lock);
	check_str(text, expected);
}

#endif
