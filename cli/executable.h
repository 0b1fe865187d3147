/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_EXECUTABLE_H
#define AIOEVT_EXECUTABLE_H

/*
 * Look for the program @name as execvp(3) does, by PATH unless it has a "/". Returns 0, or -ENOENT or
 * -EACCES: it could not be run now.
 */
int executable_check(const char *name);

#endif
