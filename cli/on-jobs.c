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
#include <time.h>
#include <unistd.h>

#include "group.h"

struct job {
	pid_t pid;			/* and its process group; 0: none */
	bool is_reaped;			/* COMMAND has ended, others of its group have not */
	int status;			/* then, of COMMAND */
	int asked;			/* the signal that was sent to end it; 0: none */
	uint64_t kill_at;		/* then; ns, CLOCK_MONOTONIC */
	bool is_killed;			/* SIGKILL was sent; kill_at: nothing more is waited for */
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
	else if (number && number != jobs->signal && !job->is_killed)
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

static void note_stop(const struct jobs *jobs, const struct job *job, int number)
{
	complain("event \"%s\", record %" PRIu64 ": \"%s\" was stopped by signal %d (%s)%s",
		 job->event, job->seq, jobs->name, number, strsignal(number),
		 number == SIGTTIN || number == SIGTTOU ?
		 ": it wants the terminal, which COMMAND does not get" : "");
}

static void note_wait(struct jobs *jobs, pid_t pid, int status)
{
	struct job *job = jobs->job;

	while (job < jobs->job + jobs->n_max && (job->pid != pid || job->is_reaped))
		job++;
	if (job == jobs->job + jobs->n_max)
		return;			/* one that COMMAND left, or that was there before */
	if (WIFSTOPPED(status)) {
		note_stop(jobs, job, WSTOPSIG(status));
		return;
	}
	job->is_reaped = true;
	job->status = status;
}

/* Whether COMMAND has ended and, if that was asked for, its group. */
static bool is_at_end(const struct job *job)
{
	if (!job->is_reaped || !job->asked)
		return job->is_reaped;
	return !group_is_left(job->pid) || (job->is_killed && group_now() >= job->kill_at);
}

/* Others than COMMANDs are reaped, too. */
static void reap(struct jobs *jobs)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0)
		note_wait(jobs, pid, status);
	for (struct job *job = jobs->job; job < jobs->job + jobs->n_max; job++)
		if (job->pid && is_at_end(job))
			end_job(jobs, job, job->status);
}

/* ---- asking to end; all with the lock ------------------------------------------------- */

static void kill_job(struct job *job)
{
	group_signal(job->pid, SIGKILL);
	job->is_killed = true;
	job->kill_at = group_now() + GROUP_KILLED_NS;
}

static void ask(const struct jobs *jobs, struct job *job, int number)
{
	group_signal(job->pid, number);
	if (job->asked)
		return;
	job->asked = number;
	job->kill_at = group_now() + jobs->kill_after;
}

static void kill_late(const struct jobs *jobs, struct job *job)
{
	complain("event \"%s\", record %" PRIu64 ": \"%s\" has not ended %g s after signal %d "
		 "(%s), and is killed", job->event, job->seq, jobs->name,
		 (double)jobs->kill_after / 1e9, job->asked, strsignal(job->asked));
	kill_job(job);
}

/* Kill what was asked to end long enough ago. Returns ns until the next look; 0: none is due. */
static uint64_t look_after(const struct jobs *jobs)
{
	uint64_t now = group_now(), next = 0, left;

	for (struct job *job = jobs->job; job < jobs->job + jobs->n_max; job++) {
		if (!job->pid || !job->asked)
			continue;
		if (!job->is_killed && now >= job->kill_at)
			kill_late(jobs, job);
		left = job->is_reaped ? GROUP_POLL_NS :
		       job->is_killed ? GROUP_KILLED_NS : job->kill_at - now;
		if (!next || left < next)
			next = left;
	}
	return next;
}

/* ---- signals ------------------------------------------------------------------------ */

/* Someone who interrupts once more means it. */
static void pass_on(struct jobs *jobs, int number)
{
	bool is_again = number == SIGINT && jobs->signal;

	for (struct job *job = jobs->job; job < jobs->job + jobs->n_max; job++) {
		if (!job->pid)
			continue;
		ask(jobs, job, number);
		if (is_again)
			kill_job(job);
	}
	if (!jobs->signal)
		jobs->signal = number;
	jobs->is_over = true;
}

/* SIGCHLD if none comes for @ns; 0: it may take any time. */
static int next_signal(const struct jobs *jobs, uint64_t ns)
{
	struct timespec timeout = { .tv_sec = (time_t)(ns / UINT64_C(1000000000)),
				    .tv_nsec = (long)(ns % UINT64_C(1000000000)) };
	int number;

	do {
		number = ns ? sigtimedwait(&jobs->signals, NULL, &timeout) :
			      sigwaitinfo(&jobs->signals, NULL);
	} while (number < 0 && errno == EINTR);
	return number < 0 ? SIGCHLD : number;
}

static void *take_signals(void *arg)
{
	struct jobs *jobs = arg;
	bool is_closing = false;
	uint64_t next = 0;
	int number;

	while (!is_closing) {
		number = next_signal(jobs, next);
		pthread_mutex_lock(&jobs->lock);
		if (number != SIGCHLD)
			pass_on(jobs, number);
		reap(jobs);
		next = look_after(jobs);
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
	prctl(PR_SET_CHILD_SUBREAPER, 1);
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
		ask(jobs, oldest, jobs->stop_signal);
		pthread_kill(jobs->thread, SIGCHLD);	/* to look after it */
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
