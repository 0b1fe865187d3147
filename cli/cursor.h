/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_CURSOR_H
#define AIOEVT_CURSOR_H

/*
 * How far "aioevt wait --cursor-file" has come with each event, and the file that keeps it from
 * one run to the next: a line "SEQ NAME TIME" for each event, SEQ and TIME being those of the
 * last record that was handed out (TIME may be left out), and "0 PATTERN" for each pattern
 * whose events are followed: one that is not in the file came into being later.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What is known about an event when listening begins; see place.c. */
enum place_kind {
	PLACE_GOES_ON,		/* records up to number heard are known */
	PLACE_FROM_BASE,	/* all records count; heard is below the first of them */
	PLACE_EMPTY,		/* there was no record: numbers may start over */
};

struct place {
	uint64_t seq, time;	/* of the last record handed out; 0: none, or not known */
	uint64_t heard;		/* of the last record read */
	enum place_kind kind;
	bool is_first;		/* no record was read yet since listening began */
	bool is_old;		/* from the file, or from another bus */
	char name[];		/* of an event, or a pattern */
};

struct cursor {
	const char *file;	/* as it was given */
	int lock;		/* the file, open and locked; -1: it is not */
	char *path;		/* of what is replaced */
	mode_t mode;
	bool is_changed;
	struct place **places;	/* sorted by name */
	size_t n_places, room;
	struct place *recent;
};

#define CURSOR_INIT ((struct cursor){ .lock = -1 })

/*
 * Lock and read the file; an empty one is made if there is none. It stays locked until
 * cursor_deinit(): another process that has it is named in a message. Returns 0 or the exit status
 * after a message; then cursor_deinit() is to be called all the same.
 */
int cursor_load(struct cursor *cursor, const char *file);

/* NULL if there is none. */
struct place *cursor_find(struct cursor *cursor, const char *name);

/* The same, but it is made then. */
struct place *cursor_add(struct cursor *cursor, const char *name);

/* A record was handed out, or will never be. */
void cursor_note(struct cursor *cursor, const char *event, uint64_t seq, uint64_t time);

/* Another bus has taken the place: all that is there is new. */
void cursor_forget(struct cursor *cursor);

/*
 * Replace the file, atomically and durably, if anything has changed. No signal ends the
 * program meanwhile, as long as all other threads block them. Returns 0 or the exit status
 * after a message.
 */
int cursor_save(struct cursor *cursor);

void cursor_deinit(struct cursor *cursor);

#endif
