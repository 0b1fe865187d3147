/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_BUSES_H
#define AIOEVT_BUSES_H

/* The files in the directory of the buses whose names are those of buses, of all users. */

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct bus_file {
	uid_t uid;
	char name[NAME_MAX + 1];	/* without the owner */
	char file[NAME_MAX + 1];
};

struct buses {
	char dir[PATH_MAX];
	struct bus_file *v;
	size_t n;
};

/* Sorted by owner and name. Returns 0 or the exit status, after a message. */
int buses_find(struct buses *buses);

/*
 * The same, of the files that creators of buses fill before they have the name of a bus, on file
 * systems without O_TMPFILE: see shm/bus-file.c.
 */
int buses_find_unfinished(struct buses *buses);

void buses_deinit(struct buses *buses);

/* aioevt list --buses. Returns the exit status. */
int list_buses(bool json);

/* The name of a user, or "user N" if that has none. */
void buses_print_user(uid_t uid, char *buf, size_t size);

#endif
