/* SPDX-License-Identifier: MIT */
/*
 * Emitting out of a signal handler: all that may allocate or lock was done before. The handler may
 * have interrupted this very function, on any number of threads, so there are some handles to
 * choose from, each with a flag that says it is taken.
 */
#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>

#include "data.h"
#include "manager.h"
#include "own.h"
#include "retune.h"

#define N_HANDLES	8u
#define PAYLOAD_MAX	4096u
#define KWARGS_MAX	64u		/* keys and values that are sorted without allocation */

struct handle {
	alignas(64) _Atomic uint32_t is_busy;
	struct aioevt_shm_event *event;
};

struct aioevt_raw {
	struct aioevt *mgr;
	struct link *link;
	struct handle handle[N_HANDLES];
};

static void raw_closep(struct aioevt_raw **raw)
{
	aioevt_raw_close(*raw);
}

int aioevt_raw_open(struct aioevt *mgr, const char *name, struct aioevt_raw **ret_raw)
{
	_cleanup_(raw_closep) struct aioevt_raw *raw = NULL;
	int err = manager_check(mgr);

	if (err < 0)
		return err;
	if (!name || !ret_raw)
		return -EINVAL;
	raw = aligned_alloc(64, sizeof(*raw));
	if (!raw)
		return -ENOMEM;
	*raw = (struct aioevt_raw){ .mgr = manager_ref(mgr), .link = link_get(mgr) };
	for (unsigned i = 0; i < N_HANDLES && !err; i++)
		err = aioevt_shm_event_open(raw->link->shm, name, 0, &raw->handle[i].event);
	if (err < 0)
		return err;

	*ret_raw = raw;
	raw = NULL;
	return 0;
}

static struct handle *take(struct aioevt_raw *raw)
{
	for (unsigned i = 0; i < N_HANDLES; i++)
		if (flag_take(&raw->handle[i].is_busy))
			return &raw->handle[i];
	return NULL;
}

static int emit(struct aioevt_raw *raw, struct aioevt_args args, struct aioevt_kwargs kwargs)
{
	unsigned char buf[PAYLOAD_MAX];
	struct handle *handle;
	size_t size;
	int err = raw ? manager_check(raw->mgr) : -EINVAL;

	if (!err && kwargs.n > KWARGS_MAX)
		err = -EMSGSIZE;
	if (!err)
		err = data_encode_args(args, kwargs, buf, sizeof(buf), &size);
	if (err < 0)
		return err == -ENOBUFS ? -EMSGSIZE : err;
	handle = take(raw);
	if (!handle)
		return -EBUSY;
	err = event_emit_raw(handle->event, buf, size);
	flag_give(&handle->is_busy);
	return err == -ESTALE ? -EPIPE : err;
}

int aioevt_raw_emit(struct aioevt_raw *raw, struct aioevt_args args, struct aioevt_kwargs kwargs)
{
	int saved_errno = errno, err = emit(raw, args, kwargs);

	errno = saved_errno;
	return err;
}

struct aioevt_raw *aioevt_raw_close(struct aioevt_raw *raw)
{
	if (!raw || !*raw->mgr->alive)
		return NULL;
	for (unsigned i = 0; i < N_HANDLES; i++)
		aioevt_shm_event_close(raw->handle[i].event);
	link_put(raw->link);
	manager_unref(raw->mgr);
	free(raw);
	return NULL;
}
