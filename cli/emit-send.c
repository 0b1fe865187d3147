/* SPDX-License-Identifier: MIT */
/* One record after the other, to few or many events, on the bus that is there. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "emit.h"

#define ATTEMPTS	8	/* in a row, to emit while the bus is being removed */

void sender_close(struct sender *sender)
{
	for (unsigned i = 0; i < sender->n_events; i++)
		aioevt_shm_event_close(sender->events[i].event);
	sender->n_events = 0;
	sender->bus = aioevt_shm_close(sender->bus);
}

static int attach(struct sender *sender)
{
	int status = bus_attach(&sender->emit->bus, 0, &sender->bus), err;

	if (status)
		return status;
	err = aioevt_shm_get_info(sender->bus, &sender->info);
	return err < 0 ? bus_trouble(&sender->emit->bus, sender->bus, NULL, err) : 0;
}

/* Put it in front of the others. */
static struct aioevt_shm_event *use(struct sender *sender, unsigned i)
{
	struct sender_event found = sender->events[i];

	memmove(sender->events + 1, sender->events, i * sizeof(found));
	sender->events[0] = found;
	return found.event;
}

/* Open it, in place of the one that was used longest ago if there are enough. */
static int open_event(struct sender *sender, const char *name, struct aioevt_shm_event **ret_event)
{
	struct sender_event *slot;
	struct aioevt_shm_event *event;
	int err;

	err = aioevt_shm_event_open(sender->bus, name, AIOEVT_SHM_PRECISE_TIME, &event);
	if (err < 0)
		return err;
	if (sender->n_events < SENDER_EVENTS)
		sender->n_events++;
	else
		aioevt_shm_event_close(sender->events[SENDER_EVENTS - 1].event);
	slot = &sender->events[sender->n_events - 1];
	slot->event = event;
	snprintf(slot->name, sizeof(slot->name), "%s", name);
	*ret_event = use(sender, sender->n_events - 1);
	return 0;
}

static int find_event(struct sender *sender, const char *name, struct aioevt_shm_event **ret_event)
{
	for (unsigned i = 0; i < sender->n_events; i++)
		if (!strcmp(sender->events[i].name, name)) {
			*ret_event = i ? use(sender, i) : sender->events[0].event;
			return 0;
		}
	return open_event(sender, name, ret_event);
}

/* Returns the exit status, or -ESTALE: on the next bus, then. */
static int trouble(struct sender *sender, const char *name, struct aioevt_shm_event *event,
		   size_t size, int err)
{
	int status;

	if (err == -ESTALE) {
		sender_close(sender);
		status = attach(sender);
		return status ? status : -ESTALE;
	}
	return emit_trouble(&sender->emit->bus, sender->bus, name, event, size, err);
}

static int await_need(struct sender *sender)
{
	const char *name = sender->emit->name;
	struct aioevt_shm_event *event = NULL;
	int err = find_event(sender, name, &event);

	if (!err)
		err = emit_await_need(sender->emit, event);
	return err < 0 ? trouble(sender, name, event, 0, err) : err;
}

int sender_open(struct sender *sender, const struct emit *emit)
{
	int status;

	*sender = (struct sender){ .emit = emit };
	status = attach(sender);
	if (!status && emit->need)
		do {
			status = await_need(sender);
		} while (status == -ESTALE);
	return status;
}

int sender_emit(struct sender *sender, const char *name, const void *payload, size_t size)
{
	struct aioevt_shm_event *event;
	int err, status;

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		event = NULL;
		err = find_event(sender, name, &event);
		if (__builtin_expect(!err, 1))
			err = aioevt_shm_emit_wait(event, payload, size, AIOEVT_SHM_NO_DEADLINE,
						   NULL);
		if (__builtin_expect(!err, 1))
			return STATUS_DONE;
		status = trouble(sender, name, event, size, err);
		if (status != -ESTALE)
			return status;
	}
	return bus_trouble(&sender->emit->bus, NULL, name, -ESTALE);
}
