/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_FORK_H
#define AIOEVT_FORK_H

#include <stdbool.h>
#include <stdint.h>

struct aioevt_shm;

/*
 * A word that reads 1 here and 0 in every child made by fork(), even by a bare clone(2)
 * (MADV_WIPEONFORK, madvise(2)). Returns 0, or an error of mmap(2).
 */
int fork_guard_new(const volatile uint32_t **ret_word);
void fork_guard_free(const volatile uint32_t *word);

/*
 * A child made by fork() closes bus->fd: a child that kept it open would keep the port's lock,
 * and so its dead parent alive. bus->fd is opened between begin, which returns 0 or -ENOMEM, and
 * end. fork_unwatch() closes it, also after an error.
 */
int fork_watch_begin(struct aioevt_shm *bus);
void fork_watch_end(void);
void fork_unwatch(struct aioevt_shm *bus);

#endif
