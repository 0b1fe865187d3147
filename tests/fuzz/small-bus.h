/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_FUZZ_SMALL_BUS_H
#define AIOEVT_FUZZ_SMALL_BUS_H

/*
 * A small bus as a process that was killed left it: records, large bodies, a lapped ring, a
 * grown one, a reliable reader, a slot being written and a pinned one, a removed event in use,
 * an event and a region that were being made. It is built once, and each input gets
 * a copy. The file of the copy is small_bus_fd, and its name that of the environment.
 */

#include "../../shm/bus.h"
#include "../../shm/event-map-internal.h"
#include "../../shm/registry-internal.h"
#include "input.h"

#define N_PATTERN_EVENTS	12u	/* with the others, more than a listener keeps awake */
#define SMALL_DEPTH		8u
#define SMALL_PAYLOAD		16384u
#define PAGE_BODY		6000u	/* over a page */

extern int small_bus_fd;
extern struct layout small_bus_layout;

/* Once. */
void small_bus_build(void);

/* Before each input: the file as it was built. */
void small_bus_restore(void);

/* After it: the file must not have grown beyond what is asked of its budget. */
void small_bus_check_memory(void);

/* Overwrite a word, half a word or a byte of the file as the input says. */
void small_bus_poke(struct input *in);
void small_bus_poke_tables(struct input *in);

#endif
