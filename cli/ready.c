/* SPDX-License-Identifier: MIT */
#include "ready.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <bsd/stdlib.h>

#include "common.h"

int ready_parse(const char *text)
{
	const char *why = NULL;
	int fd = (int)strtonum(text, STDERR_FILENO + 1, INT_MAX, &why), flags;

	if (why)
		complain_usage("--ready-fd \"%s\": %s, not from %d to %d", text, why,
			       STDERR_FILENO + 1, INT_MAX);
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || flags & O_PATH)
		complain_usage("--ready-fd \"%s\": not open for writing", text);
	return fd;
}

int ready_tell(int fd)
{
	void (*before)(int);
	ssize_t n;
	int err;

	if (fd < 0)
		return STATUS_DONE;
	before = signal(SIGPIPE, SIG_IGN);
	while ((n = write(fd, "\n", 1)) < 0 && errno == EINTR)
		;
	err = n < 0 ? errno : 0;
	close(fd);
	signal(SIGPIPE, before);
	if (!err)
		return STATUS_DONE;
	complain("--ready-fd \"%d\": %s", fd, strerror(err));
	return STATUS_TROUBLE;
}
