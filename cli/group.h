/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_GROUP_H
#define AIOEVT_GROUP_H

/* Process groups that a COMMAND leads, and how they are made to end. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define GROUP_POLL_NS	UINT64_C(20000000)	/* between two looks whether one is left */
#define GROUP_KILLED_NS	UINT64_C(1000000000)	/* what SIGKILL may take */

/* Send a signal to all of the group, those that are stopped too. */
void group_signal(pid_t group, int number);

/*
 * Whether a process of the group is left, a zombie included. The group keeps its number as long
 * as one is; to be asked soon after, before the number is another's.
 */
bool group_is_left(pid_t group);

/* Return the signal that @option names, TERM, SIGTERM or 15; or end the program with STATUS_USAGE. */
int parse_signal(const char *option, const char *text);

/* CLOCK_MONOTONIC, ns. */
uint64_t group_now(void);

#endif
