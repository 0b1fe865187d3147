/* SPDX-License-Identifier: MIT */
/*
 * Removing a bus that nobody uses.
 *
 * Between the last look and unlink(2) somebody may attach. To close that gap, whoever
 * removes would have to keep others from attaching meanwhile, say by the right locks of all
 * ports (port.c). Then a remover who is stopped in the gap keeps everybody from attaching
 * for as long as he is stopped: the very harm that this engine exists to rule out. A
 * lease (fcntl(2), F_SETLEASE) has the same drawback, for 45 s. Renaming the file first, to
 * look at it in peace, leaves a bus without a name if the remover is killed. And no system
 * call removes a name only if a word of the file has not changed.
 *
 * So the gap stays, and is made small. What it costs is what any removal costs: who
 * came gets -ESTALE and attaches to a new bus, within a second; what he emitted before is
 * lost with the old one. For that to happen the bus must not have been used for idle_ns,
 * a day by default, and then be used within a few microseconds. A remover who was stopped
 * in the gap would make it long: so he looks at the clock last, and starts again if the
 * look was not just now. What is left are the few instructions from there to the unlink.
 *
 * The last look is made of two in this order: is a port locked, and when did the last one
 * come or go? Who was there at the first, or came and went before the second, is seen.
 *
 * A bus of another version would stay for ever if nobody but programs of that version removed
 * it. Its participants' locks are where they are in every version, and the file's time tells when
 * a process last attached or left: each sets it (port.c), since stores through a mapping do not.
 * Whether emissions are still to come cannot be told.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bounds.h"
#include "bus-file.h"
#include "bus.h"
#include "cancel.h"
#include "clock.h"
#include "inspect.h"

#define FRESH_NS	UINT64_C(10000000)	/* how old the last look may be */

static bool is_same_file(int fd, const char *path)
{
	struct stat opened, named;

	return !fstat(fd, &opened) && !lstat(path, &named) &&
	       opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

/* Is it healthy, as far as its version is known, and unused for so long? */
static int judge(int fd, uint64_t idle_ns, uint64_t *ret_used, bool *ret_is_known)
{
	struct aioevt_shm_inspection *seen;
	uint64_t now = clock_ns(CLOCK_REALTIME);
	int err = inspect_fd(fd, &seen);

	if (err < 0)
		return err;
	if (look_has_anybody(fd))
		err = -EBUSY;
	else if (seen->n_problems)
		err = -EPROTO;
	else if (seen->n_timers)
		err = -EBUSY;		/* their makers may be gone, and rely on it */
	else if (idle_ns && (seen->used >= now || now - seen->used < idle_ns))
		err = -EAGAIN;
	*ret_used = seen->used;
	*ret_is_known = seen->is_known;
	aioevt_shm_inspection_free(seen);
	return err;
}

/* Did somebody come since @used? @lo is NULL if the bus is of another version. */
static bool was_used_since(int fd, const struct layout *lo, uint64_t used)
{
	return lo ? look_last_coming(fd, lo) > used : look_last_change(fd) > used;
}

/* Look once more, and remove the name if it was quick. */
static int remove_unused(const struct bus_path *path, int fd, const struct layout *lo,
			 uint64_t used)
{
	for (unsigned i = 0; i < MAX_SLOW; i++) {
		uint64_t start = clock_ns(CLOCK_MONOTONIC);

		if (look_has_anybody(fd) || was_used_since(fd, lo, used))
			return -EBUSY;
		if (!is_same_file(fd, path->path))
			return -ENOENT;
		if (clock_ns(CLOCK_MONOTONIC) - start > FRESH_NS)
			continue;
		if (unlink(path->path) < 0)
			return -errno;
		if (lo)
			bus_set_removed(fd);
		return look_has_anybody(fd);
	}
	return -EBUSY;
}

/* Open the bus, which is another file perhaps than the one that was looked at, and remove it. */
static int open_and_remove(const struct bus_path *path, int look_fd, uint32_t flags,
			   uint64_t used)
{
	struct layout lo;
	int fd, err;

	err = bus_file_open(path, NULL, AIOEVT_SHM_EXISTING | (flags & AIOEVT_SHM_GROUP), &fd,
			    &lo);
	if (err < 0)
		return err;
	err = is_same_file(look_fd, path->path) ? remove_unused(path, fd, &lo, used) : -ENOENT;
	close(fd);
	return err;
}

static int unlink_idle(const char *name, uint64_t idle_ns, uint32_t flags)
{
	struct bus_path path;
	bool is_known = false;
	uint64_t used = 0;
	int look_fd, err;

	err = bus_path_resolve(name, &path);
	if (err < 0)
		return err;
	err = bus_file_open_readonly(&path, flags, &look_fd);
	if (err < 0)
		return err;
	err = judge(look_fd, idle_ns, &used, &is_known);
	if (!err && !(flags & AIOEVT_SHM_DRY_RUN))
		err = is_known ? open_and_remove(&path, look_fd, flags, used) :
				 remove_unused(&path, look_fd, NULL, used);
	close(look_fd);
	return err;
}

int aioevt_shm_unlink_idle(const char *name, uint64_t idle_ns, uint32_t flags)
{
	int cancel, err;

	if (flags & ~(AIOEVT_SHM_DRY_RUN | AIOEVT_SHM_GROUP))
		return -EINVAL;
	cancel = cancel_off();
	err = unlink_idle(name, idle_ns, flags);
	cancel_on(cancel);
	return err;
}
