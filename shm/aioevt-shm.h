/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_SHM_H
#define AIOEVT_SHM_H

/*
 * The engine of aioevt: named events in shared memory. aioevt-shm(7) tells the model,
 * aioevt_shm(3) is the reference.
 *
 * Functions return 0 or a documented positive result, or a negative errno value. Outputs
 * come last and change on success only, unless a function says otherwise. Besides what a
 * function lists, every one that takes a bus, an event, a listener or a sub may return
 *   -ECHILD  called in a child made by fork(); the child opens the bus for itself
 *   -ESTALE  the bus file was removed; close the bus and open it again
 *   -EPROTO  the bus file holds something no participant writes, or was truncated
 *   -EBUSY   others changed the same thing first, thousands of times in a row; try again
 *
 * NULL for a pointer that may not be NULL is -EINVAL: an object, a name, an output, or what a size
 * is of. A function that returns something else than an error then returns NULL or 0; one that
 * returns nothing, or closes or frees, does nothing.
 *
 * Threads: a struct aioevt_shm may be used by any number of threads at once. An event, a
 * listener (with its subs) and a walk belong to one thread at a time; open one for each
 * thread, they share their mappings. Async-signal-safe are aioevt_shm_name_check(),
 * aioevt_shm_pattern_check() and aioevt_shm_pattern_match() only. No function is a
 * cancellation point: who is cancelled while it waits ends when the wait does.
 *
 * Times are nanoseconds. A deadline is absolute on CLOCK_MONOTONIC; the time of a record
 * is CLOCK_REALTIME. Sequence numbers of an event start at 1; 0 means none.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

#define AIOEVT_SHM_NAME_MAX		127u		/* bytes of an event's name */
#define AIOEVT_SHM_BUS_MAX		64u		/* bytes of a bus's name */
#define AIOEVT_SHM_PAYLOAD_MAX		16777216u	/* bytes, the largest max_payload */

#define AIOEVT_SHM_NO_DEADLINE		UINT64_MAX	/* wait for ever */

struct aioevt_shm;		/* an attached bus; takes one port */
struct aioevt_shm_event;	/* an event opened for emitting and inspection */
struct aioevt_shm_listener;	/* what sleeps: one doorbell for any number of subs */
struct aioevt_shm_sub;		/* a listener's reader of one event */

/*
 * What a bus is made with. Start from AIOEVT_SHM_CONFIG_INIT; a field of 0 means its
 * default, or less on a file system so small that the tables would take more than an eighth of
 * it, or eight rings more than a quarter. An existing bus keeps its configuration; this one is
 * ignored then. Out of range is -EINVAL (aioevt_shm_config_check() tells which and why).
 */
struct aioevt_shm_config {
	uint32_t size;		/* sizeof(struct aioevt_shm_config) */
	uint32_t n_events;	/* 64 to 32768, rounded up to 64s; default 4096 */
	uint32_t n_listeners;	/* 64 to 8192, also the ports; rounded up; default 1024 */
	uint32_t depth;		/* records a ring holds: 8 to 1048576, rounded up to a
				 * power of two; default 1024 */
	uint32_t inline_size;	/* payload bytes kept in the ring itself: up to 65512,
				 * rounded up; default 104 */
	uint32_t max_payload;	/* bytes, up to AIOEVT_SHM_PAYLOAD_MAX, the default */
	uint64_t ring_budget;	/* bytes of memory for rings; default 64 MiB, more if the
				 * rings are that deep, but a quarter of the file system at
				 * most */
	uint64_t large_budget;	/* bytes of memory for payloads over the inline size; default
				 * half of the file system */
	gid_t group;		/* with AIOEVT_SHM_GROUP: the group that shares the bus */
};
#define AIOEVT_SHM_CONFIG_INIT { sizeof(struct aioevt_shm_config), 0, 0, 0, 0, 0, 0, 0, 0 }

/*
 * Say which field of @config is out of range. *ret_field (a static string), *ret_min and
 * *ret_max describe the first one found. Returns 0, or -EINVAL. Any thread, any time.
 */
int aioevt_shm_config_check(const struct aioevt_shm_config *config,
			    const char **ret_field, uint64_t *ret_min, uint64_t *ret_max);

/* Flags of aioevt_shm_open() */
#define AIOEVT_SHM_EXISTING	(1u << 0)	/* never create: -ENOENT if there is none */
#define AIOEVT_SHM_ANONYMOUS	(1u << 1)	/* a bus for this process only; no name */
#define AIOEVT_SHM_GROUP	(1u << 2)	/* create with mode 0660 and config->group;
						 * accept a bus that a group shares */
#define AIOEVT_SHM_EXCLUSIVE	(1u << 3)	/* create it: -EEXIST if there is one */

/*
 * Attach to the bus @name, or create it whole if there is none. @name NULL means the
 * environment's AIOEVT_BUS, or else "default". A name is 1 to 64 of [A-Za-z0-9._-], not
 * starting with a dot; "UID:NAME" asks for another user's bus, which must be shared by
 * group (AIOEVT_SHM_GROUP is implied). The file is "aioevt.UID.NAME" in the directory
 * AIOEVT_DIR, or else /dev/shm. @config may be NULL.
 *
 * Never waits for another participant. Returns 0 and the bus, to be closed with
 * aioevt_shm_close(), or
 *   -EINVAL     the name, the configuration or the flags are not acceptable
 *   -ENOENT     no such bus (AIOEVT_SHM_EXISTING, or another user's), or no directory
 *   -EEXIST     there is one already, or something else by that name (AIOEVT_SHM_EXCLUSIVE)
 *   -EPERM      the file's owner, mode or type is not what a bus of that user has
 *   -EACCES     the file or directory may not be opened
 *   -ENOEXEC    not a bus of this version: wrong magic, flags, signature or size;
 *               aioevt_shm_inspect() tells the versions
 *   -ENOSPC     no memory for the file, or @config has rings larger than the file system;
 *               -EFBIG: RLIMIT_FSIZE is too small for it
 *   -EUSERS     every port is taken by a live participant
 *   -EBUSY      somebody created and removed it again and again meanwhile
 *   -ENAMETOOLONG, -ENOMEM, -EMFILE, -ENFILE, or another error of mmap(2)
 */
int aioevt_shm_open(const char *name, const struct aioevt_shm_config *config,
		    uint32_t flags, struct aioevt_shm **ret_bus);

/*
 * Detach. Events, listeners and subs of @bus must have been closed before. Takes NULL.
 * Always returns NULL. In a child made by fork() it frees the child's memory only.
 */
struct aioevt_shm *aioevt_shm_close(struct aioevt_shm *bus);

/*
 * Write the path of the file that aioevt_shm_open(@name) would use into @buf. Returns its
 * length, or -EINVAL (name), -ENAMETOOLONG. Reads the environment.
 */
int aioevt_shm_path(const char *name, char *buf, size_t size);

/*
 * Remove a bus: participants get -ESTALE within a second. Returns 0, -ENOENT, -EINVAL,
 * -EPERM, -EACCES. What aioevt_shm_open() refuses is not removed, except that a bus of another
 * version of the format is.
 */
int aioevt_shm_unlink(const char *name);

struct aioevt_shm_info {
	uint32_t n_events, n_listeners, depth, inline_size, max_payload;
	uint32_t port;			/* mine */
	uint64_t ring_budget, large_budget;	/* bytes */
	uint64_t memory;		/* bytes the file takes, tables included */
	uint32_t events_used, ports_used, listeners_used;
};

/*
 * Be safe from others who truncate a bus file: install a handler for SIGBUS. When an access
 * to a bus finds that its file was cut off, that bus is broken: the call that met it and all
 * later ones on it return -EPROTO, and the program goes on. Without it the program is killed
 * by SIGBUS, as with any mapped file. Any other SIGBUS goes to the handler that was there
 * before this call, or has the effect it had. Good for all buses, open or not yet; calls after
 * the first do nothing. A library leaves it to the program whether to call it. The program
 * installs no handler for SIGBUS after it. Any thread. Returns 0.
 */
int aioevt_shm_guard_sigbus(void);

/* What the bus was made with and how full it is. Returns 0. */
int aioevt_shm_get_info(struct aioevt_shm *bus, struct aioevt_shm_info *ret_info);

/* ---- names ---------------------------------------------------------------------- */

/*
 * Check an event's name: valid UTF-8, 1 to 127 bytes, tokens separated by ".", no empty
 * token, no white space, control character, "*" or ">". Returns 0, or -EINVAL with the
 * offset of the offending byte (@len if the end came too early) in *ret_offset and the
 * reason, a static string, in *ret_why; either may be NULL.
 */
int aioevt_shm_name_check(const char *name, size_t len, size_t *ret_offset,
			  const char **ret_why);

/*
 * The same for a pattern, in which a token "*" stands for any one token and a last token
 * ">" for one or more. Returns 1 if it has such a token, 0 if it is a plain name, -EINVAL.
 */
int aioevt_shm_pattern_check(const char *pattern, size_t len, size_t *ret_offset,
			     const char **ret_why);

/* Whether the checked @name falls under the checked @pattern: 1 or 0. */
int aioevt_shm_pattern_match(const char *pattern, const char *name);

/* ---- events --------------------------------------------------------------------- */

/* Flags of aioevt_shm_event_open() */
#define AIOEVT_SHM_PRECISE_TIME	(1u << 8)	/* stamp records with CLOCK_REALTIME rather
						 * than CLOCK_REALTIME_COARSE, which is up
						 * to a few kernel ticks (of 1 to 10 ms)
						 * behind and costs a fifth */

/*
 * Open the event @name, which comes into being if it is new (unless @flags has
 * AIOEVT_SHM_EXISTING). If the table, the memory budget or the file system is full, the
 * event nobody has open that was last used longest ago is retired for it. An open event is
 * never retired, and none is if that would not make room enough. Returns 0, or -EINVAL (name or
 * flags), -ENOENT, -ENOSPC (full, and what is not in use would not suffice), -ENOMEM, -EFBIG.
 */
int aioevt_shm_event_open(struct aioevt_shm *bus, const char *name, uint32_t flags,
			  struct aioevt_shm_event **ret_event);

/* Close it. Takes NULL. Always returns NULL. */
struct aioevt_shm_event *aioevt_shm_event_close(struct aioevt_shm_event *event);

/*
 * Emit one record: @size bytes at @data (NULL if 0). Lock-free and never waits for another
 * participant; no allocation and no lock, except that a ring which was closed (grown or
 * removed meanwhile) is looked up anew, and a full file system costs idle events, if they suffice. A
 * payload over the bus's inline size costs one pwrite(2), a sleeping listener one
 * futex(2). *ret_seq (may be NULL) is its sequence
 * number. Returns 0, or
 *   -EAGAIN    a reliable reader has not made room; nothing was emitted
 *              (aioevt_shm_event_get_info() names it)
 *   -EMSGSIZE  @size is over the bus's max_payload
 *   -ENOSPC    no memory for a payload over the inline size
 *   -EFBIG     RLIMIT_FSIZE is set, or the directory is not on a tmpfs, which a payload
 *              over the inline size needs: it lies at a large offset of the file
 *   -ENOENT    the event was opened with AIOEVT_SHM_EXISTING and is removed
 *   -ENOBUFS   as many threads as the ring is deep are stopped in the midst of emitting to
 *              this event, or as many as the bus has ports with such a payload
 */
int aioevt_shm_emit(struct aioevt_shm_event *event, const void *data, size_t size,
		    uint64_t *ret_seq);

/*
 * The same, but sleep until reliable readers have made room, at the latest until
 * @deadline: then -EAGAIN.
 */
int aioevt_shm_emit_wait(struct aioevt_shm_event *event, const void *data, size_t size,
			 uint64_t deadline, uint64_t *ret_seq);

/*
 * The same, and then sleep until @n of the reliable readers that were there before have handled
 * the record: they have read it, and come back for what is behind it, or said so by
 * aioevt_shm_sub_handled(). One that ends in another way has not. Returns
 *   0              as many have
 *   -ETIMEDOUT     it was emitted; @deadline came first
 *   -ENOLINK       it was emitted; fewer than @n of them are left, or the event was removed
 *   other          nothing was emitted, as above; or -ENOMEM
 * In the first three cases *ret_seq is its number, and *ret_n how many have handled it; either may
 * be NULL. That a reader was killed is noticed within a second.
 */
int aioevt_shm_emit_handled(struct aioevt_shm_event *event, const void *data, size_t size,
			    uint32_t n, uint64_t deadline, uint64_t *ret_seq,
			    uint32_t *ret_n);

/*
 * Emit to the event @name, which comes into being if it is new, once CLOCK_MONOTONIC reaches
 * @due (ns); it is kept on the bus until then, also after the caller exited, and @data is copied.
 * Who listens to the event then emits it, exactly once, at the time due unless all who listen
 * are busy elsewhere. If nobody listens, the next who does, or opens the event to emit,
 * emits it first. Emissions that are due at different times are emitted in that order. The event is not
 * retired meanwhile; removing it cancels. If a reliable reader has not made room, it is tried again
 * until there is. Never waits for another participant. Returns 0 and *ret_id (may be
 * NULL, never 0), for aioevt_shm_cancel(); or -ENOSPC (no memory, or as many as the bus has
 * listeners are scheduled), or what aioevt_shm_event_open() and aioevt_shm_emit() return.
 */
int aioevt_shm_emit_after(struct aioevt_shm *bus, const char *name, const void *data,
			  size_t size, uint64_t due, uint64_t *ret_id);

/*
 * Cancel it, from any process. Returns 0: it was not emitted and will not be; or -ENOENT: it was
 * emitted, or cancelled, or never was; -ENOMEM.
 */
int aioevt_shm_cancel(struct aioevt_shm *bus, uint64_t id);

/*
 * Replace the event's ring by one of at least @depth records (rounded up to a power of
 * two). Numbers go on; what the old ring holds can be read until the event goes. Does
 * nothing if the ring is that deep already. Idle events may be retired for it, as above. Returns
 * 0, -EINVAL (over 1048576), -ENOSPC, -EOVERFLOW (grown 7 times already), -EFBIG, -ENOMEM.
 */
int aioevt_shm_event_grow(struct aioevt_shm_event *event, uint32_t depth);

/*
 * Remove the event @name with its records. Who has it open goes on with a fresh event of
 * that name, whose numbers continue; a reader is told what it missed. Returns 0, -ENOENT,
 * -EINVAL, -ENOMEM.
 */
int aioevt_shm_event_remove(struct aioevt_shm *bus, const char *name);

struct aioevt_shm_event_info {
	uint64_t last_seq;	/* of the newest record; the next is higher. 0: none yet */
	uint64_t n_records;	/* emitted since the event came into being */
	uint64_t last_time;	/* ns, CLOCK_REALTIME; 0: no record is held */
	uint32_t depth;
	uint32_t n_listeners;	/* alive */
	uint32_t n_observers;	/* of them, observers: AIOEVT_SHM_OBSERVE */
	uint32_t n_reliable;	/* of them, reliable */
	pid_t slowest_pid;	/* of the reliable reader that is furthest behind; 0: none */
	uint64_t slowest_lag;	/* records it has not read yet */
};

/* Look at an event without disturbing it. Returns 0, -ENOMEM. */
int aioevt_shm_event_get_info(struct aioevt_shm_event *event,
			      struct aioevt_shm_event_info *ret_info);

/*
 * Walk over the events: *walk starts at 0; each call puts the next name, with its NUL,
 * into @name (AIOEVT_SHM_NAME_MAX + 1 bytes). Events that come or go meanwhile may be
 * shown or not; the others are shown exactly once. Returns 1, or 0 at the end.
 */
int aioevt_shm_event_next(struct aioevt_shm *bus, uint32_t *walk, char *name);

/* ---- listening ------------------------------------------------------------------ */

/* Make a listener. Returns 0, -EUSERS (all taken), -ENOMEM. */
int aioevt_shm_listener_new(struct aioevt_shm *bus,
			    struct aioevt_shm_listener **ret_listener);

/* Free it with all its subs. Takes NULL. Always returns NULL. */
struct aioevt_shm_listener *aioevt_shm_listener_free(struct aioevt_shm_listener *listener);

/*
 * How long aioevt_shm_wait() may poll before it sleeps: for @always_ns each time, and
 * for @busy_ns when records have been arriving in quick succession: eight at least, none of
 * which was slept for longer than twice @busy_ns. Both default to 0.
 */
void aioevt_shm_listener_set_spin(struct aioevt_shm_listener *listener,
				  uint64_t always_ns, uint64_t busy_ns);

/* Where a sub starts reading */
enum aioevt_shm_from {
	AIOEVT_SHM_FROM_NEW = 0,	/* records emitted from now on */
	AIOEVT_SHM_FROM_SEQ = 1,	/* the record @from_value and all after it */
	AIOEVT_SHM_FROM_LAST = 2,	/* the newest @from_value records, then new ones */
	AIOEVT_SHM_FROM_TIME = 3,	/* all stamped at or after @from_value, less ten kernel
					 * ticks because stamps may be that coarse */
};

/* Flags of aioevt_shm_listen(), beside AIOEVT_SHM_EXISTING */
#define AIOEVT_SHM_RELIABLE	(1u << 16)	/* never overtaken: emitters get -EAGAIN */
#define AIOEVT_SHM_OBSERVE	(1u << 17)	/* nobody's work: counted as an observer. Not
						 * beside RELIABLE. A listener that has the event
						 * without it too, by name or pattern, counts */

/*
 * Listen to the event @pattern, made if it is new, or to every event, present and future,
 * under a pattern. Once it returns, no record emitted is missed. A pattern brings forth
 * one sub per event as events come; events that arise later are read from their first
 * record. Such a sub is closed by the wait after its event was removed; do not keep it over
 * a wait. *ret_sub (may be NULL) is the sub of a plain name, NULL for a pattern.
 * @from_value is 0 unless @from uses it. A reliable reader keeps what it has not handled from
 * being overwritten: what it read it has handled when it comes back for more, by the next
 * aioevt_shm_read() of that sub or the next aioevt_shm_wait(); see aioevt_shm_sub_handled(). That
 * is told to emitters some records at a time, at once if one waits for it. With
 * AIOEVT_SHM_EXISTING the event of a plain name is not made: without one, -ENOENT; and once it was
 * removed, aioevt_shm_wait() tells -ENOENT until there is one again. Returns 0,
 * -EINVAL, -EEXIST (this listener has that event or pattern), -ENOSPC, -ENOMEM, -EFBIG.
 */
int aioevt_shm_listen(struct aioevt_shm_listener *listener, const char *pattern,
		      uint32_t flags, enum aioevt_shm_from from, uint64_t from_value,
		      struct aioevt_shm_sub **ret_sub);

/*
 * Events that came into being and were retired again between two looks of a listener that
 * has patterns, so that it could not read them. They may have been under its patterns or
 * not. Returns how many since the last call; 0 unless the bus is short of memory or
 * places and the listener does not keep up.
 */
uint64_t aioevt_shm_listener_lost_events(struct aioevt_shm_listener *listener);

/* End one sub. Takes NULL. Always returns NULL. */
struct aioevt_shm_sub *aioevt_shm_sub_close(struct aioevt_shm_sub *sub);

/* The event's name, valid as long as the sub. */
const char *aioevt_shm_sub_name(const struct aioevt_shm_sub *sub);

/* The caller's own pointer, NULL at first. */
void aioevt_shm_sub_set_data(struct aioevt_shm_sub *sub, void *data);
void *aioevt_shm_sub_data(const struct aioevt_shm_sub *sub);

/*
 * Wait until a sub has a record to read, at most until @deadline (0: just look). Subs are
 * served in turn. Sleeps on one futex however many subs there are, and wakes once a second
 * at most while nothing happens. A signal handler does not end it. Returns 0 and the sub,
 * or -ETIMEDOUT, or -EINTR after aioevt_shm_listener_wake(); or the error of a sub that
 * cannot go on, if no other sub has a record. A sub that cannot go on for lack of something
 * (-ENOSPC, -ENOMEM, -EFBIG: its event was removed and cannot be made anew now) tries again once
 * a second; its error is told, as often, only if there is nothing else to wait for.
 */
int aioevt_shm_wait(struct aioevt_shm_listener *listener, uint64_t deadline,
		    struct aioevt_shm_sub **ret_sub);

/*
 * Make the aioevt_shm_wait() of another thread on @listener, or the next one if there is
 * none, return -EINTR once there is nothing to read. Any thread, while the listener exists.
 */
void aioevt_shm_listener_wake(struct aioevt_shm_listener *listener);

struct aioevt_shm_record {
	uint64_t seq;
	uint64_t time;		/* ns, CLOCK_REALTIME */
	uint64_t missed;	/* records lost between the one before and this */
	const void *data;	/* in the caller's buffer, aligned to 8 */
	size_t size;		/* bytes */
};

/*
 * Read up to @n_records records in sequence order; their payloads are copied to @buf one
 * behind the other. Never waits. Returns how many, 0 if there is none yet, or -ENOBUFS if
 * the next one does not fit into @buf: its size is then in records[0].size and it is still
 * to be read. A sub that was overtaken goes on with the oldest record held, and tells the
 * exact number lost in that record's missed. (When a sub was asked to start at a
 * number that is held no longer, numbers that a killed or stopped emitter gave up may
 * be counted too: nobody knows them any more.)
 */
int aioevt_shm_read(struct aioevt_shm_sub *sub, struct aioevt_shm_record *records,
		    unsigned n_records, void *buf, size_t size);

/*
 * Say how far the caller has handled what it read of a reliable sub: all up to record number
 * @seq (0: nothing). From the first such call on only that counts, not that it comes back. For who
 * reads ahead, hands records to others, or ends when it has handled one. Of a lossy sub it
 * means nothing. Returns 0, -EINVAL.
 */
int aioevt_shm_sub_handled(struct aioevt_shm_sub *sub, uint64_t seq);

/* ---- looking on ----------------------------------------------------------------- */

enum aioevt_shm_port_state {
	AIOEVT_SHM_PORT_ALIVE = 1,	/* its process holds it */
	AIOEVT_SHM_PORT_DEAD = 2,	/* its process went; to be cleaned by who comes by */
};

struct aioevt_shm_port_look {
	uint32_t port;
	enum aioevt_shm_port_state state;
	pid_t pid;			/* in its own PID namespace */
	uint64_t since;			/* ns, CLOCK_REALTIME, when it attached; 0: unknown */
	uint32_t n_events;		/* that it has open */
	uint32_t n_listeners;
};

struct aioevt_shm_event_look {
	char name[AIOEVT_SHM_NAME_MAX + 1];	/* empty if it has none (yet) */
	const char *phase;		/* new, live, retiring, dead, gone */
	uint32_t index;			/* of its place in the table */
	uint32_t depth;			/* of its last ring */
	uint32_t n_rings;
	uint32_t n_listeners;
	uint32_t n_reliable;
	uint64_t n_records;		/* emitted since the event came into being */
	uint64_t last_time;		/* ns, CLOCK_REALTIME; 0: no record is held */
	uint64_t memory;		/* bytes of its rings */
	uint32_t n_timers;		/* emissions to come, see aioevt_shm_emit_after() */
	uint64_t due;			/* ns, CLOCK_MONOTONIC, of the first of them */
};

/* A reliable reader. */
struct aioevt_shm_reader_look {
	size_t event;			/* which of events[] */
	uint32_t listener;
	uint32_t port;
	pid_t pid;
	int alive;			/* 0: it does not hold up anybody */
	uint64_t lag;			/* records it has not read yet */
};

/* A number that was claimed and has not become a record. */
struct aioevt_shm_slot_look {
	size_t event;			/* which of events[] */
	const char *phase;		/* writing, or pinned: it was given up by others */
	uint64_t seq;			/* as a user counts */
	uint32_t port;
	pid_t pid;
	int alive;			/* 0: the next who comes by frees it */
};

/* What is wrong, or worth to know. */
struct aioevt_shm_finding {
	const char *code;		/* a word or two-words; aioevt-doctor(1) lists them */
	char text[240];			/* a line for people */
};

struct aioevt_shm_inspection {
	char path[4224];
	uint32_t version;		/* of the format */
	uint32_t own_version;		/* of the format that this library makes and uses */
	int is_known;			/* 0: another version; below, only used is filled in */
	int is_removed;			/* the file has no name any more */
	uint32_t n_events_max, n_listeners_max, depth, inline_size, max_payload;
	uint64_t ring_budget, large_budget;	/* bytes */
	uint64_t created;		/* ns, CLOCK_REALTIME */
	uint64_t used;			/* the latest sign of use, likewise */
	uint64_t file_size;		/* bytes; offsets are sparse, so it may be huge */
	uint64_t memory;		/* bytes that the file takes, of these: */
	uint64_t memory_tables, memory_rings, memory_bodies;
	uint32_t n_alive;		/* ports with a live process */
	uint32_t n_listeners;		/* taken */
	uint32_t n_timers;		/* emissions to come */
	size_t n_ports, n_events, n_readers, n_slots, n_problems, n_notes;
	struct aioevt_shm_port_look *ports;		/* that are taken */
	struct aioevt_shm_event_look *events;		/* by their place in the table */
	struct aioevt_shm_reader_look *readers;
	struct aioevt_shm_slot_look *slots;
	struct aioevt_shm_finding *problems;		/* none: it is healthy */
	struct aioevt_shm_finding *notes;
	size_t n_unlisted;		/* findings of which there were too many */
};

/*
 * Look at the bus @name, whether anybody uses it or not, without taking part in it: no
 * port, no lock, nothing is written, and the file is not mapped. Nothing in the file can
 * make this crash, and its time is bounded by the memory that the file takes. What looks
 * wrong on a bus in use is looked at again, up to 3 times within a second, and counts only
 * if it stays. Any thread. @flags is 0 or AIOEVT_SHM_GROUP, as for aioevt_shm_open(). Returns 0
 * and what there is, to be freed with aioevt_shm_inspection_free(); or -EINVAL, -ENOENT,
 * -EPERM, -EACCES, -ENOEXEC (no bus, or one of another build), -ENAMETOOLONG, -ENOMEM,
 * -EMFILE, -ENFILE.
 */
int aioevt_shm_inspect(const char *name, uint32_t flags,
		       struct aioevt_shm_inspection **ret_inspection);

/* Free it. Takes NULL. Always returns NULL. */
struct aioevt_shm_inspection *
aioevt_shm_inspection_free(struct aioevt_shm_inspection *inspection);

/* Flags of aioevt_shm_unlink_idle() */
#define AIOEVT_SHM_DRY_RUN	(1u << 24)	/* only tell what would be done */

/*
 * Remove the bus @name if it is healthy, nobody is attached to it, and it shows no sign of
 * use (aioevt_shm_inspection.used) for @idle_ns. One that has emissions to come
 * (aioevt_shm_emit_after()) is in use. Of a bus of another version nothing is known but whether
 * somebody is attached, and when a process last attached or left. Never makes another participant wait. Who
 * attaches in the few instructions between the last look and the removal gets -ESTALE
 * within a second, and what it emitted before is lost: see aioevt-gc(1). Returns 0, or 1 if
 * it was removed and somebody had come at the last moment; or -EBUSY (in use), -EAGAIN
 * (used too recently), -EPROTO (not healthy), or the errors of aioevt_shm_inspect().
 */
int aioevt_shm_unlink_idle(const char *name, uint64_t idle_ns, uint32_t flags);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
