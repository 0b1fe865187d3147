/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "gone.h"

extern char **environ;

/* The status that a shell gives for it. */
static int translate(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/*
 * Wait for COMMAND, or for the caller to settle: either comes with a SIGCHLD, which all
 * threads block. Returns the status of COMMAND if it failed, else 0.
 */
static int wait_for_child(struct command *command)
{
	sigset_t set;
	int status = 0, number;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (;;) {
		/* wait_for_child:A  acquire, pairs with command_settle:A */
		if (atomic_load_explicit(&command->settled, memory_order_acquire))
			return STATUS_DONE;
		pid = waitpid(command->pid, &status, WNOHANG);
		if (pid > 0)
			return translate(status);
		if (pid < 0 && errno != EINTR)
			return STATUS_DONE;
		if (pid == 0)
			sigwait(&set, &number);
	}
}

static void *watch(void *arg)
{
	struct command *command = arg;

	command->status = wait_for_child(command);
	if (command->status)
		ear_wake(command->ear);
	return NULL;
}

/* COMMAND gets the signals as this program got them, but for SIGCHLD. */
static int spawn(char **argv, pid_t *ret_pid)
{
	int err;

	err = posix_spawnp(ret_pid, argv[0], NULL, NULL, argv, environ);
	if (!err)
		return 0;
	complain("cannot run \"%s\": %s", argv[0], strerror(err));
	return err == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN;
}

static void block_sigchld(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int command_start(struct command *command, char **argv, struct ear *ear)
{
	int status, err;

	/* If the parent of this program ignores it, COMMAND's status would be lost. */
	signal(SIGCHLD, SIG_DFL);
	status = spawn(argv, &command->pid);
	if (status)
		return status;

	block_sigchld();
	command->ear = ear;
	command->status = STATUS_DONE;
	atomic_init(&command->settled, false);
	err = start_thread(&command->thread, watch, command);
	if (err) {
		complain("cannot watch \"%s\": %s", argv[0], strerror(err));
		return STATUS_TROUBLE;
	}
	return 0;
}

int command_settle(struct command *command)
{
	/* command_settle:A  release, pairs with wait_for_child:A: then the signal */
	atomic_store_explicit(&command->settled, true, memory_order_release);
	pthread_kill(command->thread, SIGCHLD);
	pthread_join(command->thread, NULL);
	return command->status;
}
