/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_READY_H
#define AIOEVT_READY_H

/*
 * --ready-fd FD of the commands that listen: one newline is written to FD when every record
 * emitted from then on counts, and FD is closed, so COMMAND does not have it.
 */

/* Return the descriptor: 3 or higher, open for writing. Else end the program with STATUS_USAGE. */
int ready_parse(const char *text);

/*
 * Tell it, and close @fd; -1 is none. Returns 0, or STATUS_TROUBLE after a message: nobody would
 * ever know that this program listens.
 */
int ready_tell(int fd);

#endif
