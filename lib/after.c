/* SPDX-License-Identifier: MIT */
/* Emissions to come: encoded here, kept on the bus (shm/timer.c). */
#include <errno.h>
#include <stdlib.h>

#include "data.h"
#include "manager.h"

#define ON_STACK	4096u		/* bytes of payload that need no allocation */
#define ATTEMPTS	8u		/* on buses that are removed meanwhile */

/* Call @fn with the newest bus, and again with the next as long as it was removed. */
static int with_bus(struct aioevt *mgr, int (*fn)(struct aioevt_shm *shm, void *arg), void *arg)
{
	struct link *link = link_get(mgr), *stale;
	int err = fn(link->shm, arg);

	for (unsigned i = 0; err == -ESTALE && i < ATTEMPTS; i++) {
		stale = link;
		err = link_renew(mgr, stale, &link);
		link_put(stale);
		if (err < 0)
			return err;
		err = fn(link->shm, arg);
	}
	link_put(link);
	return err;
}

struct later {
	const char *name;
	const void *payload;
	size_t size;
	uint64_t due, id;
};

static int schedule(struct aioevt_shm *shm, void *arg)
{
	struct later *later = arg;

	return aioevt_shm_emit_after(shm, later->name, later->payload, later->size, later->due,
				     &later->id);
}

static uint64_t due_in(uint64_t delay_ns)
{
	uint64_t due = aioevt_in_ns(delay_ns);

	return due < delay_ns || due == AIOEVT_FOREVER ? AIOEVT_FOREVER - 1 : due;
}

int aioevt_emit_after(struct aioevt *mgr, uint64_t delay_ns, const char *name,
		      struct aioevt_args args, struct aioevt_kwargs kwargs, uint64_t *ret_id)
{
	struct later later = { .name = name, .due = due_in(delay_ns) };
	unsigned char on_stack[ON_STACK], *buf = on_stack;
	int err = manager_check(mgr);

	if (err < 0)
		return err;
	if (!name)
		return -EINVAL;
	err = data_encode_args(args, kwargs, buf, sizeof(on_stack), &later.size);
	if (err == -ENOBUFS) {
		if (later.size > AIOEVT_SHM_PAYLOAD_MAX)
			return -EMSGSIZE;
		buf = malloc(later.size);
		err = buf ? data_encode_args(args, kwargs, buf, later.size, &later.size) : -ENOMEM;
	}
	later.payload = buf;
	if (!err)
		err = with_bus(mgr, schedule, &later);
	if (buf != on_stack)
		free(buf);
	if (!err && ret_id)
		*ret_id = later.id;
	return err;
}

static int cancel(struct aioevt_shm *shm, void *arg)
{
	return aioevt_shm_cancel(shm, *(uint64_t *)arg);
}

int aioevt_cancel(struct aioevt *mgr, uint64_t id)
{
	int err = manager_check(mgr);

	return err < 0 ? err : with_bus(mgr, cancel, &id);
}
