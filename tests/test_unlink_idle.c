/* SPDX-License-Identifier: MIT */
/* A bus that nobody uses is removed, and no other. */

#include "inspect.h"

#define HOUR	UINT64_C(3600000000000)

/* Set each sign of use to @hours ago, and @which of them to @other_hours ago. */
static void set_age(uint64_t hours, const char *which, uint64_t other_hours)
{
	static const char *const signs[] = { "created", "since", "record", "file" };
	struct timespec ts, times[2];
	uint64_t at[4], ns;

	at[0] = offsetof(struct bus_header, created);
	at[1] = port_at(0, offsetof(struct port, since));
	at[2] = slot_at(a, 3, offsetof(struct slot, time));
	clock_gettime(CLOCK_REALTIME, &ts);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t ago = strcmp(signs[i], which) ? hours : other_hours;

		ns = (uint64_t)ts.tv_sec * 1000000000u - ago * HOUR;
		if (i == 2)
			for (unsigned n = 0; n < 4; n++) {
				poke64(slot_at(a, n, offsetof(struct slot, time)), ns);
				poke64(slot_at(b, n & 1, offsetof(struct slot, time)), ns);
			}
		else if (i < 2)
			poke64(at[i], ns);
		else
			times[0] = times[1] = (struct timespec){
				.tv_sec = (time_t)(ns / 1000000000u) };
	}
	check_eq(futimens(fd, times), 0);
	n_undo = 0;
}

static void test_idle(void)
{
	static const char *const signs[] = { "created", "since", "record", "file" };

	set_up_left();
	check_eq(aioevt_shm_unlink_idle(NULL, HOUR, 0), -EAGAIN);
	for (unsigned i = 0; i < 4; i++) {
		fprintf(stderr, "used lately: %s\n", signs[i]);
		set_age(10, signs[i], 2);
		check_eq(aioevt_shm_unlink_idle(NULL, 3 * HOUR, 0), -EAGAIN);
		check_eq(aioevt_shm_unlink_idle(NULL, HOUR, AIOEVT_SHM_DRY_RUN), 0);
	}
	set_age(10, "", 0);
	check_eq(aioevt_shm_unlink_idle(NULL, 11 * HOUR, 0), -EAGAIN);
	check_eq(access(bus_path(), F_OK), 0);
	check_eq(aioevt_shm_unlink_idle(NULL, 9 * HOUR, 0), 0);
	check_eq(access(bus_path(), F_OK), -1);
	check_eq(aioevt_shm_unlink_idle(NULL, 9 * HOUR, 0), -ENOENT);
	close(fd);
}

static uint64_t id;

static void schedule(void)
{
	struct aioevt_shm *mine = bus_open(NULL);

	check_eq(aioevt_shm_emit_after(mine, "a", NULL, 0, in_ms(3600000), &id), 0);
	aioevt_shm_close(mine);
}

static void cancel(void)
{
	struct aioevt_shm *mine = bus_open(NULL);

	check_eq(aioevt_shm_cancel(mine, id), 0);
	aioevt_shm_close(mine);
}

/* So do emissions to come. Who is attached keeps it, stopped or not; the dead do not; and it must be healthy. */
static void test_not_idle(void)
{
	struct child child;

	check_eq(aioevt_shm_unlink_idle(NULL, 0, AIOEVT_SHM_EXISTING), -EINVAL);
	set_up_left();
	child = spawn(be_killed, NULL);
	check_eq(hear(&child), 'r');
	set_age(10, "", 0);
	check_eq(aioevt_shm_unlink_idle(NULL, 0, 0), -EBUSY);
	stop_child(&child);
	check_eq(aioevt_shm_unlink_idle(NULL, 0, 0), -EBUSY);
	check_eq(aioevt_shm_unlink_idle(NULL, 0, AIOEVT_SHM_DRY_RUN), -EBUSY);
	kill_child(&child);
	poke(offsetof(struct bus_header, removed), 1, 4);
	check_eq(aioevt_shm_unlink_idle(NULL, 0, 0), -EPROTO);
	unpoke();
	poke(offsetof(struct bus_header, version), BUS_VERSION + 1, 4);
	check_eq(aioevt_shm_unlink_idle(NULL, 0, AIOEVT_SHM_DRY_RUN), 0);
	check_eq(aioevt_shm_unlink_idle(NULL, HOUR, 0), -EAGAIN);
	unpoke();
	schedule();
	check_eq(aioevt_shm_unlink_idle(NULL, 0, 0), -EBUSY);
	check_eq(aioevt_shm_unlink_idle(NULL, 0, AIOEVT_SHM_DRY_RUN), -EBUSY);
	cancel();
	check_eq(chmod(bus_path(), 0666), 0);
	check_eq(aioevt_shm_unlink_idle(NULL, 0, 0), -EPERM);
	check_eq(chmod(bus_path(), 0600), 0);
	check_eq(aioevt_shm_unlink_idle(NULL, 0, 0), 0);
	check_eq(peek64(offsetof(struct bus_header, removed)) & UINT32_MAX, 1);
	close(fd);
}

static bool is_fresh(void)
{
	struct stat st;

	check_eq(fstat(fd, &st), 0);
	return st.st_mtime > time(NULL) - 3600;
}

/* For programs of another version the file's time tells when somebody attached or left. */
static void test_file_time(void)
{
	struct aioevt_shm *mine;

	set_up_left();
	set_age(10, "", 0);
	check(!is_fresh());
	mine = bus_open(NULL);
	check(is_fresh());
	set_age(10, "", 0);
	check(!is_fresh());
	aioevt_shm_close(mine);
	check(is_fresh());
	check_eq(aioevt_shm_unlink(NULL), 0);
	close(fd);
}

int main(void)
{
	bus_begin();
	alarm(60);
	test_idle();
	test_not_idle();
	test_file_time();
	return bus_end();
}
