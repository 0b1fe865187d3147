/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_H
#define AIOEVT_H

/*
 * Named events between threads and processes, with typed data, callbacks and waits. libaioevt(7)
 * is the guided tour; each function has a page in section 3. aioevt-shm.h is the layer below: a
 * program needs it only to choose what a bus is made with.
 *
 * Functions return 0 or a documented positive result, or a negative errno value;
 * aioevt_strerror() has a sentence for each. Outputs come last and change on success only.
 * Besides what a function lists, every one that takes a manager, or what belongs to one, may
 * return
 *   -ECHILD    called in a child made by fork(): the child opens a manager for itself
 *   -ESHUTDOWN the manager is being closed
 *   -EPROTO    the bus file holds something no participant writes, or was truncated
 *   -EBUSY     others changed the same thing first, thousands of times in a row; try again
 * A bus that is removed is no error here: the manager attaches to the bus that has its name
 * next, and makes it if there is none (with AIOEVT_EXISTING: -ENOENT until there is one).
 *
 * NULL for a pointer that may not be NULL is -EINVAL: an object, a name, a callback, an output, or
 * what a count is of. A function that returns something else than an error then returns NULL or 0; one
 * that returns nothing, or drops or closes, does nothing. NULL in place of data holds nothing: to the
 * functions that look into it there is no such value (NULL, 0, "", -ENOENT).
 *
 * Threads: every function may be called from any thread, unless it says otherwise. None is a
 * cancellation point. Async-signal-safe are aioevt_raw_emit(), aioevt_strerror(), aioevt_in_ms(),
 * aioevt_in_ns() and the functions that make a struct aioevt_value, and no others.
 *
 * Times are nanoseconds. A deadline is absolute on CLOCK_MONOTONIC: see aioevt_in_ms().
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

#define AIOEVT_FOREVER	UINT64_MAX		/* a deadline that never comes */
#define AIOEVT_MS	UINT64_C(1000000)	/* ns */
#define AIOEVT_S	UINT64_C(1000000000)	/* ns */

struct aioevt;			/* a manager: an attached bus with its evts and loops */
struct aioevt_data;		/* what an event carries: args and kwargs; counted */
struct aioevt_evt;		/* a registration: name, callback, loop, recurring; counted */
struct aioevt_loop;		/* runs callbacks in the thread that drives it; counted */
struct aioevt_raw;		/* one event, made ready for signal handlers */
struct aioevt_shm_config;	/* aioevt-shm.h */

/* The deadline that is @ms milliseconds, or @ns nanoseconds, from now. Async-signal-safe. */
uint64_t aioevt_in_ms(uint64_t ms);
uint64_t aioevt_in_ns(uint64_t ns);

/*
 * A sentence for what a function of this header returned: a static string. It knows what a typed
 * accessor found and what it was asked for. Any thread; async-signal-safe.
 */
const char *aioevt_strerror(int err);

/* ---- values ----------------------------------------------------------------------------- */

enum aioevt_type {
	AIOEVT_NULL = 0,
	AIOEVT_BOOL,
	AIOEVT_INT,			/* -2^63 to 2^63-1 */
	AIOEVT_UINT,			/* 2^63 to 2^64-1: what fits is an AIOEVT_INT */
	AIOEVT_DOUBLE,
	AIOEVT_TEXT,			/* UTF-8, may hold NUL; not terminated */
	AIOEVT_BYTES,
	AIOEVT_LIST,
	AIOEVT_MAP			/* keys are text */
};

/*
 * One value, passed by copy. Strings and contents are borrowed: what they point to must stay
 * until the call that got the value returns, or as long as the data that it is a part of.
 */
struct aioevt_value {
	uint8_t type;			/* enum aioevt_type */
	uint8_t is_owned;		/* for the library; 0 */
	uint16_t reserved;
	uint32_t room;			/* for the library; 0 */
	union {
		int boolean;
		int64_t integer;
		uint64_t natural;
		double real;
		size_t n;		/* bytes of a string, items, members */
	};
	union {
		const char *string;
		struct aioevt_value *items;
		struct aioevt_member *members;
	};
};

struct aioevt_member {
	struct aioevt_value key;	/* text */
	struct aioevt_value value;
};

struct aioevt_value aioevt_null(void);
struct aioevt_value aioevt_bool(int boolean);
struct aioevt_value aioevt_int(int64_t integer);
struct aioevt_value aioevt_uint(uint64_t natural);
struct aioevt_value aioevt_double(double real);
struct aioevt_value aioevt_text(const char *text);		/* NULL is aioevt_null() */
struct aioevt_value aioevt_text_n(const char *text, size_t size);
struct aioevt_value aioevt_bytes(const void *bytes, size_t size);
struct aioevt_value aioevt_list(const struct aioevt_value *items, size_t n);
struct aioevt_value aioevt_map(const struct aioevt_member *members, size_t n);

/* Positional values; and named ones, as key, value, key, value. AIOEVT_ARGS() makes them. */
struct aioevt_args {
	const struct aioevt_value *values;
	size_t n;
};
struct aioevt_kwargs {
	const struct aioevt_value *values;
	size_t n;			/* keys and values together */
};

/* ---- data ------------------------------------------------------------------------------- */

/*
 * Make data out of @args and @kwargs, which are copied. Returns 0, -ENOMEM, or
 *   -EINVAL  a key is not text, or one has no value
 *   -EEXIST  a key is there twice
 *   -EILSEQ  a text is not UTF-8
 *   -E2BIG   lists and maps are nested deeper than 14
 */
int aioevt_data_new(struct aioevt_args args, struct aioevt_kwargs kwargs,
		    struct aioevt_data **ret_data);

/* Another reference to @data; and one less, which frees it if it was the last. */
struct aioevt_data *aioevt_data_ref(struct aioevt_data *data);
struct aioevt_data *aioevt_data_unref(struct aioevt_data *data);

/* Data of its own with the same args and kwargs, to be changed. Returns 0, -ENOMEM. */
int aioevt_data_copy(const struct aioevt_data *data, struct aioevt_data **ret_data);

/* Whether args and kwargs are the same to the bit: 1 or 0. A NaN is the same as a NaN, NULL as NULL. */
int aioevt_data_equal(const struct aioevt_data *a, const struct aioevt_data *b);

/*
 * Build: a copy of @value at the end of the args; a copy as kwarg @key, in place of what was
 * there; take kwarg @key away. One thread at a time, and before anybody else has the data: what was
 * received or emitted, or is referred to twice, is not changed: -EBUSY. Returns 0, -EBUSY, -ENOMEM,
 * -EINVAL (no key), -EILSEQ, -E2BIG, -EEXIST (in a map); to take away also -ENOENT.
 */
int aioevt_data_add(struct aioevt_data *data, struct aioevt_value value);
int aioevt_data_set(struct aioevt_data *data, const char *key, struct aioevt_value value);
int aioevt_data_unset(struct aioevt_data *data, const char *key);

/* How many there are. */
size_t aioevt_data_n_args(const struct aioevt_data *data);
size_t aioevt_data_n_kwargs(const struct aioevt_data *data);

/* The value of arg @i, or of @key; NULL if there is none. Valid until the data is changed or freed. */
const struct aioevt_value *aioevt_data_arg(const struct aioevt_data *data, size_t i);
const struct aioevt_value *aioevt_data_kwarg(const struct aioevt_data *data, const char *key);

/* The @i-th kwarg, in the order of the wire: shorter keys first. NULL behind the last. */
const struct aioevt_member *aioevt_data_member(const struct aioevt_data *data, size_t i);

/*
 * Typed: arg @i, or the kwarg @key if @key is not NULL. Returns 0, or
 *   -ENOENT  there is none
 *   -ERANGE  the number does not fit into the type asked for
 *   -AIOEVT_EMISMATCH(found, asked)  it is of another type; aioevt_strerror() says which
 * A whole number may be asked for as a double if that has it exactly. Text ends with a NUL that is
 * not counted; text that holds a NUL is -EILSEQ, unless ret_size is given. Bytes are as they are.
 */
int aioevt_get_bool(const struct aioevt_data *data, size_t i, const char *key, int *ret_bool);
int aioevt_get_int(const struct aioevt_data *data, size_t i, const char *key, int64_t *ret_int);
int aioevt_get_uint(const struct aioevt_data *data, size_t i, const char *key,
		    uint64_t *ret_uint);
int aioevt_get_double(const struct aioevt_data *data, size_t i, const char *key,
		      double *ret_double);
int aioevt_get_text(const struct aioevt_data *data, size_t i, const char *key,
		    const char **ret_text, size_t *ret_size);
int aioevt_get_bytes(const struct aioevt_data *data, size_t i, const char *key,
		     const void **ret_bytes, size_t *ret_size);

#define AIOEVT_EMISMATCH_BASE		0x10000
#define AIOEVT_EMISMATCH(found, asked)	(AIOEVT_EMISMATCH_BASE | (int)(found) << 8 | (int)(asked))
#define AIOEVT_IS_MISMATCH(err)		((err) <= -AIOEVT_EMISMATCH_BASE)

/*
 * Of data that was received: the event's name; its sequence number; when it was emitted (ns,
 * CLOCK_REALTIME, up to a few kernel ticks of 1 to 10 ms early); how many records were lost to this reader between the one before and this
 * (AIOEVT_MISSED_UNKNOWN: the bus was removed and made anew in between). "", 0, 0, 0 for other data.
 */
const char *aioevt_data_event(const struct aioevt_data *data);
uint64_t aioevt_data_seq(const struct aioevt_data *data);
uint64_t aioevt_data_time(const struct aioevt_data *data);
uint64_t aioevt_data_missed(const struct aioevt_data *data);

#define AIOEVT_MISSED_UNKNOWN	UINT64_MAX

/*
 * The payload as it came or would be sent (deterministic CBOR), valid as long as the data. Another
 * program of the engine may have emitted bytes that are no data: then there are neither args nor kwargs,
 * and it returns -EBADMSG, with the bytes. Returns 0, -EBADMSG, -ENOMEM.
 */
int aioevt_data_payload(struct aioevt_data *data, const void **ret_payload, size_t *ret_size);

/* ---- managers --------------------------------------------------------------------------- */

/* Flags of aioevt_open() */
#define AIOEVT_EXISTING		(1u << 0)	/* never create: -ENOENT if there is none */
#define AIOEVT_ANONYMOUS	(1u << 1)	/* a bus for this process only; no name */
#define AIOEVT_GROUP		(1u << 2)	/* a bus that a group shares */

/*
 * Attach to the bus @name, made if there is none; NULL means the environment's AIOEVT_BUS, or else
 * "default". @config (may be NULL) and the errors are those of aioevt_shm_open(3). Returns 0 and
 * the manager, to be closed with aioevt_close().
 */
int aioevt_open(const char *name, const struct aioevt_shm_config *config, uint32_t flags,
		struct aioevt **ret_mgr);

/*
 * Unregister everything, end the waits of other threads (-ESHUTDOWN), stop the loops, and detach.
 * When it returns no callback runs and none will; from inside a callback, that one runs on to its end.
 * Loops and evts that the caller has references to stay valid, and do nothing. No other thread may be
 * in a call on the manager meanwhile, but in a wait or a run (with the callbacks that it calls). Takes NULL. Always returns NULL. In a child
 * made by fork() it does nothing: the locks of threads that are not there may be held for ever.
 */
struct aioevt *aioevt_close(struct aioevt *mgr);

/*
 * The loop for registrations that name none and are not made inside a running loop of this
 * manager, instead of the manager's own thread. NULL: the own thread again.
 */
int aioevt_set_default_loop(struct aioevt *mgr, struct aioevt_loop *loop);

/* ---- emitting --------------------------------------------------------------------------- */

/*
 * Emit @name to all who wait for it or have registered, here and in other processes; it need not be
 * anybody. Never waits for them and keeps no lock; allocates nothing once the event was emitted before
 * from here and the payload is at most 4 KiB. May be called inside a callback. Returns 0, or
 *   -EAGAIN    a reliable registration somewhere has not made room; nothing was emitted
 *   -EMSGSIZE  larger than the bus allows (16 MiB)
 *   -EINVAL    the name, or a kwarg without a value or with a key that is not text
 *   -EEXIST    a key is there twice
 *   -EILSEQ, -E2BIG, -ENOSPC, -ENOMEM, -EFBIG, -ENOBUFS   see aioevt_data_new(), aioevt_shm(3)
 */
int aioevt_emit(struct aioevt *mgr, const char *name, struct aioevt_args args,
		struct aioevt_kwargs kwargs);
int aioevt_emit_data(struct aioevt *mgr, const char *name, const struct aioevt_data *data);

/* The same, but sleep until there is room, at most until @deadline: then -EAGAIN. */
int aioevt_emit_wait(struct aioevt *mgr, const char *name, struct aioevt_args args,
		     struct aioevt_kwargs kwargs, uint64_t deadline);

/*
 * Emit @delay_ns from now. It is kept on the bus: it is emitted even if this process has ended. Whoever
 * listens to the event then emits it; nobody does, it is emitted when somebody comes.
 * *ret_id (may be NULL) is for aioevt_cancel(). Returns 0, -ENOSPC (1024 are pending), or as aioevt_emit().
 */
int aioevt_emit_after(struct aioevt *mgr, uint64_t delay_ns, const char *name,
		      struct aioevt_args args, struct aioevt_kwargs kwargs, uint64_t *ret_id);

/* Take it back, from any process. Returns 0, or -ENOENT: it was emitted, or taken back, already. */
int aioevt_cancel(struct aioevt *mgr, uint64_t id);

/*
 * For signal handlers: open the event @name ahead; emit to it, inside a handler too, whatever the
 * interrupted thread was doing; close it (takes NULL, returns NULL). Besides the errors of aioevt_emit()
 *   -EBUSY     8 threads are in the midst of it
 *   -EPIPE     the event was grown or removed, or the bus was: open it anew, outside of the handler
 *   -EMSGSIZE  over the bus's inline size (104 bytes of CBOR)
 */
int aioevt_raw_open(struct aioevt *mgr, const char *name, struct aioevt_raw **ret_raw);
int aioevt_raw_emit(struct aioevt_raw *raw, struct aioevt_args args, struct aioevt_kwargs kwargs);
struct aioevt_raw *aioevt_raw_close(struct aioevt_raw *raw);

/* ---- callbacks -------------------------------------------------------------------------- */

/*
 * Called on the thread that drives the loop of @evt, once for each emit, in the order of their
 * numbers. @data is the library's, and valid until the callback returns: to keep it longer,
 * aioevt_data_ref(). @data is NULL if no event came: aioevt_evt_status(@evt) says why (-ETIMEDOUT,
 * -ECANCELED). May call every function of this header. A C++ exception ends the run of the loop, and
 * the record goes on to the others in the next; longjmp(3) out of it is forbidden.
 */
typedef void (*aioevt_fn)(struct aioevt_evt *evt, struct aioevt_data *data, void *userdata);

/* Flags of aioevt_register() */
#define AIOEVT_ONCE	(1u << 8)	/* not recurring: for one event, then unregistered */
#define AIOEVT_LOSSY	(1u << 9)	/* may be overtaken, and is told how many it missed; otherwise
					 * emitters get -EAGAIN when it is a whole ring behind */

/*
 * Call @fn for each emit of the event @name from now on, or of all events under a pattern ("job.*",
 * "job.>"). Several may have the same name; in one loop they are called in the order of their
 * registration, with the same data. @loop NULL means the loop of this manager that the calling thread is
 * running, else the default loop, else a thread of the manager's own, started now if there is none.
 * Once it returns no emit is missed, whether or not the loop runs yet. *ret_evt (may be NULL) is a
 * reference for the caller to drop; the registration does not depend on it. Returns 0, -EINVAL
 * (name, flags, or a loop of another manager), -ENOSPC, -ENOMEM, -EFBIG, -EUSERS, -EAGAIN (no thread).
 */
int aioevt_register(struct aioevt *mgr, const char *name, aioevt_fn fn, void *userdata,
		    struct aioevt_loop *loop, uint32_t flags, struct aioevt_evt **ret_evt);

/* aioevt_register(@mgr, @name, @fn, @userdata, NULL, 0, NULL) */
int aioevt_on(struct aioevt *mgr, const char *name, aioevt_fn fn, void *userdata);

/*
 * Register for all records after number @after (aioevt_data_seq() of the one last seen; 0: all that are
 * held), then those to come. A plain name only.
 */
int aioevt_register_after(struct aioevt *mgr, const char *name, uint64_t after, aioevt_fn fn,
			  void *userdata, struct aioevt_loop *loop, uint32_t flags,
			  struct aioevt_evt **ret_evt);

/*
 * Wait without blocking: @fn is called exactly once, with the first event, or with NULL at @deadline
 * (-ETIMEDOUT) or when it is ended by aioevt_unregister_fn(), aioevt_close() or the end of its loop
 * (-ECANCELED). aioevt_evt_unregister() ends it without a call, aioevt_unregister() leaves it alone. If
 * nobody runs the loop, the thread that ends it calls @fn. Errors as aioevt_register().
 */
int aioevt_wait_on(struct aioevt *mgr, const char *name, uint64_t deadline, aioevt_fn fn,
		   void *userdata, struct aioevt_loop *loop, struct aioevt_evt **ret_evt);

/*
 * Unregister: all of the name or pattern @name; all that call @fn; one evt. When it returns the callback
 * is not running and will not run; called inside a callback of that same loop it does not wait: it will
 * not run again. Returns how many it were (an evt: 1, or 0 if it was unregistered already), or
 *   -EDEADLK  done, but a callback still runs whose thread waits, perhaps through others, for the end of
 *             the callback that this was called from
 */
int aioevt_unregister(struct aioevt *mgr, const char *name);
int aioevt_unregister_fn(struct aioevt *mgr, aioevt_fn fn);
int aioevt_evt_unregister(struct aioevt_evt *evt);

struct aioevt_evt *aioevt_evt_ref(struct aioevt_evt *evt);
struct aioevt_evt *aioevt_evt_unref(struct aioevt_evt *evt);	/* takes and returns NULL */

const char *aioevt_evt_name(const struct aioevt_evt *evt);
aioevt_fn aioevt_evt_fn(const struct aioevt_evt *evt);
void *aioevt_evt_userdata(const struct aioevt_evt *evt);
int aioevt_evt_recurring(const struct aioevt_evt *evt);

/* Not counted: valid inside a callback, or as long as the caller keeps the loop, or manager. */
struct aioevt_loop *aioevt_evt_loop(const struct aioevt_evt *evt);
struct aioevt *aioevt_evt_manager(const struct aioevt_evt *evt);

/* 0 while it is registered; -ETIMEDOUT, or -ECANCELED once it is not. */
int aioevt_evt_status(const struct aioevt_evt *evt);

/* ---- waiting ---------------------------------------------------------------------------- */

/*
 * Sleep until the event @name, or any under a pattern, is emitted, at most until @deadline. *ret_data
 * (may be NULL) is what it carries, to be unreferenced. What was emitted before the call is not
 * waited for: see aioevt_wait_after(). Leaves nothing behind. Returns 0, -ETIMEDOUT, -EINVAL, -ENOSPC,
 * -ENOMEM, -EFBIG, -EUSERS.
 */
int aioevt_wait(struct aioevt *mgr, const char *name, uint64_t deadline,
		struct aioevt_data **ret_data);

/* The first record after number @after, held or to come. A plain name only. */
int aioevt_wait_after(struct aioevt *mgr, const char *name, uint64_t after, uint64_t deadline,
		      struct aioevt_data **ret_data);

/*
 * The first event of any of @n names or patterns: *ret_i (may be NULL) tells which; or one event of
 * each: ret_data[0] to ret_data[n-1], all or none. -EINVAL also if @n is 0.
 */
int aioevt_wait_any(struct aioevt *mgr, const char *const *names, size_t n, uint64_t deadline,
		    size_t *ret_i, struct aioevt_data **ret_data);
int aioevt_wait_all(struct aioevt *mgr, const char *const *names, size_t n, uint64_t deadline,
		    struct aioevt_data **ret_data);

/* The newest record of @name that is held. Never waits. Returns 0, -ENOENT, -ENOMEM, -EINVAL, -EUSERS. */
int aioevt_last(struct aioevt *mgr, const char *name, struct aioevt_data **ret_data);

/*
 * How many listen to @name in all processes: one for each loop or wait, by name or by a pattern that has
 * met the event; observers do not count. A counted listener hears what is emitted from then on. 0: none.
 */
int aioevt_n_listeners(struct aioevt *mgr, const char *name);

/* ---- loops ------------------------------------------------------------------------------ */

/* A loop of one's own. To be given up with aioevt_loop_unref(). Returns 0, -EUSERS, -ENOMEM. */
int aioevt_loop_new(struct aioevt *mgr, struct aioevt_loop **ret_loop);

struct aioevt_loop *aioevt_loop_ref(struct aioevt_loop *loop);

/*
 * Drop a reference. The registrations of a loop that is freed end (-ECANCELED); one that runs is freed
 * when it stops. Takes NULL. Always returns NULL.
 */
struct aioevt_loop *aioevt_loop_unref(struct aioevt_loop *loop);

/*
 * Run callbacks in the calling thread until aioevt_loop_stop() (returns 0) or @deadline
 * (-ETIMEDOUT). Returns -EBUSY if the loop is running already, -EDEADLK inside one of its callbacks.
 */
int aioevt_loop_run(struct aioevt_loop *loop);
int aioevt_loop_run_until(struct aioevt_loop *loop, uint64_t deadline);

/*
 * Let the run that goes on, or else the next one, return, once the event it is at was given to all who
 * registered for it. Any thread; inside a callback too. The manager's own thread goes on all the same.
 */
void aioevt_loop_stop(struct aioevt_loop *loop);

/* The loop of @mgr whose callback the calling thread is in, or that it runs; NULL if none. */
struct aioevt_loop *aioevt_loop_current(struct aioevt *mgr);

/*
 * How long a run may poll before it sleeps: @always_ns each time, @busy_ns while events are arriving in
 * quick succession: eight at least, none of which was slept for longer than twice @busy_ns. Both are 0
 * at first.
 */
void aioevt_loop_set_spin(struct aioevt_loop *loop, uint64_t always_ns, uint64_t busy_ns);

/*
 * To be driven by another event loop: the descriptor becomes readable (poll for
 * aioevt_loop_get_events()) when aioevt_loop_process() has something to do, deadlines included. The
 * descriptor stays the loop's. A thread that sleeps for it is started by the first call, once per loop.
 * Returns the descriptor, -EMFILE, -ENFILE, -ENOMEM, -EAGAIN (no thread).
 */
int aioevt_loop_get_fd(struct aioevt_loop *loop);

/* What to poll the descriptor for: POLLIN. */
int aioevt_loop_get_events(struct aioevt_loop *loop);

/*
 * The deadline at which aioevt_loop_process() has to be called at the latest, for who does not
 * poll the descriptor; AIOEVT_FOREVER: none. 0: now.
 */
int aioevt_loop_get_timeout(struct aioevt_loop *loop, uint64_t *ret_deadline);

/*
 * Run what is due, a bounded number of callbacks; never sleeps. The thread that calls it is the loop's
 * for that time. Returns how many were called, -EBUSY, -EDEADLK.
 */
int aioevt_loop_process(struct aioevt_loop *loop);

/*
 * @fn is called with each error that aioevt_loop_process() returns, on the thread that called it, so that
 * errors are seen of a loop that an adapter drives; and by the manager's own thread with an error that it
 * meets anew. @err lasts and is tried again, once a second; after -ECHILD (a forked child) the adapters
 * stop. It must not detach an adapter. NULL: nobody. Returns 0, -EINVAL.
 */
typedef void (*aioevt_error_fn)(struct aioevt_loop *loop, int err, void *userdata);
int aioevt_loop_on_error(struct aioevt_loop *loop, aioevt_error_fn fn, void *userdata);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#include <aioevt-args.h>

#endif
