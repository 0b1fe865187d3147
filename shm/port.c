/* SPDX-License-Identifier: MIT */
/*
 * Presence. A port's state is generation << 8 | phase:
 *
 *   FREE   nobody's           -> TAKEN by who holds both its locks (take)
 *   TAKEN  somebody's         -> FREE by its owner (port_release)
 *                             -> DEAD by anyone who saw it is not present (port_is_dead)
 *   DEAD   its owner is gone  -> FREE by who holds its right lock (reap)
 *
 * Two write locks by open file descriptions (fcntl(2), F_OFD_SETLK), which the kernel
 * drops when the last descriptor is closed, at death:
 *   presence  byte LOCK_BASE + p: held by the owner, from before TAKEN until after FREE
 *   right     byte LOCK_RIGHT + p: the right to take or clean the port, held for that long
 *
 * Why a free presence lock means death: who reads TAKEN of generation g, and then finds the
 * byte unlocked, knows that g's owner died or went meanwhile; the CAS from exactly that
 * TAKEN to DEAD tells which.
 *
 * Why two locks, and why declaring death and cleaning up are two steps: who cleans or takes
 * a port may be stopped at any point. He must not look like the dead owner then, for a
 * reliable reader that looks alive holds up emitters. So death is declared without any
 * lock, everyone who meets DEAD treats it as dead at once, and nobody locks the presence
 * byte of a port that is TAKEN. One who is stopped in here costs the bus one port; killed,
 * he loses the right, and the next one goes on, see reap.c; each step may be repeated.
 *
 * Reaping is done in pieces, because a participant may leave thousands of events: an attach, or
 * a listener's re-check, does one piece and lets go of the right. The port stays DEAD until all
 * is done, however many took part in that; so it is not used again before. Only a participant
 * that needs the room (no port, listener, event or memory is free) does all at once.
 *
 * Ordering
 *   port_take:B, reap:A, port_release:A / port_is_dead:A   release/acquire on state.
 *   port_is_dead:B  seq_cst CAS; what relies on it reads what the dead owner wrote, and
 *       the kernel's hand-over of the lock orders that.
 * Progress  port_is_dead is wait-free; port_take is lock-free.
 * Crash     as told above.
 */
#include "port.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus.h"
#include "clock.h"
#include "reap.h"

#define FREE	PORT_FREE
#define TAKEN	PORT_TAKEN
#define DEAD	PORT_DEAD

#define MAX_PROBES	8u	/* dead ports looked for by each attach */
#define PIECE		2048u	/* steps of reaping that an attach, or a re-check, does for others */

static uint32_t phase_of(uint64_t state)
{
	return state & 0xff;
}

static uint64_t with_phase(uint64_t state, uint32_t phase)
{
	return (state & ~UINT64_C(0xff)) | phase;
}

static uint64_t next_generation(uint64_t state)
{
	return state + 0x100;
}

static int lock_call(int fd, int cmd, struct flock *fl, uint64_t byte)
{
	int saved_errno = errno, r;

	fl->l_whence = SEEK_SET;
	fl->l_start = (off_t)byte;
	fl->l_len = 1;
	fl->l_pid = 0;
	r = fcntl(fd, cmd, fl) < 0 ? -errno : 0;
	errno = saved_errno;
	return r;
}

/* Never waits. Returns 0, -EAGAIN if another has it, or an error. */
static int lock_byte(int fd, uint64_t byte)
{
	struct flock fl = { .l_type = F_WRLCK };
	int err = lock_call(fd, F_OFD_SETLK, &fl, byte);

	return err == -EACCES ? -EAGAIN : err;
}

static void unlock_byte(int fd, uint64_t byte)
{
	struct flock fl = { .l_type = F_UNLCK };

	lock_call(fd, F_OFD_SETLK, &fl, byte);
}

/* Would a read lock be granted? A reader's lock fakes no presence that way. */
static bool is_locked(int fd, uint64_t byte)
{
	struct flock fl = { .l_type = F_RDLCK };

	return lock_call(fd, F_OFD_GETLK, &fl, byte) < 0 || fl.l_type != F_UNLCK;
}

bool port_is_present(int fd, uint32_t p)
{
	return is_locked(fd, LOCK_BASE + p);
}

bool port_is_handled(int fd, uint32_t p)
{
	return is_locked(fd, LOCK_RIGHT + p);
}

static uint64_t load_state(struct aioevt_shm *bus, uint32_t p)
{
	/* port_is_dead:A  acquire, pairs with port_take:B, reap:A, port_release:A */
	return atomic_load_explicit(&bus_port(bus, p)->state, memory_order_acquire);
}

bool port_is_dead(struct aioevt_shm *bus, uint32_t p)
{
	uint64_t state;

	if (p == bus->port_index)
		return false;
	if (p >= bus->lo.n_listeners)
		return true;		/* no such port: a scribbled tag */
	state = load_state(bus, p);
	if (phase_of(state) != TAKEN)
		return true;		/* what a free port tagged was cleaned, or is junk */
	if (port_is_present(bus->fd, p))
		return false;
	/* port_is_dead:B  seq_cst, pairs with port_is_dead:A */
	if (atomic_compare_exchange_strong(&bus_port(bus, p)->state, &state,
					   with_phase(state, DEAD)))
		return true;
	return phase_of(state) == DEAD;
}

/* With the right to it: bring a DEAD port to FREE. Returns 1, 0 if some is left, or an error. */
static int reap(struct aioevt_shm *bus, uint32_t p, uint64_t n_steps)
{
	struct port *port = bus_port(bus, p);
	int r = reap_belongings(bus, p, n_steps);

	if (r <= 0)
		return r;
	/* reap:A  release, pairs with port_is_dead:A: whoever sees FREE sees it clean */
	atomic_store_explicit(&port->state, with_phase(load_state(bus, p), FREE),
			      memory_order_release);
	return 1;
}

bool port_reap_some(struct aioevt_shm *bus, uint32_t p, uint64_t n_steps, bool *ret_done)
{
	int r = -EAGAIN;

	*ret_done = false;
	if (phase_of(load_state(bus, p)) == FREE || !port_is_dead(bus, p))
		return false;
	if (lock_byte(bus->fd, LOCK_RIGHT + p) < 0)
		return false;		/* another is at it */
	if (phase_of(load_state(bus, p)) == DEAD)
		r = reap(bus, p, n_steps);
	unlock_byte(bus->fd, LOCK_RIGHT + p);
	*ret_done = r > 0;
	return r >= 0;
}

int port_reap(struct aioevt_shm *bus, uint32_t p)
{
	bool done;

	port_reap_some(bus, p, REAP_ALL, &done);
	return done;
}

int port_reap_all(struct aioevt_shm *bus)
{
	int n = 0;

	for (uint32_t p = 0; p < bus_ports_used(bus); p++)
		if (p != bus->port_index)
			n += port_reap(bus, p);
	return n;
}

int port_reap_next(struct aioevt_shm *bus)
{
	uint32_t used = bus_ports_used(bus), n = 0;
	bool done;

	/* clock's low bits pick where: no word to share */
	uint32_t p = used ? (uint32_t)(clock_ns(CLOCK_MONOTONIC) / 1024 % used) : 0;

	for (uint32_t i = 0; i < used && n < MAX_PROBES; i++, p = (p + 1) % used)
		if (p != bus->port_index && phase_of(load_state(bus, p)) != FREE) {
			n++;
			if (port_reap_some(bus, p, PIECE, &done))
				return 1;
		}
	return 0;
}

/* With the right to it. Returns 1, 0 if it is not to be had, or an error. */
static int take(struct aioevt_shm *bus, uint32_t p)
{
	struct port *port = bus_port(bus, p);
	int err = 0;

	if (phase_of(load_state(bus, p)) == TAKEN && !port_is_dead(bus, p))
		return 0;
	if (phase_of(load_state(bus, p)) == DEAD)
		err = reap(bus, p, REAP_ALL);
	if (err < 0)
		return 0;		/* cannot be cleaned now: leave it */
	err = lock_byte(bus->fd, LOCK_BASE + p);
	if (err < 0)
		return err == -EAGAIN ? 0 : err;	/* its owner has just gone */
	bus_raise(&bus->header->ports_hw, p + 1);
	/* port_take:A  relaxed: for people to read */
	atomic_store_explicit(&port->pid, (uint32_t)getpid(), memory_order_relaxed);
	/* port_take:C  relaxed: for people to read, and for who removes unused buses */
	atomic_store_explicit(&port->since, clock_ns(CLOCK_REALTIME), memory_order_relaxed);
	/* port_take:B  release, pairs with port_is_dead:A */
	atomic_store_explicit(&port->state,
			      with_phase(next_generation(load_state(bus, p)), TAKEN),
			      memory_order_release);
	bus->port_index = p;
	bus->port = port;
	return 1;
}

/* Get the right to port @p and try to take it. As take(). */
static int try_take(struct aioevt_shm *bus, uint32_t p)
{
	int r = lock_byte(bus->fd, LOCK_RIGHT + p);

	if (r < 0)
		return r == -EAGAIN ? 0 : r;
	r = take(bus, p);
	unlock_byte(bus->fd, LOCK_RIGHT + p);
	return r;
}

static int take_any(struct aioevt_shm *bus, bool free_only)
{
	for (uint32_t p = 0; p < bus->lo.n_listeners; p++) {
		int r;

		if (free_only && phase_of(load_state(bus, p)) != FREE)
			continue;
		r = try_take(bus, p);
		if (r)
			return r;
	}
	return 0;
}

/*
 * The file's time tells programs of other versions of the format when somebody came or left
 * (unlink-idle.c): they do not know where port->since is. A store through the mapping does not set it.
 */
static void touch_file(struct aioevt_shm *bus)
{
	int saved_errno = errno;

	futimens(bus->fd, NULL);
	errno = saved_errno;
}

int port_take(struct aioevt_shm *bus)
{
	int r;

	bus->port_index = UINT32_MAX;
	r = take_any(bus, true);
	if (!r)
		r = take_any(bus, false);
	if (r <= 0)
		return r ? r : -EUSERS;
	touch_file(bus);
	port_reap_next(bus);
	return 0;
}

void port_release(struct aioevt_shm *bus)
{
	/* port_release:B  relaxed: this thread is the last to use the bus */
	bool clean = !atomic_load_explicit(&bus->n_handles, memory_order_relaxed);

	/* port_release:C  relaxed: as port_take:C */
	atomic_store_explicit(&bus->port->since, clock_ns(CLOCK_REALTIME),
			      memory_order_relaxed);
	touch_file(bus);
	/* What the caller forgot to close is reaped by the next who comes by.
	 * port_release:A  release, pairs with port_is_dead:A */
	atomic_store_explicit(&bus->port->state,
			      with_phase(load_state(bus, bus->port_index),
					 clean ? FREE : DEAD),
			      memory_order_release);
}
