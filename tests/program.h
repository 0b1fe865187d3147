/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_TEST_PROGRAM_H
#define AIOEVT_TEST_PROGRAM_H

/* The program, run by a shell: what it prints, on both streams, and its status. */

#include <limits.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static char output[65536];	/* of the last command */

/* The program lies one directory above the tests; without it there is nothing to test. */
static inline void find_program(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 20);

	check(n > 0);
	path[n] = '\0';
	strcpy(strrchr(path, '/'), "/../aioevt");
	if (access(path, X_OK))
		exit(77);
	setenv("PROGRAM", path, 1);
}

/* Start a command of the shell, in which $PROGRAM is the program. */
static inline FILE *start(const char *command)
{
	char line[1024];
	FILE *pipe;

	snprintf(line, sizeof(line), "exec timeout -s KILL 30 sh -c '%s' 2>&1", command);
	pipe = popen(line, "re");
	check(pipe != NULL);
	return pipe;
}

/* What it prints, to its end. Returns its status, as a shell tells it. */
static inline int finish(FILE *pipe)
{
	size_t n = fread(output, 1, sizeof(output) - 1, pipe);
	int status = pclose(pipe);

	output[n] = '\0';
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static inline int run(const char *command)
{
	return finish(start(command));
}

static inline void check_output(const char *part)
{
	if (!strstr(output, part))
		check_str(output, part);
}

#endif
