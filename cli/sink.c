/* SPDX-License-Identifier: MIT */
#include "sink.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#define ROOM	65536u			/* bytes, what a pipe holds */

int sink_end(void)
{
	raise(SIGPIPE);
	return STATUS_TROUBLE;
}

void sink_open(struct sink *sink)
{
	*sink = (struct sink){ 0 };
	setvbuf(stdout, NULL, _IOFBF, ROOM);
}

int sink_flush(struct sink *sink)
{
	sink->pending = 0;
	errno = 0;
	if (fflush(stdout) < 0 && errno == EPIPE)
		return STATUS_TROUBLE;
	return finish_output();
}

int sink_write(struct sink *sink, const char *line, size_t size)
{
	int status = STATUS_DONE;

	if (sink->pending && sink->pending + size > ROOM)
		status = sink_flush(sink);
	if (status)
		return status;
	fwrite(line, 1, size, stdout);
	sink->pending += size;
	/* A long one went out at once; so did the error, if there was one. */
	return size >= ROOM ? sink_flush(sink) : STATUS_DONE;
}
