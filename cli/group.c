/* SPDX-License-Identifier: MIT */
#include "group.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include <bsd/stdlib.h>

#include "common.h"

#define SIGNAL_MAX	64

void group_signal(pid_t group, int number)
{
	kill(-group, number);
	kill(-group, SIGCONT);	/* or one that is stopped never hears of it */
}

bool group_is_left(pid_t group)
{
	return kill(-group, 0) == 0 || errno == EPERM;
}

uint64_t group_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

int parse_signal(const char *option, const char *text)
{
	static const struct { const char *name; int number; } names[] = {
		{ "HUP", SIGHUP }, { "INT", SIGINT }, { "QUIT", SIGQUIT }, { "KILL", SIGKILL },
		{ "USR1", SIGUSR1 }, { "USR2", SIGUSR2 }, { "PIPE", SIGPIPE },
		{ "ALRM", SIGALRM }, { "TERM", SIGTERM }, { "ABRT", SIGABRT },
		{ "WINCH", SIGWINCH }, { "PWR", SIGPWR },
	};
	const char *why = NULL, *name = text + (strncmp(text, "SIG", 3) ? 0 : 3);
	int number;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(name, names[i].name))
			return names[i].number;
	number = (int)strtonum(text, 1, SIGNAL_MAX, &why);
	if (why)
		complain_usage("%s \"%s\": not a number from 1 to %d, nor a name such as TERM or INT",
			       option, text, SIGNAL_MAX);
	return number;
}
