/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_LIBEVENT_H
#define AIOEVT_LIBEVENT_H

/*
 * A loop of aioevt, driven by libevent: its callbacks run on the thread that dispatches @base.
 *
 *	struct aioevt_libevent adapter;
 *
 *	aioevt_loop_new(mgr, &loop);
 *	aioevt_libevent_attach(&adapter, base, loop);
 *	aioevt_register(mgr, "name", fn, userdata, loop, 0, NULL);
 *	event_base_dispatch(base);
 *
 * All on the thread of the base. @adapter is the caller's, and stays until it is detached; not inside
 * a callback of @loop.
 */

#include <aioevt.h>
#include <errno.h>
#include <event2/event.h>

struct aioevt_libevent {
	struct event *event;
	struct aioevt_loop *loop;	/* held until it is detached */
};

static inline void aioevt_libevent_on_readable_(evutil_socket_t fd, short what, void *arg)
{
	struct aioevt_libevent *adapter = (struct aioevt_libevent *)arg;

	(void)fd, (void)what;
	if (aioevt_loop_process(adapter->loop) == -ECHILD)
		event_del(adapter->event);
}

/* Returns 0, -EINVAL (NULL), a negative errno value of aioevt_loop_get_fd(), or -ENOMEM. */
static inline int aioevt_libevent_attach(struct aioevt_libevent *adapter, struct event_base *base,
					 struct aioevt_loop *loop)
{
	int fd = adapter && base ? aioevt_loop_get_fd(loop) : -EINVAL;

	if (fd < 0)
		return fd;
	adapter->event = event_new(base, fd, EV_READ | EV_PERSIST, aioevt_libevent_on_readable_,
				   adapter);
	if (!adapter->event)
		return -ENOMEM;
	if (event_add(adapter->event, NULL)) {
		event_free(adapter->event);
		return -ENOMEM;
	}
	adapter->loop = aioevt_loop_ref(loop);
	return 0;
}

static inline void aioevt_libevent_detach(struct aioevt_libevent *adapter)	/* takes NULL */
{
	if (!adapter)
		return;
	event_free(adapter->event);
	adapter->event = NULL;
	adapter->loop = aioevt_loop_unref(adapter->loop);
}

#endif
