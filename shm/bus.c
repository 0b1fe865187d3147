/* SPDX-License-Identifier: MIT */
#include "bus.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus-file.h"
#include "cancel.h"
#include "clock.h"
#include "fork.h"
#include "guard.h"
#include "layout-compute.h"
#include "port.h"

static void unmap(struct aioevt_shm *bus)
{
	/* A forked child has no mappings, and something else may be there: bus_map() */
	if (bus->base && *bus->alive)
		bus_unmap(bus->base, bus->lo.tables_end, bus->guard);
	fork_guard_free(bus->alive);
	free(bus->maps);
	pthread_mutex_destroy(&bus->lock);
	free(bus);
}

int bus_map(struct aioevt_shm *bus, uint64_t offset, uint64_t size, void **ret_p,
	    struct guard **ret_guard)
{
	struct guard *guard;
	void *p;

	if (size > SIZE_MAX / 2)
		return -ENOMEM;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bus->fd, (off_t)offset);
	if (p == MAP_FAILED)
		return errno == EAGAIN ? -ENOMEM : -errno;
	madvise(p, size, MADV_DONTFORK);
	guard = guard_take(p, size, &bus->stale);
	if (!guard) {
		munmap(p, size);
		return -ENOMEM;
	}
	*ret_guard = guard;
	*ret_p = p;
	return 0;
}

void bus_unmap(void *p, uint64_t size, struct guard *guard)
{
	guard_drop(guard);
	munmap(p, size);
}

static int map_tables(struct aioevt_shm *bus)
{
	void *p;
	int err = bus_map(bus, 0, bus->lo.tables_end, &p, &bus->guard);

	if (err < 0)
		return err;
	bus->base = p;
	bus->header = p;
	return 0;
}

/* From an open file to a port of one's own. */
static int attach(struct aioevt_shm *bus)
{
	int err;

	bus->maps = calloc(bus->lo.n_events, sizeof(*bus->maps));
	if (!bus->maps)
		return -ENOMEM;
	err = map_tables(bus);
	if (err < 0)
		return err;
	return port_take(bus);
}

static int open_file(struct aioevt_shm *bus, const char *name,
		     const struct aioevt_shm_config *config, uint32_t flags)
{
	struct bus_path path;
	int err;

	if (bus->anonymous)
		return bus_file_anonymous(config, &bus->fd, &bus->lo);
	err = bus_path_resolve(name, &path);
	if (err < 0)
		return err;
	return bus_file_open(&path, config, flags, &bus->fd, &bus->lo);
}

static int open_and_attach(struct aioevt_shm *bus, const char *name,
			   const struct aioevt_shm_config *config, uint32_t flags)
{
	int err = fork_guard_new(&bus->alive);

	if (err < 0)
		return err;
	err = fork_watch_begin(bus);
	if (err < 0)
		return err;
	err = open_file(bus, name, config, flags);
	fork_watch_end();
	if (err < 0)
		return err;
	/* A signal handler may have forked above: the child has its parent's descriptor. */
	return *bus->alive ? attach(bus) : -ECHILD;
}

int aioevt_shm_open(const char *name, const struct aioevt_shm_config *config,
		    uint32_t flags, struct aioevt_shm **ret_bus)
{
	const uint32_t known = AIOEVT_SHM_EXISTING | AIOEVT_SHM_ANONYMOUS | AIOEVT_SHM_GROUP |
			       AIOEVT_SHM_EXCLUSIVE;
	static const struct aioevt_shm_config defaults = AIOEVT_SHM_CONFIG_INIT;
	struct aioevt_shm *bus;
	const char *field;
	uint64_t min, max;
	int err, cancel;

	if (!ret_bus || flags & ~known || (config && config->size != sizeof(*config)) ||
	    (flags & AIOEVT_SHM_EXCLUSIVE &&
	     flags & (AIOEVT_SHM_EXISTING | AIOEVT_SHM_ANONYMOUS)))
		return -EINVAL;
	if (!config)
		config = &defaults;
	if (aioevt_shm_config_check(config, &field, &min, &max) < 0)
		return -EINVAL;

	bus = calloc(1, sizeof(*bus));
	if (!bus)
		return -ENOMEM;
	bus->fd = -1;
	bus->anonymous = flags & AIOEVT_SHM_ANONYMOUS;
	pthread_mutex_init(&bus->lock, NULL);
	cancel = cancel_off();
	err = open_and_attach(bus, name, config, flags);
	if (err < 0) {
		fork_unwatch(bus);
		unmap(bus);
	}
	cancel_on(cancel);
	if (err < 0)
		return err;
	*ret_bus = bus;
	return 0;
}

struct aioevt_shm *aioevt_shm_close(struct aioevt_shm *bus)
{
	int cancel;

	if (!bus)
		return NULL;
	cancel = cancel_off();
	if (*bus->alive)
		port_release(bus);
	fork_unwatch(bus);
	unmap(bus);
	cancel_on(cancel);
	return NULL;
}

void bus_lock(struct aioevt_shm *bus)
{
	int state = cancel_off();

	pthread_mutex_lock(&bus->lock);
	bus->cancel_state = state;
}

void bus_unlock(struct aioevt_shm *bus)
{
	int state = bus->cancel_state;

	pthread_mutex_unlock(&bus->lock);
	cancel_on(state);
}

int bus_check(struct aioevt_shm *bus)
{
	uint32_t stale;

	if (!bus)
		return -EINVAL;
	if (!*bus->alive)
		return -ECHILD;
	/* bus_ok:E  relaxed: as bus_ok:C */
	stale = atomic_load_explicit(&bus->stale, memory_order_relaxed);
	if (stale)
		return -(int)stale;
	/* bus_ok:D  relaxed: as bus_ok:B */
	if (atomic_load_explicit(&bus->header->removed, memory_order_relaxed))
		return bus_result(bus, -ESTALE);
	return bus_result(bus, 0);
}

/* Cut off, perhaps filled up again with nothing? The size comes first: to look is a fault. */
static bool is_truncated(struct aioevt_shm *bus, const struct stat *st)
{
	return (uint64_t)st->st_size < bus->lo.tables_end ||
	       /* bus_ok:J  relaxed: constant, but in a file that is no bus any more */
	       atomic_load_explicit(&bus->header->magic, memory_order_relaxed) != BUS_MAGIC;
}

void bus_recheck(struct aioevt_shm *bus, uint64_t now)
{
	struct stat st;
	int saved_errno = errno;

	/* bus_ok:F  relaxed: a hint, as bus_ok:A */
	atomic_store_explicit(&bus->checked, now, memory_order_relaxed);
	if (!fstat(bus->fd, &st)) {
		if (is_truncated(bus, &st))
			/* bus_ok:K  relaxed: as bus_ok:C */
			atomic_store_explicit(&bus->stale, EPROTO, memory_order_relaxed);
		else if (!bus->anonymous && !st.st_nlink)
			/* bus_ok:G  relaxed: as bus_ok:C */
			atomic_store_explicit(&bus->stale, ESTALE, memory_order_relaxed);
	}
	errno = saved_errno;
}

uint64_t bus_memory(const struct aioevt_shm *bus)
{
	struct stat st;

	return fstat(bus->fd, &st) < 0 ? 0 : (uint64_t)st.st_blocks * 512;
}

/*
 * Tell those who have it mapped, or they notice within a second. Not by a mapping: the file
 * may be cut off meanwhile. Any byte of the word that is not zero will do.
 */
void bus_set_removed(int fd)
{
	const uint32_t removed = 1;
	const off_t at = offsetof(struct bus_header, removed);

	if (!bus_file_limit((uint64_t)at + sizeof(removed)))
		while (pwrite(fd, &removed, sizeof(removed), at) < 0 && errno == EINTR)
			;
}

/* What cannot be opened as a bus: remove it if it is one of another version. */
static int unlink_other_version(const struct bus_path *path)
{
	struct bus_header header;
	uint32_t version;
	int fd, err;

	err = bus_file_open_readonly(path, 0, &fd);
	if (err < 0)
		return err;
	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    layout_version(&header, &version) != 0)
		err = -ENOEXEC;
	else if (unlink(path->path) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int unlink_bus(const char *name)
{
	struct bus_path path;
	struct layout lo;
	int fd, err;

	err = bus_path_resolve(name, &path);
	if (err < 0)
		return err;
	err = bus_file_open(&path, NULL, AIOEVT_SHM_EXISTING, &fd, &lo);
	if (err == -ENOEXEC)
		return unlink_other_version(&path);
	if (err < 0)
		return err;
	if (unlink(path.path) < 0)
		err = -errno;
	else
		bus_set_removed(fd);
	close(fd);
	return err;
}

int aioevt_shm_unlink(const char *name)
{
	int cancel = cancel_off(), err = unlink_bus(name);

	cancel_on(cancel);
	return err;
}
