/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_LIBEV_H
#define AIOEVT_LIBEV_H

/*
 * A loop of aioevt, driven by libev: its callbacks run on the thread that runs @ev.
 *
 *	struct aioevt_libev adapter;
 *
 *	aioevt_loop_new(mgr, &loop);
 *	aioevt_libev_attach(&adapter, EV_DEFAULT, loop);
 *	aioevt_register(mgr, "name", fn, userdata, loop, 0, NULL);
 *	ev_run(EV_DEFAULT, 0);
 *
 * All on the thread of the libev loop. @adapter is the caller's, and stays where it is until it is
 * detached; not inside a callback of @loop.
 */

#include <aioevt.h>
#include <errno.h>
#include <ev.h>

struct aioevt_libev {
	ev_io io;
	struct ev_loop *ev;
	struct aioevt_loop *loop;	/* held until it is detached */
};

static inline void aioevt_libev_on_readable_(struct ev_loop *ev, ev_io *io, int revents)
{
	struct aioevt_libev *adapter = (struct aioevt_libev *)io->data;

	(void)revents;
	if (aioevt_loop_process(adapter->loop) == -ECHILD)
		ev_io_stop(ev, io);
}

/* Returns 0, -EINVAL (NULL), or a negative errno value of aioevt_loop_get_fd(). */
static inline int aioevt_libev_attach(struct aioevt_libev *adapter, struct ev_loop *ev,
				      struct aioevt_loop *loop)
{
	int fd = adapter && ev ? aioevt_loop_get_fd(loop) : -EINVAL;

	if (fd < 0)
		return fd;
	ev_init(&adapter->io, aioevt_libev_on_readable_);
	ev_io_set(&adapter->io, fd, EV_READ);
	adapter->io.data = adapter;
	adapter->ev = ev;
	adapter->loop = aioevt_loop_ref(loop);
	ev_io_start(ev, &adapter->io);
	return 0;
}

static inline void aioevt_libev_detach(struct aioevt_libev *adapter)	/* takes NULL */
{
	if (!adapter)
		return;
	ev_io_stop(adapter->ev, &adapter->io);
	adapter->loop = aioevt_loop_unref(adapter->loop);
}

#endif
