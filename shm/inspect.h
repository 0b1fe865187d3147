/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_INSPECT_H
#define AIOEVT_INSPECT_H

/*
 * What the parts of the inspection share. All of it looks at private copies that were read
 * with pread(2): so nothing is mapped that could be punched or truncated away, and each
 * word is read once. inspect.c tells the rules.
 */

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "aioevt-shm.h"
#include "event-map.h"
#include "layout.h"

/* Bytes of the file that belong to somebody. */
struct extent {
	uint64_t start, end;
	uint32_t event;			/* index of; NOBODY if only a port has it so far */
	uint32_t ring;			/* which of the event's */
	bool loose;			/* in the making, or on its way out: not to be read */
	bool overlaps;
};

#define NOBODY		UINT32_MAX

/* What the rings of an event tell its readers. */
struct track {
	uint64_t head;			/* of the last ring that began, before its slots */
	uint64_t head_offset;		/* in the file; 0: nothing is known */
	uint64_t ctl_offset;
	uint32_t depth;
};

struct extents {
	struct extent *at;
	size_t n;
};

enum level { NOTE, PROBLEM };

/* Identifies a finding, so that the next pass can tell whether it stayed. */
struct finding_key {
	const char *code;
	uint64_t a, b;
};

/* Who holds a port, as far as can be seen. */
enum holder { HOLDER_NONE, HOLDER_ALIVE, HOLDER_DEAD };

/* One pass. */
struct look {
	struct aioevt_shm_inspection *out;
	struct finding_key *keys;	/* of out->problems */
	int fd;
	struct stat st;
	struct bus_header header;	/* read after the tables */
	struct layout lo;
	unsigned char *tables;
	enum holder *holders;		/* [n_listeners] */
	uint32_t *list_of;		/* [n_events]: bucket + 1 whose list has it */
	size_t *look_of;		/* [n_events]: which of out->events */
	struct track *tracks;		/* [n_events] */
	struct extents regions, bodies;
	uint64_t left;			/* bytes of memory that may yet be rings */
	bool in_flux;			/* something is in the making, or on its way out */
	int err;			/* -ENOMEM: the pass is void */
};

/* ---- inspect-file.c: reading, and whose memory it is ------------------------------ */

/* Read @size bytes at @offset; what is not there is zeros. Returns how many were there. */
size_t look_read(int fd, uint64_t offset, void *buf, size_t size);

/* Is any port of the open file present, or being taken or cleaned? */
bool look_has_anybody(int fd);

/* When a port was taken or given back last: CLOCK_REALTIME. */
uint64_t look_last_coming(int fd, const struct layout *lo);

/* The file's time of change: CLOCK_REALTIME. */
uint64_t look_last_change(int fd);

/* Copy header and tables, if it is of a version that is known. 0, -ENOEXEC, -ENOMEM. */
int look_copy(struct look *look);
void look_drop(struct look *look);

void extents_add(struct look *look, struct extents *extents, struct extent extent);

/* Sort, and mark those that overlap another which is somebody's. */
void extents_sort(struct look *look, struct extents *extents, const char *what);

/* Memory that is nobody's, and whether the sum is right. */
void look_at_memory(struct look *look);

/* ---- inspect-table.c: ports, listeners, events, lists ----------------------------- */

/* False: the file is so short that there is nothing more to look at. */
bool look_at_header(struct look *look);
void look_at_ports(struct look *look);
void look_at_listeners(struct look *look);
void look_at_lists(struct look *look);

/* ---- inspect-event.c: events, and their readers ----------------------------------- */

void look_at_events(struct look *look);

/* Those of the event whose ctl is in the file at track->ctl_offset. */
void look_at_readers(struct look *look, uint32_t e);

/* ---- inspect-timer.c --------------------------------------------------------------- */

void look_at_timers(struct look *look);

/* ---- inspect-ring.c ---------------------------------------------------------------- */

void look_at_rings(struct look *look);

/* ---- inspect.c -------------------------------------------------------------------- */

/* As aioevt_shm_inspect(), of an open file. The path is left empty. */
int inspect_fd(int fd, struct aioevt_shm_inspection **ret_inspection);

/* @a and @b tell this finding from others of the same code. */
void report(struct look *look, enum level level, const char *code, uint64_t a, uint64_t b,
	    const char *format, ...) __attribute__((__format__(printf, 6, 7)));

/* Room for one more in an array of *@n; returns it, zeroed, or NULL with look->err set. */
void *look_grow(struct look *look, void *array, size_t *n, size_t size);

/* ---- the private copy ------------------------------------------------------------- */

/* A word of it: no atomic, for nobody else has it. */
static inline uint64_t get64(const void *word)
{
	uint64_t value;

	memcpy(&value, word, sizeof(value));
	return value;
}

static inline uint32_t get32(const void *word)
{
	uint32_t value;

	memcpy(&value, word, sizeof(value));
	return value;
}

static inline const struct port *look_port(const struct look *look, uint32_t p)
{
	return (const void *)(look->tables + look->lo.ports +
			      (size_t)p * look->lo.port_stride);
}

static inline const struct listener *look_listener(const struct look *look, uint32_t l)
{
	return (const void *)(look->tables + look->lo.listeners +
			      (size_t)l * look->lo.listener_stride);
}

static inline const struct event *look_event(const struct look *look, uint32_t e)
{
	return (const void *)(look->tables + look->lo.events +
			      (size_t)e * look->lo.event_stride);
}

static inline const struct bucket *look_bucket(const struct look *look, uint32_t b)
{
	return (const void *)(look->tables + look->lo.buckets + b * sizeof(struct bucket));
}

/* What is told about event @e, which is in use. */
static inline struct aioevt_shm_event_look *look_seen(const struct look *look, uint32_t e)
{
	return &look->out->events[look->look_of[e]];
}

static inline uint64_t look_state(const struct look *look, uint32_t e)
{
	return get64(&look_event(look, e)->state);
}

static inline bool has_bit(const void *words, uint32_t n)
{
	return get64((const unsigned char *)words + n / 64 * 8) & bit_of(n);
}

/* Who has port @p, which the file names? */
static inline enum holder look_holder(const struct look *look, uint32_t p)
{
	return p < look->lo.n_listeners ? look->holders[p] : HOLDER_NONE;
}

static inline pid_t look_pid(const struct look *look, uint32_t p)
{
	return p < look->lo.n_listeners ? (pid_t)get32(&look_port(look, p)->pid) : 0;
}

/* The owner of listener @l: port, or NOBODY. */
static inline uint32_t look_owner(const struct look *look, uint32_t l)
{
	return get32(&look_listener(look, l)->owner) - 1;
}

/* The name of event @e, or "?". */
static inline const char *look_name(const struct look *look, uint32_t e)
{
	const char *name = look->look_of[e] < look->out->n_events ?
			   look_seen(look, e)->name : "";

	return *name ? name : "?";
}

#endif
