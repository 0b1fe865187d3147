/* SPDX-License-Identifier: MIT */
/* Sentences for errors: static strings, so that a signal handler may ask for them. */
#include "aioevt.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define N_TYPES (AIOEVT_MAP + 1)

/* Each type that may be found, with each that may be asked for. */
#define ROW(found) { \
	found " found where null was asked for", \
	found " found where a boolean was asked for", \
	found " found where an integer was asked for", \
	found " found where an integer that is not negative was asked for", \
	found " found where a floating-point number was asked for", \
	found " found where text was asked for", \
	found " found where bytes were asked for", \
	found " found where a list was asked for", \
	found " found where a map was asked for", \
}

static const char *const mismatches[N_TYPES][N_TYPES] = {
	ROW("null"), ROW("a boolean"), ROW("an integer"), ROW("an integer over 2^63-1"),
	ROW("a floating-point number"), ROW("text"), ROW("bytes"), ROW("a list"), ROW("a map"),
};

static const char *explain_mismatch(int err)
{
	unsigned found = (unsigned)err >> 8 & 0xff, asked = (unsigned)err & 0xff;

	if (err >> 16 == 1 && found < N_TYPES && asked < N_TYPES)
		return mismatches[found][asked];
	return "not an error of this library";
}

static const char *explain_use(int err)
{
	switch (err) {
	case 0:
		return "success";
	case EINVAL:
		return "a name, pattern, key, flag or value is not acceptable, a key has no value, "
		       "or a pointer is NULL";
	case EEXIST:
		return "a key is there twice";
	case EILSEQ:
		return "text is not UTF-8, or holds a NUL where its size was not asked for";
	case E2BIG:
		return "lists and maps are nested deeper than 14";
	case EBUSY:
		return "in use: data that others have is not changed, a loop runs in one thread "
		       "only; or others were faster, thousands of times in a row";
	case ENOENT:
		return "there is none of that name, key, place or number";
	case ERANGE:
		return "the number does not fit into the type asked for";
	case EBADMSG:
		return "the payload is not data of this library";
	case ENOLINK:
		return "fewer than wanted are left who could handle it, or the event was removed";
	case EAGAIN:
		return "a reliable registration has not made room, or no thread is to be had now";
	case EMSGSIZE:
		return "the data is larger than the bus, or a signal handler, may send";
	case EDEADLK:
		return "the callback called from cannot wait for its own loop";
	case ETIMEDOUT:
		return "the deadline came first";
	case ECANCELED:
		return "the registration has ended";
	case EINTR:
		return "woken by another thread";
	}
	return NULL;
}

static const char *explain_bus(int err)
{
	switch (err) {
	case ECHILD:
		return "called in a child made by fork(), which has to open a manager for itself";
	case ESHUTDOWN:
		return "the manager is being closed";
	case EPROTO:
		return "the bus file is damaged or was truncated";
	case EPIPE:
		return "the event or the bus was replaced: open it anew outside of the signal handler";
	case ESTALE:
		return "the bus was removed";
	case ENOSPC:
		return "the bus, or the file system it is on, is full";
	case EFBIG:
		return "the bus file may not grow that large: a resource limit, or not on a tmpfs";
	case ENOBUFS:
		return "too many threads are stopped in the midst of emitting";
	case EUSERS:
		return "every port or listener of the bus is taken";
	case EPERM:
		return "the file is not what a bus of that user is like";
	case EACCES:
		return "the bus file or its directory may not be opened";
	case ENOEXEC:
		return "not a bus of this version";
	case ENAMETOOLONG:
		return "the path of the bus is too long";
	case EOVERFLOW:
		return "the event was grown too often";
	case ENOMEM:
		return "no memory";
	case EMFILE:
		return "the process has too many files open";
	case ENFILE:
		return "the system has too many files open";
	}
	return NULL;
}

/* In English, and without a buffer: what signal handlers may call. NULL: it is no error. */
static const char *describe(int err)
{
#ifdef __GLIBC__
	return strerrordesc_np(err);
#else
	return strerror(err);
#endif
}

const char *aioevt_strerror(int err)
{
	const char *why;

	if (err < 0)
		err = err == INT_MIN ? INT_MAX : -err;
	if (err >= AIOEVT_EMISMATCH_BASE)
		return explain_mismatch(err);

	why = explain_use(err);
	if (!why)
		why = explain_bus(err);
	if (!why)
		why = describe(err);
	return why ? why : "not an error of this library";
}
