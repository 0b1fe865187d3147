/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_SEND_H
#define AIOEVT_SEND_H

/*
 * What a manager emits through: events that were emitted before are kept open, for whichever
 * thread comes next. See send.c.
 */

struct outlets;

int outlets_new(struct outlets **ret_outlets);

/* Let go of all events but those that are being emitted to; they go with the outlets. */
void outlets_close(struct outlets *outlets);
void outlets_free(struct outlets *outlets);

#endif
