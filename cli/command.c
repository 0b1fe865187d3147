/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gone.h"
#include "group.h"

#define KILL_AFTER_NS	UINT64_C(10000000000)

extern char **environ;

/* ---- the end of COMMAND ------------------------------------------------------------ */

/* The status that a shell gives for it. */
static int translate(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Returns the status of COMMAND if it has ended since, and failed; else 0. */
static int look_after(struct command *command)
{
	int status = 0;
	pid_t pid;

	while (command->pid) {
		pid = waitpid(command->pid, &status, WNOHANG | WUNTRACED);
		if (pid == 0 || (pid < 0 && errno == EINTR))
			return STATUS_DONE;
		if (pid < 0 || !WIFSTOPPED(status)) {
			command->pid = 0;
			return pid < 0 ? STATUS_DONE : translate(status);
		}
		complain("\"%s\" was stopped by signal %d (%s)", command->name, WSTOPSIG(status),
			 strsignal(WSTOPSIG(status)));
	}
	return STATUS_DONE;
}

/* ---- signals ------------------------------------------------------------------------ */

static void __attribute__((__noreturn__)) end_by(int number)
{
	sigset_t set;

	signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	kill(getpid(), number);
	_exit(128 + number);		/* process 1, which has no default actions */
}

/* Returns not. */
static void pass_on(struct command *command, const siginfo_t *info)
{
	if (command->pid && command->has_group)
		group_signal(command->pid, info->si_signo);
	else if (command->pid && info->si_code <= 0)
		kill(command->pid, info->si_signo);	/* not of the terminal, which sent it to all */
	end_by(info->si_signo);
}

/* Until the caller settles, which comes with a SIGCHLD. */
static void *watch(void *arg)
{
	struct command *command = arg;
	siginfo_t info;
	int status;

	for (;;) {
		/* watch:A  acquire, pairs with command_settle:A */
		if (atomic_load_explicit(&command->settled, memory_order_acquire))
			return NULL;
		status = look_after(command);
		if (status) {
			command->status = status;
			ear_wake(command->ear);
		}
		if (sigwaitinfo(&command->signals, &info) > 0 && info.si_signo != SIGCHLD)
			pass_on(command, &info);
	}
}

/* But for those that this program was started to ignore. */
static void block_signals(struct command *command)
{
	static const int passed_on[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT };
	struct sigaction action;

	sigemptyset(&command->signals);
	sigaddset(&command->signals, SIGCHLD);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(*passed_on); i++)
		if (sigaction(passed_on[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(&command->signals, passed_on[i]);
	pthread_sigmask(SIG_BLOCK, &command->signals, &command->mask);
}

/* ---- start and end ------------------------------------------------------------------ */

/* COMMAND gets the signals as this program got them, but for SIGCHLD. */
static int spawn(struct command *command, char **argv)
{
	short flags = POSIX_SPAWN_SETSIGMASK;
	posix_spawnattr_t attr;
	int err;

	if (command->has_group)
		flags |= POSIX_SPAWN_SETPGROUP;
	check_memory(-posix_spawnattr_init(&attr));
	posix_spawnattr_setflags(&attr, flags);
	posix_spawnattr_setsigmask(&attr, &command->mask);
	err = posix_spawnp(&command->pid, argv[0], NULL, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	if (!err)
		return 0;
	command->pid = 0;
	complain("cannot run \"%s\": %s", argv[0], strerror(err));
	return err == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN;
}

int command_start(struct command *command, char **argv, bool has_group, struct ear *ear)
{
	int status, err;

	*command = (struct command){ .name = argv[0], .has_group = has_group, .ear = ear };
	atomic_init(&command->settled, false);
	/* If the parent of this program ignores it, COMMAND's status would be lost. */
	signal(SIGCHLD, SIG_DFL);
	block_signals(command);
	if (has_group)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	status = spawn(command, argv);
	if (status)
		return status;

	err = start_thread(&command->thread, watch, command);
	if (err) {
		complain("cannot watch \"%s\": %s", argv[0], strerror(err));
		return STATUS_TROUBLE;
	}
	return 0;
}

/* Wait until all of @group have ended. Returns 0, -ETIMEDOUT, or the number of a signal. */
static int wait_for_group(struct command *command, pid_t group, uint64_t deadline)
{
	const struct timespec poll = { .tv_nsec = (long)GROUP_POLL_NS };
	int number;

	for (;;) {
		look_after(command);
		/* What COMMAND left is a child now, see command_start(). */
		while (!command->pid && waitpid(-group, NULL, WNOHANG) > 0)
			;
		if (!command->pid && !group_is_left(group))
			return 0;
		if (group_now() >= deadline)
			return -ETIMEDOUT;
		number = sigtimedwait(&command->signals, NULL, &poll);
		if (number > 0 && number != SIGCHLD)
			return number;
	}
}

/*
 * End the group of COMMAND with @number, and with SIGKILL what is left after KILL_AFTER_NS or when
 * a signal comes, which then ends this program too.
 */
static void stop(struct command *command, int number)
{
	pid_t group = command->pid;
	int result;

	if (!group)
		return;
	group_signal(group, number);
	result = wait_for_group(command, group, group_now() + KILL_AFTER_NS);
	if (result) {
		group_signal(group, SIGKILL);
		wait_for_group(command, group, group_now() + GROUP_KILLED_NS);
	}
	if (result > 0)
		end_by(result);
}

int command_settle(struct command *command, int number)
{
	/* command_settle:A  release, pairs with watch:A: then the signal */
	atomic_store_explicit(&command->settled, true, memory_order_release);
	pthread_kill(command->thread, SIGCHLD);
	pthread_join(command->thread, NULL);
	/* A signal that comes from now on is still blocked: it must not leave COMMAND behind. */
	if (number)
		stop(command, number);
	pthread_sigmask(SIG_SETMASK, &command->mask, NULL);
	return command->status;
}
