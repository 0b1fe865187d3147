/* SPDX-License-Identifier: MIT */
#include "sink.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOM	65536u			/* bytes, what a pipe holds */

/* ---- the reader ----------------------------------------------------------------- */

/* Ends by a cancellation, in poll(), or when the reader went. */
static void *watch_reader(void *arg)
{
	struct pollfd reader = { .fd = STDOUT_FILENO };
	struct sink *sink = arg;

	while (poll(&reader, 1, -1) < 0)
		;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	/* watch_reader:A  release, pairs with sink_is_left:A */
	atomic_store_explicit(&sink->is_left, true, memory_order_release);
	ear_wake(sink->ear);
	return NULL;
}

static bool has_reader(void)
{
	struct stat st;

	return fstat(STDOUT_FILENO, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

/* Signals are for the main thread. */
static void start_thread(struct sink *sink)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	sink->is_watched = pthread_create(&sink->thread, NULL, watch_reader, sink) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

bool sink_is_left(struct sink *sink)
{
	/* sink_is_left:A  acquire, pairs with watch_reader:A */
	return atomic_load_explicit(&sink->is_left, memory_order_acquire);
}

int sink_end(void)
{
	raise(SIGPIPE);
	return STATUS_TROUBLE;
}

/* ---- lines ---------------------------------------------------------------------- */

void sink_open(struct sink *sink, struct ear *ear)
{
	*sink = (struct sink){ .ear = ear };
	setvbuf(stdout, NULL, _IOFBF, ROOM);
	if (has_reader())
		start_thread(sink);
}

void sink_close(struct sink *sink)
{
	if (!sink->is_watched)
		return;
	pthread_cancel(sink->thread);
	pthread_join(sink->thread, NULL);
	sink->is_watched = false;
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
