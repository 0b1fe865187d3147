/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_SOAK_CHECK_H
#define AIOEVT_SOAK_CHECK_H

#include <stdint.h>

struct aioevt_shm;
struct seat;

/* Is that participant held up? Then it is a breach. */
void watchdog_look(struct seat *seat);

struct tally {
	uint64_t emitted, seen, unsure;	/* unsure: killed in the midst, and seen by nobody */
	uint64_t accounts, delivered, missed;
};

/* Do the books balance? @n_writers incarnations are in them. Else a breach. */
void tally_books(uint32_t n_writers, struct tally *ret_tally);

struct audit {
	unsigned events, rings, records;
	uint64_t memory;		/* bytes that the file takes, all accounted for */
};

/* With nobody but the caller attached, and the dead reaped: is the bus clean? Else a breach. */
void audit_bus(struct aioevt_shm *bus, struct audit *ret_audit);

#endif
