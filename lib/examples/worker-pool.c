/* SPDX-License-Identifier: MIT */
/*
 * A pool of workers, each a thread with a loop of its own. Everybody who listens to an event gets it,
 * so each worker has an event for itself: it gets the next job there when it has done the one before.
 *
 *	cc worker-pool.c $(pkg-config --cflags --libs aioevt-shm) -pthread
 */
#include <aioevt.h>
#include <err.h>
#include <pthread.h>
#include <stdio.h>

enum { N_JOBS = 20, N_WORKERS = 4 };

static const char *const workers[N_WORKERS] = { "anna", "bert", "carl", "dora" };

static void must(int result, const char *what)
{
	if (result < 0)
		errx(1, "%s: %s", what, aioevt_strerror(result));
}

/* In a worker: the result, and whose it is. */
static void on_job(struct aioevt_evt *evt, struct aioevt_data *data, void *userdata)
{
	int64_t job;

	(void)userdata;
	must(aioevt_get_int(data, 0, NULL, &job), "job");
	must(AIOEVT_EMIT(aioevt_evt_manager(evt), done, job * job, aioevt_evt_name(evt)), "done");
}

static void *work(void *loop)
{
	must(aioevt_loop_run(loop), "worker");
	aioevt_loop_unref(loop);
	return NULL;
}

static void give(struct aioevt *mgr, const char *worker, int job)
{
	must(aioevt_emit(mgr, worker, AIOEVT_ARGS(job), AIOEVT_NO_KWARGS), worker);
}

int main(void)
{
	uint64_t last_seen = 0, deadline = aioevt_in_ms(10000);
	int64_t sum = 0, result;
	int n_given = 0, n_done = 0;
	pthread_t threads[N_WORKERS];
	struct aioevt_loop *loop;
	struct aioevt_data *data;
	const char *worker;
	struct aioevt *mgr;

	must(aioevt_open(NULL, NULL, AIOEVT_ANONYMOUS, &mgr), "bus");
	for (int i = 0; i < N_WORKERS; i++) {
		must(aioevt_loop_new(mgr, &loop), "loop");
		must(aioevt_register(mgr, workers[i], on_job, NULL, loop, 0, NULL), workers[i]);
		if (pthread_create(&threads[i], NULL, work, loop))
			errx(1, "no thread");
		give(mgr, workers[i], ++n_given);
	}
	while (n_done++ < N_JOBS) {
		must(aioevt_wait_after(mgr, "done", last_seen, deadline, &data), "done");
		must(aioevt_get_int(data, 0, NULL, &result), "result");
		must(aioevt_get_text(data, 1, NULL, &worker, NULL), "worker");
		if (n_given < N_JOBS)
			give(mgr, worker, ++n_given);
		sum += result;
		last_seen = aioevt_data_seq(data);
		aioevt_data_unref(data);
	}
	printf("%d jobs by %d workers: %d\n", N_JOBS, N_WORKERS, (int)sum);
	aioevt_close(mgr);		/* stops the loops */
	for (int i = 0; i < N_WORKERS; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
