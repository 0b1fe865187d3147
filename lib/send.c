/* SPDX-License-Identifier: MIT */
/*
 * Emitting by name, from any thread, without a lock. An event handle belongs to one thread at a time,
 * so a manager keeps a table of them, four for each value of the name's hash, and a thread takes one by
 * setting its busy flag, emits, and gives it back. Two threads that emit the same event at once each get
 * one of their own. All four busy: one is opened for the occasion.
 *
 * An open event cannot be retired from the bus, so they are few; each time one has to be opened, one
 * that was not used since the hand came by last is closed (clock replacement).
 */
#include "send.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "data.h"
#include "hash.h"
#include "manager.h"
#include "own.h"

#define N_SETS		16u
#define N_WAYS		4u
#define ON_STACK	4096u		/* bytes of payload that need no allocation */
#define ATTEMPTS	8u		/* on buses that are removed meanwhile */

struct outlet {
	alignas(64) _Atomic uint32_t is_busy;
	_Atomic uint32_t hash;		/* a hint, 0 if it is empty */
	_Atomic uint32_t is_used;	/* since the hand came by */
	struct aioevt_shm_event *event;
	struct link *link;
	char name[AIOEVT_SHM_NAME_MAX + 1];
};

struct outlets {
	_Atomic uint32_t hand;
	struct outlet outlet[N_SETS][N_WAYS];
};

/* ---- outlets ------------------------------------------------------------------------------- */

int outlets_new(struct outlets **ret_outlets)
{
	struct outlets *outlets = aligned_alloc(64, sizeof(*outlets));

	if (!outlets)
		return -ENOMEM;
	memset(outlets, 0, sizeof(*outlets));
	*ret_outlets = outlets;
	return 0;
}

/* The hash tells where to look, is_used who may go. Both are guesses: the flag decides. */
static uint32_t get_hint(const _Atomic uint32_t *hint)
{
	/* hint:A  relaxed: as just told */
	return atomic_load_explicit(hint, memory_order_relaxed);
}

static void set_hint(_Atomic uint32_t *hint, uint32_t value)
{
	/* hint:B  relaxed: as A */
	atomic_store_explicit(hint, value, memory_order_relaxed);
}

static void empty(struct outlet *o)
{
	o->event = aioevt_shm_event_close(o->event);
	if (o->link)
		link_put(o->link);
	o->link = NULL;
	set_hint(&o->hash, 0);
}

void outlets_close(struct outlets *outlets)
{
	for (unsigned i = 0; i < N_SETS * N_WAYS; i++) {
		struct outlet *o = &outlets->outlet[i / N_WAYS][i % N_WAYS];

		if (!flag_take(&o->is_busy))
			continue;
		empty(o);
		flag_give(&o->is_busy);
	}
}

void outlets_free(struct outlets *outlets)
{
	if (outlets)
		outlets_close(outlets);
	free(outlets);
}

/* Close one that was not used since the hand came by last. */
static void age(struct outlets *outlets)
{
	/* age:A  relaxed: which one is a matter of taste */
	uint32_t i = atomic_fetch_add_explicit(&outlets->hand, 1, memory_order_relaxed);
	struct outlet *o = &outlets->outlet[i / N_WAYS % N_SETS][i % N_WAYS];

	if (!flag_take(&o->is_busy))
		return;
	if (!get_hint(&o->is_used))
		empty(o);
	set_hint(&o->is_used, 0);
	flag_give(&o->is_busy);
}

static int fill(struct aioevt *mgr, struct outlet *o, const char *name, uint32_t hash)
{
	struct link *link = link_get(mgr);
	int err = aioevt_shm_event_open(link->shm, name, 0, &o->event);

	if (err < 0) {
		o->event = NULL;
		link_put(link);
		return err;
	}
	o->link = link;
	strcpy(o->name, name);
	set_hint(&o->hash, hash);
	return 0;
}

/* Threads begin their search at different ways, so that each finds the one it had. */
static unsigned first_way(void)
{
	static _Atomic unsigned n_threads;
	static _Thread_local unsigned way;

	if (!way)
		/* first_way:A  relaxed: a number for each */
		way = 1 + atomic_fetch_add_explicit(&n_threads, 1, memory_order_relaxed);
	return way - 1;
}

static struct outlet *find(struct outlet *set, const char *name, uint32_t hash)
{
	unsigned first = first_way();

	for (unsigned w = 0; w < N_WAYS; w++) {
		struct outlet *o = &set[(first + w) % N_WAYS];

		if (get_hint(&o->hash) != hash || !flag_take(&o->is_busy))
			continue;
		if (o->event && !strcmp(o->name, name))
			return o;
		flag_give(&o->is_busy);
	}
	return NULL;
}

/* One that is empty, or was not used for longest as far as is known. Busy, NULL if all are. */
static struct outlet *make_way(struct outlet *set)
{
	for (unsigned pass = 0; pass < 3; pass++)
		for (unsigned w = 0; w < N_WAYS; w++) {
			struct outlet *o = &set[w];

			if ((!pass && get_hint(&o->hash)) || (pass == 1 && get_hint(&o->is_used)) ||
			    !flag_take(&o->is_busy))
				continue;
			empty(o);
			return o;
		}
	return NULL;
}

/*
 * An outlet for @name, taken; or @spare, filled for the occasion. Opening may fail because too many
 * events are open on the bus: then let go of those of this manager first.
 */
static int outlet_take(struct aioevt *mgr, const char *name, struct outlet *spare,
		       struct outlet **ret_outlet)
{
	uint32_t hash = hash_name(name) | 1;
	struct outlet *set = mgr->outlets->outlet[hash / 2 % N_SETS];
	struct outlet *o = find(set, name, hash);
	int err;

	if (__builtin_expect(o != NULL, 1)) {
		*ret_outlet = o;
		return 0;
	}
	age(mgr->outlets);
	o = make_way(set);
	if (!o)
		o = spare;
	err = fill(mgr, o, name, hash);
	for (unsigned i = 0; err == -ENOSPC && i < 2 * N_SETS * N_WAYS; i++) {
		age(mgr->outlets);
		err = fill(mgr, o, name, hash);
	}
	if (err < 0) {
		if (o != spare)
			flag_give(&o->is_busy);
		return err;
	}
	*ret_outlet = o;
	return 0;
}

static void outlet_give(struct outlet *o, struct outlet *spare)
{
	if (o == spare) {
		empty(o);
		return;
	}
	if (!get_hint(&o->is_used))
		set_hint(&o->is_used, 1);
	flag_give(&o->is_busy);
}

/* ---- emitting ------------------------------------------------------------------------------- */

/* The bus of @o was removed: let go of it, and attach to the next. */
static int renew(struct aioevt *mgr, struct outlet *o)
{
	struct link *stale = o->link, *link;
	int err;

	ref_get(&stale->refs);
	empty(o);
	err = link_renew(mgr, stale, &link);
	link_put(stale);
	if (err < 0)
		return err;
	link_put(link);
	return 0;
}

static int emit_once(struct aioevt *mgr, const char *name, const void *payload, size_t size,
		     uint64_t deadline)
{
	struct outlet spare = { .is_busy = 1 }, *o;
	int err = outlet_take(mgr, name, &spare, &o), again;

	if (err == -ESTALE) {
		/* found by opening: nothing is open of it here */
		struct link *stale = link_get(mgr), *link;

		err = link_renew(mgr, stale, &link);
		link_put(stale);
		if (!err)
			link_put(link);
		return err < 0 ? err : -ESTALE;
	}
	if (err < 0)
		return err;
	err = deadline ? aioevt_shm_emit_wait(o->event, payload, size, deadline, NULL) :
			 aioevt_shm_emit(o->event, payload, size, NULL);
	if (__builtin_expect(err == -ESTALE, 0)) {
		again = renew(mgr, o);
		err = again < 0 ? again : err;
	}
	outlet_give(o, &spare);
	return err;
}

static int emit_payload(struct aioevt *mgr, const char *name, const void *payload, size_t size,
			uint64_t deadline)
{
	int err = -ESTALE;

	for (unsigned i = 0; err == -ESTALE && i < ATTEMPTS; i++)
		err = emit_once(mgr, name, payload, size, deadline);
	return err;
}

/* What is to be emitted. */
struct payload {
	const struct aioevt_data *data;		/* or NULL: */
	struct aioevt_args args;
	struct aioevt_kwargs kwargs;
};

static int encode(const struct payload *what, void *buf, size_t size, size_t *ret_size)
{
	return what->data ? data_encode(what->data, buf, size, ret_size) :
			   data_encode_args(what->args, what->kwargs, buf, size, ret_size);
}

static int emit_big(struct aioevt *mgr, const char *name, const struct payload *what, size_t size,
		    uint64_t deadline)
{
	void *buf = malloc(size);
	int err = buf ? encode(what, buf, size, &size) : -ENOMEM;

	if (!err)
		err = emit_payload(mgr, name, buf, size, deadline);
	free(buf);
	return err;
}

static int emit(struct aioevt *mgr, const char *name, const struct payload *what, uint64_t deadline)
{
	unsigned char buf[ON_STACK];
	size_t size;
	int err = manager_check(mgr);

	if (err < 0)
		return err;
	if (!name)
		return -EINVAL;
	err = encode(what, buf, sizeof(buf), &size);
	if (err == -ENOBUFS)
		return size > AIOEVT_SHM_PAYLOAD_MAX ? -EMSGSIZE :
		       emit_big(mgr, name, what, size, deadline);
	return err < 0 ? err : emit_payload(mgr, name, buf, size, deadline);
}

int aioevt_emit(struct aioevt *mgr, const char *name, struct aioevt_args args,
		struct aioevt_kwargs kwargs)
{
	const struct payload what = { .args = args, .kwargs = kwargs };

	return emit(mgr, name, &what, 0);
}

int aioevt_emit_data(struct aioevt *mgr, const char *name, const struct aioevt_data *data)
{
	const struct payload what = { .data = data };

	return data ? emit(mgr, name, &what, 0) : -EINVAL;
}

int aioevt_emit_wait(struct aioevt *mgr, const char *name, struct aioevt_args args,
		     struct aioevt_kwargs kwargs, uint64_t deadline)
{
	const struct payload what = { .args = args, .kwargs = kwargs };

	return emit(mgr, name, &what, deadline ? deadline : 1);
}
