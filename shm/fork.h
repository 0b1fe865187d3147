/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_FORK_H
#define AIOEVT_FORK_H

#include <stdbool.h>
#include <stdint.h>

struct aioevt_shm;

/*
 * A word that reads 1 here and 0 in every child made by fork(), even by a bare clone(2)
 * (MADV_WIPEONFORK, madvise(2)). Returns 0 or -ENOMEM.
 */
int fork_guard_new(const volatile uint32_t **ret_word);
void fork_guard_free(const volatile uint32_t *word);

/*
 * A child made by fork() closes the descriptors of the buses on a list: a child that kept
 * one open would keep the port's lock, and so its dead parent alive. Between begin and end,
 * where bus->fd is opened, this process does not fork; fork_unwatch() closes bus->fd.
 */
void fork_watch_begin(void);
void fork_watch_end(struct aioevt_shm *bus, bool opened);
void fork_unwatch(struct aioevt_shm *bus);

#endif
