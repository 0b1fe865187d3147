/* SPDX-License-Identifier: MIT */
#include "on-jobs.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct job {
	pid_t pid;			/* and its process group; 0: none */
	bool has_ended;			/* and was not taken; else without pid it is free */
	uint64_t number;		/* the how manieth it is */
	bool is_replaced;
	char event[AIOEVT_SHM_NAME_MAX + 1];
	uint64_t seq;
};

/* What is passed on, unless this program was started to ignore it (nohup, "&" in a script). */
static const int passed_on[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

/* What this program handles otherwise than it was started to, and COMMAND does not. */
static const struct { int number; void (*handler)(int); } changed[] = {
	{ SIGCHLD, SIG_DFL },		/* ignored, its status would be lost */
	{ SIGPIPE, SIG_IGN },		/* when there is nobody to complain to */
	{ SIGXFSZ, SIG_IGN },		/* the record is too large: an error says more */
};
#define N_CHANGED (sizeof(changed) / sizeof(*changed))
static_assert(N_CHANGED == sizeof(((struct jobs *)NULL)->before) / sizeof(struct sigaction), "");

/* ---- how one ends; all with the lock ------------------------------------------------ */

static void end_it(struct jobs *jobs, int status)
{
	if (!jobs->is_over)
		jobs->status = status;
	jobs->is_over = true;
}

/* It was not run. Returns the status. */
static int note_error(const struct jobs *jobs, const struct job *job, int err)
{
	complain("event \"%s\", record %" PRIu64 ": cannot run \"%s\": %s", job->event,
		 job->seq, jobs->name, strerror(err));
	return err == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN;
}

/* Returns the status that a shell gives for it. */
static int note_status(const struct jobs *jobs, const struct job *job, int status)
{
	int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	if (WIFEXITED(status) && WEXITSTATUS(status))
		complain("event \"%s\", record %" PRIu64 ": \"%s\" failed with status %d",
			 job->event, job->seq, jobs->name, WEXITSTATUS(status));
	else if (number && number != jobs->signal)
		complain("event \"%s\", record %" PRIu64 ": \"%s\" was killed by signal %d "
			 "(%s)", job->event, job->seq, jobs->name, number, strsignal(number));
	return number ? 128 + number : WEXITSTATUS(status);
}

static void end_job(struct jobs *jobs, struct job *job, int status)
{
	int err = jobs->errors[job - jobs->job];

	job->pid = 0;
	job->has_ended = true;
	jobs->n_ended++;
	if (err) {
		status = note_error(jobs, job, err);
		/* what is too large may be the record's */
		if (err != E2BIG)
			end_it(jobs, status);
	} else if (job->is_replaced) {
		return;
	} else {
		status = note_status(jobs, job, status);
	}
	if (jobs->once || (status && jobs->fail_fast))
		end_it(jobs, status);
}

/* Children that this process had before it became this program are reaped, too. */
static void reap(struct jobs *jobs)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < jobs->n_max; i++)
			if (jobs->job[i].pid == pid)
				end_job(jobs, &jobs->job[i], status);
}

/* ---- signals ------------------------------------------------------------------------ */

static void signal_job(const struct job *job, int number)
{
	kill(-job->pid, number);
	kill(-job->pid, SIGCONT);	/* or one that is stopped never hears of it */
}

static void pass_on(struct jobs *jobs, int number)
{
	for (size_t i = 0; i < jobs->n_max; i++)
		if (jobs->job[i].pid)
			signal_job(&jobs->job[i], number);
	if (!jobs->signal)
		jobs->signal = number;
	jobs->is_over = true;
}

static void *take_signals(void *arg)
{
	struct jobs *jobs = arg;
	bool is_closing = false;
	int number;

	while (!is_closing) {
		sigwait(&jobs->signals, &number);
		pthread_mutex_lock(&jobs->lock);
		if (number == SIGCHLD)
			reap(jobs);
		else
			pass_on(jobs, number);
		is_closing = jobs->is_closing;
		pthread_cond_broadcast(&jobs->changed);
		pthread_mutex_unlock(&jobs->lock);
		ear_wake(jobs->ear);
	}
	return NULL;
}

static void block_signals(struct jobs *jobs)
{
	struct sigaction action = { 0 };

	for (size_t i = 0; i < N_CHANGED; i++) {
		action.sa_handler = changed[i].handler;
		sigaction(changed[i].number, &action, &jobs->before[i]);
	}
	sigemptyset(&jobs->signals);
	sigaddset(&jobs->signals, SIGCHLD);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(*passed_on); i++) {
		sigaction(passed_on[i], NULL, &action);
		if (action.sa_handler != SIG_IGN)
			sigaddset(&jobs->signals, passed_on[i]);
	}
	pthread_sigmask(SIG_BLOCK, &jobs->signals, &jobs->mask);
}

/* ---- opening and closing ------------------------------------------------------------ */

int jobs_open(struct jobs *jobs)
{
	size_t size = jobs->n_max * sizeof(*jobs->errors);
	int err;

	pthread_mutex_init(&jobs->lock, NULL);
	pthread_cond_init(&jobs->changed, NULL);
	jobs->job = calloc(jobs->n_max, sizeof(*jobs->job));
	check_memory(jobs->job ? 0 : -ENOMEM);
	jobs->errors = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			    0);
	check_memory(jobs->errors == MAP_FAILED ? -ENOMEM : 0);
	block_signals(jobs);
	err = pthread_create(&jobs->thread, NULL, take_signals, jobs);
	if (!err)
		return STATUS_DONE;
	complain("cannot watch \"%s\": %s", jobs->name, strerror(err));
	return STATUS_TROUBLE;
}

void jobs_finish(struct jobs *jobs)
{
	pthread_mutex_lock(&jobs->lock);
	while (jobs->n_running > jobs->n_ended)
		pthread_cond_wait(&jobs->changed, &jobs->lock);
	pthread_mutex_unlock(&jobs->lock);
}

int jobs_close(struct jobs *jobs)
{
	pthread_mutex_lock(&jobs->lock);
	jobs->is_closing = true;
	pthread_mutex_unlock(&jobs->lock);
	pthread_kill(jobs->thread, SIGCHLD);
	pthread_join(jobs->thread, NULL);

	free(jobs->job);
	munmap(jobs->errors, jobs->n_max * sizeof(*jobs->errors));
	pthread_mutex_destroy(&jobs->lock);
	pthread_cond_destroy(&jobs->changed);
	return jobs->signal ? 128 + jobs->signal : jobs->status;
}

/* ---- the caller's side -------------------------------------------------------------- */

bool jobs_are_over(struct jobs *jobs)
{
	bool is_over;

	pthread_mutex_lock(&jobs->lock);
	is_over = jobs->is_over;
	pthread_mutex_unlock(&jobs->lock);
	return is_over;
}

void jobs_end(struct jobs *jobs, int status)
{
	pthread_mutex_lock(&jobs->lock);
	end_it(jobs, status);
	pthread_mutex_unlock(&jobs->lock);
}

bool jobs_have_room(struct jobs *jobs)
{
	bool room;

	pthread_mutex_lock(&jobs->lock);
	room = jobs->n_running < jobs->n_max;
	pthread_mutex_unlock(&jobs->lock);
	return room;
}

bool jobs_take_ended(struct jobs *jobs, char *ret_event)
{
	struct job *job = jobs->job;
	bool found;

	pthread_mutex_lock(&jobs->lock);
	found = jobs->n_ended && !jobs->signal;
	if (found) {
		while (!job->has_ended)
			job++;
		strcpy(ret_event, job->event);
		job->has_ended = false;
		jobs->n_ended--;
		jobs->n_running--;
	}
	pthread_mutex_unlock(&jobs->lock);
	return found;
}

uint64_t jobs_oldest(struct jobs *jobs, const char *event)
{
	uint64_t seq = UINT64_MAX;

	pthread_mutex_lock(&jobs->lock);
	for (struct job *job = jobs->job; job < jobs->job + jobs->n_max; job++)
		if (job->pid && job->seq < seq && !strcmp(job->event, event))
			seq = job->seq;
	pthread_mutex_unlock(&jobs->lock);
	return seq;
}

void jobs_wait(struct jobs *jobs)
{
	pthread_mutex_lock(&jobs->lock);
	while (!jobs->is_over && jobs->n_running == jobs->n_max && !jobs->n_ended)
		pthread_cond_wait(&jobs->changed, &jobs->lock);
	pthread_mutex_unlock(&jobs->lock);
}

void jobs_replace(struct jobs *jobs)
{
	struct job *oldest = NULL, *job = jobs->job;

	pthread_mutex_lock(&jobs->lock);
	for (; job < jobs->job + jobs->n_max; job++) {
		if (!job->pid)
			continue;
		if (job->is_replaced)
			break;
		if (!oldest || job->number < oldest->number)
			oldest = job;
	}
	if (job == jobs->job + jobs->n_max && oldest) {
		oldest->is_replaced = true;
		signal_job(oldest, SIGTERM);
	}
	pthread_mutex_unlock(&jobs->lock);
}

/* ---- starting ----------------------------------------------------------------------- */

/* In the child. Everything else that is open is closed by execve(). */
static void __attribute__((__noreturn__))
become(const struct jobs *jobs, const struct call *call, pid_t parent, int *ret_error)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(STATUS_TROUBLE);	/* it was too late for that */
	dup2(call->input, STDIN_FILENO);
	for (size_t i = 0; i < N_CHANGED; i++)
		sigaction(changed[i].number, &jobs->before[i], NULL);
	sigprocmask(SIG_SETMASK, &jobs->mask, NULL);

	execvpe(call->argv.v[0], call->argv.v, call->envp.v);
	*ret_error = errno;
	_exit(STATUS_CANNOT_RUN);
}

static struct job *find_free(struct jobs *jobs)
{
	struct job *job = jobs->job;

	while (job->pid || job->has_ended)
		job++;
	return job;
}

/*
 * With the lock, so that it is not reaped before it is known. By the thread that lives as
 * long as the program: PR_SET_PDEATHSIG is about the thread.
 */
static int start(struct jobs *jobs, const struct call *call, const struct heard *heard)
{
	struct job *job = find_free(jobs);
	int *error = &jobs->errors[job - jobs->job];
	pid_t parent = getpid(), pid;

	if (jobs->is_over)
		return -ECANCELED;	/* since the caller looked */
	*error = 0;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		become(jobs, call, parent, error);
	setpgid(pid, pid);		/* who comes first; EACCES if it runs already */
	*job = (struct job){ .pid = pid, .number = jobs->n_started++, .seq = heard->seq };
	memcpy(job->event, heard->event, sizeof(job->event));
	jobs->n_running++;
	return 0;
}

int jobs_start(struct jobs *jobs, struct call *call, const struct heard *heard)
{
	int err;

	pthread_mutex_lock(&jobs->lock);
	err = start(jobs, call, heard);
	pthread_mutex_unlock(&jobs->lock);
	call_close_input(call);
	if (err == 0)
		return STATUS_DONE;
	if (err != -ECANCELED)
		complain("event \"%s\", record %" PRIu64 ": cannot start a process for \"%s\": %s",
			 heard->event, heard->seq, jobs->name, strerror(-err));
	return STATUS_TROUBLE;
}
