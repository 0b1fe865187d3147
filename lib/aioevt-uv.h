/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_UV_H
#define AIOEVT_UV_H

/*
 * A loop of aioevt, driven by libuv: its callbacks run on the thread of @uv.
 *
 *	struct aioevt_uv adapter;
 *
 *	aioevt_loop_new(mgr, &loop);
 *	aioevt_uv_attach(&adapter, uv_default_loop(), loop);
 *	aioevt_register(mgr, "name", fn, userdata, loop, 0, NULL);
 *	uv_run(uv_default_loop(), UV_RUN_DEFAULT);
 *
 * While it is attached uv_run() does not end by itself; uv_unref() the handle @poll if it shall. All
 * on the thread of the libuv loop. @adapter is the caller's, and stays where it is until the loop
 * has run @closed of aioevt_uv_detach().
 */

#include <aioevt.h>
#include <errno.h>
#include <uv.h>

struct aioevt_uv {
	uv_poll_t poll;
	struct aioevt_loop *loop;	/* held until it is detached */
	void (*closed)(struct aioevt_uv *adapter);
};

static inline void aioevt_uv_on_readable_(uv_poll_t *poll, int status, int events)
{
	struct aioevt_uv *adapter = (struct aioevt_uv *)poll->data;
	struct aioevt_loop *loop;

	(void)status, (void)events;
	/* a callback may detach it */
	loop = aioevt_loop_ref(adapter->loop);
	if (aioevt_loop_process(loop) == -ECHILD && !uv_is_closing((uv_handle_t *)poll))
		uv_poll_stop(poll);
	aioevt_loop_unref(loop);
}

/* Returns 0, UV_EINVAL (NULL), a negative errno value of aioevt_loop_get_fd(), or an error of libuv. */
static inline int aioevt_uv_attach(struct aioevt_uv *adapter, uv_loop_t *uv,
				   struct aioevt_loop *loop)
{
	int fd = adapter && uv ? aioevt_loop_get_fd(loop) : UV_EINVAL, err;

	if (fd < 0)
		return fd;
	err = uv_poll_init(uv, &adapter->poll, fd);
	if (err)
		return err;
	adapter->poll.data = adapter;
	adapter->loop = aioevt_loop_ref(loop);
	adapter->closed = NULL;
	return uv_poll_start(&adapter->poll, UV_READABLE, aioevt_uv_on_readable_);
}

static inline void aioevt_uv_on_closed_(uv_handle_t *handle)
{
	struct aioevt_uv *adapter = (struct aioevt_uv *)handle->data;

	aioevt_loop_unref(adapter->loop);
	adapter->loop = NULL;
	if (adapter->closed)
		adapter->closed(adapter);
}

/* Let go of the loop. @closed (may be NULL) is called when libuv has forgotten @adapter. Takes NULL. */
static inline void aioevt_uv_detach(struct aioevt_uv *adapter,
				    void (*closed)(struct aioevt_uv *adapter))
{
	if (!adapter)
		return;
	adapter->closed = closed;
	uv_poll_stop(&adapter->poll);
	uv_close((uv_handle_t *)&adapter->poll, aioevt_uv_on_closed_);
}

#endif
