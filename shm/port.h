/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_PORT_H
#define AIOEVT_PORT_H

#include <stdbool.h>
#include <stdint.h>

struct aioevt_shm;

/* The phases of a port, the low byte of its state; see port.c. */
#define PORT_FREE	0u
#define PORT_TAKEN	1u
#define PORT_DEAD	2u

/* Take a port for this bus and lock it. Returns 0, or -EUSERS, or the error of the lock. */
int port_take(struct aioevt_shm *bus);

/* Give it back; everything that it held must be gone. Closing the fd frees the lock. */
void port_release(struct aioevt_shm *bus);

/*
 * Is the owner of port @p, whose tag the caller found on something, dead? Never waits;
 * costs a system call unless it was declared dead already. Async-signal-safe.
 */
bool port_is_dead(struct aioevt_shm *bus, uint32_t p);

/*
 * Of an open bus file, for who looks on: is the presence byte of @p locked, so that it has a
 * live owner; and does somebody hold the right to take or clean it?
 */
bool port_is_present(int fd, uint32_t p);
bool port_is_handled(int fd, uint32_t p);

/* Clean up all after @p if it is dead and nobody else is at it. Returns 1 if it did, 0. */
int port_reap(struct aioevt_shm *bus, uint32_t p);

/* The same for all ports. Returns how many it cleaned. */
int port_reap_all(struct aioevt_shm *bus);

/*
 * Do a piece of it, see reap_belongings(). Returns whether the port was dead and this did something
 * about it; *ret_done if that was all.
 */
bool port_reap_some(struct aioevt_shm *bus, uint32_t p, uint64_t n_steps, bool *ret_done);

/* Do a piece for one of them, in bounded time. Returns 1 if there was one, 0. */
int port_reap_next(struct aioevt_shm *bus);

#endif
