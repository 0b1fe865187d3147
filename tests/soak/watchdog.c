/* SPDX-License-Identifier: MIT */
/*
 * Bounded progress: a participant that is not stopped gets through its operation in the time
 * that it asked to wait and 5 s more. A loaded machine must not fake a breach: past the 5 s
 * it counts how often it is found asleep, what processor time it uses, and only in the end
 * the time by the clock.
 */
#include "soak.h"
#include "check.h"

#include <unistd.h>

#define BOUND		(5 * SECOND)
#define STARVED		(90 * SECOND)	/* ready to run for that long: no machine is so loaded */
#define MAX_ASLEEP	10u
#define MAX_CPU		(3 * SECOND)

/* Its state, and the processor time that it has used. False: it is gone. */
static bool look(pid_t pid, char *ret_state, uint64_t *ret_cpu)
{
	unsigned long user, sys;
	char path[64], text[512], *p;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	p = strrchr(text, ')');
	if (!p || sscanf(p + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			 ret_state, &user, &sys) != 3)
		return false;
	*ret_cpu = (user + sys) * (SECOND / (uint64_t)sysconf(_SC_CLK_TCK));
	return true;
}

void watchdog_look(struct seat *seat)
{
	uint64_t since = atomic_load(&seat->since), now = now_ns(), took, cpu;
	char state = '?';

	if (!since || seat->stopped || !seat->pid) {
		seat->stuck_since = 0;
		return;
	}
	if (since < seat->continued)
		since = seat->continued;
	took = now > since ? now - since : 0;
	if (took < atomic_load(&seat->may_take) + BOUND) {
		seat->stuck_since = 0;
		return;
	}
	if (!look(seat->pid, &state, &cpu) || atomic_load(&seat->since) > since)
		return;
	if (seat->stuck_since != since) {
		seat->stuck_since = since;
		seat->stuck_cpu = cpu;
		seat->n_asleep = 0;
	}
	seat->n_asleep += state == 'S' || state == 'T';
	if (seat->n_asleep > MAX_ASLEEP || cpu - seat->stuck_cpu > MAX_CPU || took > STARVED)
		breach("%s %d is held up: %llu ms in %s, state %c, %llu ms of processor time "
		       "since the bound", seat->role->name, (int)seat->pid,
		       (unsigned long long)(took / MS), atomic_load(&seat->what), state,
		       (unsigned long long)((cpu - seat->stuck_cpu) / MS));
}
