/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_SD_EVENT_H
#define AIOEVT_SD_EVENT_H

/*
 * A loop of aioevt, driven by sd-event: its callbacks run on the thread of @event.
 *
 *	sd_event_source *source;
 *
 *	aioevt_loop_new(mgr, &loop);
 *	aioevt_sd_event_attach(event, loop, &source);
 *	aioevt_register(mgr, "name", fn, userdata, loop, 0, NULL);
 *	sd_event_loop(event);
 *	sd_event_source_disable_unref(source);
 *
 * All on the thread of the sd-event loop.
 */

#include <aioevt.h>
#include <errno.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

static inline int aioevt_sd_event_on_readable_(sd_event_source *source, int fd, uint32_t revents,
					       void *userdata)
{
	struct aioevt_loop *loop = aioevt_loop_ref((struct aioevt_loop *)userdata);

	(void)fd, (void)revents;
	if (aioevt_loop_process(loop) == -ECHILD)
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	aioevt_loop_unref(loop);
	return 0;
}

/* sd-event calls it when the source is freed. */
static inline void aioevt_sd_event_drop_(void *userdata)
{
	aioevt_loop_unref((struct aioevt_loop *)userdata);
}

/*
 * *ret_source (may be NULL: the source then stays as long as @event) is a reference. Returns 0, or a
 * negative errno value of aioevt_loop_get_fd() or sd_event_add_io(3).
 */
static inline int aioevt_sd_event_attach(sd_event *event, struct aioevt_loop *loop,
					 sd_event_source **ret_source)
{
	int fd = aioevt_loop_get_fd(loop), r;
	sd_event_source *source;

	if (fd < 0)
		return fd;
	r = sd_event_add_io(event, &source, fd, EPOLLIN, aioevt_sd_event_on_readable_, loop);
	if (r < 0)
		return r;
	aioevt_loop_ref(loop);
	sd_event_source_set_destroy_callback(source, aioevt_sd_event_drop_);
	if (ret_source) {
		*ret_source = source;
	} else {
		sd_event_source_set_floating(source, 1);
		sd_event_source_unref(source);
	}
	return 0;
}

#endif
