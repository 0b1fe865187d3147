/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_TEST_NS_H
#define AIOEVT_TEST_NS_H

/* Namespaces for the tests that need them; exit status SKIP only if the kernel forbids them. */

#include <fcntl.h>
#include <sched.h>

#include "bus.h"

static inline void ns_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	check(fd >= 0);
	check_eq(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* Does unshare(2) say that it is not to be had here? */
static inline bool ns_forbidden(void)
{
	return errno == EPERM || errno == EINVAL || errno == ENOSPC || errno == ENOSYS;
}

/*
 * Leave for new namespaces, with a user namespace if @flags has CLONE_NEWUSER: the caller is
 * user and group @inside there. Exits with SKIP if that is forbidden.
 */
static inline void ns_enter(int flags, unsigned inside)
{
	unsigned uid = geteuid(), gid = getegid();
	char map[64];

	if (unshare(flags) < 0) {
		fprintf(stderr, "unshare(%#x): %s\n", flags, strerror(errno));
		_exit(ns_forbidden() ? SKIP : 1);
	}
	if (!(flags & CLONE_NEWUSER))
		return;
	ns_write("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "%u %u 1", inside, gid);
	ns_write("/proc/self/gid_map", map);
	snprintf(map, sizeof(map), "%u %u 1", inside, uid);
	ns_write("/proc/self/uid_map", map);
}

#endif
