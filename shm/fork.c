/* SPDX-License-Identifier: MIT */
#include "fork.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bus.h"
#include "guard.h"

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct aioevt_shm *list;
static pthread_once_t handlers_once = PTHREAD_ONCE_INIT;

static void before_fork(void)
{
	pthread_mutex_lock(&list_lock);
	guard_before_fork();
}

static void after_fork_parent(void)
{
	guard_after_fork();
	pthread_mutex_unlock(&list_lock);
}

static void after_fork_child(void)
{
	for (struct aioevt_shm *bus = list; bus; bus = bus->next) {
		*(volatile uint32_t *)bus->alive = 0;
		close(bus->fd);
		bus->fd = -1;
		bus->prev = NULL;
	}
	list = NULL;
	guard_after_fork();
	pthread_mutex_unlock(&list_lock);
}

static void install_handlers(void)
{
	pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

int fork_guard_new(const volatile uint32_t **ret_word)
{
	uint32_t *word = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (word == MAP_FAILED)
		return -ENOMEM;
	madvise(word, page_size(), MADV_WIPEONFORK);
	*word = 1;
	*ret_word = word;
	return 0;
}

void fork_guard_free(const volatile uint32_t *word)
{
	if (word)
		munmap((void *)(uintptr_t)word, page_size());
}

void fork_watch_begin(void)
{
	pthread_once(&handlers_once, install_handlers);
	pthread_mutex_lock(&list_lock);
}

void fork_watch_end(struct aioevt_shm *bus, bool opened)
{
	if (opened) {
		bus->next = list;
		bus->prev = &list;
		if (list)
			list->prev = &bus->next;
		list = bus;
	}
	pthread_mutex_unlock(&list_lock);
}

void fork_unwatch(struct aioevt_shm *bus)
{
	pthread_mutex_lock(&list_lock);
	if (bus->prev) {
		*bus->prev = bus->next;
		if (bus->next)
			bus->next->prev = bus->prev;
		bus->prev = NULL;
	}
	if (bus->fd >= 0)
		close(bus->fd);
	bus->fd = -1;
	pthread_mutex_unlock(&list_lock);
}
